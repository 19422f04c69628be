"""The bodies of AMQP 1.0 frames: performatives to octets and back.

This is what the machines call. The three performatives of every message take the short way
through ``twins``, all others and every unusual form the general one through ``composing`` and
``encoding``, which work from the declarations in ``spec``. The two blames are kept apart: bad
octets from a peer raise ``FramingError`` (its connection must be closed), a bad value from our own
layers raises ``LocalProtocolError`` (a bug of ours).

Source: OASIS AMQP 1.0, part 2, 2.3.3 "AMQP frames", 2.7; part 5, 5.3.
"""

from __future__ import annotations

from tanist.types import FramingError
from tanist.wire.amqp10 import twins
from tanist.wire.amqp10.composing import read_performative
from tanist.wire.amqp10.encoding import encode_composite
from tanist.wire.amqp10.performatives import Transfer
from tanist.wire.amqp10.spec import PERFORMATIVE, SASL
from tanist.wire.amqp10.values import Composite

__all__ = ["decode_performative", "decode_sasl", "encode_performative"]


def decode_performative(body: bytes) -> tuple[Composite, int]:
    """The performative in the body of an AMQP frame, and the octet where the payload starts.

    ``body`` is not empty (an empty one is a heartbeat). Only a transfer may have a payload.

    Raises: FramingError.
    """
    kind = body[2] if len(body) > 2 else 0
    found: tuple[Composite, int] | None = None
    if kind == 0x14:
        found = twins.decode_transfer(body, 0)
    elif kind == 0x15:
        found = twins.decode_disposition(body, 0)
    elif kind == 0x13:
        found = twins.decode_flow(body, 0)
    if found is None:
        found = read_performative(body, 0, PERFORMATIVE)
    performative, end = found
    if end != len(body) and not isinstance(performative, Transfer):
        name = performative.definition.name
        raise FramingError(f"{len(body) - end} octets left over after {name}")
    return found


def decode_sasl(body: bytes) -> Composite:
    """The body of a SASL frame. Raises: FramingError."""
    composite, end = read_performative(body, 0, SASL)
    if end != len(body):
        raise FramingError(f"{len(body) - end} octets left over after {composite.definition.name}")
    return composite


def encode_performative(performative: Composite) -> bytes:
    """The body of a frame, without payload, of a performative or of a SASL frame body.

    Raises: LocalProtocolError when a field does not fit its type, or a mandatory one is None.
    """
    return encode_composite(performative)
