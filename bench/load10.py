"""The load client for AMQP 1.0: as little work per message as one can have.

Every message is the same octets but for its delivery id and tag, which are written into copies of
one frame, while the broker is at work on those before; what is read are only dispositions and
flows. So the client is not what is measured.
"""

from __future__ import annotations

import time
from struct import Struct

from load import QUEUE, READ_OCTETS, connect

from tanist.wire.amqp10.composites import Source, Target
from tanist.wire.amqp10.connection import Connection
from tanist.wire.amqp10.events import Event, Flowed, Opened
from tanist.wire.amqp10.framing import FRAME_HEADER, FRAME_HEADER_SIZE, FrameParser
from tanist.wire.amqp10.sections import encode_data, stamp_header
from tanist.wire.amqp10.settings import ConnectionSettings
from tanist.wire.amqp10.twins import decode_disposition, decode_flow

NUMBER = Struct(">I")
FRAME_MAX = 65536
HEAD = bytes.fromhex("005314c01106520070000000 00a00400000000434242".replace(" ", ""))
"""transfer of 17 octets, 6 fields: handle 0, delivery-id, tag, message-format 0, not settled, no
more: what Proton sends."""
ID_AT = FRAME_HEADER_SIZE + 9
TAG_AT = ID_AT + 6


def message_of(body_octets: int) -> bytes:
    """A durable message with one data section."""
    return stamp_header(True, 4, None, False, 0) + encode_data(b"x" * body_octets)


class BrokerLoad10:
    """Drives a broker over AMQP 1.0; the queue must be there."""

    def __init__(self, port: int) -> None:
        self.sock = connect(port)
        self._parser = FrameParser(FRAME_MAX)
        self._sent = 0
        self._settled = 0
        self._limit = 0
        self._open()

    def _open(self) -> None:
        """Open, begin, attach, with a machine that is not used for messages."""
        settings = ConnectionSettings(role="client", container_id="bench")
        connection = Connection(settings, time.monotonic())
        attached = False
        while not self._limit:
            self.sock.sendall(connection.data_to_send())
            data = self.sock.recv(READ_OCTETS)
            if not data:
                raise ConnectionError("the broker closed the connection")
            events: list[Event] = connection.receive_data(data, time.monotonic())
            for event in events:
                if isinstance(event, Opened) and not attached:
                    attached = True
                    connection.begin().sender("bench", Source(), Target(address=QUEUE))
                elif isinstance(event, Flowed) and event.flow is not None:
                    self._limit = event.flow.link_credit or 0

    def measure(self, message: bytes, count: int, window: int) -> tuple[float, list[float]]:
        """Send ``count`` messages, ``window`` in flight; see ``load.pump``."""
        body = HEAD + message
        frame = FRAME_HEADER.pack(len(body) + FRAME_HEADER_SIZE, 2, 0, 0) + body
        block = bytearray(frame * window)
        view = memoryview(block)
        self._number(block, len(frame), 0, window, self._sent)
        trips: list[float] = []
        start = self._sent
        end = start + count
        began = moment = time.perf_counter()
        while self._settled < end:
            room = min(window - (self._sent - self._settled), end - self._sent)
            room = min(room, self._limit - self._sent)
            if room > 0:
                slot = (self._sent - start) % window
                first = min(room, window - slot)
                parts = ((slot, first), (0, room - first))
                for at, some in parts:
                    self.sock.sendall(view[at * len(frame) : (at + some) * len(frame)])
                for at, some in parts:
                    self._number(block, len(frame), at, some, self._sent + window)
                    self._sent += some
            data = self.sock.recv(READ_OCTETS)
            if not data:
                raise ConnectionError("the broker closed the connection")
            self._read(data)
            if window == 1 and self._settled == self._sent:
                now = time.perf_counter()
                trips.append(now - moment)
                moment = now
        return time.perf_counter() - began, trips

    def _number(self, block: bytearray, size: int, slot: int, count: int, number: int) -> None:
        """Write ids and tags from ``number`` on into ``count`` frames of ``block``."""
        pack = NUMBER.pack_into
        for at in range(slot * size, (slot + count) * size, size):
            pack(block, at + ID_AT, number)
            pack(block, at + TAG_AT, number)
            number += 1

    def _read(self, data: bytes) -> None:
        self._parser.push(data)
        while True:
            frame = self._parser.next_frame()
            if frame is None:
                return
            settled = decode_disposition(frame.body, 0)
            if settled is not None:
                first, last = settled[0].first, settled[0].last
                self._settled += 1 if last is None else last - first + 1
                continue
            flow = decode_flow(frame.body, 0)
            if flow is not None and flow[0].link_credit is not None:
                self._limit = (flow[0].delivery_count or 0) + flow[0].link_credit
