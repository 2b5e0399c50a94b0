"""Counts again what evenkeel-watch counted, from the events alone, sharing no code with it.

Reads lines from stdin. An event: `e,subscription,topic,type,source,version,outcome,created_us,ended_us,overdue_us`
(overdue_us is 0 when nobody was told before the event ended). A question about events of a
subscription: `q,id,kind,threshold_us,method,slice_us,slice_target,empty,window,now_us,…`. Prints one
line for each question and each group: what to compare. Only the standard library.
"""

import bisect
import collections
import datetime
import sys
import zoneinfo

VALID = {"completed", "dead", "expired"}
DAY = 86_400_000_000


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


def main():
    counts = collections.Counter()
    groups = collections.Counter()
    series = collections.defaultdict(list)
    questions = []
    for line in sys.stdin:
        kind, *fields = line.rstrip("\n").split(",")
        if kind == "q":
            questions.append(fields)
            continue
        subscription, topic, event_type, source, version, outcome = fields[:6]
        created, ended, overdue = map(int, fields[6:9])
        counts[(subscription, outcome)] += 1
        groups[(subscription, topic, event_type, source, version, outcome)] += 1
        series[subscription].append((created, ended, outcome, overdue))
    for key, count in sorted(counts.items()):
        print("count," + ",".join(key) + f",{count}")
    for key, count in sorted(groups.items()):
        print("group," + ",".join(key) + f",{count}")
    for fields in questions:
        print(answer(fields, series))


MARKS = {}


def marks_of(subscription, threshold, series):
    """When each event counted, in order, and whether it was good; of each kind of question once."""
    if (subscription, threshold) not in MARKS:
        marks = []
        for created, ended, outcome, overdue in series[subscription]:
            # What passed the threshold before it ended is bad from then on, whatever becomes of it.
            if threshold and overdue:
                marks.append((overdue, False))
            elif outcome in VALID:
                good = outcome == "completed" and (not threshold or ended - created <= threshold)
                marks.append((ended, good))
        marks.sort()
        MARKS[(subscription, threshold)] = ([at for at, _ in marks], marks)
    return MARKS[(subscription, threshold)]


def answer(fields, series):
    ident, subscription, threshold, method, slice_us, slice_target, empty, window, now = fields[:9]
    threshold, slice_us, now = int(threshold), int(slice_us), int(now)
    if window == "calendar":
        start, zone, count, unit = fields[9:13]
        begin, until = calendar(now, start, zone, int(count), unit)
    else:
        begin, until = now - int(window), now
    times, marks = marks_of(subscription, threshold, series)
    # Edges: a window begins with a whole minute when that lies more than two hours back, else with a
    # whole second; the running second belongs to it.
    unit = 1_000_000 if begin // 1_000_000 >= (now - 7_200_000_000) // 1_000_000 else 60_000_000
    low = bisect.bisect_left(times, begin // unit * unit)
    high = bisect.bisect_left(times, (now // 1_000_000 + 1) * 1_000_000)
    good = sum(ok for _, ok in marks[low:high])
    bad = high - low - good
    if method == "occurrences":
        return f"answer,{ident},{begin},{until},{good},{bad},{bad},{good + bad}"
    slices = collections.defaultdict(lambda: [0, 0])
    first_slice = begin // slice_us * slice_us
    # Slices are made of whole minutes.
    low = bisect.bisect_left(times, first_slice // 60_000_000 * 60_000_000)
    high = bisect.bisect_left(times, (now // 60_000_000 + 1) * 60_000_000)
    for at, ok in marks[low:high]:
        minute = at // 60_000_000 * 60_000_000
        slices[minute // slice_us][0 if ok else 1] += 1
    bad_slices = sum(g < float(slice_target) * (g + b) for g, b in slices.values())
    every = -(-(until - begin) // slice_us)
    return f"answer,{ident},{begin},{until},{good},{bad},{bad_slices},{every}"


main()
