"""The crew: the client programs of one run, what they were told, and what they said.

Everything they say arrives in one inbox (stamped by the reader threads), is written to the history
and counted here. All waiting of the runner is ``wait``: it works the inbox off until a condition
holds, and raises ``DrillError`` when nothing moves any more or a program dies.
"""

from __future__ import annotations

import math
import queue
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final, Protocol

from tanist_interop import protocol
from tanist_interop.checkers.ranges import Numbers
from tanist_interop.drivers.program import CANNOT_RUN, Gone, Inbox, Said
from tanist_interop.drivers.registry import ClientSpec
from tanist_interop.history import DRILL, Journal

QUIET_S: Final = 20.0
"""When nothing moved for so long, nothing will: the longest pause that a healthy run can have is
two heartbeats, a promotion and a client's back-off, together below ten seconds."""

AT_ONCE: Final = 6
"""Programs that are started, or ended, at a time."""

SAME_CLOCK_NS: Final = 250_000_000
"""An offset below a slow program's start-up jitter means the same machine, so the same clock."""

PASSWORD: Final = "password"
HIDDEN: Final = "***"
"""In its place in histories."""

HONESTY_REQUEST: Final = "no-such-request"


class DrillError(Exception):
    """The run cannot go on; the text says why. Its verdict will be unknown."""


class ProgramLike(Protocol):
    """What the crew needs of a client program."""

    def start(self) -> None: ...
    def write(self, line: str) -> None: ...
    def kill(self) -> None: ...
    def suspend(self) -> None: ...
    def resume(self) -> None: ...
    def end(self) -> None: ...


StartProgram = Callable[[str, ClientSpec, Path, Inbox], ProgramLike]


@dataclass
class Member:
    """One client program: starting, then up, cannot run, or gone."""

    name: str
    spec: ClientSpec
    program: ProgramLike
    state: str = "starting"
    reason: str = ""
    offset_ns: int = 0
    capabilities: list[str] = field(default_factory=list)
    last_id: int = 0
    honesty_id: int = 0
    doomed: bool = False
    """Killed by the drill."""
    replies: dict[int, protocol.Reply] = field(default_factory=dict)
    ended: dict[int, protocol.Ended] = field(default_factory=dict)

    def next_id(self) -> int:
        """A new request number."""
        self.last_id += 1
        return self.last_id


class Crew:
    """Client programs by name. ``tick`` is called about once a second while waiting."""

    def __init__(
        self,
        journal: Journal,
        folder: Path,
        start_program: StartProgram,
        tick: Callable[[], None] = lambda: None,
        quiet_s: float = QUIET_S,
    ) -> None:
        self.quiet_s = quiet_s
        self.journal = journal
        self.folder = folder
        self.inbox: Inbox = queue.SimpleQueue()
        self.members: dict[str, Member] = {}
        self.acknowledged: Counter[str] = Counter()
        self.received: dict[str, Numbers] = {}
        self.reopened: Counter[str] = Counter()
        self._watched: dict[tuple[str, int, str], Numbers] = {}
        self.closing = False
        self._start_program = start_program
        self._tick = tick
        self._ticked = time.monotonic()
        self._moved = time.monotonic()

    def add(self, name: str, spec: ClientSpec) -> Member:
        """Start a program and greet it: ``init``, and a request that nobody knows."""
        (member,) = self.add_all([(name, spec)])
        return member

    def add_all(self, wanted: list[tuple[str, ClientSpec]]) -> list[Member]:
        """Start these programs, some at a time (a container takes half a second), and greet
        them."""
        added = []
        for name, spec in wanted:
            log = self.folder / f"{name}.log"
            log.touch()
            member = Member(name, spec, self._start_program(name, spec, log, self.inbox))
            self.members[name] = member  # from now on it is ended, whatever becomes of the others
            added.append(member)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda member: member.program.start(), added))
        self._moved = time.monotonic()
        for member in added:
            self.tell(member, protocol.Init(member.next_id(), member.name, protocol.VERSION))
            member.honesty_id = member.next_id()
            member.program.write(f'{{"type":"{HONESTY_REQUEST}","id":{member.honesty_id}}}')
        return added

    def tell(self, member: Member, request: protocol.Request) -> int:
        """Send a request, note it in the history (without a password); returns its id, which names
        a task."""
        event: dict[str, object] = {"type": request.TYPE, **asdict(request)}
        if isinstance(request, protocol.Connect) and PASSWORD in request.options:
            event["options"] = {**request.options, PASSWORD: HIDDEN}
        note: dict[str, object] = {"type": "request", "request": event}
        self.journal.add(time.monotonic_ns(), member.name, note)
        member.program.write(protocol.encode(request))
        return request.id

    def watch(self, member: Member, task: int, producer: str, numbers: Numbers) -> None:
        """Put what a receiver is given of this producer there, too."""
        self._watched[member.name, task, producer] = numbers

    def call(self, told: list[tuple[Member, int]], stage: str) -> None:
        """Wait until each of these requests is done. Raises: DrillError if one is not."""
        self.wait(lambda: all(i in member.replies for member, i in told), stage)
        for member, i in told:
            reply = member.replies[i]
            if isinstance(reply, (protocol.Failed, protocol.Unsupported)):
                raise DrillError(f"{member.name} answered {reply.TYPE}: {reply.reason}")

    def pause(self, member: Member) -> None:
        """SIGSTOP a program."""
        self.mark("pause", program=member.name)
        member.program.suspend()

    def resume(self, member: Member) -> None:
        """SIGCONT a program."""
        member.program.resume()
        self.mark("resume", program=member.name)

    def kill(self, member: Member) -> None:
        """SIGKILL a program, and wait until it is gone."""
        member.doomed = True
        self.mark("kill", program=member.name)
        member.program.kill()
        self.wait(lambda: member.state == "gone", f"killing {member.name}")

    def mark(self, name: str, **more: object) -> int:
        """Note a moment; returns its time."""
        now = time.monotonic_ns()
        self.journal.add(now, DRILL, {"type": "mark", "name": name, **more})
        return now

    def wait(self, condition: Callable[[], bool], stage: str, limit_s: float = math.inf) -> None:
        """Work the inbox off until the condition holds. Raises: DrillError when nothing moves any
        more, or after ``limit_s`` although other things move."""
        began = self._moved = time.monotonic()
        while not condition():
            self.pump(0.05)
            now = time.monotonic()
            if now - self._moved > self.quiet_s:
                raise DrillError(f"{stage}: nothing moved for {self.quiet_s:g} s")
            if now - began > limit_s:
                raise DrillError(f"{stage}: not done after {limit_s:g} s")

    def pump(self, timeout_s: float) -> None:
        """Take in what the programs have said by now; wait at most so long for the first item. What
        they say meanwhile is left to the next call: it must end however much they say."""
        if time.monotonic() - self._ticked > 1 and not self.closing:
            self._ticked = time.monotonic()
            self._tick()
        try:
            self._take(self.inbox.get(timeout=timeout_s))
        except queue.Empty:
            return
        for _ in range(self.inbox.qsize()):
            self._take(self.inbox.get_nowait())

    def end(self) -> None:
        """Close every program and take in their last words. Never raises."""
        self.closing = True
        for member in self.members.values():
            if member.state == "up":
                self.tell(member, protocol.Close(member.next_id()))
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda member: member.program.end(), self.members.values()))
        self.pump(0.0)

    def _take(self, item: Said | Gone) -> None:
        member = self.members[item.source]
        if isinstance(item, Gone):
            self._gone(member, item)
        elif item.message is None:
            self._give_up(f"{member.name}: {item.problem}")
        else:
            self._said(member, item.at, item.message)

    def _said(self, member: Member, at: int, message: protocol.Message) -> None:
        t = at
        if isinstance(message, protocol.Event):
            t = message.t + member.offset_ns
        self.journal.add(at, member.name, {"type": message.TYPE, **vars(message)}, t)
        if isinstance(message, protocol.Batch):
            self._count(member, message)
        elif isinstance(message, protocol.Ended):
            member.ended[message.task] = message
            self._moved = time.monotonic()
        elif isinstance(message, protocol.Reply):
            self._moved = time.monotonic()
            self._replied(member, at, message)
        elif isinstance(message, protocol.Reopened):
            self.reopened[member.name] += 1
            self._moved = time.monotonic()
        elif isinstance(message, protocol.Error) and message.fatal:
            self._give_up(f"{member.name}: {message.text}")

    def _count(self, member: Member, batch: protocol.Batch) -> None:
        if isinstance(batch, protocol.Ok):
            self.acknowledged[batch.producer] += protocol.count(batch.sns)
            self._moved = time.monotonic()
        elif isinstance(batch, protocol.Received):
            numbers = self.received.setdefault(batch.producer, Numbers())
            watched = self._watched.get((member.name, batch.task, batch.producer))
            for first, last in batch.sns:
                numbers.add(first, last)
                if watched is not None:
                    watched.add(first, last)
            self._moved = time.monotonic()

    def _replied(self, member: Member, at: int, reply: protocol.Reply) -> None:
        member.replies[reply.in_reply_to] = reply
        if isinstance(reply, protocol.InitOk):
            offset = at - reply.now_ns
            member.capabilities = reply.capabilities
            member.offset_ns = 0 if abs(offset) < SAME_CLOCK_NS else offset
            note = {"type": "client", "init_ok": asdict(reply), "offset_ns": member.offset_ns}
            self.journal.add(at, member.name, note)
            if reply.protocol != protocol.VERSION:
                self._give_up(f"{member.name} speaks protocol {reply.protocol}")
        elif reply.in_reply_to == member.honesty_id:
            if not isinstance(reply, protocol.Unsupported):
                text = f"answers {reply.TYPE} to a request that nobody knows: it cannot be believed"
                self._give_up(f"{member.name} {text}")
            member.state = "up"

    def _gone(self, member: Member, item: Gone) -> None:
        before, member.state = member.state, "gone"
        member.reason = item.last_words
        self._moved = time.monotonic()
        if item.code == CANNOT_RUN and before == "starting":
            member.state = "cannot run"
            return
        exit_note = {"type": "client_exit", "code": item.code, "expected": member.doomed}
        self.journal.add(item.at, member.name, exit_note)
        if member.doomed:
            return
        self._give_up(f"{member.name} ended with code {item.code}: {item.last_words}")

    def _give_up(self, reason: str) -> None:
        """The run cannot go on; while taking down this no longer matters."""
        if not self.closing:
            raise DrillError(reason)
