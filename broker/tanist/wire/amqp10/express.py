"""The express way of incoming transfers and dispositions: the receive side of the hot path.

``take_frames`` reads deliveries of one frame in the plain form (``plain``) in one loop over the
octets, and makes their ``Delivery`` events. Dispositions of the usual form it hands to their
session without detours. It stops at the first frame that is anything else, good or bad, or that is
not due, before anything was changed, and leaves it to the general code (``connection``,
``session``, ``receiver``): so it has no errors of its own, and what it does not know only takes
longer. A property test holds connections with and without it equal.

Source: AMQP 1.0, 2.5.6 "Session flow control", 2.6.7 "Flow control", 2.6.12, 2.7.6 "Disposition".
"""

from __future__ import annotations

from typing import Final

from tanist.wire.amqp10.events import Delivery, Event
from tanist.wire.amqp10.framing import (
    DOFF,
    FRAME_HEADER,
    FRAME_HEADER_SIZE,
    TYPE_AMQP,
    FrameParser,
)
from tanist.wire.amqp10.plain import LEAST, LONG_LIST, SHORT_LIST, START, read_form
from tanist.wire.amqp10.receiver import Receiver
from tanist.wire.amqp10.session import Session
from tanist.wire.amqp10.session_state import MAPPED
from tanist.wire.amqp10.twins import decode_disposition
from tanist.wire.serial import WIRE_MASK

DISPOSITION: Final = 0x15
"""The descriptor of a disposition, and where it stands in a frame as everybody writes it."""
KIND_AT: Final = 10


def take_frames(parser: FrameParser, mapped: dict[int, Session], events: list[Event]) -> int:
    """Take usual frames from ``parser`` as long as there are; returns how many there were.

    Only for an open connection. ``mapped``: the peer's channel -> session.
    """
    data = parser.data
    taken, last = 0, len(data) - LEAST
    while parser.pos <= last:
        if data[parser.pos + KIND_AT] == DISPOSITION:
            run = _take_disposition(parser, mapped, events)
        else:
            link = _find(data, parser.pos, mapped)
            run = 0 if link is None else _take_run(parser, link, events)
        if not run:
            break
        taken += run
    return taken


def _take_disposition(parser: FrameParser, mapped: dict[int, Session], events: list[Event]) -> int:
    """Take one; returns how many there were."""
    data, pos = parser.data, parser.pos
    size, doff, type_, channel = FRAME_HEADER.unpack_from(data, pos)
    stop: int = pos + size
    session = mapped.get(channel)
    if session is None or session.state != MAPPED or doff != DOFF or type_ != TYPE_AMQP:
        return 0
    # What it reads is a short list, which is below the least frame-max there is.
    found = decode_disposition(data, pos + FRAME_HEADER_SIZE)
    if found is None or found[1] != stop:
        return 0
    parser.pos = stop
    session.on_disposition(found[0], events)
    return 1


def _find(data: bytes, pos: int, mapped: dict[int, Session]) -> Receiver | None:
    """The link of the transfer whose frame starts at ``pos``; None: the general code judges."""
    _, _, _, channel, code, _, _, first, handle = START.unpack_from(data, pos)
    if code == LONG_LIST:
        first, handle = data[pos + 20], data[pos + 21]
    elif code != SHORT_LIST:
        return None
    session = mapped.get(channel)
    if session is None or session.next_delivery < 0:
        return None
    # Should ``first`` be neither 0x43 nor 0x52, then the form is not plain.
    link = session.by_handle.get(0 if first == 0x43 else handle)
    if not isinstance(link, Receiver) or not link.alive or link.partial is not None:
        return None
    return link


def _take_run(parser: FrameParser, link: Receiver, events: list[Event]) -> int:
    """Take the transfers on ``link`` that follow one another and have one form; how many?"""
    data, pos, end = parser.data, parser.pos, len(parser.data)
    form = link.form
    if form is None:
        return _take_other(parser, link, events)
    session = link.session
    front, mark, tail, settled = form.front, form.mark, form.tail, form.settled
    unpack, least = form.layout.unpack_from, form.size
    most = parser.frame_max
    if link.size_max:
        most = min(most, least + link.size_max)
    due = number = session.next_delivery
    limit = number + min(session.in_stop - session.in_next, link.room())
    last = end - least
    while pos <= last and number < limit:
        size, its_front, wire, its_mark, tag, its_tail = unpack(data, pos)
        stop: int = pos + size
        if (
            its_front != front
            or wire != number & WIRE_MASK
            or its_mark != mark
            or its_tail != tail
            or not least <= size <= most
            or stop > end
        ):
            break
        events.append(Delivery(link, number, tag, settled, None, data[pos + least : stop], 0))
        number += 1
        pos = stop
    run = number - due
    if not run:
        return 0 if form.fits(data, pos) else _take_other(parser, link, events)
    parser.pos = pos
    session.count_in(run)
    link.count_in(run)
    return run


def _take_other(parser: FrameParser, link: Receiver, events: list[Event]) -> int:
    """The same, of a form that is not the remembered one."""
    form = read_form(parser.data, parser.pos)
    if form is None:
        return 0
    link.form = form
    return _take_run(parser, link, events)
