#!/usr/bin/env python3
"""Shipping: a service that handles events of an Evenkeel subscription, with Python's standard
library only.

What a handler must do so that `effects: { mode: fenced }` holds, and how little that is:

1. Read the event: a CloudEvent in HTTP binary mode (`ce-*` headers, the body is its data).
2. Honour `Idempotency-Key`: a key that is in the book already has its effect; answer as before.
3. Write the effect to the medium (fsync) *before* answering 2xx.

Usage: shipping.py --dir DIR [--port PORT]. Its book is DIR/shipping.jsonl (a JSON object a line),
its port stands in DIR/shipping.port.

    POST /events    the subscription's handler
    POST /faults    {"mode": "ok" | "down" | "slow" | "hang" | "wedged", ...}: misbehaves on request
    POST /recycle   ends every misbehaviour, `wedged` too
    GET  /status    calls, and calls that were repeats
"""

import argparse
import datetime
import json
import os
import queue
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Book:
    """JSON lines, each on the medium before anyone hears of it.

    One thread owns the file; lines that arrive while a flush runs share the next one.
    """

    def __init__(self, path):
        self.lines = {}
        self.asks = queue.SimpleQueue()
        self.file = open(path, "a+b")
        self.file.seek(0)
        text = self.file.read()
        whole = text.rfind(b"\n") + 1
        self.file.truncate(whole)  # a torn last line: nobody was told of it
        for line in text[:whole].splitlines():
            effect = json.loads(line)
            self.lines[effect["key"]] = effect
        os.fsync(self.file.fileno())
        threading.Thread(target=self._write_all, daemon=True).start()

    def keep(self, effect):
        """Writes the effect unless its key is there; gives back what stands in the book."""
        ask = [effect, threading.Event(), None, False]
        self.asks.put(ask)
        ask[1].wait()
        return ask[2], ask[3]

    def _write_all(self):
        while True:
            group = [self.asks.get()]
            while not self.asks.empty():
                group.append(self.asks.get())
            text = bytearray()
            for ask in group:
                effect = ask[0]
                ask[2] = self.lines.get(effect["key"])
                if ask[2] is None:
                    ask[2], ask[3] = effect, True
                    self.lines[effect["key"]] = effect
                    text += json.dumps(effect).encode() + b"\n"
            if text:
                try:
                    self.file.write(text)
                    self.file.flush()
                    os.fdatasync(self.file.fileno())
                except OSError as error:  # whether it is written is unknown: answer nobody
                    print("shipping: the book takes nothing more:", error, flush=True)
                    os._exit(1)
            for ask in group:
                ask[1].set()


class Shipping:
    """What the handler threads share."""

    def __init__(self, book):
        self.book = book
        self.fault = {"mode": "ok"}
        self.calls = 0
        self.repeats = 0

    def turn(self, fault):
        # Only /recycle ends "wedged": nobody but a playbook repairs it.
        if not (fault["mode"] == "ok" and self.fault["mode"] == "wedged"):
            self.fault = fault

    def ship(self, headers, body):
        """Returns status and answer of one event."""
        self.calls += 1
        fault = self.fault
        if fault["mode"] == "down":
            return int(fault.get("status", 502)), {"error": "down on purpose"}
        if fault["mode"] == "wedged":
            return 500, {"error": "wedged on purpose"}
        if fault["mode"] == "hang":
            time.sleep(3600)
        if headers.get("ce-type") != "PaymentCaptured":
            return 422, {"error": "shipping has nothing to do with %s" % headers.get("ce-type")}
        key = headers.get("Idempotency-Key", "").strip('"')
        if not key:
            return 400, {"error": "the header Idempotency-Key is missing"}
        try:
            payment = json.loads(body)
            effect = {
                "key": key,
                "effect": "ship",
                "order": payment["order"],
                "event": headers.get("ce-id"),
                "customer": headers.get("ce-partitionkey"),
                "units": payment["units"],
                "pence": payment["pence"],
                "attempt": int(headers.get("evenkeel-attempt", "1")),
                "at": datetime.datetime.now(datetime.timezone.utc).isoformat(),
            }
        except (ValueError, KeyError, TypeError) as error:
            return 422, {"error": "not a captured payment: %r" % error}
        kept, fresh = self.book.keep(effect)
        self.repeats += 0 if fresh else 1
        if fault["mode"] == "slow":
            time.sleep(fault.get("ms", 200) / 1000)
        return 200, {"order": kept["order"], "shipped": kept["units"]}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer leaves in one piece

    def do_POST(self):
        shipping = self.server.shipping
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/events":
            self.reply(*shipping.ship(self.headers, body))
        elif self.path == "/faults":
            shipping.turn(json.loads(body))
            self.reply(200, {})
        elif self.path == "/recycle":
            shipping.fault = {"mode": "ok"}
            self.reply(200, {})
        else:
            self.reply(404, {"error": "no such path"})

    def do_GET(self):
        shipping = self.server.shipping
        if self.path == "/status":
            self.reply(200, {"calls": shipping.calls, "repeats": shipping.repeats})
        else:
            self.reply(404, {"error": "no such path"})

    def reply(self, status, answer):
        body = json.dumps(answer).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = socket.SOMAXCONN


def main():
    arguments = argparse.ArgumentParser(description="ships what was paid")
    arguments.add_argument("--dir", required=True)
    arguments.add_argument("--port", type=int, default=0)
    told = arguments.parse_args()
    server = Server(("127.0.0.1", told.port), Handler)
    server.shipping = Shipping(Book(os.path.join(told.dir, "shipping.jsonl")))
    port_file = os.path.join(told.dir, "shipping.port")
    with open(port_file, "w") as file:
        file.write("%d\n" % server.server_address[1])
    server.serve_forever()


if __name__ == "__main__":
    main()
