"""Every option of ``qpidd`` as data: name, kind, default, meaning, and what it does here.

The table holds all names of the original broker, because its configuration files are strict (an
unknown key stops the broker) and rigs pass many names that mean nothing to us. An option with an
``ignored`` text is accepted and the text is logged as the reason when somebody sets it;
``protects`` marks those a user would rely on for security, so that ignoring them is a warning.

``docs/options.md`` is generated from this table by ``optiondoc``; the command line, environment
and file are read against it by ``sources``; ``config`` makes typed objects out of the result. To
add an option: one row here, one field in ``config``, then ``python -m tanist.service.optiondoc``.

Spec: qpidd-compat 1.2 to 1.6.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final


class Kind(Enum):
    """How the value of an option is written; the value is the placeholder in the help."""

    FLAG = "yes|no"
    TEXT = "TEXT"
    NUMBER = "N"
    SECONDS = "SECONDS"


@dataclass(frozen=True)
class Option:
    """One option. ``default`` is text as a user would write it; empty = unset."""

    name: str
    kind: Kind
    default: str
    meaning: str
    group: str = ""
    short: str = ""
    repeatable: bool = False
    ignored: str = ""
    """Why the option has no effect; empty = it has."""
    protects: bool = False
    """Ignoring it leaves something open that the user meant to close."""
    secret: bool = False
    """The value must not be shown in the log."""

    @property
    def variable(self) -> str:
        """The environment variable that sets this option."""
        return "QPID_" + self.name.upper().replace("-", "_").replace(".", "_")


FLAG, TEXT, NUMBER, SECONDS = Kind.FLAG, Kind.TEXT, Kind.NUMBER, Kind.SECONDS

LATER: Final = "not built yet"
MODULE: Final = "modules are built in, nothing is loaded"
NO_TLS: Final = "TLS is not built yet"
NO_STORE: Final = "no store is built yet, messages live in memory"
NO_RDMA: Final = "RDMA is not supported"


def _group(group: str, *rows: Option) -> tuple[Option, ...]:
    return tuple(replace(row, group=group) for row in rows)


GENERAL = _group(
    "General",
    Option("config", TEXT, "/etc/qpid/qpidd.conf", "configuration file"),
    Option("version", FLAG, "no", "print the version and exit", short="v"),
    Option("help", FLAG, "no", "print the options and exit", short="h"),
    Option("load-module", TEXT, "", "module to load", repeatable=True, ignored=MODULE),
    Option("module-dir", TEXT, "", "directory of modules", ignored=MODULE),
    Option("no-module-dir", FLAG, "no", "load no modules", ignored=MODULE),
)

HA = _group(
    "High availability",
    Option("ha-cluster", FLAG, "no", "join an active/passive cluster, starting as a backup"),
    Option("ha-queue-replication", FLAG, "no", "replicate single queues without joining a cluster"),
    Option(
        "ha-brokers-url",
        TEXT,
        "",
        "addresses of every cluster member, to find the primary; `none` = empty",
    ),
    Option("ha-public-url", TEXT, "", "addresses told to clients; `none` = empty"),
    Option("ha-replicate", TEXT, "none", "default replication level: none, configuration or all"),
    Option("ha-username", TEXT, "", "user for links between brokers, without realm"),
    Option("ha-password", TEXT, "", "password for links between brokers", secret=True),
    Option("ha-mechanism", TEXT, "", "SASL mechanism for links between brokers"),
    Option(
        "ha-backup-timeout", SECONDS, "10", "how long a recovering primary waits for its backups"
    ),
    Option(
        "ha-ack-timeout",
        SECONDS,
        "10",
        "how long confirmations wait for a linked backup that does not acknowledge, then it leaves "
        "the in-sync set and catches up again; 0 = for ever (an addition of Tanist)",
    ),
    Option(
        "ha-insync-command",
        TEXT,
        "",
        "command that decides over promotions and changes of the in-sync set, see the user guide "
        "(an addition of Tanist)",
    ),
    Option("ha-flow-messages", NUMBER, "1000", "unacknowledged replication batches, 0 = no limit"),
    Option("ha-flow-bytes", NUMBER, "0", "unacknowledged replication bytes, 0 = no limit"),
)

LINKS = _group(
    "Links",
    Option("link-maintenance-interval", SECONDS, "2", "between attempts to connect a link"),
    Option(
        "link-heartbeat-interval", SECONDS, "120", "heartbeat asked for on links; below 1 = none"
    ),
    Option("federation-tag", TEXT, "", "name of this broker on links; default: its system id"),
    Option(
        "max-negotiate-time",
        NUMBER,
        "10000",
        "milliseconds within which a connection must send a protocol header",
    ),
)

NETWORK = _group(
    "Network",
    Option(
        "port",
        NUMBER,
        "5672",
        "port to listen on; 0 = choose one and print it on stdout",
        short="p",
    ),
    Option(
        "interface",
        TEXT,
        "",
        "address or network interface to listen on; default all",
        repeatable=True,
    ),
    Option("listen-disable", TEXT, "", "transport not to listen on (`tcp`)", repeatable=True),
    Option("socket-fd", NUMBER, "", "inherited listening socket to serve", repeatable=True),
    Option("connection-backlog", NUMBER, "10", "connections the kernel queues for accept"),
    Option("max-connections", NUMBER, "500", "client connections, 0 = no limit"),
    Option("known-hosts-url", TEXT, "none", "addresses told to clients of a broker without HA"),
    Option("tcp-nodelay", FLAG, "yes", "send small packets at once"),
    Option(
        "transport", TEXT, "tcp", "transport whose port is reported", ignored="there is only tcp"
    ),
    Option("worker-threads", NUMBER, "", "threads", ignored="the broker runs in one thread"),
    Option(
        "session-max-unacked", NUMBER, "5000", "", ignored="acknowledgements are never held back"
    ),
    Option("connection-limit-per-user", NUMBER, "0", "", ignored=LATER, protects=True),
    Option("connection-limit-per-ip", NUMBER, "0", "", ignored=LATER, protects=True),
    Option("ssl-port", NUMBER, "5671", "port for TLS", ignored=NO_TLS, protects=True),
    Option("ssl-cert-db", TEXT, "", "certificate database", ignored=NO_TLS, protects=True),
    Option("ssl-cert-name", TEXT, "", "certificate to use", ignored=NO_TLS, protects=True),
    Option("ssl-cert-password-file", TEXT, "", "", ignored=NO_TLS, protects=True),
    Option("ssl-use-export-policy", FLAG, "no", "", ignored=NO_TLS),
    Option("ssl-require-client-authentication", FLAG, "no", "", ignored=NO_TLS, protects=True),
    Option("ssl-sasl-no-dict", FLAG, "no", "", ignored=NO_TLS, protects=True),
    Option("rdma-port", NUMBER, "", "", ignored=NO_RDMA),
)

SECURITY = _group(
    "Security",
    Option(
        "auth", FLAG, "", "demand a password; default: yes when `password-file` is set, else no"
    ),
    Option(
        "password-file",
        TEXT,
        "",
        "file of users and passwords (an addition of Tanist, instead of a SASL database)",
    ),
    Option("realm", TEXT, "QPID", "realm added to user names"),
    Option(
        "acl-file", TEXT, "", "access rules", ignored="access control is " + LATER, protects=True
    ),
    Option("max-queues-per-user", NUMBER, "0", "", ignored=LATER, protects=True),
    Option(
        "require-encryption",
        FLAG,
        "no",
        "refuse connections without TLS; `yes` stops the start, " + NO_TLS,
    ),
    Option("sasl-config", TEXT, "", "SASL directory", ignored="use password-file", protects=True),
    Option("sasl-service-name", TEXT, "qpidd", "", ignored="no mechanism here uses it"),
)

PROCESS = _group(
    "Process",
    Option(
        "data-dir", TEXT, "$HOME/.qpidd", "directory for the identity of the broker and its lock"
    ),
    Option("no-data-dir", FLAG, "no", "use no data directory; a new identity at each start"),
    Option("daemon", FLAG, "no", "run in the background", short="d"),
    Option("wait", SECONDS, "600", "how long to wait for a daemon to start or end", short="w"),
    Option("pid-dir", TEXT, "$HOME/.qpidd", "directory of the file `qpidd.<port>.pid`"),
    Option("pidfile", TEXT, "", "pid file, instead of one in pid-dir"),
    Option("close-fd", NUMBER, "", "inherited descriptor the daemon closes", repeatable=True),
    Option("check", FLAG, "no", "print the pid of the daemon and exit 0, or exit 1", short="c"),
    Option("quit", FLAG, "no", "stop the daemon politely", short="q"),
    Option("kill", FLAG, "no", "kill the daemon", short="k"),
    Option("store-dir", TEXT, "", "", ignored=NO_STORE),
    Option("paging-dir", TEXT, "", "", ignored=NO_STORE),
    Option("truncate", FLAG, "no", "", ignored=NO_STORE),
    Option("num-jfiles", NUMBER, "", "", ignored=NO_STORE),
    Option("jfile-size-pgs", NUMBER, "", "", ignored=NO_STORE),
    Option("wcache-page-size", NUMBER, "", "", ignored=NO_STORE),
    Option("tpl-num-jfiles", NUMBER, "", "", ignored=NO_STORE),
    Option("tpl-jfile-size-pgs", NUMBER, "", "", ignored=NO_STORE),
    Option("tpl-wcache-page-size", NUMBER, "", "", ignored=NO_STORE),
    Option("efp-partition", NUMBER, "", "", ignored=NO_STORE),
    Option("efp-file-size", NUMBER, "", "", ignored=NO_STORE),
    Option("overwrite-before-return-to-efp", FLAG, "no", "", ignored=NO_STORE),
)

QUEUES = _group(
    "Queues, management, transactions",
    Option("default-queue-limit", NUMBER, "104857600", "bytes a queue may hold, 0 = no limit"),
    Option("queue-purge-interval", SECONDS, "600", "between removals of expired messages"),
    Option("max-purge-batch", NUMBER, "1000", "", ignored="expired messages go in one step"),
    Option(
        "default-flow-stop-threshold", NUMBER, "80", "", ignored="producer flow control is " + LATER
    ),
    Option(
        "default-flow-resume-threshold",
        NUMBER,
        "70",
        "",
        ignored="producer flow control is " + LATER,
    ),
    Option(
        "default-event-threshold-ratio", NUMBER, "80", "", ignored="threshold events are " + LATER
    ),
    Option(
        "default-message-group", TEXT, "qpid.no-group", "", ignored="message groups are " + LATER
    ),
    Option("enable-timestamp", FLAG, "no", "", ignored="receive timestamps are " + LATER),
    Option("mgmt-enable", FLAG, "yes", "run the management agent; HA needs it", short="m"),
    Option("mgmt-pub-interval", SECONDS, "10", "between management heartbeats"),
    Option("mgmt-publish", FLAG, "yes", "", ignored="unsolicited data is " + LATER),
    Option("mgmt-qmf2", FLAG, "yes", "", ignored="QMFv2 is always on"),
    Option("mgmt-qmf1", FLAG, "no", "", ignored="QMFv1 is " + LATER),
    Option(
        "dtx-default-timeout", NUMBER, "60", "", ignored="distributed transactions are " + LATER
    ),
    Option("dtx-max-timeout", NUMBER, "3600", "", ignored="distributed transactions are " + LATER),
    Option("domain", TEXT, "", "", ignored="links to other domains are " + LATER, repeatable=True),
    Option("queue-patterns", TEXT, "", "names that AMQP 1.0 may create as queues", repeatable=True),
    Option("topic-patterns", TEXT, "", "names that AMQP 1.0 may create as topics", repeatable=True),
)

LOGGING = _group(
    "Logging",
    Option("trace", FLAG, "no", "log everything", short="t"),
    Option(
        "log-enable",
        TEXT,
        "notice+",
        "rule of lines to log: `LEVEL[+|-][:PATTERN]`",
        repeatable=True,
    ),
    Option(
        "log-disable", TEXT, "", "rule of lines not to log; wins over log-enable", repeatable=True
    ),
    Option("log-time", FLAG, "yes", "show the time"),
    Option("log-level", FLAG, "yes", "show the level"),
    Option("log-category", FLAG, "yes", "show the category"),
    Option("log-hires-timestamp", FLAG, "no", "show microseconds"),
    Option("log-source", FLAG, "no", "", ignored="lines do not carry their source"),
    Option("log-function", FLAG, "no", "", ignored="lines do not carry their function"),
    Option("log-thread", FLAG, "no", "", ignored="the broker runs in one thread"),
    Option("log-prefix", TEXT, "", "text in front of every line"),
    Option("log-to-stderr", FLAG, "yes", "log to standard error"),
    Option("log-to-stdout", FLAG, "no", "log to standard output"),
    Option("log-to-file", TEXT, "", "log to this file, appending"),
    Option("log-to-syslog", FLAG, "no", "log to syslog"),
    Option("syslog-name", TEXT, "qpidd", "name of the broker in syslog"),
    Option("syslog-facility", TEXT, "DAEMON", "facility in syslog"),
)

OPTIONS: Final[tuple[Option, ...]] = (
    *GENERAL,
    *HA,
    *LINKS,
    *NETWORK,
    *SECURITY,
    *PROCESS,
    *QUEUES,
    *LOGGING,
)

BY_NAME: Final[dict[str, Option]] = {option.name: option for option in OPTIONS}
BY_SHORT: Final[dict[str, Option]] = {o.short: o for o in OPTIONS if o.short}
BY_VARIABLE: Final[dict[str, Option]] = {option.variable: option for option in OPTIONS}
