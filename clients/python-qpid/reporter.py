"""What the program says: replies and events of docs/client-protocol.md, one JSON line each.

Events about messages are collected and written at most 20 ms or 500 messages later, as ranges of
sequence numbers; everything else is written at once, after all that was collected before it.
Every line is one write under one lock, so lines of several threads never mix.
"""
from __future__ import print_function

import ctypes
import json
import threading
import time

BATCH_S = 0.02
BATCH_MESSAGES = 500

# A flush writes what was collected in this order: what is received before what is acknowledged.
RANK = {"received": 0, "settled": 1, "acked": 1, "ok": 2, "fail": 3, "info": 4}

CLOCK_MONOTONIC = 1


class _Timespec(ctypes.Structure):
    _fields_ = [("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long)]


def _clock():
    """The monotonic clock in nanoseconds, which Python 2.7 does not have."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        clock_gettime = libc.clock_gettime
    except AttributeError:  # glibc before 2.17
        clock_gettime = ctypes.CDLL("librt.so.1", use_errno=True).clock_gettime
    clock_gettime.argtypes = [ctypes.c_int, ctypes.POINTER(_Timespec)]

    def now_ns():
        spec = _Timespec()
        if clock_gettime(CLOCK_MONOTONIC, ctypes.byref(spec)) != 0:
            raise OSError(ctypes.get_errno(), "clock_gettime")
        return spec.tv_sec * 1000000000 + spec.tv_nsec

    return now_ns


now_ns = _clock()


class Reporter(object):
    """Writes lines to ``out``; usable from every thread."""

    def __init__(self, out):
        self._out = out
        self._lock = threading.RLock()
        self._collected = {}  # (type, task, producer) -> [t, extra, ranges]
        self._messages = 0
        self._wanted = threading.Event()
        thread = threading.Thread(target=self._flush_in_time, name="reporter")
        thread.daemon = True
        thread.start()

    def reply(self, kind, to, **fields):
        self._now(kind, dict(fields, in_reply_to=to["id"]))

    def event(self, kind, **fields):
        self._now(kind, dict(fields, t=now_ns()))

    def invoke(self, task, producer, first, last):
        self.event("invoke", task=task, producer=producer, sns=[[first, last]])

    def messages(self, kind, task, producer, first, last, **extra):
        """Collects the outcome or reception of ``first`` to ``last``."""
        key = (kind, task, producer)
        with self._lock:
            batch = self._collected.get(key)
            if batch is not None and batch[1] != extra:
                self.flush()
                batch = None
            if batch is None:
                batch = self._collected[key] = [now_ns(), extra, [[first, last]]]
                self._wanted.set()
            elif batch[2][-1][1] + 1 == first:
                batch[2][-1][1] = last
            else:
                batch[2].append([first, last])
            self._messages += last - first + 1
            if self._messages >= BATCH_MESSAGES:
                self.flush()

    def flush(self):
        with self._lock:
            if not self._collected:
                return
            items = sorted(self._collected.items(), key=lambda item: (RANK[item[0][0]], item[1][0]))
            self._collected = {}
            self._messages = 0
            lines = []
            for (kind, task, producer), (t, extra, ranges) in items:
                lines.append(_line(kind, dict(extra, t=t, task=task, producer=producer, sns=ranges)))
            self._write("".join(lines))

    def _now(self, kind, fields):
        with self._lock:
            self.flush()
            self._write(_line(kind, fields))

    def _write(self, text):
        try:
            self._out.write(text)
            self._out.flush()
        except (IOError, OSError, ValueError):
            pass  # the drill has gone; stdin ends as well and ends the program

    def _flush_in_time(self):
        while True:
            self._wanted.wait()
            time.sleep(BATCH_S)
            self._wanted.clear()
            self.flush()


def _line(kind, fields):
    return json.dumps(dict(fields, type=kind), separators=(",", ":")) + "\n"
