"""The scenarios that we have, by name. ``tanist-interop --list`` prints them."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tanist_interop.scenarios.proofs import BY_NAME
from tanist_interop.scenarios.scenario import BASE_CHECKS, Scenario
from tanist_interop.scenarios.selectors import KINDS
from tanist_interop.scenarios.values import EXCHANGED

KILL_PRIMARY: Final = Scenario(
    name="kill-primary",
    summary="SIGKILL the primary in mid-stream, promote a backup, clients fail over by themselves",
    fault="kill",
    promote=True,
    heal=True,
    matrix=True,
    each_min=20,
    flow_min=1_000,
    total_rate_per_s=2_000.0,
    window=20,
    checks=(*BASE_CHECKS, "failover", "rejoin", "matrix"),
)

NO_FAULT: Final = Scenario(
    name="no-fault",
    summary="nothing happens: everything arrives exactly once",
    acknowledged_min=4_000,
    each_min=200,
    total_rate_per_s=2_000.0,
    window=20,
)

QUIET: Final = Scenario(
    name="quiet",
    summary="nothing happens and little is said: heartbeats alone keep connections and links",
    course="quiet",
    quiet_s=24.0,
    reopen=True,
    acknowledged_min=5,
    each_min=5,
    rate_per_s=0.25,
    window=10,
    ack_every=1,
    checks=(*BASE_CHECKS, "quiet"),
)

STOPPED_BACKUP: Final = Scenario(
    name="stopped-backup",
    summary="SIGSTOP a backup: confirmations stop until its link heartbeat runs out, then go on",
    fault="suspend",
    target="backup",
    heal=True,
    acknowledged_min=1_000,
    each_min=100,
    fault_after=(200, 400),
    rate_per_s=200.0,
    window=50,
    checks=(*BASE_CHECKS, "stall", "rejoin"),
)

BACKUP_ADDRESS_FIRST: Final = Scenario(
    name="backup-address-first",
    summary="clients are given backups' addresses first and get through to the primary",
    backup_first=True,
    acknowledged_min=1_000,
    each_min=100,
    total_rate_per_s=2_000.0,
)

FAILOVER_EXCHANGE: Final = Scenario(
    name="failover-exchange",
    summary="SIGKILL the primary; clients were given its address only and ask amq.failover",
    fault="kill",
    promote=True,
    heal=True,
    each_min=200,
    total_rate_per_s=2_000.0,
    window=20,
    failover="exchange",
    checks=(*BASE_CHECKS, "failover", "rejoin"),
)

VIRTUAL_ADDRESS: Final = replace(
    FAILOVER_EXCHANGE,
    name="virtual-address",
    summary="SIGKILL the primary; clients know one address only, which moves to the promoted one",
    failover="addresses",
    links="virtual",
)

CHANGED_URLS: Final = replace(
    FAILOVER_EXCHANGE,
    name="changed-urls",
    summary="as failover-exchange; the other addresses are made known only while clients stream",
    change_urls=True,
)

SOAK: Final = Scenario(
    name="soak",
    summary="kill, hang and restart brokers at random; what matters is what is there at the end",
    soak_s=90.0,
    failovers_min=8,
    acknowledged_min=50_000,
    each_min=50,
    flows_each=2,
    reopen=True,
    total_rate_per_s=800.0,
    checks=(*BASE_CHECKS, "failover", "rejoin"),
)

CROWD: Final = Scenario(
    name="crowd",
    summary="SIGKILL the primary of a thousand clients, which all reconnect at once",
    fault="kill",
    promote=True,
    heal=True,
    crowd=500,
    acknowledged_min=3_000,
    each_min=2,
    fault_after=(1_500, 2_000),
    total_rate_per_s=250.0,
    window=1,
    prefetch=2,
    ack_every=1,
    client_heartbeat_s=10,
    empty_s=3.0,
    broker_options=("--max-connections=2000", "--max-negotiate-time=60000"),
    checks=(*BASE_CHECKS, "failover", "rejoin"),
)

REDELIVERED: Final = Scenario(
    name="redelivered",
    summary="hold messages; kill, release, modify, reject, roll back, fail over: who marks them?",
    course="trials",
    fault="kill",
    promote=True,
    acknowledged_min=100,
    each_min=1,
    fault_after=(1, 2),
    checks=("course", "outcomes", "brokers", "replicas"),
)

DELAYED: Final = Scenario(
    name="delayed",
    summary="messages that are to come later; fail over before they may: none early, none lost",
    course="delays",
    fault="kill",
    promote=True,
    acknowledged_min=100,
    each_min=50,
    each_count=50,
    fault_after=(50, 60),
    delay_ms=5_000,
    checks=("course", "total-queue", "punctual", "redelivery", "duplicates", "brokers", "replicas"),
)

TRANSACTIONS: Final = Scenario(
    name="transactions",
    summary="senders and receivers work in transactions; SIGKILL the primary in the middle of some",
    course="transactions",
    fault="kill",
    promote=True,
    acknowledged_min=1_000,
    each_min=60,
    fault_after=(300, 500),
    rate_per_s=100.0,
    window=10,
    prefetch=20,
    ack_every=5,
    transaction=10,
    rollback_every=4,
    checks=(*BASE_CHECKS, "failover", "transactions"),
)

SELECTED: Final = Scenario(
    name="selectors",
    summary="receivers with selectors get what these match, also after a failover; the rest stays",
    course="selectors",
    fault="kill",
    promote=True,
    acknowledged_min=1_000,
    each_min=60,
    fault_after=(400, 600),
    total_rate_per_s=600.0,
    window=10,
    prefetch=20,
    ack_every=5,
    kinds=KINDS,
    checks=(*BASE_CHECKS, "failover", "selectors"),
)

SUBSCRIBED: Final = Scenario(
    name="subscriptions",
    summary="topics with temporary and durable subscriptions, some with nobody there at a failover",
    course="subscriptions",
    fault="kill",
    promote=True,
    acknowledged_min=1_200,
    each_min=60,
    fault_after=(600, 700),
    total_rate_per_s=300.0,
    window=10,
    prefetch=20,
    ack_every=5,
    checks=("course", "subscriptions", "failover", "brokers", "replicas"),
)

TYPES: Final = Scenario(
    name="types",
    summary="every AMQP type from every client to every client, as body, property, map entry",
    course="exchange",
    values=EXCHANGED,
    acknowledged_min=0,
    checks=("course", "fidelity", "brokers", "replicas"),
)

JMS_SINGLEBROKER: Final = replace(
    BY_NAME["proofs-hang-primary"],
    name="jms-singlebroker",
    summary="JMS over 0-10 with singlebroker, a virtual address, idle_timeout; SIGSTOP the primary",
    links="virtual",
    only="jms-0-10",
    options=("failover=singlebroker", "idle_timeout=2000"),
)

JMS_IDLE_TIMEOUT: Final = replace(
    BY_NAME["proofs-partition"],
    name="jms-idle-timeout",
    summary="JMS over 0-10 whose heartbeat is set by idle_timeout alone; cut the primary off",
    only="jms-0-10",
    options=("idle_timeout=2000",),
    total_rate_per_s=100.0,  # one client in place of six
    client_heartbeat_s=10,  # is asked for, too: whoever goes by it notices after 20 s
    fault_s=6.0,  # beyond the limit of the proof: nothing else tells of the loss before
)

CATALOGUE: Final[dict[str, Scenario]] = {
    scenario.name: scenario
    for scenario in (
        KILL_PRIMARY,
        NO_FAULT,
        QUIET,
        STOPPED_BACKUP,
        BACKUP_ADDRESS_FIRST,
        FAILOVER_EXCHANGE,
        CHANGED_URLS,
        VIRTUAL_ADDRESS,
        CROWD,
        REDELIVERED,
        DELAYED,
        TRANSACTIONS,
        SELECTED,
        SUBSCRIBED,
        TYPES,
        JMS_SINGLEBROKER,
        JMS_IDLE_TIMEOUT,
        SOAK,
    )
}
