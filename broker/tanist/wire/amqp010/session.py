"""The session machine of AMQP 0-10: numbered commands, completion, attach and detach.

One ``Session`` is one channel of a connection from attach to detach; both roles use it. The
connection hands it the controls and commands of its channel (``on_control``, ``take_id``,
``on_command``); the layer above completes, sends and ends through the methods without a prefix.
What a channel may receive when is the table in ``session_state``.

Incoming commands are numbered and completed by ``incoming``. Completion is announced *unsolicited
and promptly* (R7): ``complete`` only notes the ids, and ``announce``, called by the connection when
it is asked for its bytes, sends one session.completed for all of them.

Outgoing commands are numbered from 0, or from where ``resume_at`` says. The peer's
session.completed becomes a ``Completed`` event with what is new in it.

R8 (spec, clients): known-completed is only sent when timely-reply was set, and no timeout is sent
unasked. Source: AMQP specification 0-10, part III "session".
"""

from __future__ import annotations

from typing import Final

from tanist.types import Condition
from tanist.wire.amqp010.codec import encode_command, make
from tanist.wire.amqp010.commands import (
    COMPLETED_START,
    completed_frame,
    decode_command,
    decode_completed,
    encode_accept,
)
from tanist.wire.amqp010.events import (
    Attached,
    Command,
    Completed,
    Detached,
    Event,
    Exception_,
    Result,
)
from tanist.wire.amqp010.framing import (
    COMMAND_TRACK,
    FIRST_SEGMENT,
    FRAME_HEADER,
    FRAME_HEADER_SIZE,
    LAST_SEGMENT,
    TYPE_BODY,
    TYPE_COMMAND,
    TYPE_CONTROL,
    TYPE_HEADER,
    WORD_BODY,
    WORD_HEAD,
    WORD_HEADER,
)
from tanist.wire.amqp010.incoming import AGAIN, BLOCKED, SPAN_MAX, START, Incoming
from tanist.wire.amqp010.outgoing import Outgoing
from tanist.wire.amqp010.output import WHOLE_SEGMENTS, Output
from tanist.wire.amqp010.session_state import (
    ATTACHED,
    ATTACHING,
    CONTROL_INPUTS,
    DETACH_NORMAL,
    DETACHING,
    EXCEPTION_ERROR,
    GOT_ATTACH,
    GOT_ATTACHED,
    GOT_COMMAND,
    GOT_CONTROL,
    GOT_DETACH,
    IDLE,
    ILLEGAL,
    LEGAL,
    NOT_ATTACHED,
    SILENT,
    TRANSPORT_BUSY,
)
from tanist.wire.amqp010.values import Struct, TypedBytes, Value
from tanist.wire.serial import WIRE_MASK

TEXT_MAX: Final = 1024
"""Characters of an error text that travel; str16 has room for 65535 octets of UTF-8."""


class Session:
    """One session of a connection, from attach to detach.

    ``channel``, ``name``: where and what it is. ``context``: a free slot for the layer above.
    ``alive``: False once the session was refused, detached or ended by an exception, by either
    side; from then on every method does nothing. ``state``: see ``session_state``.
    """

    __slots__ = (
        "_answer_due",
        "_back",
        "_confirmed_due",
        "_flush_due",
        "_main",
        "_memo_body",
        "_memo_front",
        "_memo_head",
        "_memo_header",
        "_memo_middle",
        "_name",
        "_next_out",
        "_out",
        "_point_due",
        "_report",
        "_touched",
        "alive",
        "channel",
        "context",
        "incoming",
        "name",
        "state",
    )

    def __init__(
        self, channel: int, name: bytes, state: int, output: Output, touched: list[Session]
    ) -> None:
        """For ``Connection`` only. ``touched`` collects sessions with something to announce."""
        self.channel = channel
        self.name = name.decode("utf-8", "backslashreplace")
        self.context: object | None = None
        self.alive = True
        self.state = state
        self._name = TypedBytes(name, 0x90)
        self._main = output
        self._touched = touched
        self._report = True
        self.incoming = Incoming()
        self._flush_due = False
        self._confirmed_due = False
        self._point_due = True
        self._next_out = START
        self._back = Outgoing()
        self._memo_head = b""
        self._memo_header = -1
        self._memo_body = -1
        self._memo_front = b""
        self._memo_middle = b""
        # A server confirms at the next chance unless the owner refuses before that.
        self._answer_due = state == ATTACHED
        self._out = Output(output.max_payload) if self._answer_due else output
        if self._answer_due:
            self._touch()

    @property
    def answer_bytes(self) -> int:
        """Bytes of commands and controls that wait to be written in this step."""
        return self._out.segment_bytes

    @property
    def next_outgoing(self) -> int:
        """The wire id that the next command of ours gets."""
        return self._next_out & WIRE_MASK

    @property
    def next_incoming(self) -> int:
        """The wire id that the peer's next command has."""
        return self.incoming.next & WIRE_MASK

    # -- completing what the peer sent ------------------------------------------------------

    def complete(self, first: int, last: int) -> None:
        """The peer's commands ``first`` to ``last`` (wire ids, both included) are done.

        Completion may be out of order. It is announced by the next ``data_to_send``.
        """
        if self.alive and self.incoming.complete(first, last):
            self._touch()

    def _touch(self) -> None:
        """There is something to announce."""
        self._touched.append(self)
        if self._main.quiet:
            self._main.ring()

    def announce(self) -> None:
        """Send what was put off to the end of a step; for ``Connection`` only.

        That is, in this order: the answer to attach, session.completed for what was completed
        since the last time (or for all, when the peer asked by session.flush), and the answer to
        detach, which thus comes after the results of all commands before it.
        """
        if self._answer_due:
            self._confirm()
        if not self.alive:
            return
        if self._confirmed_due:
            self._send_confirmed()
        ranges = self.incoming.announcement(self._flush_due)
        if ranges or self._flush_due:
            self._send_completed(ranges)
        self._flush_due = False
        if self.state == IDLE:
            self._control("session.detached", name=self._name, code=DETACH_NORMAL)
            self.alive = False

    def _send_completed(self, ranges: list[tuple[int, int]]) -> None:
        """Hand-written twin of session.completed, in as many controls as the ranges need."""
        out = self._out
        if len(ranges) == 1:
            first, last = ranges[0]
            if last - first > SPAN_MAX:
                first = last - SPAN_MAX
            out.chunks.append(completed_frame(self.channel, first, last))
            out.frames += 1
            return
        room = (out.max_payload - 6) // 8
        for at in range(0, max(len(ranges), 1), room):
            part = ranges[at : at + room]
            octets = bytearray(COMPLETED_START)
            octets += (8 * len(part)).to_bytes(2, "big")
            for first, last in part:
                if last - first > SPAN_MAX:
                    first = last - SPAN_MAX  # noqa: PLW2901
                pair = (first & WIRE_MASK) << 32 | (last & WIRE_MASK)
                octets += pair.to_bytes(8, "big")
            out.segment(TYPE_CONTROL, self.channel, bytes(octets), WHOLE_SEGMENTS)

    # -- sending ----------------------------------------------------------------------------

    def send(self, struct: Struct, sync: bool = False) -> int:
        """Send a command without content; returns its wire id.

        Raises: LocalProtocolError if ``struct`` cannot be encoded.
        """
        return self._send_payload(encode_command(struct, sync))

    def send_accept(self, ranges: list[tuple[int, int]]) -> int:
        """Send message.accept for transfers of the peer's (wire ids); returns its wire id."""
        return self._send_payload(encode_accept(ranges))

    def _send_payload(self, payload: bytes) -> int:
        if self._point_due:
            self._open_outgoing()
        number = self._next_out
        if self.alive:
            self._next_out = number + 1
            self._out.segment(TYPE_COMMAND, self.channel, payload, WHOLE_SEGMENTS)
        return number & WIRE_MASK

    def send_transfer(self, head: bytes, header: bytes, body: bytes, bodiless: bool = False) -> int:
        """Send a message; returns its wire id.

        ``head`` comes from ``encode_transfer``: make it once and pass the same object, so that
        what depends on it is made once too. An empty ``header`` means no header segment;
        ``bodiless`` means no body segment, and ``body`` must be empty. The message may be of any
        size.
        """
        if self._point_due:
            self._open_outgoing()
        number = self._next_out
        if not self.alive:
            return number & WIRE_MASK
        self._next_out = number + 1
        out = self._out
        header_size, body_size = len(header), len(body)
        if bodiless:
            self._send_bodiless(head, header)
            return number & WIRE_MASK
        if (
            head is not self._memo_head
            or header_size != self._memo_header
            or body_size != self._memo_body
        ):
            if header_size > out.max_payload or body_size > out.max_payload:
                self._send_large(head, header, body)
                return number & WIRE_MASK
            self._remember(head, header_size, body_size)
        if out.quiet:
            out.ring()
        if header_size:
            out.chunks += (self._memo_front, header, self._memo_middle, body)
            out.frames += 3
        else:
            out.chunks += (self._memo_front, body)
            out.frames += 2
        return number & WIRE_MASK

    def send_batch(self, head: bytes, body: bytes) -> int:
        """``send_transfer`` without header properties, for bodies of many megabytes."""
        return self.send_transfer(head, b"", body)

    def resume_at(self, command_id: int) -> None:
        """The next command of ours gets ``command_id``, announced by session.command-point.

        For a client that replays after a failover: before the first command, or between any two.
        """
        if not self.alive:
            return
        self._confirm()
        self._next_out = self._back.resume_at(command_id, self._next_out)
        self._point_due = True

    def flush(
        self, expected: bool = False, confirmed: bool = False, completed: bool = True
    ) -> None:
        """Ask the peer for its state now; its completions come as ``Completed``."""
        if self.alive:
            self._confirm()
            self._control(
                "session.flush", expected=expected, confirmed=confirmed, completed=completed
            )

    def _confirm(self) -> None:
        """Server: the owner did not refuse; send session.attached and all that waits for it."""
        if not self._answer_due:
            return
        self._answer_due = False
        waiting, self._out = self._out, self._main
        self._control("session.attached", name=self._name)
        self._send_point(START)
        self._main.append(waiting)

    def _open_outgoing(self) -> None:
        """Before a command of ours: announce where our numbering starts, or jumps to."""
        if self.alive:
            self._confirm()
            if self._point_due:
                self._send_point(self._next_out)

    def _send_point(self, number: int) -> None:
        self._point_due = False
        self._control("session.command-point", command_id=number & WIRE_MASK, command_offset=0)

    def _control(self, kind: str, /, **fields: Value) -> None:
        self._out.control(self.channel, make(kind, **fields))

    def _remember(self, head: bytes, header_size: int, body_size: int) -> None:
        """Make the octets between the parts of a message of these sizes."""
        where = COMMAND_TRACK | self.channel
        front = FRAME_HEADER.pack(WORD_HEAD, len(head) + FRAME_HEADER_SIZE, where) + head
        tail = FRAME_HEADER.pack(WORD_BODY, body_size + FRAME_HEADER_SIZE, where)
        if header_size:
            front += FRAME_HEADER.pack(WORD_HEADER, header_size + FRAME_HEADER_SIZE, where)
            self._memo_middle = tail
        else:
            front += tail
        self._memo_front = front
        self._memo_head = head
        self._memo_header = header_size
        self._memo_body = body_size

    def _send_bodiless(self, head: bytes, header: bytes) -> None:
        out, channel = self._out, self.channel
        out.segment(TYPE_COMMAND, channel, head, FIRST_SEGMENT if header else WHOLE_SEGMENTS)
        if header:
            out.segment(TYPE_HEADER, channel, header, LAST_SEGMENT)

    def _send_large(self, head: bytes, header: bytes, body: bytes) -> None:
        out, channel = self._out, self.channel
        out.segment(TYPE_COMMAND, channel, head, FIRST_SEGMENT)
        if header:
            out.segment(TYPE_HEADER, channel, header, 0)
        out.segment(TYPE_BODY, channel, body, LAST_SEGMENT)

    # -- ending -----------------------------------------------------------------------------

    def exception(
        self,
        code: int,
        text: str,
        command_id: int,
        class_code: int = 0,
        command_code: int = 0,
    ) -> None:
        """A command of the peer failed: send execution.exception and detach. The session is dead.

        ``code`` is an execution.error-code, ``command_id`` the failed command's wire id. What was
        completed before is announced first. No ``Detached`` follows.
        """
        if not self.alive or self.state not in (ATTACHED, IDLE):
            return
        self._confirm()
        if self.state == ATTACHED:
            self._raise(code, text, command_id, class_code, command_code)
        else:  # the peer has asked to detach meanwhile; its answer is still due
            self._send_exception(code, text, command_id, class_code, command_code)

    def detach(self) -> None:
        """End the session in order; ``Detached`` comes when the peer has confirmed."""
        if self.alive and self.state in (ATTACHED, ATTACHING):
            self._confirm()
            self.announce()
            self._leave(DETACHING)
            self._control("session.detach", name=self._name)

    def refuse(self, code: int) -> None:
        """Send session.detached with ``code`` (1 session-busy); the session is dead at once.

        While ``Attached`` is handled, this is the whole answer to the peer's attach. Later it
        takes the session from its peer (another connection attached the name by force). No
        ``Detached`` follows.
        """
        if not self.alive or self.state != ATTACHED:
            return
        if self._answer_due:
            self._answer_due = False
            self._out = self._main
        self._leave(SILENT)
        self._control("session.detached", name=self._name, code=code)

    def _raise(
        self, code: int, text: str, command_id: int, class_code: int = 0, command_code: int = 0
    ) -> None:
        ranges = self.incoming.announcement(False)
        if ranges:
            self._send_completed(ranges)
        self._send_exception(code, text, command_id, class_code, command_code)
        self._control("session.detach", name=self._name)
        self._report = False
        self._leave(DETACHING)

    def _send_exception(
        self, code: int, text: str, command_id: int, class_code: int, command_code: int
    ) -> None:
        if self._point_due and not self._answer_due:
            self._send_point(self._next_out)
        self._next_out += 1
        failure = make(
            "execution.exception",
            error_code=code,
            command_id=command_id,
            class_code=class_code,
            command_code=command_code,
            field_index=0,
            description=text[:TEXT_MAX],
            error_info={},
        )
        self._out.segment(TYPE_COMMAND, self.channel, encode_command(failure), WHOLE_SEGMENTS)

    def _leave(self, state: int) -> None:
        """Nothing more comes in or goes out, except what ends the session."""
        self.state = state
        self.alive = False
        self.incoming.block()

    # -- what the peer sends (for Connection only) --------------------------------------------

    def take_id(self, events: list[Event]) -> int:
        """The wire id of the command that just arrived; -1 if it must be ignored."""
        number = self.incoming.take()
        return number if number >= 0 else self._judge(number, events)

    def _judge(self, verdict: int, events: list[Event]) -> int:
        """A command came that has no id: a duplicate, too late, or out of place."""
        if verdict == BLOCKED:
            if LEGAL.get((self.state, GOT_COMMAND), -1) < 0:
                self._fail(Condition.ILLEGAL_STATE, "command before session.attached", events)
            elif self.state == ATTACHED:
                self._fail(Condition.ILLEGAL_STATE, "command before command-point", events)
        elif verdict == AGAIN:
            self._touch()
        return -1

    def on_command(self, segment: bytes, events: list[Event]) -> None:
        """A command without content arrived. Raises: FramingError."""
        number = self.take_id(events)
        if number < 0:
            return
        struct, sync = decode_command(segment)
        name = struct.name
        if name == "execution.result":
            events.append(Result(self, struct.number("command_id"), struct.struct("value")))
            self.complete(number, number)
        elif name == "execution.exception":
            events.append(Exception_(self, struct))
            self.complete(number, number)
        else:
            events.append(Command(self, number, sync, struct))

    def on_control(self, control: Struct, events: list[Event]) -> None:
        """A session control arrived; afterwards ``state`` and ``alive`` say what became of us."""
        kind = CONTROL_INPUTS.get(control.name, GOT_CONTROL)
        state = LEGAL.get((self.state, kind), -1)
        if state < 0:
            self._on_illegal(control, events)
        elif self.state in (DETACHING, SILENT):
            self.state = state
            if state == IDLE and self._report:
                events.append(Detached(self, control.number("code")))
        elif kind == GOT_CONTROL:
            self._on_state_control(control, events)
        elif self.state != IDLE:
            self._on_attachment(kind, control, events)

    def _on_illegal(self, control: Struct, events: list[Event]) -> None:
        if ILLEGAL[self.state] == EXCEPTION_ERROR:
            self._fail(Condition.ILLEGAL_STATE, f"{control.name} is out of place", events)
            return
        code = TRANSPORT_BUSY if self.state == DETACHING else NOT_ATTACHED
        name = control.fields.get("name", self._name)
        self._control("session.detached", name=name, code=code)

    def _on_attachment(self, kind: int, control: Struct, events: list[Event]) -> None:
        same = control.octets("name") == self._name
        if kind == GOT_ATTACH:
            if not same:
                name = control.fields.get("name", self._name)
                self._control("session.detached", name=name, code=TRANSPORT_BUSY)
        elif kind == GOT_ATTACHED:
            if same:
                self.state = ATTACHED
                events.append(Attached(self, False))
            else:
                self._fail(Condition.INVALID_ARGUMENT, f"{self.name} is not that session", events)
        elif kind == GOT_DETACH:
            if same:
                self.incoming.block()
                self.state = IDLE
                self._touch()
                events.append(Detached(self, DETACH_NORMAL))
            else:
                self._fail(Condition.INVALID_ARGUMENT, f"{self.name} is not that session", events)
        else:
            self._leave(IDLE)
            events.append(Detached(self, control.number("code")))

    def _fail(self, condition: Condition, text: str, events: list[Event]) -> None:
        """The peer broke a rule of this session: only the session ends."""
        self._raise(condition.code, text, self.incoming.next & WIRE_MASK)
        events.append(Detached(self, DETACH_NORMAL))

    def _on_state_control(self, control: Struct, events: list[Event]) -> None:
        name = control.name
        if name == "session.completed":
            self._on_completed(control.ranges("commands"), events)
            if control.flag("timely_reply") and self.alive:
                self._control("session.known-completed", commands=control.ranges("commands"))
        elif name == "session.command-point":
            self._on_command_point(control, events)
        elif name == "session.flush":
            self._on_flush(control)
        elif name == "session.known-completed":
            self.incoming.known(control.ranges("commands"))
        elif name == "session.request-timeout":
            # A session does not survive its connection, so that no timeout is granted.
            self._control("session.timeout", timeout=0)
        elif name == "session.gap":
            self._fail(Condition.NOT_IMPLEMENTED, "session.gap is not supported", events)
        # expected, confirmed and timeout inform us of nothing that we keep.

    def on_completed(self, segment: bytes, events: list[Event]) -> bool:
        """A plain session.completed arrived; False: it is not, and goes the way of all controls."""
        if self.state != ATTACHED:
            return False
        ranges = decode_completed(segment)
        if ranges is None:
            return False
        self._on_completed(ranges, events)
        return True

    def _on_completed(self, ranges: list[tuple[int, int]], events: list[Event]) -> None:
        fresh = self._back.completed(ranges, self._next_out)
        if fresh:
            events.append(Completed(self, fresh))
        if self._back.full_of_holes:
            self._fail(Condition.RESOURCE_LIMIT_EXCEEDED, "too many holes in completed", events)

    def _on_command_point(self, control: Struct, events: list[Event]) -> None:
        if control.number("command_offset"):
            self._fail(Condition.NOT_IMPLEMENTED, "command-offset must be 0", events)
            return
        if not self.incoming.point(control.number("command_id")):
            self._fail(Condition.RESOURCE_LIMIT_EXCEEDED, "too many jumps in command ids", events)

    def _send_confirmed(self) -> None:
        """As many ranges as one control takes: it only informs, nobody relies on the others."""
        self._confirmed_due = False
        room = (self._out.max_payload - 6) // 8
        done = [(a & WIRE_MASK, b & WIRE_MASK) for a, b in self.incoming.done.pairs()[:room]]
        self._control("session.confirmed", commands=done)

    def _on_flush(self, control: Struct) -> None:
        if control.flag("expected"):
            number = self.incoming.next & WIRE_MASK
            expected = [(number, number)] if self.incoming.pointed else []
            self._control("session.expected", commands=expected)
        if control.flag("confirmed"):
            self._confirmed_due = True
            self._touch()
        if control.flag("completed"):
            self._flush_due = True
            self._touch()
