"""Coverage-guided fuzzing of everything that reads AMQP 1.0 octets: `tox -e fuzz -- -runs=1000000`.

Atheris (libFuzzer) makes the octets and learns from the branches that they reach; it starts from
the frames in the recordings of genuine clients. What must hold for any octets stands in
``check``: nothing but ``FramingError`` comes out, what was read is the same after it was written
and read again, and the short way through ``twins`` agrees with the general one.

A failure prints the octets and leaves them in a file ``crash-...``; try them again with
`tox -e fuzz -- crash-...`.

Octet 0 chooses what reads the rest, so that one corpus serves all readers.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import atheris

with atheris.instrument_imports(include=["tanist"]):
    from tanist.types import FramingError
    from tanist.wire.amqp10 import twins
    from tanist.wire.amqp10.codec import decode_performative, decode_sasl, encode_performative
    from tanist.wire.amqp10.composing import read_performative
    from tanist.wire.amqp10.decoding import decode_value
    from tanist.wire.amqp10.encoding import encode_value
    from tanist.wire.amqp10.framing import FrameParser
    from tanist.wire.amqp10.performatives import Transfer
    from tanist.wire.amqp10.sections import (
        DATA,
        SEQUENCE,
        VALUE,
        MessageParts,
        cut_header,
        split_message,
    )
    from tanist.wire.amqp10.spec import PERFORMATIVE
    from tanist.wire.amqp10.values import Composite

CAPTURES = Path(__file__).resolve().parents[1] / "data" / "captures"
RUNS = 50_000
"""Runs when nobody says how many: about a minute."""


Read = TypeVar("Read")


def must(read: Callable[[bytes], Read], octets: bytes) -> Read:
    """What ``read`` makes of octets that it may not refuse."""
    try:
        return read(octets)
    except FramingError as error:
        raise AssertionError(f"{octets!r} refused: {error.text}") from error


def general(octets: bytes) -> tuple[Composite, int]:
    """What the general codec reads."""
    return read_performative(octets, 0, PERFORMATIVE)


def check_frames(octets: bytes) -> None:
    """A stream in two pieces gives the same frames as in one."""
    found = []
    for pieces in ((octets,), (octets[: len(octets) // 2], octets[len(octets) // 2 :])):
        parser, bodies = FrameParser(4096), []
        try:
            for piece in pieces:
                parser.push(piece)
                while (frame := parser.next_frame()) is not None:
                    bodies.append((frame.type, frame.channel, frame.body))
        except FramingError:
            pass
        found.append(bodies)
    assert found[0] == found[1], found


def check_body(octets: bytes) -> None:
    """A performative comes back from its octets, and the twins say what the general codec says."""
    for twin in (twins.decode_transfer, twins.decode_disposition, twins.decode_flow):
        short = twin(octets, 0)
        if short is not None:
            assert repr(short) == repr(must(general, octets)), octets
    performative, _ = decode_performative(octets)
    again = encode_performative(performative)
    assert repr(must(decode_performative, again)[0]) == repr(performative), octets


def check_sasl(octets: bytes) -> None:
    """A SASL frame body comes back from its octets."""
    body = decode_sasl(octets)
    assert repr(must(decode_sasl, encode_performative(body))) == repr(body), octets


def check_value(octets: bytes) -> None:
    """A value comes back from its octets; its octets are the same ever after."""
    written = encode_value(decode_value(octets))
    assert encode_value(must(decode_value, written)) == written, octets


def check_message(octets: bytes) -> None:
    """The sections are the message, and each can be read or is refused."""
    parts = split_message(octets)
    try:
        header, rest = cut_header(octets)
    except FramingError:
        header, rest = None, parts.header[1]
    assert rest == parts.header[1], octets
    assert header is None or repr(header) == repr(parts.read_header()), octets
    read_all(parts)


def read_all(parts: MessageParts) -> None:
    """Read every section, each on its own."""
    reads = [
        parts.read_header,
        parts.read_delivery_annotations,
        parts.read_message_annotations,
        parts.read_properties,
        parts.read_application_properties,
        parts.read_footer,
    ]
    bodies = {DATA: parts.read_data, SEQUENCE: parts.read_sequences, VALUE: parts.read_body_value}
    if parts.body_kind in bodies:
        reads.append(bodies[parts.body_kind])
    for read in reads:
        try:
            read()
        except FramingError:
            continue


CHECKS = (check_frames, check_body, check_sasl, check_value, check_message)


def check(octets: bytes) -> None:
    """What must hold for any octets."""
    if not octets:
        return
    try:
        CHECKS[octets[0] % len(CHECKS)](octets[1:])
    except FramingError as error:
        assert error.text, octets


def seeds() -> Iterator[bytes]:
    """The recorded frames of AMQP 1.0, as inputs of every reader that they suit."""
    for path in sorted(CAPTURES.glob("*.jsonl")):
        streams: dict[str, bytes] = {}
        for line in path.read_text(encoding="ascii").splitlines():
            entry = json.loads(line)
            if "hex" in entry:
                streams[entry["from"]] = streams.get(entry["from"], b"") + bytes.fromhex(
                    entry["hex"]
                )
        for stream in streams.values():
            if stream[:4] == b"AMQP" and stream[4] in (0, 3) and stream[5:8] == b"\x01\x00\x00":
                yield from seeds_of(stream)


def seeds_of(stream: bytes) -> Iterator[bytes]:
    """The inputs in one direction of a recording."""
    at = 0
    while at < len(stream):
        if stream[at : at + 4] == b"AMQP":
            at += 8
            continue
        size = int.from_bytes(stream[at : at + 4], "big")
        frame, body = stream[at : at + size], stream[at + 8 : at + size]
        at += size
        yield b"\x00" + frame
        if not body:
            continue
        yield (b"\x02" if frame[5] else b"\x01") + body
        yield b"\x03" + body
        if frame[5] == 0:
            performative, end = decode_performative(body)
            if isinstance(performative, Transfer):
                yield b"\x04" + body[end:]


def main() -> None:
    """Fuzz with libFuzzer's own options; without any, from the recordings and for a while."""
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(sorted(set(seeds()))):
            (Path(corpus) / f"{number:04}").write_bytes(seed)
        arguments = sys.argv[1:]
        if not any(argument.startswith("-runs=") for argument in arguments):
            arguments.append(f"-runs={RUNS}")
        if all(argument.startswith("-") for argument in arguments):
            arguments.append(corpus)
        atheris.Setup([sys.argv[0], *arguments], check)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
