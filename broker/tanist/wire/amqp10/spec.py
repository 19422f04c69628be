"""The AMQP 1.0 specification, declared once as data.

Every performative, SASL frame body, section, terminus, delivery state and transaction type is one
line of ``_SPECIFICATION``; the codec encodes, decodes and checks from it, so that a missing type is
a missing line. A line reads::

    list CODE NAME: FIELD TYPE, FIELD TYPE!, FIELD TYPE=DEFAULT, FIELD TYPE* ...
    map|binary|value CODE NAME: TYPE

``!`` marks a mandatory field, ``*`` one that may hold several values (``multiple``). CODE is the
number of the descriptor in the domain 0; its symbol is ``amqp:NAME:FORM``. Restricted types
(``role``, ``handle``, ``delivery-number``, ``seconds``) are resolved to their primitive types;
``source``, ``target``, ``delivery-state`` and ``outcome`` are archetypes: any described type that a
line ``provides`` lists, or one that the specification does not know. A map's type says what its
keys are: ``fields`` symbols, ``annotations`` symbols or ulongs, ``text-map`` strings.

Definitions are looked up by name, ``DEFINITIONS["open"]``, by number, ``BY_CODE[0x10]``, or by
symbol, ``BY_SYMBOL["amqp:open:list"]``. Field names have underscores: ``max_frame_size``.

Source: OASIS AMQP 1.0, part 1, 1.6; part 2, 2.7 and 2.8; part 3, 3.2, 3.4 and 3.5; part 4, 4.5;
part 5, 5.3.3.
"""

from __future__ import annotations

from typing import Final

PERFORMATIVE: Final = "performative"
SASL: Final = "sasl"
COMPOSITE: Final = "composite"
SECTION: Final = "section"

_SPECIFICATION: Final = """
group performative
  list 0x10 open: container-id string!, hostname string, max-frame-size uint=4294967295,
      channel-max ushort=65535, idle-time-out uint, outgoing-locales symbol*,
      incoming-locales symbol*, offered-capabilities symbol*, desired-capabilities symbol*,
      properties fields
  list 0x11 begin: remote-channel ushort, next-outgoing-id uint!, incoming-window uint!,
      outgoing-window uint!, handle-max uint=4294967295, offered-capabilities symbol*,
      desired-capabilities symbol*, properties fields
  list 0x12 attach: name string!, handle uint!, role boolean!, snd-settle-mode ubyte=2,
      rcv-settle-mode ubyte=0, source source, target target, unsettled unsettled,
      incomplete-unsettled boolean=false, initial-delivery-count uint, max-message-size ulong,
      offered-capabilities symbol*, desired-capabilities symbol*, properties fields
  list 0x13 flow: next-incoming-id uint, incoming-window uint!, next-outgoing-id uint!,
      outgoing-window uint!, handle uint, delivery-count uint, link-credit uint, available uint,
      drain boolean=false, echo boolean=false, properties fields
  list 0x14 transfer: handle uint!, delivery-id uint, delivery-tag binary, message-format uint,
      settled boolean, more boolean=false, rcv-settle-mode ubyte, state delivery-state,
      resume boolean=false, aborted boolean=false, batchable boolean=false
  list 0x15 disposition: role boolean!, first uint!, last uint, settled boolean=false,
      state delivery-state, batchable boolean=false
  list 0x16 detach: handle uint!, closed boolean=false, error error
  list 0x17 end: error error
  list 0x18 close: error error
group sasl
  list 0x40 sasl-mechanisms: sasl-server-mechanisms symbol*!
  list 0x41 sasl-init: mechanism symbol!, initial-response binary, hostname string
  list 0x42 sasl-challenge: challenge binary!
  list 0x43 sasl-response: response binary!
  list 0x44 sasl-outcome: code ubyte!, additional-data binary
group composite
  list 0x1d error: condition symbol!, description string, info fields
  list 0x23 received: section-number uint!, section-offset ulong!
  list 0x24 accepted
  list 0x25 rejected: error error
  list 0x26 released
  list 0x27 modified: delivery-failed boolean, undeliverable-here boolean,
      message-annotations fields
  list 0x28 source: address string, durable uint=0, expiry-policy symbol=session-end,
      timeout uint=0, dynamic boolean=false, dynamic-node-properties fields,
      distribution-mode symbol, filter fields, default-outcome outcome, outcomes symbol*,
      capabilities symbol*
  list 0x29 target: address string, durable uint=0, expiry-policy symbol=session-end,
      timeout uint=0, dynamic boolean=false, dynamic-node-properties fields, capabilities symbol*
  list 0x2b delete-on-close
  list 0x2c delete-on-no-links
  list 0x2d delete-on-no-messages
  list 0x2e delete-on-no-links-or-messages
  list 0x30 coordinator: capabilities symbol*
  list 0x31 declare: global-id any
  list 0x32 discharge: txn-id binary!, fail boolean
  list 0x33 declared: txn-id binary!
  list 0x34 transactional-state: txn-id binary!, outcome outcome
  provides source: source
  provides target: target, coordinator
  provides delivery-state: received, accepted, rejected, released, modified, declared,
      transactional-state
  provides outcome: accepted, rejected, released, modified, declared
  provides error: error
group section
  list 0x70 header: durable boolean=false, priority ubyte=4, ttl uint,
      first-acquirer boolean=false, delivery-count uint=0
  map 0x71 delivery-annotations: annotations
  map 0x72 message-annotations: annotations
  list 0x73 properties: message-id message-id, user-id binary, to string, subject string,
      reply-to string, correlation-id message-id, content-type symbol, content-encoding symbol,
      absolute-expiry-time timestamp, creation-time timestamp, group-id string,
      group-sequence uint, reply-to-group-id string
  map 0x74 application-properties: text-map
  binary 0x75 data: binary
  list 0x76 amqp-sequence: list
  * 0x77 amqp-value: any
  map 0x78 footer: annotations
"""


class Field:
    """One field of a described list. ``default`` is None where the specification gives none.

    ``where`` names it for people: "open.container_id".
    """

    __slots__ = ("default", "mandatory", "multiple", "name", "type", "where")

    def __init__(
        self,
        owner: str,
        name: str,
        type_: str,
        mandatory: bool,
        multiple: bool,
        default: bool | int | str | None,
    ) -> None:
        self.name = name
        self.where = f"{owner}.{name}"
        self.type = type_
        self.mandatory = mandatory
        self.multiple = multiple
        self.default = default


class Definition:
    """One described type: its two descriptors, and what it describes.

    ``form`` is "list" with ``fields``, or "map", "binary", "list" or "*" with the type ``content``.
    ``class_name`` names the Python class: "DeleteOnClose" for "delete-on-close".
    """

    __slots__ = ("class_name", "code", "content", "fields", "form", "group", "name", "symbol")

    def __init__(
        self, group: str, form: str, code: int, name: str, fields: list[Field], content: str
    ) -> None:
        self.group = group
        self.form = form
        self.code = code
        self.name = name
        self.fields = fields
        self.content = content
        self.symbol = f"amqp:{name}:{form}"
        self.class_name = "".join(word.capitalize() for word in name.split("-"))


def _parse_field(owner: str, text: str) -> Field:
    name, type_ = text.split()
    type_, _, default_text = type_.partition("=")
    default: bool | int | str | None = None
    if default_text == "false":
        default = False
    elif default_text.isdigit():
        default = int(default_text)
    elif default_text:
        default = default_text
    return Field(
        owner, name.replace("-", "_"), type_.rstrip("*!"), "!" in type_, "*" in type_, default
    )


def _parse_entry(group: str, entry: str) -> Definition:
    head, _, rest = entry.partition(":")
    form, code, name = head.split()
    items = [item.strip() for item in rest.split(",") if item.strip()]
    if len(items) == 1 and " " not in items[0]:
        return Definition(group, form, int(code, 16), name, [], items[0])
    return Definition(group, form, int(code, 16), name, [_parse_field(name, i) for i in items], "")


def _entries(text: str) -> list[str]:
    entries: list[str] = []
    for line in text.splitlines():
        if line.startswith("      "):
            entries[-1] += line
        elif line.strip():
            entries.append(line.strip())
    return entries


def parse_definitions(text: str) -> list[Definition]:
    """All definitions of ``text``, in its order (the notation is in the module docstring)."""
    definitions: list[Definition] = []
    group = ""
    for entry in _entries(text):
        if entry.startswith("group "):
            group = entry.split()[1]
        elif not entry.startswith("provides "):
            definitions.append(_parse_entry(group, entry))
    return definitions


def parse_archetypes(text: str) -> dict[str, frozenset[str]]:
    """Archetype to the names of the types that provide it."""
    archetypes: dict[str, frozenset[str]] = {}
    for entry in _entries(text):
        if entry.startswith("provides "):
            name, _, providers = entry.removeprefix("provides ").partition(":")
            archetypes[name] = frozenset(item.strip() for item in providers.split(","))
    return archetypes


_ALL: Final = parse_definitions(_SPECIFICATION)

DEFINITIONS: Final[dict[str, Definition]] = {item.name: item for item in _ALL}
BY_CODE: Final[dict[int, Definition]] = {item.code: item for item in _ALL}
BY_SYMBOL: Final[dict[str, Definition]] = {item.symbol: item for item in _ALL}
BY_CLASS_NAME: Final[dict[str, Definition]] = {item.class_name: item for item in _ALL}
ARCHETYPES: Final[dict[str, frozenset[str]]] = parse_archetypes(_SPECIFICATION)
