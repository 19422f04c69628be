"""``qpid-ha``: look at the brokers of a cluster, change their URLs, and promote one.

The commands, options and exit codes of the original, which resource managers and scripts rely on:
0 for success, 1 for a failed test of ``status`` and for every error. Beyond it: ``--json``,
``status --expect primary|backup``, progress and hints in ``status --all`` (``ha_report``),
``promote`` with or without ``--cluster-manager``, also by force, ``set`` (``ha_set``), and
``digest`` (``ha_digest``).

The tool connects with the client property ``qpid.ha-admin`` and is therefore let in by backups.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from tanist.cli import ha_digest, ha_report, ha_set
from tanist.cli.ha_digest import Replicas
from tanist.cli.ha_report import DETAILS, PRIMARY, Member
from tanist.cli.ha_set import Change
from tanist.cli.qmf_client import (
    ClientOptions,
    QmfClient,
    QmfError,
    object_values,
    plain,
    plain_map,
)
from tanist.ha.url import DEFAULT_PORT, Url, parse_url
from tanist.management.codec import text_of
from tanist.management.ha_broker import DIGEST
from tanist.types import BrokerError
from tanist.wire.amqp010.values import Value

HA_OBJECT: Final = "org.apache.qpid.ha:habroker:ha-broker"
HELP: Final = ("help", "help-all")
STATUSES: Final = ("joining", "catchup", "ready", "recovering", "active", "standalone")
TIMEOUT_S: Final = 10.0
DIGEST_TIMEOUT_S: Final = 60.0
"""A digest of a million messages takes some seconds of a broker that has nothing else to do."""
TIMEOUT_MAX_S: Final = 86400.0
"""Longest --timeout; nobody waits a day for a status."""

COMMANDS: Final = """commands:
  status      print the HA status: joining, catchup, ready, recovering, active, standalone
                --expect STATUS  print nothing; exit 0 if the status is STATUS, else 1
                                 (primary: active or recovering; backup: any other)
                --is-primary     print nothing; exit 0 if it is active or recovering, else 1
                --all            one line for every broker of the cluster; without a primary
                                 it says who has the newest state
  query       print status, id, URLs and replication default (--all: of every broker)
  promote     make the broker the primary. A resource manager does this; by hand, make sure
              that no other broker is primary.
                --force          although it lacks something, when no better broker is left;
                                 prints what is lost, then does it
                --dry-run        with --force: only print
  set         give the broker other URLs, until it restarts: change its options, too
                --brokers-url URL  the members, as ha-brokers-url
                --public-url URL   what clients are told, as ha-public-url; '' = nothing
                --all              every broker of the cluster, also of the new list
  digest [QUEUE]
              print name, number of messages and a digest of what is on each queue that is
              replicated with its messages (or on QUEUE)
                --all            of every broker of the cluster, compared: exit 0 if all are
                                 equal, 1 if not or if a broker cannot be asked. Only what
                                 nobody uses meanwhile can be compared.
  ping        exit 0 if the broker answers within the timeout
  replicate QUEUE REMOTE-BROKER
              keep QUEUE of this broker a copy of QUEUE of REMOTE-BROKER; also with the two
              in the other order: the one that is a queue of this broker is meant
  unreplicate QUEUE
              end that; the messages stay
  help        print this
"""


def make_parser() -> argparse.ArgumentParser:
    """The command line of the tool."""
    parser = argparse.ArgumentParser(
        prog="qpid-ha",
        description="View and change the HA status of brokers.",
        epilog=COMMANDS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=(*sorted(_COMMANDS), *HELP), metavar="COMMAND")
    parser.add_argument("arguments", nargs="*", metavar="ARGUMENT")
    parser.add_argument("-b", "--broker", metavar="ADDR", help="[user/password@]host[:port]")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="default 10; 60 of digest")
    parser.add_argument("--sasl-mechanism", metavar="MECH", default="")
    parser.add_argument("--sasl-service-name", metavar="NAME", help="accepted, not used")
    parser.add_argument("--ssl-certificate", metavar="FILE", help="TLS is not available yet")
    parser.add_argument("--ssl-key", metavar="FILE", help="TLS is not available yet")
    parser.add_argument("--config", metavar="FILE", help="take address and login from qpidd.conf")
    parser.add_argument("--cluster-manager", action="store_true", help="accepted for promote")
    parser.add_argument("--force", action="store_true", help="promote although it lacks something")
    parser.add_argument("--dry-run", action="store_true", help="with --force: only print")
    parser.add_argument("--brokers-url", metavar="URL", help="for set")
    parser.add_argument("--public-url", metavar="URL", help="for set")
    parser.add_argument("--expect", metavar="STATUS")
    parser.add_argument("--is-primary", action="store_true")
    parser.add_argument("--all", action="store_true", help="every broker of the cluster")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def read_config(path: Path) -> dict[str, str]:
    """``key=value`` lines of a qpidd.conf, read as the broker reads them."""
    found: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            found[key.strip()] = value.strip()
    return found


def installed_config(program: Path) -> Path | None:
    """The qpidd.conf that belongs to a program installed in a folder ``bin``, if there is one."""
    if program.parent.name == "bin":
        path = program.parent.parent / "etc" / "qpid" / "qpidd.conf"
        if path.is_file():
            return path
    return None


def read_timeout(text: str) -> float:
    """Seconds to wait. Raises: QmfError unless it is a number above 0, a day at most."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= TIMEOUT_MAX_S:
        raise QmfError(f"timeout {text}: it must be a number of seconds, more than 0")
    return seconds


def _timeout_s(arguments: argparse.Namespace, config: dict[str, str]) -> float:
    """Seconds to wait. Raises: QmfError.

    If nobody says how long, it is the heartbeat of the links, as with the original; a promotion,
    for which the broker asks all other members first, gets ``TIMEOUT_S`` at least, and a digest
    ``DIGEST_TIMEOUT_S``.
    """
    least_s = _LEAST_S.get(arguments.command, 0.0)
    if arguments.timeout is not None:
        return read_timeout(str(arguments.timeout))
    text = config.get("ha-heartbeat-interval") or config.get("link-heartbeat-interval") or ""
    if text in ("", "0"):
        return max(TIMEOUT_S, least_s)
    return max(read_timeout(text), least_s)


class Tool:
    """One run of qpid-ha. ``show`` prints a line, ``warn`` one for people beside it; ``program`` is
    the path it was started as."""

    def __init__(
        self,
        arguments: argparse.Namespace,
        show: Callable[[str], None],
        warn: Callable[[str], None],
        program: Path,
    ) -> None:
        """Raises: OSError if the configuration cannot be read, BrokerError for a bad address,
        QmfError for what cannot be done.
        """
        if arguments.ssl_certificate or arguments.ssl_key:
            raise QmfError("TLS is not available in this version: leave --ssl-... out")
        self.arguments = arguments
        self.show = show
        self.warn = warn
        path = Path(arguments.config) if arguments.config else None
        if path is None and not arguments.broker:
            path = installed_config(program)
        config = read_config(path) if path else {}
        port = config.get("port", "")
        self.url = parse_url(
            arguments.broker or "127.0.0.1", int(port) if port.isdecimal() else DEFAULT_PORT
        )
        timeout_s = _timeout_s(arguments, config)
        self.options = ClientOptions(
            timeout_s=timeout_s,
            mechanism=arguments.sasl_mechanism or config.get("ha-mechanism", ""),
            username=config.get("ha-username", ""),
            password=config.get("ha-password", ""),
            heartbeat_s=min(120, math.ceil(timeout_s / 2)),
        )

    # -- one broker -------------------------------------------------------------------------

    def ha_broker(self, url: Url) -> dict[str, Value]:
        """The values of the habroker object. Raises: QmfError."""
        with QmfClient(url, self.options) as client:
            objects = client.query("habroker")
            if not objects:
                raise QmfError(f"HA module is not loaded on broker at {client.broker}")
            values = object_values(objects[0])
            # The original's texts are octets.
            return {name: text_of(v) if isinstance(v, bytes) else v for name, v in values.items()}

    def brokers(self) -> list[Url]:
        """Every broker of the cluster, as the one we were given knows them."""
        known = parse_url(str(self.ha_broker(self.url).get("brokersUrl") or ""))
        user, password = self.url.user, self.url.password
        return [Url([address], user, password) for address in known.addresses] or [self.url]

    # -- commands ---------------------------------------------------------------------------

    def status(self) -> int:
        """``status``: print or test."""
        if self.arguments.all:
            return self._status_all()
        status = str(self.ha_broker(self.url).get("status"))
        if self.arguments.is_primary:
            return 0 if status in PRIMARY else 1
        expected = self.arguments.expect
        if expected is not None:
            if expected == "primary":
                return 0 if status in PRIMARY else 1
            if expected == "backup":
                return 1 if status in PRIMARY else 0
            if expected not in STATUSES:
                known = ", ".join(("primary", "backup", *STATUSES))
                raise QmfError(f"--expect {expected}: no such status; it is one of {known}")
            return 0 if status == expected else 1
        self.show(json.dumps({"status": status}) if self.arguments.json else status)
        return 0

    def _status_all(self) -> int:
        members = self.members(depths=False)
        if self.arguments.json:
            self.show(json.dumps([_row(member) for member in members]))
            return 0
        newest = None if ha_report.has_primary(members) else ha_report.newest(members)
        for member in members:
            self.show(ha_report.line(member, time.time_ns(), place=newest is not None))
        for problem in ha_report.problems(members):
            self.warn(problem)
        if newest is not None:
            self.warn(
                f"no broker is primary; {newest.address} has the newest state ({newest.place}). "
                f"Promote it: qpid-ha promote -b {newest.address}"
            )
        return 0

    def members(self, depths: bool) -> list[Member]:
        """What every broker of the cluster says; ``depths``: of its replicated queues, too."""
        found: list[Member] = []
        for url in self.brokers():
            address = _address(url)
            try:
                values = self.ha_broker(url)
                found.append(Member(address, values, "", self._depths(url) if depths else {}))
            except QmfError as error:
                found.append(Member(address, {}, str(error)))
        return found

    def _depths(self, url: Url) -> dict[str, int]:
        """Messages on each replicated queue of a broker."""
        with QmfClient(url, self.options) as client:
            queues = [object_values(element) for element in client.query("queue")]
        found: dict[str, int] = {}
        for queue in queues:
            arguments, depth = queue.get("arguments"), queue.get("msgDepth")
            level = arguments.get("qpid.replicate") if isinstance(arguments, dict) else None
            if text_of(level) == "all" and isinstance(depth, int):
                found[text_of(queue.get("name"))] = depth
        return found

    def query(self) -> int:
        """``query``: the properties of one broker or all."""
        reports: list[dict[str, object]] = []
        for url in self.brokers() if self.arguments.all else [self.url]:
            values = self.ha_broker(url)
            address = _address(url)
            if self.arguments.json:
                reports.append({"address": address, **plain_map(values)})
                continue
            if self.arguments.all:
                self.show(f"{'Address:':<20} {address}")
            for label, name in (
                ("Status:", "status"),
                ("Broker ID:", "systemId"),
                ("Brokers URL:", "brokersUrl"),
                ("Public URL:", "publicUrl"),
                ("Replicate: ", "replicateDefault"),
            ):
                self.show(f"{label:<20} {values.get(name)}")
        if self.arguments.json:
            self.show(json.dumps(reports if self.arguments.all else reports[0]))
        return 0

    def promote(self) -> int:
        """``promote``: make the broker primary."""
        if self.arguments.dry_run and not self.arguments.force:
            raise QmfError("--dry-run goes with --force: without it nothing is lost")
        if not self.arguments.force:
            self._call("promote", {})
            return 0
        self._preview()
        if not self.arguments.dry_run:
            self._call("promote", {"force": True})
        return 0

    def _preview(self) -> None:
        """Print what is lost if this broker is promoted."""
        own = str(self.ha_broker(self.url).get("systemId"))
        members = self.members(depths=True)
        chosen = next((m for m in members if str(m.values.get("systemId")) == own), None)
        if chosen is None:  # it is not in its own list
            values = self.ha_broker(self.url)
            address = _address(self.url)
            chosen = Member(address, values, "", self._depths(self.url))
        lost = ha_report.losses(chosen, [m for m in members if m is not chosen])
        self.warn(f"{chosen.address} is {chosen.place}. Promoted now, this is lost:")
        for text in lost or ["nothing that any broker tells of"]:
            self.warn(f"  {text}")

    def set_urls(self) -> int:
        """``set``: other URLs for one broker or all."""
        wanted = ha_set.changes(self.arguments.brokers_url, self.arguments.public_url)
        if self.arguments.all:
            return self._set_all(wanted)
        address = self._set(self.url, wanted)
        if self.arguments.json:
            self.show(json.dumps({"address": address, "ok": True}))
        return 0

    def _set_all(self, wanted: list[Change]) -> int:
        """The brokers are looked up before any of them has another list."""
        rows: list[dict[str, object]] = []
        for url in ha_set.targets(self.brokers(), wanted, self.url):
            row: dict[str, object] = {"address": _address(url), "ok": True}
            try:
                self._set(url, wanted)
            except QmfError as error:
                row |= {"ok": False, "error": str(error)}
            rows.append(row)
            if not self.arguments.json:
                self.show(f"{row['address']} {row.get('error', 'changed')}")
        if self.arguments.json:
            self.show(json.dumps(rows))
        failed = sum(not row["ok"] for row in rows)
        if failed:
            self.warn(f"{failed} of {len(rows)} brokers failed; set them with -b when they answer")
        return 1 if failed else 0

    def _set(self, url: Url, wanted: list[Change]) -> str:
        """Change one broker; returns its address. Raises: QmfError that says what was done."""
        with QmfClient(url, self.options) as client:
            done = ""
            for change in wanted:
                try:
                    client.call(HA_OBJECT, change.method, {"url": change.text})
                except QmfError as error:
                    raise QmfError(f"{error}{done}", error.kind) from error
                done = f"; {change.option} was changed before"
            return client.broker

    def replicate(self) -> int:
        """``replicate``: keep a queue a copy of its namesake on another broker.

        The original's guide and help name the queue first, its program takes the broker first. The
        one that is a queue of the addressed broker is the queue; if that does not decide it, the
        order of the program counts.
        """
        broker, queue = self.arguments.arguments
        with QmfClient(self.url, self.options) as client:
            first, second = client.has_queue(broker), client.has_queue(queue)
        if first == second:
            both = "both are queues" if first else "neither is a queue"
            self.warn(
                f"of {broker} and {queue}, {both} of this broker: taking {queue} as the queue"
            )
        elif first:
            broker, queue = queue, broker
        self._call("replicate", {"broker": broker, "queue": queue})
        return 0

    def unreplicate(self) -> int:
        """``unreplicate``: end that."""
        (queue,) = self.arguments.arguments
        self._call("unreplicate", {"queue": queue})
        return 0

    def digest(self) -> int:
        """``digest``: what is on the replicated queues of one broker, or all brokers compared."""
        if self.arguments.all:
            return self._digest_all()
        found = self._digest(self.url)
        if self.arguments.json:
            self.show(json.dumps(found.to_json()))
            return 0
        for line in ha_digest.lines(found):
            self.show(line)
        return 0

    def _digest_all(self) -> int:
        found: list[Replicas] = []
        for url in self.brokers():
            try:
                found.append(self._digest(url))
            except QmfError as error:
                found.append(Replicas(_address(url), error=str(error)))
        equal = ha_digest.equal(found)
        if self.arguments.json:
            rows = [each.to_json() for each in found]
            differing = [asdict(each) for each in ha_digest.differences(found)]
            self.show(json.dumps({"equal": equal, "brokers": rows, "differences": differing}))
        else:
            for line in ha_digest.report(found):
                self.show(line)
        for caution in ha_digest.cautions(found):
            self.warn(caution)
        return 0 if equal else 1

    def _digest(self, url: Url) -> Replicas:
        """What one broker says of its replicated queues. Raises: QmfError."""

        def call(arguments: dict[str, Value]) -> dict[str, Value]:
            with QmfClient(url, self.options) as client:
                return client.call(HA_OBJECT, DIGEST, arguments)

        queue = self.arguments.arguments[0] if self.arguments.arguments else ""
        return ha_digest.ask(_address(url), queue, call)

    def ping(self) -> int:
        """``ping``: connect, attach a session, go."""
        with QmfClient(self.url, self.options):
            return 0

    def _call(self, method: str, arguments: dict[str, Value]) -> None:
        with QmfClient(self.url, self.options) as client:
            client.call(HA_OBJECT, method, arguments)
        if self.arguments.json:
            self.show(json.dumps({"method": method, "ok": True}))


def _warn(text: str) -> None:
    print(f"qpid-ha: {text}", file=sys.stderr)


def _address(url: Url) -> str:
    """``host:port`` of the broker at ``url``, for people."""
    return f"{url.addresses[0].host}:{url.addresses[0].port}"


def _row(member: Member) -> dict[str, object]:
    """A broker in the JSON of ``status --all``."""
    row: dict[str, object] = {"address": member.address, "status": member.status}
    if member.error:
        row["error"] = member.error
    return row | {name: plain(member.values[name]) for name in DETAILS if name in member.values}


_COMMANDS: Final[dict[str, Callable[[Tool], int]]] = {
    "digest": Tool.digest,
    "ping": Tool.ping,
    "promote": Tool.promote,
    "query": Tool.query,
    "replicate": Tool.replicate,
    "set": Tool.set_urls,
    "status": Tool.status,
    "unreplicate": Tool.unreplicate,
}

_ARGUMENTS: Final = {"digest": (0, 1), "replicate": (2, 2), "unreplicate": (1, 1)}
"""How many arguments commands take, at least and at most; none where nothing is said."""

_LEAST_S: Final = {"promote": TIMEOUT_S, "digest": DIGEST_TIMEOUT_S}
"""Seconds that commands get unless ``--timeout`` says less."""


def main(argv: list[str] | None = None) -> int:
    """Run the tool with ``argv`` (default: the process's arguments); returns the exit status."""
    parser = make_parser()
    try:
        arguments = parser.parse_intermixed_args(argv)
    except SystemExit as end:
        return 1 if end.code else 0
    if arguments.command in HELP:
        parser.print_help()
        return 0
    least, most = _ARGUMENTS.get(arguments.command, (0, 0))
    if not least <= len(arguments.arguments) <= most:
        parser.print_help(sys.stderr)
        wanted = f"{most} argument{'s' * (most != 1)}"
        print(
            f"qpid-ha: {arguments.command} takes {wanted}{' at most' * (least < most)}",
            file=sys.stderr,
        )
        return 1
    try:
        return _COMMANDS[arguments.command](Tool(arguments, print, _warn, Path(sys.argv[0])))
    except (QmfError, BrokerError, OSError) as error:
        print(f"qpid-ha: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
