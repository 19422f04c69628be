"""One end of a replication link without sockets: what the other end of a real session received."""

from __future__ import annotations

from tanist.wire.amqp010.connection import Connection, ConnectionSettings
from tanist.wire.amqp010.events import Attached, Event, Opened, Opening, SaslStart, Transfer
from tanist.wire.amqp010.session import Session


class LinkPeer:
    """A backup's connection to us: ``session`` is our side, ``received`` what came out there."""

    def __init__(self) -> None:
        self._server = Connection(ConnectionSettings(role="server"), 0.0)
        self._client = Connection(ConnectionSettings(role="client"), 0.0)
        self._session: Session | None = None
        self._bodies: list[bytes] = []
        self._exchange()

    @property
    def session(self) -> Session:
        """Our side of the session."""
        assert self._session is not None
        return self._session

    @property
    def received(self) -> list[bytes]:
        """Bodies of the transfers since the last look."""
        self._exchange()
        bodies, self._bodies = self._bodies, []
        return bodies

    def _exchange(self) -> None:
        while True:
            up, down = self._client.data_to_send(), self._server.data_to_send()
            if not up and not down:
                return
            for event in self._server.receive_data(up, 0.0) if up else ():
                self._at_server(event)
            for event in self._client.receive_data(down, 0.0) if down else ():
                self._at_client(event)

    def _at_server(self, event: Event) -> None:
        if isinstance(event, SaslStart):
            self._server.sasl_accept("backup")
        elif isinstance(event, Opening):
            self._server.open_ok([])
        elif isinstance(event, Attached):
            self._session = event.session

    def _at_client(self, event: Event) -> None:
        if isinstance(event, Opened):
            self._client.attach("link")
        elif isinstance(event, Transfer):
            self._bodies.append(event.body)
