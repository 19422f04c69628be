"""Sets of messages, kept as ranges of sequence numbers.

A soak acknowledges millions of messages, in order but for a few. As ranges they are a handful of
pairs of numbers, so what a checker compares costs what the history has in lines, not in messages.

``Numbers`` is a set of numbers, ``Messages`` one such set per producer, ``Dated`` a set of messages
that knows when each came in first.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

Key = tuple[str, int]
"""A message: its producer and its sequence number."""

Range = tuple[int, int]
"""First and last number, both inside."""


class Numbers:
    """A set of whole numbers; equal if the same numbers are in it."""

    __slots__ = ("_firsts", "_lasts")
    __hash__ = None  # type: ignore[assignment]  # it changes

    def __init__(self, *ranges: Range) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in ranges:
            self.add(first, last)

    def add(self, first: int, last: int) -> list[Range]:
        """Put all from ``first`` to ``last`` in; returns what of it was new, ascending."""
        firsts, lasts = self._firsts, self._lasts
        if firsts and lasts[-1] + 1 == first:  # the usual case: the next ones
            lasts[-1] = last
            return [(first, last)]
        low = bisect_left(lasts, first - 1)
        high = bisect_right(firsts, last + 1)
        new: list[Range] = []
        free = first
        for i in range(low, high):
            if free < firsts[i] and free <= last:
                new.append((free, min(last, firsts[i] - 1)))
            free = max(free, lasts[i] + 1)
        if free <= last:
            new.append((free, last))
        merged_first = min(first, firsts[low]) if low < high else first
        merged_last = max(last, lasts[high - 1]) if low < high else last
        firsts[low:high] = [merged_first]
        lasts[low:high] = [merged_last]
        return new

    def common(self, first: int, last: int) -> list[Range]:
        """What of ``first`` to ``last`` is in the set, ascending."""
        out: list[Range] = []
        for i in range(bisect_left(self._lasts, first), len(self._firsts)):
            if self._firsts[i] > last:
                break
            out.append((max(first, self._firsts[i]), min(last, self._lasts[i])))
        return out

    def ranges(self) -> list[Range]:
        """The set as ranges that neither overlap nor touch, ascending."""
        return list(zip(self._firsts, self._lasts, strict=True))

    def __and__(self, other: Numbers) -> Numbers:
        """What is in both."""
        parts = (part for pair in other.ranges() for part in self.common(*pair))
        return Numbers(*parts)

    def __sub__(self, other: Numbers) -> Numbers:
        """What is in this one only."""
        out = Numbers()
        for first, last in self.ranges():
            free = first
            for low, high in other.common(first, last):
                if free < low:
                    out.add(free, low - 1)
                free = high + 1
            if free <= last:
                out.add(free, last)
        return out

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Numbers) and self.ranges() == other.ranges()

    def __contains__(self, number: int) -> bool:
        at = bisect_left(self._lasts, number)
        return at < len(self._firsts) and self._firsts[at] <= number

    def __iter__(self) -> Iterator[int]:
        for first, last in self.ranges():
            yield from range(first, last + 1)

    def __len__(self) -> int:
        return sum(self._lasts) - sum(self._firsts) + len(self._firsts)

    def __repr__(self) -> str:
        return f"Numbers{tuple(self.ranges())}"


class Messages:
    """A set of messages; iterating it gives (producer, number). Equal if the same are in it."""

    __slots__ = ("_numbers",)
    __hash__ = None  # type: ignore[assignment]  # it changes

    def __init__(self) -> None:
        self._numbers: dict[str, Numbers] = {}

    def add(self, producer: str, first: int, last: int) -> list[Range]:
        """Put messages of one producer in; returns what of it was new."""
        return self._numbers.setdefault(producer, Numbers()).add(first, last)

    def of(self, producer: str) -> Numbers:
        """The numbers of one producer."""
        return self._numbers.get(producer, Numbers())

    def only(self, producer: str) -> Messages:
        """The messages of one producer."""
        return _made({producer: self.of(producer)})

    def producers(self) -> list[str]:
        """Who has messages in the set, in order."""
        return sorted(name for name, numbers in self._numbers.items() if numbers)

    def __and__(self, other: Messages) -> Messages:
        return _made({name: self.of(name) & other.of(name) for name in self.producers()})

    def __sub__(self, other: Messages) -> Messages:
        return _made({name: self.of(name) - other.of(name) for name in self.producers()})

    def __or__(self, other: Messages) -> Messages:
        names = {*self.producers(), *other.producers()}
        return _made({n: Numbers(*self.of(n).ranges(), *other.of(n).ranges()) for n in names})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Messages) and list(self._parts()) == list(other._parts())

    def __contains__(self, key: Key) -> bool:
        return key[1] in self.of(key[0])

    def __iter__(self) -> Iterator[Key]:
        for name in self.producers():
            for number in self.of(name):
                yield name, number

    def _parts(self) -> Iterator[tuple[str, list[Range]]]:
        return ((name, self.of(name).ranges()) for name in self.producers())

    def __len__(self) -> int:
        return sum(map(len, self._numbers.values()))

    def __bool__(self) -> bool:
        return any(self._numbers.values())


def _made(numbers: dict[str, Numbers]) -> Messages:
    out = Messages()
    out._numbers = numbers
    return out


class Dated(Messages):
    """A set of messages, each with the time at which it was put in first."""

    __slots__ = ("_times",)

    def __init__(self) -> None:
        super().__init__()
        self._times: dict[str, tuple[list[int], list[int]]] = {}

    def put(self, producer: str, first: int, last: int, t: int) -> list[Range]:
        """Put messages in, at the time ``t``; returns what of it was new."""
        new = self.add(producer, first, last)
        starts, times = self._times.setdefault(producer, ([], []))
        for low, _ in new:
            at = bisect_left(starts, low)
            starts.insert(at, low)
            times.insert(at, t)
        return new

    def until(self, t: int) -> Messages:
        """What had come in by then."""
        out = Messages()
        for producer, (starts, times) in self._times.items():
            numbers = self.of(producer)
            for at, (low, when) in enumerate(zip(starts, times, strict=True)):
                high = starts[at + 1] - 1 if at + 1 < len(starts) else numbers.ranges()[-1][1]
                if when <= t:
                    for first, last in numbers.common(low, high):
                        out.add(producer, first, last)
        return out

    def between(self, since: int, until: int) -> Iterator[Key]:
        """The messages that came in from ``since`` on and before ``until``."""
        for producer, (starts, times) in self._times.items():
            numbers = self.of(producer)
            for at, (low, when) in enumerate(zip(starts, times, strict=True)):
                if since <= when < until:
                    high = starts[at + 1] - 1 if at + 1 < len(starts) else numbers.ranges()[-1][1]
                    for first, last in numbers.common(low, high):
                        yield from ((producer, number) for number in range(first, last + 1))

    def time_of(self, key: Key) -> int | None:
        """When the message came in first, None if it never did."""
        if key not in self:
            return None
        starts, times = self._times[key[0]]
        return times[bisect_right(starts, key[1]) - 1]
