"""What is left of performatives that a peer with small frames could not take."""

from __future__ import annotations

import pytest

from tanist.wire.amqp10.codec import decode_performative, encode_performative
from tanist.wire.amqp10.composites import Error, Rejected, Source, Target
from tanist.wire.amqp10.output import Output
from tanist.wire.amqp10.performatives import Attach, Close, Detach, Disposition, End
from tanist.wire.amqp10.shortening import TEXT_BYTES_MAX
from tanist.wire.amqp10.values import Composite

LONG = Error("amqp:not-found", "\u20ac" * 400, {"a": "b"})


def attach() -> Attach:
    source = Source("there", 2, "never", filter={"f": "x" * 600}, capabilities=("queue",))
    made = Attach("l", 0, True, source=source, target=Target("here"))
    made.properties = {"p": "x" * 600}
    return made


@pytest.mark.parametrize(
    "performative",
    [
        Close(LONG),
        End(LONG),
        Detach(0, True, LONG),
        Disposition(True, 1, 1, True, Rejected(LONG)),
        attach(),
    ],
    ids=lambda performative: type(performative).__name__,
)
def test_it_fits_the_least_frame_there_is(performative: Composite) -> None:
    output = Output()
    assert not output.fits(performative)
    output.performative(0, performative)
    octets = output.take()
    assert len(octets) <= output.frame_max == 512
    found, _ = decode_performative(octets[8:])
    assert type(found) is type(performative)


def test_condition_and_the_beginning_of_the_text_are_left() -> None:
    close = Close(LONG)
    Output().performative(0, close)
    error = close.error
    assert error is not None
    assert error.condition == "amqp:not-found"
    assert (error.description or "").encode() == ("\u20ac" * (TEXT_BYTES_MAX // 3)).encode()


def test_an_attach_keeps_all_but_what_it_repeats() -> None:
    short = attach()
    Output().performative(0, short)
    source = short.source
    assert isinstance(source, Source)
    assert (source.address, source.durable, source.expiry_policy) == ("there", 2, "never")
    assert source.capabilities == ("queue",)
    assert not source.filter
    assert short.properties is None


def test_what_fits_is_left_alone() -> None:
    close = Close(Error("amqp:not-found", "no such queue"))
    before = encode_performative(close)
    Output().performative(0, close)
    assert encode_performative(close) == before
