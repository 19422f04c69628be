"""Checkers: pure functions of a history; each returns a Finding.

No I/O, no clock: what a checker says about an old history file is what it said on the day.
``judge.judge`` puts them together; the verdict is true, false or unknown, and a run that was not
carried through, or whose queues were not drained to the end, is unknown and never a pass.
"""
