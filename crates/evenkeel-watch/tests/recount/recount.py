"""Counts again what evenkeel-watch counted, from the events alone, sharing no code with it.

Reads lines from stdin, questions first. A question about events of a subscription:
`q,id,subscription,threshold_us,method,slice_us,slice_target,empty,window,now_us,…`. An event:
`e,subscription,topic,type,source,version,outcome,created_us,ended_us,overdue_us` (overdue_us is 0 when
nobody was told before the event ended). Prints one line for each question and each group: what to
compare. Only the standard library.
"""

import array
import bisect
import collections
import datetime
import itertools
import sys
import zoneinfo

VALID = {"completed", "dead", "expired"}
DAY = 86_400_000_000
MINUTE = 60_000_000


def calendar(now_us, start, zone, count, unit):
    """The calendar window around now: (from, until) in microseconds. Steps are counted from the start."""
    tz = zoneinfo.ZoneInfo(zone)
    start = datetime.datetime.strptime(start, "%Y-%m-%d %H:%M:%S")

    def begin(n):
        if unit in "dw":
            local = start + datetime.timedelta(days=n * count * (7 if unit == "w" else 1))
        else:
            months = n * count * {"M": 1, "Q": 3, "Y": 12}[unit]
            year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
            following = datetime.date(year + (month == 11), (month + 1) % 12 + 1, 1)
            last = (following - datetime.timedelta(days=1)).day
            local = start.replace(year=year, month=month + 1, day=min(start.day, last))
        return round(local.replace(tzinfo=tz).timestamp() * 1e6)

    n = 0
    while begin(n) <= now_us:
        n += 1
    while begin(n) > now_us:
        n -= 1
    return begin(n), begin(n + 1)


class Marks:
    """When each event counted, and whether it was good: what one kind of question is about."""

    def __init__(self):
        self.raw = array.array("q")

    def add(self, at, good):
        self.raw.append(at * 2 + good)

    def sort(self):
        raw = sorted(self.raw)
        self.times = array.array("q", (mark >> 1 for mark in raw))
        self.good = array.array("q", itertools.accumulate((mark & 1 for mark in raw), initial=0))
        by_minute = collections.defaultdict(lambda: [0, 0])
        for mark in raw:
            by_minute[(mark >> 1) // MINUTE * MINUTE][1 - (mark & 1)] += 1
        self.minutes = list(by_minute.items())

    def between(self, begin, end):
        """Good and bad ones of [begin, end)."""
        low, high = bisect.bisect_left(self.times, begin), bisect.bisect_left(self.times, end)
        good = self.good[high] - self.good[low]
        return good, high - low - good


def main():
    counts = collections.Counter()
    groups = collections.Counter()
    marks = {}
    questions = []
    for line in sys.stdin:
        kind, *fields = line.rstrip("\n").split(",")
        if kind == "q":
            questions.append(fields)
            marks.setdefault(fields[1], {}).setdefault(int(fields[2]), Marks())
            continue
        subscription, outcome = fields[0], fields[5]
        created, ended, overdue = int(fields[6]), int(fields[7]), int(fields[8])
        counts[(subscription, outcome)] += 1
        groups[tuple(fields[:6])] += 1
        for threshold, of in marks[subscription].items():
            # What passed the threshold before it ended is bad from then on, whatever becomes of it.
            if threshold and overdue:
                of.add(overdue, False)
            elif outcome in VALID:
                of.add(ended, outcome == "completed" and (not threshold or ended - created <= threshold))
    for of in marks.values():
        for each in of.values():
            each.sort()
    for key, count in sorted(counts.items()):
        print("count," + ",".join(key) + f",{count}")
    for key, count in sorted(groups.items()):
        print("group," + ",".join(key) + f",{count}")
    for fields in questions:
        print(answer(fields, marks[fields[1]][int(fields[2])]))


def answer(fields, marks):
    ident, _, _, method, slice_us, slice_target, _, window, now = fields[:9]
    slice_us, now = int(slice_us), int(now)
    if window == "calendar":
        start, zone, count, unit = fields[9:13]
        begin, until = calendar(now, start, zone, int(count), unit)
    else:
        begin, until = now - int(window), now
    # Edges: a window begins with a whole minute when that lies more than two hours back, else with a
    # whole second; the running second belongs to it.
    unit = 1_000_000 if begin // 1_000_000 >= (now - 7_200_000_000) // 1_000_000 else MINUTE
    good, bad = marks.between(begin // unit * unit, (now // 1_000_000 + 1) * 1_000_000)
    if method == "occurrences":
        return f"answer,{ident},{begin},{until},{good},{bad},{bad},{good + bad}"
    # Slices are made of whole minutes.
    first = begin // slice_us * slice_us // MINUTE * MINUTE
    slices = collections.defaultdict(lambda: [0, 0])
    for minute, (g, b) in marks.minutes:
        if first <= minute < (now // MINUTE + 1) * MINUTE:
            slices[minute // slice_us][0] += g
            slices[minute // slice_us][1] += b
    bad_slices = sum(g < float(slice_target) * (g + b) for g, b in slices.values())
    every = -(-(until - begin) // slice_us)
    return f"answer,{ident},{begin},{until},{good},{bad},{bad_slices},{every}"


main()
