"""One session: transfer windows, delivery ids, dispositions, and its links by handle.

Source: AMQP 1.0, 2.5 "Sessions", 2.6.12 "Transferring a message", 2.7.6 "disposition".
"""

from __future__ import annotations

from tanist.wire.amqp10.composites import Coordinator, DeliveryState, Source, Target
from tanist.wire.amqp10.link import Link, Receiver, Sender
from tanist.wire.amqp10.performatives import Begin
from tanist.wire.amqp10.values import Described, Fields


class Session:
    """One session of a connection, made by the peer (``Begun``) or by ``connection.begin``.

    ``channel``: the number of our side. ``remote``: the peer's begin, None until it came.
    ``alive``: the owner may use it. ``links``: all links, also dead ones whose handle is not free
    yet. ``context``: a free slot for the owner.
    """

    __slots__ = ("alive", "channel", "context", "links", "remote", "state")

    links: list[Link]
    remote: Begin | None

    @property
    def writable(self) -> bool:
        """Whether no transfer waits for the peer's window.

        If one does, ``send`` only makes the session's queue longer: stop until ``Writable``.
        """
        raise NotImplementedError

    def settle(self, first: int, last: int, outcome: DeliveryState | None) -> None:
        """Settle the deliveries ``first`` to ``last`` that arrived here, with ``outcome``.

        Ids as in ``Delivery``. What is settled alike within a step goes out as few frames, with
        ``data_to_send``. Nothing happens on a dead session.
        """

    def dispose(self, first: int, last: int, state: DeliveryState | None) -> None:
        """Tell the state of deliveries that arrived here without settling them.

        For a sender that settles first (receiver settle mode second): ``Disposed`` follows.
        """

    def settle_sent(self, first: int, last: int, state: DeliveryState | None = None) -> None:
        """Settle deliveries that we sent: the answer to a ``Disposed`` that is not settled."""

    def end(self, condition: str = "", text: str = "", info: Fields | None = None) -> None:
        """End the session and all its links; ``Ended`` follows when the peer confirms."""

    def sender(
        self,
        name: str,
        source: Source | Described | None,
        target: Target | Coordinator | Described | None,
        snd_settle_mode: int = 2,
        rcv_settle_mode: int = 0,
        properties: Fields | None = None,
    ) -> Sender:
        """Attach a link on which we send; ``Attached`` follows, ``Flowed`` brings credit.

        Raises: LocalProtocolError on a dead session, or if all handles are in use.
        """
        raise NotImplementedError

    def receiver(
        self,
        name: str,
        source: Source | Described | None,
        target: Target | Coordinator | Described | None,
        snd_settle_mode: int = 2,
        rcv_settle_mode: int = 0,
        max_message_size: int | None = None,
        properties: Fields | None = None,
    ) -> Receiver:
        """Attach a link on which we receive; ``flow`` may be called at once.

        Raises: LocalProtocolError on a dead session, or if all handles are in use.
        """
        raise NotImplementedError
