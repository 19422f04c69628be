"""The configuration of ``qpidd``: frozen objects made from the settings of all sources.

``broker_options(settings)`` is the only place where option text becomes typed fields; after
``validate`` the objects never change. Each consumer gets the one object it needs: ``logs`` the
``LogOptions``, ``daemon`` the ``DaemonOptions``, ``service`` the ``NetworkOptions``; ``build`` maps
the rest to the node's configuration. ``announce`` gives the lines that tell at start what became
of every option somebody set.

Spec: qpidd-compat 1.1 to 1.6.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from tanist.service.logrules import LogRule, parse_rule
from tanist.service.options import BY_NAME
from tanist.service.sources import Setting, UsageError
from tanist.service.values import parse_flag, parse_number, parse_seconds
from tanist.types import ReplicationLevel

T = TypeVar("T")

PORT_MAX: Final = 65535
SECRET_SHOWN: Final = "********"


@dataclass(frozen=True)
class HaOptions:
    """Cluster membership; see spec 1.2."""

    cluster: bool
    queue_replication: bool
    brokers_url: str
    public_url: str
    replicate: str
    username: str
    password: str
    mechanism: str
    backup_timeout_s: float
    ack_timeout_s: float
    insync_command: tuple[str, ...]
    """Command line that decides over the in-sync set; empty = none."""
    flow_messages: int
    flow_bytes: int


@dataclass(frozen=True)
class LinkOptions:
    """Connections this broker makes; see spec 1.3."""

    maintenance_interval_s: float
    heartbeat_interval_s: float
    federation_tag: str


@dataclass(frozen=True)
class NetworkOptions:
    """Listening and connection limits; see spec 1.4."""

    port: int
    """0 = any free port, which is then printed."""
    interfaces: tuple[str, ...]
    """Addresses or interface names; empty = all."""
    tcp: bool
    """Whether to open TCP listeners (``listen-disable tcp`` says no)."""
    socket_fds: tuple[int, ...]
    """Inherited listening sockets."""
    backlog: int
    tcp_nodelay: bool
    max_connections: int
    max_negotiate_time_s: float
    known_hosts_url: str


@dataclass(frozen=True)
class SecurityOptions:
    """Who may come in."""

    auth: bool
    password_file: Path | None
    realm: str
    require_encryption: bool


@dataclass(frozen=True)
class DaemonOptions:
    """Process control; see spec 1.4. At most one of check, quit, kill acts, in this order."""

    daemon: bool
    check: bool
    quit: bool
    kill: bool
    wait_s: float
    pid_dir: Path
    pidfile: Path | None
    close_fds: tuple[int, ...]


@dataclass(frozen=True)
class QueueOptions:
    """Defaults for queues."""

    limit_bytes: int
    purge_interval_s: float
    queue_patterns: tuple[str, ...]
    topic_patterns: tuple[str, ...]


@dataclass(frozen=True)
class ManagementOptions:
    """The QMF agent."""

    enable: bool
    pub_interval_s: float


@dataclass(frozen=True)
class LogOptions:
    """What is logged, how a line looks and where it goes; see spec 1.6."""

    enable: tuple[LogRule, ...]
    disable: tuple[LogRule, ...]
    time: bool
    level: bool
    category: bool
    microseconds: bool
    prefix: str
    to_stderr: bool
    to_stdout: bool
    to_file: Path | None
    to_syslog: bool
    syslog_name: str
    syslog_facility: str


@dataclass(frozen=True)
class BrokerOptions:
    """Everything ``qpidd`` was told."""

    ha: HaOptions
    links: LinkOptions
    network: NetworkOptions
    security: SecurityOptions
    queues: QueueOptions
    management: ManagementOptions
    daemon: DaemonOptions
    log: LogOptions
    data_dir: Path | None
    """None = run without one."""
    show_help: bool
    show_version: bool

    def validate(self) -> None:
        """Check what spans several options.

        Raises: UsageError that names the option and the remedy.
        """
        ReplicationLevel.parse(self.ha.replicate)
        if self.network.port > PORT_MAX:
            raise UsageError(f"port {self.network.port} is above {PORT_MAX}")
        if self.ha.cluster and not self.management.enable:
            raise UsageError(
                "Cannot start HA: management is disabled; set mgmt-enable=yes or ha-cluster=no"
            )
        if self.links.maintenance_interval_s <= 0:
            raise UsageError("link-maintenance-interval must be more than 0 seconds")
        if self.ha.backup_timeout_s <= 0:
            raise UsageError("ha-backup-timeout must be more than 0 seconds")
        if self.network.max_negotiate_time_s <= 0:
            raise UsageError("max-negotiate-time must be more than 0 milliseconds")
        if self.security.auth and self.security.password_file is None:
            raise UsageError("auth=yes needs a password-file: nobody could log in")
        if self.security.require_encryption:
            raise UsageError("require-encryption=yes cannot be kept: TLS is not built yet")


class Values:
    """Typed access to settings, falling back to the defaults of the option table."""

    def __init__(self, settings: Mapping[str, Setting], home: Path) -> None:
        self._settings = settings
        self._home = str(home)

    def given(self, name: str) -> bool:
        """Whether any source sets option ``name``."""
        return name in self._settings

    def texts(self, name: str) -> tuple[str, ...]:
        """All texts of a repeatable option; its default, if any, when none is given."""
        setting = self._settings.get(name)
        if setting is not None:
            return setting.texts
        default = BY_NAME[name].default.replace("$HOME", self._home)
        return (default,) if default else ()

    def text(self, name: str) -> str:
        """The text of an option, empty if unset."""
        texts = self.texts(name)
        return texts[-1] if texts else ""

    def parsed(self, name: str, parse: Callable[[str], T]) -> list[T]:
        """Each text of ``name`` through ``parse``.

        Raises: UsageError naming option and source.
        """
        values: list[T] = []
        for text in self.texts(name):
            try:
                values.append(parse(text))
            except ValueError as error:
                source = self._settings[name].source
                raise UsageError(f"Option {name} ({source}): {error}") from error
        return values

    def flag(self, name: str) -> bool:
        """A boolean option."""
        return self.parsed(name, parse_flag)[-1]

    def number(self, name: str) -> int:
        """A whole number."""
        return self.parsed(name, parse_number)[-1]

    def seconds(self, name: str) -> float:
        """A duration in seconds."""
        return self.parsed(name, parse_seconds)[-1]

    def url(self, name: str) -> str:
        """A list of addresses; ``none`` means empty."""
        text = self.text(name)
        return "" if text.lower() == "none" else text

    def words(self, name: str) -> tuple[str, ...]:
        """A command line in the words of a shell."""
        lines = self.parsed(name, shlex.split)
        return tuple(lines[-1]) if lines else ()

    def path(self, name: str) -> Path | None:
        """An absolute path (a daemon changes its directory), None if unset or empty."""
        text = self.text(name)
        return Path(os.path.abspath(text)) if text else None


def broker_options(settings: Mapping[str, Setting], home: Path) -> BrokerOptions:
    """The configuration that ``settings`` describe; call ``validate`` on it next.

    ``home`` replaces ``$HOME`` in defaults. Raises: UsageError for a value that cannot be read.
    """
    values = Values(settings, home)
    _check_ignored(values, settings)
    return BrokerOptions(
        ha=_ha(values),
        links=LinkOptions(
            maintenance_interval_s=values.seconds("link-maintenance-interval"),
            heartbeat_interval_s=values.seconds("link-heartbeat-interval"),
            federation_tag=values.text("federation-tag"),
        ),
        network=_network(values),
        security=_security(values),
        queues=QueueOptions(
            limit_bytes=values.number("default-queue-limit"),
            purge_interval_s=values.seconds("queue-purge-interval"),
            queue_patterns=values.texts("queue-patterns"),
            topic_patterns=values.texts("topic-patterns"),
        ),
        management=ManagementOptions(
            enable=values.flag("mgmt-enable"),
            pub_interval_s=values.seconds("mgmt-pub-interval"),
        ),
        daemon=_daemon(values, home),
        log=log_options(settings),
        data_dir=None if values.flag("no-data-dir") else values.path("data-dir"),
        show_help=values.flag("help"),
        show_version=values.flag("version"),
    )


def _check_ignored(values: Values, settings: Mapping[str, Setting]) -> None:
    """Refuse unreadable values of ignored options too, as the original does."""
    parsers: dict[str, Callable[[str], object]] = {
        "FLAG": parse_flag,
        "NUMBER": parse_number,
        "SECONDS": parse_seconds,
        "TEXT": str,
    }
    for name, setting in settings.items():
        values.parsed(name, parsers[setting.option.kind.name])


def _ha(values: Values) -> HaOptions:
    management = values.flag("mgmt-enable")
    return HaOptions(
        cluster=values.flag("ha-cluster"),
        queue_replication=values.flag("ha-queue-replication") and management,
        brokers_url=values.url("ha-brokers-url"),
        public_url=values.url("ha-public-url"),
        replicate=values.text("ha-replicate"),
        username=values.text("ha-username"),
        password=values.text("ha-password"),
        mechanism=values.text("ha-mechanism"),
        backup_timeout_s=values.seconds("ha-backup-timeout"),
        ack_timeout_s=values.seconds("ha-ack-timeout"),
        insync_command=values.words("ha-insync-command"),
        flow_messages=values.number("ha-flow-messages"),
        flow_bytes=values.number("ha-flow-bytes"),
    )


def _network(values: Values) -> NetworkOptions:
    return NetworkOptions(
        port=values.number("port"),
        interfaces=values.texts("interface"),
        tcp="tcp" not in {name.lower() for name in values.texts("listen-disable")},
        socket_fds=tuple(values.parsed("socket-fd", parse_number)),
        backlog=values.number("connection-backlog"),
        tcp_nodelay=values.flag("tcp-nodelay"),
        max_connections=values.number("max-connections"),
        max_negotiate_time_s=values.number("max-negotiate-time") / 1000,
        known_hosts_url=values.text("known-hosts-url"),
    )


def _security(values: Values) -> SecurityOptions:
    password_file = values.path("password-file")
    return SecurityOptions(
        auth=values.flag("auth") if values.given("auth") else password_file is not None,
        password_file=password_file,
        realm=values.text("realm"),
        require_encryption=values.flag("require-encryption"),
    )


def _daemon(values: Values, home: Path) -> DaemonOptions:
    return DaemonOptions(
        daemon=values.flag("daemon"),
        check=values.flag("check"),
        quit=values.flag("quit"),
        kill=values.flag("kill"),
        wait_s=values.seconds("wait"),
        pid_dir=values.path("pid-dir") or home,
        pidfile=values.path("pidfile"),
        close_fds=tuple(values.parsed("close-fd", parse_number)),
    )


def log_options(settings: Mapping[str, Setting]) -> LogOptions:
    """The logging options alone, so that a log exists before the rest is judged.

    Raises: UsageError.
    """
    values = Values(settings, Path())
    enable = values.parsed("log-enable", parse_rule)
    if values.flag("trace"):
        enable.append(parse_rule("trace+"))
    return LogOptions(
        enable=tuple(enable),
        disable=tuple(values.parsed("log-disable", parse_rule)),
        time=values.flag("log-time"),
        level=values.flag("log-level"),
        category=values.flag("log-category"),
        microseconds=values.flag("log-hires-timestamp"),
        prefix=values.text("log-prefix"),
        to_stderr=values.flag("log-to-stderr"),
        to_stdout=values.flag("log-to-stdout"),
        to_file=values.path("log-to-file"),
        to_syslog=values.flag("log-to-syslog"),
        syslog_name=values.text("syslog-name"),
        syslog_facility=values.text("syslog-facility"),
    )


def announce(
    settings: Mapping[str, Setting], options: BrokerOptions
) -> Iterator[tuple[str, str, str]]:
    """Lines ``(level, category, text)`` saying what became of each option somebody set."""
    for name in sorted(settings):
        setting = settings[name]
        option = setting.option
        shown = SECRET_SHOWN if option.secret else ", ".join(setting.texts)
        text = f"Option {name}={shown} ({setting.source})"
        if option.ignored:
            level = "warning" if option.protects else "notice"
            yield level, "Broker", f"{text} ignored: {option.ignored}"
        else:
            yield "notice", "Broker", f"{text}: {option.meaning}"
    if not options.security.auth:
        yield "warning", "Security", "Authentication is off: anyone may connect (see password-file)"
    if not options.management.enable and "ha-queue-replication" in settings:
        yield "warning", "HA", "Cannot start HA: management is disabled"
