"""Accepted connections: who knocks is asked for his protocol, and then has a front.

The first eight bytes choose the protocol (``wire.negotiate``); what is no AMQP at all is answered
by 0-10's machine, with the header that it speaks. A connection that is not open in time is dropped.
What waits to be written is taken at the end of a step from those that rang (``wire.bell``).
"""

from __future__ import annotations

from typing import Final

from tanist.node.admission import Admission
from tanist.node.cluster import Cluster
from tanist.node.config import NodeConfig
from tanist.node.containers import Containers
from tanist.node.front import Front, Kind, Knock, Verdict
from tanist.node.front010 import Front010
from tanist.node.front10 import Front10
from tanist.node.identity import server_properties
from tanist.node.inputs import Connected
from tanist.node.outbox import Outbox
from tanist.node.outputs import Close, Send
from tanist.security.sasl import Authenticator
from tanist.sessions.amqp010.sessions import Sessions
from tanist.sessions.amqp10.sessions import Sessions10
from tanist.wire.amqp010 import connection as amqp010
from tanist.wire.amqp10 import connection as amqp10
from tanist.wire.amqp10.settings import ConnectionSettings as Settings10
from tanist.wire.bell import Bell
from tanist.wire.negotiate import Protocol, sniff

SCAN_INTERVAL_S: Final = 0.1
"""How often heartbeats are looked after: well under the shortest interval (1 s), and cheap."""

PROTOCOLS_10: Final = (Protocol.AMQP_1_0, Protocol.AMQP_1_0_SASL, Protocol.AMQP_1_0_TLS)


class Reception:
    """The accepted connections of a node; ``fronts``: by number."""

    def __init__(
        self,
        config: NodeConfig,
        cluster: Cluster,
        authenticator: Authenticator,
        sessions: Sessions,
        sessions10: Sessions10,
        outbox: Outbox,
    ) -> None:
        self._config = config
        self._cluster = cluster
        self._authenticator = authenticator
        self._sessions = sessions
        self._sessions10 = sessions10
        self._outbox = outbox
        self._admission = Admission(config, cluster, outbox)
        self._containers = Containers(self._drop)
        self._settings10 = Settings10(
            role="server", allow_bare=not config.auth, mechanisms=authenticator.mechanisms()
        )
        self._rang: list[int] = []
        self.fronts: dict[int, Front] = {}

    # -- what happens -------------------------------------------------------------------------

    def connected(self, happened: Connected, now: float) -> None:
        """Somebody connected, and has said nothing yet."""
        self.fronts[happened.conn] = Knock(happened.conn, happened.peer, happened.local, now)

    def received(self, number: int, data: bytes, now: float) -> None:
        """Bytes of connection ``number``."""
        front = self.fronts.get(number)
        if front is None:
            return
        if isinstance(front, Knock):
            data = front.data = front.data + data
            protocol = sniff(data)
            if protocol is None:
                return
            front = self.fronts[number] = self._answer(front, protocol in PROTOCOLS_10, now)
        front.heard_at = now
        verdict = front.receive(data, now)
        if verdict is not Verdict.GOES_ON:
            self._over(front, verdict, now)

    def gone(self, number: int, now: float) -> None:
        """The transport of connection ``number`` is gone."""
        front = self.fronts.get(number)
        if front is not None:
            self._forget(front, now)

    def scan(self, now: float) -> float:
        """Look after heartbeats, and who takes too long to open. Returns when to look again."""
        soonest = now + SCAN_INTERVAL_S
        overdue = now - self._config.max_negotiate_time_s
        for front in list(self.fronts.values()):
            if front.since < overdue and front.kind is Kind.OPENING:
                self._over(front, Verdict.DROP, now)
                continue
            if now >= front.deadline:
                verdict = front.tick(now)
                if verdict is not Verdict.GOES_ON:
                    self._over(front, verdict, now)
                    continue
            soonest = min(soonest, front.deadline)
        return soonest

    def write(self) -> None:
        """The end of a step: one ``Send`` for each connection that has something to say."""
        rang = self._rang
        for number in rang:
            front = self.fronts.get(number)
            if front is not None:
                data = front.data_to_send()
                if data:
                    self._outbox.put(Send(number, data))
        rang.clear()

    # -- one connection -----------------------------------------------------------------------

    def _answer(self, knock: Knock, speaks_10: bool, now: float) -> Front:
        bell = Bell(self._rang, knock.number)
        if speaks_10:
            return Front10(
                knock.number,
                knock.peer,
                knock.local,
                knock.since,
                amqp10.Connection(self._settings10, now, bell),
                self._admission,
                self._authenticator,
                self._containers,
                self._cluster,
                self._sessions10,
                self._config,
                self._outbox,
            )
        settings = amqp010.ConnectionSettings(
            role="server",
            server_properties=server_properties(self._config, self._cluster.standing()),
            mechanisms=self._authenticator.mechanisms(),
        )
        return Front010(
            knock.number,
            knock.peer,
            knock.local,
            knock.since,
            amqp010.Connection(settings, now, bell),
            self._admission,
            self._authenticator,
            self._cluster,
            self._sessions,
            self._outbox,
        )

    def _over(self, front: Front, verdict: Verdict, now: float) -> None:
        """The connection ends: say the last words, if it does so by protocol."""
        if verdict is Verdict.DROP:
            self._outbox.put(Close(front.number, abort=True))
        else:
            if front.fault:
                self._outbox.log("info", "Protocol", f"{front.peer}: {front.fault}")
            data = front.data_to_send()
            if data:
                self._outbox.put(Send(front.number, data))
            self._outbox.put(Close(front.number))
        self._forget(front, now)

    def _drop(self, front: Front) -> None:
        """It is in the way of its successor."""
        text = f"{front.peer} has said nothing for long; its container connects again"
        self._outbox.log("notice", "Protocol", text)
        self._over(front, Verdict.DROP, front.heard_at)

    def _forget(self, front: Front, now: float) -> None:
        del self.fronts[front.number]
        front.abandon()
        self._admission.closed(front)
        front.close_sessions()
        if front.kind is Kind.BACKUP:
            self._cluster.backup_gone(front.number, front.silent, now)
