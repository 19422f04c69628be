"""What is left out of a performative that is larger than a frame of the peer may be.

Only sessions' transfers are cut into frames (AMQP 1.0, 2.3.1); anything else that does not fit
would end the connection of a peer with small frames. What goes are texts for people, and what an
attach repeats of the peer's own.
"""

from __future__ import annotations

from typing import Final

from tanist.wire.amqp10.composites import Error, Rejected, Source
from tanist.wire.amqp10.performatives import Attach, Close, Detach, Disposition, End
from tanist.wire.amqp10.values import Composite

TEXT_BYTES_MAX: Final = 200
"""Octets that are left of a text: with everything else of a frame well below 512, the least."""


def shorten(performative: Composite) -> None:
    """Leave out of ``performative`` what can be left out, in place."""
    if isinstance(performative, (Close, Detach, End)):
        performative.error = _short(performative.error)
    elif isinstance(performative, Disposition) and isinstance(performative.state, Rejected):
        performative.state = Rejected(_short(performative.state.error))
    elif isinstance(performative, Attach):
        performative.properties = None
        source = performative.source
        if isinstance(source, Source) and source.filter:
            performative.source = _without_filter(source)


def _short(error: Error | None) -> Error | None:
    if error is None:
        return None
    text = (error.description or "").encode()[:TEXT_BYTES_MAX].decode("utf-8", "ignore")
    return Error(error.condition, text or None)


def _without_filter(source: Source) -> Source:
    return Source(
        source.address,
        source.durable,
        source.expiry_policy,
        source.timeout,
        source.dynamic,
        source.dynamic_node_properties,
        source.distribution_mode,
        None,
        source.default_outcome,
        source.outcomes,
        source.capabilities,
    )
