"""The command line of ``qpid-config``: its options, and the words that become arguments.

Names and meanings are the original's. Which words make a command is decided in ``qpid_config``.
"""

from __future__ import annotations

import argparse
from typing import Final

from tanist.cli import listing
from tanist.cli.qmf_client import QmfError
from tanist.wire.amqp010.values import Value

USAGE: Final = """qpid-config [OPTION...]                    counts exchanges and queues
       qpid-config [OPTION...] exchanges [TEXT]   lists those with TEXT in their names
       qpid-config [OPTION...] queues [TEXT]
       qpid-config [OPTION...] add exchange TYPE NAME
       qpid-config [OPTION...] del exchange NAME
       qpid-config [OPTION...] add queue NAME
       qpid-config [OPTION...] del queue NAME
       qpid-config [OPTION...] bind EXCHANGE QUEUE [KEY]
                     headers exchange: bind EXCHANGE QUEUE KEY all|any NAME=VALUE...
       qpid-config [OPTION...] unbind EXCHANGE QUEUE [KEY]
       qpid-config [OPTION...] add TYPE NAME [--argument NAME=VALUE]...
       qpid-config [OPTION...] del TYPE NAME
       qpid-config [OPTION...] list TYPE [--show-property NAME]...
       qpid-config [OPTION...] log [RULES]
       qpid-config [OPTION...] reload-acl | shutdown"""

EPILOG: Final = """types of exchanges: direct, fanout, topic, headers

An address is [user/password@]host[:port]; without -b it is this machine, port 5672.
A backup of a cluster lets only tools in that say --ha-admin.
"""

QUEUE_NUMBERS: Final = {
    "max_queue_size": "qpid.max_size",
    "max_queue_count": "qpid.max_count",
    "flow_stop_size": "qpid.flow_stop_size",
    "flow_resume_size": "qpid.flow_resume_size",
    "flow_stop_count": "qpid.flow_stop_count",
    "flow_resume_count": "qpid.flow_resume_count",
}
STORE_NUMBERS: Final = {
    "file_count": "qpid.file_count",
    "file_size": "qpid.file_size",
    "efp_partition_num": "qpid.efp_partition_num",
    "efp_pool_file_size": "qpid.efp_pool_file_size",
}
"""Options of ``add queue`` and the arguments they set; those of the store for durable queues."""


def make_parser() -> argparse.ArgumentParser:
    """The command line of the tool."""
    parser = argparse.ArgumentParser(
        prog="qpid-config",
        usage=USAGE,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="a command, see above")
    group = parser.add_argument_group("general options")
    group.add_argument("-b", "--broker", metavar="ADDRESS")
    group.add_argument("-a", "--broker-addr", metavar="ADDRESS", help="the same, as it was called")
    group.add_argument("-t", "--timeout", type=int, default=10, metavar="SECONDS", help="10")
    group.add_argument("-r", "--recursive", "--bindings", action="store_true", help="with bindings")
    group.add_argument("--ha-admin", action="store_true", help="let me in on a backup")
    group.add_argument("--sasl-mechanism", metavar="MECH", default="")
    group.add_argument("--sasl-service-name", metavar="NAME", help="accepted, not used")
    group.add_argument("--ssl-certificate", metavar="FILE", help="TLS is not available yet")
    group.add_argument("--ssl-key", metavar="FILE", help="TLS is not available yet")
    group.add_argument("--json", action="store_true", help="print JSON")
    group = parser.add_argument_group("lists")
    group.add_argument("--ignore-default", action="store_true", help="not the default exchange")
    group.add_argument("--show-property", action="append", default=[], metavar="NAME")
    group = parser.add_argument_group("add")
    group.add_argument("--durable", action="store_true")
    group.add_argument("--replicate", metavar="LEVEL", help="none, configuration or all")
    group.add_argument("--alternate-exchange", metavar="NAME")
    group.add_argument("--argument", action="append", default=[], metavar="NAME=VALUE")
    _add_queue_options(parser)
    group = parser.add_argument_group("add exchange")
    group.add_argument("--sequence", action="store_true", help="number its messages")
    group.add_argument("--ive", action="store_true", help="new bindings get the last message")
    group = parser.add_argument_group("del queue")
    group.add_argument("--force", action="store_true", help="also if it is used or not empty")
    group.add_argument("--force-if-not-empty", action="store_true")
    group.add_argument("--force-if-used", action="store_true")
    group = parser.add_argument_group("bind")
    group.add_argument("-f", "--file", metavar="FILE", help="there are no xml exchanges")
    return parser


def _add_queue_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("add queue")
    for name in (*QUEUE_NUMBERS, *STORE_NUMBERS):
        group.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="N")
    group.add_argument(
        "--limit-policy",
        choices=("none", "reject", "ring", "ring-strict"),
        help="what a full queue does",
    )
    group.add_argument("--lvq-key", metavar="KEY")
    group.add_argument("--group-header", metavar="NAME")
    group.add_argument("--shared-groups", action="store_true")
    group.add_argument(
        "--start-replica", metavar="ADDRESS", help="replicate the queue of that name from there"
    )


def arguments_given(words: list[str]) -> dict[str, Value]:
    """``NAME=VALUE`` words: numbers where they are, void without a value."""
    given: dict[str, Value] = {}
    for word in words:
        name, equals, text = word.partition("=")
        try:
            given[name] = int(text) if equals else None
        except ValueError:
            given[name] = text
    return given


def header_arguments(words: list[str]) -> dict[str, Value]:
    """The arguments of a headers binding: ``all|any NAME=VALUE...``. Raises: QmfError."""
    if len(words) < 2:
        raise QmfError("Invalid args to bind headers: need 'any'/'all' plus conditions", "Usage")
    if words[0] not in ("all", "any"):
        raise QmfError(
            f"Invalid condition arg to bind headers, need 'any' or 'all', not '{words[0]}'", "Usage"
        )
    arguments: dict[str, Value] = {}
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if not equals:
            raise QmfError(f"Invalid condition '{word}': write NAME=VALUE", "Usage")
        arguments[name] = value
    arguments["x-match"] = words[0]
    return arguments


def queue_properties(options: argparse.Namespace) -> dict[str, Value]:
    """What the options of ``add queue`` say of the queue."""
    properties = arguments_given(options.argument)
    numbers = {**QUEUE_NUMBERS, **(STORE_NUMBERS if options.durable else {})}
    for option, argument in numbers.items():
        value = getattr(options, option)
        if value is not None:
            properties[argument] = value
    if options.limit_policy in ("reject", "ring"):
        properties[listing.POLICY_TYPE] = options.limit_policy
    if options.lvq_key:
        properties[listing.LVQ_KEY] = options.lvq_key
    if options.group_header:
        properties[listing.GROUP_HEADER] = options.group_header
    if options.shared_groups:
        properties[listing.SHARED_GROUPS] = 1
    return properties
