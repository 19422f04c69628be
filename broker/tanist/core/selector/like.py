"""LIKE patterns: ``%`` is any run of characters, ``_`` any one, everything else itself.

A pattern is cut at its ``%`` into parts of fixed length. The first part must stand at the start of
the value, the last one at its end, and those between are looked for from left to right: the
leftmost place is always good enough, so nothing is ever tried again. A part is a list of runs,
the plain text between its ``_``, each with its distance from the start of the part; it is looked
for by its longest run with ``str.find``, and the others are compared in place.

A part without ``_`` is found in linear time. One with ``_`` that floats between two ``%`` may cost
the length of the value times its own; ``floating_chars`` counts these, for the parser's limit.
"""

from __future__ import annotations


class Part:
    """What stands between two ``%``: ``length`` characters, some of them any."""

    __slots__ = ("anchor", "length", "offsets", "runs")

    def __init__(self, offsets: list[int], runs: list[str], length: int) -> None:
        self.offsets = offsets
        self.runs = runs
        self.length = length
        self.anchor = 0
        for index, run in enumerate(runs):
            if len(run) > len(runs[self.anchor]):
                self.anchor = index

    def stands(self, value: str, start: int) -> bool:
        """Whether ``value`` has this part at ``start``; the caller knows that it is long enough."""
        for index, run in enumerate(self.runs):
            if not value.startswith(run, start + self.offsets[index]):
                return False
        return True

    def find(self, value: str, start: int, end: int) -> int:
        """Where between ``start`` and ``end`` this part stands first; -1 if nowhere."""
        if not self.runs:
            return start if start + self.length <= end else -1
        run = self.runs[self.anchor]
        offset = self.offsets[self.anchor]
        last = end - self.length + offset + len(run)
        at = value.find(run, start + offset, last)
        while at >= 0:
            if len(self.runs) == 1 or self.stands(value, at - offset):
                return at - offset
            at = value.find(run, at + 1, last)
        return -1


class Pattern:
    """A compiled LIKE pattern.

    ``shortest``: the length of the shortest text that fits. ``floating_chars``: the characters of
    parts that have to be looked for in more than one run.
    """

    __slots__ = ("_exact", "_middle", "_prefix", "_suffix", "floating_chars", "shortest")

    def __init__(self, parts: list[Part]) -> None:
        self._exact = len(parts) == 1
        self._prefix = parts[0]
        self._suffix = parts[-1]
        self._middle = [part for part in parts[1:-1] if part.length]
        self.floating_chars = 0
        self.shortest = 0
        for part in parts:
            self.shortest += part.length
        for part in self._middle:
            if len(part.runs) > 1:
                self.floating_chars += part.length

    def matches(self, value: str) -> bool:
        """Whether the whole of ``value`` fits."""
        if len(value) < self.shortest:
            return False
        if self._exact:
            return len(value) == self.shortest and self._prefix.stands(value, 0)
        end = len(value) - self._suffix.length
        if not (self._prefix.stands(value, 0) and self._suffix.stands(value, end)):
            return False
        start = self._prefix.length
        for part in self._middle:
            at = part.find(value, start, end)
            if at < 0:
                return False
            start = at + part.length
        return True


class _Cutter:
    """Collects the characters of a pattern into parts."""

    __slots__ = ("length", "offsets", "parts", "run", "runs")

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.offsets: list[int] = []
        self.runs: list[str] = []
        self.run: list[str] = []
        self.length = 0

    def plain(self, char: str) -> None:
        """A character that stands for itself."""
        self.run.append(char)
        self.length += 1

    def any_one(self) -> None:
        """A ``_``."""
        self._end_run()
        self.length += 1

    def any_run(self) -> None:
        """A ``%``, or the end: the part is complete."""
        self._end_run()
        self.parts.append(Part(self.offsets, self.runs, self.length))
        self.offsets = []
        self.runs = []
        self.length = 0

    def _end_run(self) -> None:
        if self.run:
            self.offsets.append(self.length - len(self.run))
            self.runs.append("".join(self.run))
            self.run = []


def compile_pattern(pattern: str, escape: str) -> Pattern | None:
    """The pattern, whose ``escape`` (one character, or empty) makes the next character plain.

    None if the escape character is the last one, where it has nothing to escape.
    """
    cutter = _Cutter()
    escaped = False
    for char in pattern:
        if escaped:
            cutter.plain(char)
            escaped = False
        elif char == escape:
            escaped = True
        elif char == "%":
            cutter.any_run()
        elif char == "_":
            cutter.any_one()
        else:
            cutter.plain(char)
    if escaped:
        return None
    cutter.any_run()
    return Pattern(cutter.parts)
