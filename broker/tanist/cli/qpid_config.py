"""``qpid-config``: look at and change the exchanges, queues and bindings of a broker.

Commands, options, output and exit codes of the original: 0 when it was done; 1 when it failed (one
line ``Failed: ...`` on standard output), when a list matches nothing, and for words that make no
command; 2 for an option that does not exist. Beyond it: ``--json``, ``--bindings`` as another name
of ``-r``, and a broker that does not answer in time is a failure.

The broker answers a change when all backups in sync have it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from typing import Final

from tanist.cli import listing
from tanist.cli.config_options import (
    arguments_given,
    header_arguments,
    make_parser,
    queue_properties,
)
from tanist.cli.listing import Values
from tanist.cli.qmf_client import (
    ClientOptions,
    QmfClient,
    QmfError,
    object_values,
    plain_map,
)
from tanist.ha.url import parse_url
from tanist.types import BrokerError
from tanist.wire.amqp010.values import Value

BROKER_OBJECT: Final = "org.apache.qpid.broker:broker:amqp-broker"
EXCHANGE_OBJECT: Final = "org.apache.qpid.broker:exchange:"
HA_OBJECT: Final = "org.apache.qpid.ha:habroker:ha-broker"
ACL_OBJECT: Final = f"org.apache.qpid.acl:acl:{BROKER_OBJECT}"
NO_LIMIT_S: Final = 86400.0
"""``--timeout 0``: as good as no limit."""


class Misuse(Exception):
    """The words make no command: print how it is used."""


class Tool:
    """One run of qpid-config. ``show`` prints a line."""

    def __init__(self, options: argparse.Namespace, show: Callable[[str], None]) -> None:
        """Raises: BrokerError for a bad address, QmfError for what cannot be done."""
        if options.ssl_certificate or options.ssl_key:
            raise QmfError("TLS is not available in this version: leave --ssl-... out", "Usage")
        if options.timeout < 0:
            raise QmfError(f"--timeout {options.timeout}: it must not be negative", "Usage")
        self.options = options
        self.words: list[str] = options.words
        self.show = show
        address = options.broker_addr or options.broker or "localhost"
        self._client = QmfClient(
            parse_url(address.removeprefix("amqp://")),
            ClientOptions(
                timeout_s=float(options.timeout) or NO_LIMIT_S,
                mechanism=options.sasl_mechanism,
                ha_admin=options.ha_admin,
            ),
        )

    def run(self) -> int:
        """Do what the words say; returns the exit status.

        Raises: Misuse, QmfError.
        """
        action = self._action()
        with self._client:
            return action()

    def _action(self) -> Callable[[], int]:
        """What to do. Raises: Misuse for words that make no command."""
        words = self.words
        if not words:
            return self.summary
        if words[0] in ("add", "del"):
            return self._add_or_delete()
        actions: dict[str, tuple[int, Callable[[], int]]] = {
            "exchanges": (1, self.exchanges),
            "queues": (1, self.queues),
            "bind": (3, self.bind),
            "unbind": (3, self.unbind),
            "list": (2, self.list_objects),
            "log": (1, self.log),
            "reload-acl": (1, self.reload_acl),
            "shutdown": (1, self.shutdown),
        }
        needed, action = actions.get(words[0], (0, self.summary))
        if not needed or len(words) < needed:
            raise Misuse
        return action

    def _add_or_delete(self) -> Callable[[], int]:
        command, *rest = self.words
        kind = rest[0] if rest else ""
        if command == "add" and kind == "exchange" and len(rest) > 2:
            return self.add_exchange
        if len(rest) < 2 or (command == "add" and kind == "exchange"):
            raise Misuse
        if command == "add":
            return self.add_queue if kind == "queue" else self.add_object
        return self.delete_queue if kind == "queue" else self.delete_object

    # -- looking --------------------------------------------------------------------------

    def objects(self, class_name: str) -> list[Values]:
        """The values of all objects of a class."""
        return [plain_map(object_values(each)) for each in self._client.query(class_name)]

    def summary(self) -> int:
        """Without a command: how many there are."""
        exchanges, queues = self.objects("exchange"), self.objects("queue")
        if self.options.json:
            return self._show_json(listing.summary_data(exchanges, queues))
        return self._show(listing.summary(exchanges, queues))

    def exchanges(self) -> int:
        """``exchanges [TEXT]``; with ``-r`` what is bound to them."""
        found = listing.matching(self.objects("exchange"), self._filter())
        if not found and not self.options.recursive:
            return self._nothing()
        if self.options.ignore_default:
            found = [values for values in found if values.get("name")]
        bindings = self.objects("binding") if self.options.recursive else None
        if self.options.json:
            by_name = None if bindings is None else listing.bindings_by("exchangeRef", bindings)
            return self._show_json(
                [
                    listing.exchange_data(
                        each, None if by_name is None else by_name.get(listing.name_of(each), [])
                    )
                    for each in found
                ]
            )
        if bindings is not None:
            return self._show(listing.exchange_bindings(found, bindings))
        return self._show(listing.exchange_list(found))

    def queues(self) -> int:
        """``queues [TEXT]``; with ``-r`` what they are bound to."""
        found = listing.matching(self.objects("queue"), self._filter())
        if not found and not self.options.recursive:
            return self._nothing()
        if not self.options.recursive:
            if self.options.json:
                return self._show_json([listing.queue_data(each, None) for each in found])
            return self._show(listing.queue_list(found))
        bindings = self.objects("binding")
        ignore = bool(self.options.ignore_default)
        if not self.options.json:
            return self._show(listing.queue_bindings(found, bindings, ignore))
        if ignore:
            bindings = [each for each in bindings if listing.name_of(each, "exchangeRef")]
        by_name = listing.bindings_by("queueRef", bindings)
        return self._show_json(
            [listing.queue_data(each, by_name.get(listing.name_of(each), [])) for each in found]
        )

    def list_objects(self) -> int:
        """``list TYPE``: the objects of any class."""
        class_name = self.words[1]
        found = self.objects(class_name.lower())
        wanted: list[str] = self.options.show_property
        if self.options.json:
            names = wanted or listing.properties_of(found)
            return self._show_json([listing.object_data(each, names) for each in found])
        return self._show(listing.object_table(class_name, found, wanted))

    def _filter(self) -> str:
        return self.words[1] if len(self.words) > 1 else ""

    def _nothing(self) -> int:
        """A list that matches nothing prints nothing and fails."""
        if self.options.json:
            self._show_json([])
        return 1

    # -- changing -------------------------------------------------------------------------

    def add_exchange(self) -> int:
        """``add exchange TYPE NAME``."""
        kind, name = self.words[2:4]
        properties = {"exchange-type": kind, **arguments_given(self.options.argument)}
        if self.options.sequence:
            properties[listing.MSG_SEQUENCE] = 1
        if self.options.ive:
            properties[listing.IVE] = 1
        self._add_common(properties)
        return self._create("exchange", name, properties)

    def add_queue(self) -> int:
        """``add queue NAME``; then, perhaps, starts to replicate it from elsewhere."""
        options, name = self.options, self.words[2]
        properties = queue_properties(options)
        self._add_common(properties)
        self._create("queue", name, properties, tell=False)
        if options.start_replica:
            self._client.call(
                HA_OBJECT, "replicate", {"broker": options.start_replica, "queue": name}
            )
        return self._done("queue", name)

    def _add_common(self, properties: dict[str, Value]) -> None:
        options = self.options
        if options.alternate_exchange:
            properties["alternate-exchange"] = options.alternate_exchange
        if options.durable:
            properties["durable"] = 1
        if options.replicate:
            properties[listing.REPLICATE] = options.replicate

    def add_object(self) -> int:
        """``add TYPE NAME``: whatever the broker can create."""
        kind, name = self.words[1:3]
        return self._create(kind, name, arguments_given(self.options.argument))

    def delete_queue(self) -> int:
        """``del queue NAME``: only if it is empty and unused, unless forced."""
        options = self.options
        return self._delete(
            "queue",
            self.words[2],
            {
                "if_empty": not (options.force or options.force_if_not_empty),
                "if_unused": not (options.force or options.force_if_used),
            },
        )

    def delete_object(self) -> int:
        """``del TYPE NAME``: whatever the broker can delete."""
        kind, name = self.words[1:3]
        return self._delete(kind, name, {})

    def bind(self) -> int:
        """``bind EXCHANGE QUEUE [KEY]``; what follows depends on the type of the exchange."""
        name = self.words[1]
        element = self._client.find(EXCHANGE_OBJECT + name)
        kind = plain_map(object_values(element or {})).get("type")
        arguments: dict[str, Value] = {}
        if kind == "xml":
            raise QmfError(f"cannot bind to xml exchange {name}: this tool has no XQuery", "Usage")
        if kind == "headers":
            arguments = header_arguments(self.words[4:])
        return self._create("binding", self._binding(), arguments)

    def unbind(self) -> int:
        """``unbind EXCHANGE QUEUE [KEY]``."""
        return self._delete("binding", self._binding(), {})

    def _binding(self) -> str:
        exchange, queue, key = [*self.words[1:4], ""][:3]
        return f"{exchange}/{queue}/{key}"

    def log(self) -> int:
        """``log``: which rules say what is logged; ``log RULES``: other rules."""
        if len(self.words) > 1:
            self._client.call(BROKER_OBJECT, "setLogLevel", {"level": self.words[1]})
            return self._done("level", self.words[1])
        level = plain_map(self._client.call(BROKER_OBJECT, "getLogLevel", {})).get("level")
        if self.options.json:
            return self._show_json({"level": level})
        return self._show([f"Log level: {level}"])

    def reload_acl(self) -> int:
        """``reload-acl``: read the access control list again. To have none is no failure."""
        try:
            self._client.call(ACL_OBJECT, "reloadACLFile", {})
        except QmfError as error:
            if "No object found" not in str(error):
                raise
            return self._show(["Failed: ACL Module Not Loaded in Broker"])
        return self._done("acl", "")

    def shutdown(self) -> int:
        """``shutdown``: stop the broker; it is gone before it can answer."""
        try:
            self._client.call(BROKER_OBJECT, "shutdown", {})
        except QmfError as error:
            if error.kind != "ConnectionError":
                raise
        return self._done("broker", "")

    def _create(
        self, kind: str, name: str, properties: dict[str, Value], *, tell: bool = True
    ) -> int:
        self._client.call(
            BROKER_OBJECT,
            "create",
            {"type": kind, "name": name, "properties": properties, "strict": True},
        )
        return self._done(kind, name) if tell else 0

    def _delete(self, kind: str, name: str, options: dict[str, Value]) -> int:
        self._client.call(BROKER_OBJECT, "delete", {"type": kind, "name": name, "options": options})
        return self._done(kind, name)

    # -- output ---------------------------------------------------------------------------

    def _show(self, lines: list[str]) -> int:
        for line in lines:
            self.show(line)
        return 0

    def _show_json(self, data: object) -> int:
        self.show(json.dumps(data))
        return 0

    def _done(self, kind: str, name: str) -> int:
        """A change that was made is silent, but for JSON."""
        if self.options.json:
            self._show_json({"command": self.words[0], "type": kind, "name": name, "ok": True})
        return 0


def main(argv: list[str] | None = None) -> int:
    """Run the tool with ``argv`` (default: the process's arguments); returns the exit status."""
    parser = make_parser()
    try:
        options = parser.parse_intermixed_args(argv)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 2
    try:
        return Tool(options, print).run()
    except Misuse:
        print(parser.format_usage())
        return 1
    except KeyboardInterrupt:
        print("Failed: interrupted", file=sys.stderr)
        return 130
    except (QmfError, BrokerError) as error:
        kind = error.kind if isinstance(error, QmfError) else "Usage"
        text = f"Failed: {kind}: {error}"
        print(text, file=sys.stderr if options.json else sys.stdout)
        return 1


if __name__ == "__main__":
    sys.exit(main())
