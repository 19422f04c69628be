"""The AMQP 0-10 specification, declared once as data.

Every type, control, command and struct of the specification 1.0 (with the errata that Apache
Qpid's implementations agree on: ``dtx.xid`` is a coded struct) is one line of ``_SPECIFICATION``;
``codec`` encodes, decodes and checks from it and nothing else, so that a missing command is a
missing line. Domains are resolved to their types.

A line reads::

    class NAME CODE
    struct CODE NAME [size=WIDTH] [pack=WIDTH]: FIELD TYPE, FIELD TYPE! ...
    control|command CODE NAME [result=STRUCT] [content=STRUCT+...]: FIELD TYPE, ...

``!`` marks a field that the specification requires. A struct without a code is "-"; the size
prefix and the packing flags of a struct are 4 and 2 octets unless given. ``content`` names the
structs that may stand in the header segment: only those commands may carry header and body.

Definitions are looked up by the specification's own spelling, ``DEFINITIONS["session.attach"]``,
or by code, ``COMMANDS[0x0401]``. Field names have underscores: ``binding_key``.

Source: AMQP specification 0-10, parts "types" (II.3), "formal notation" (II.4), "models" (III).
"""

from __future__ import annotations

from typing import Final

BITS: Final = 0
"""Octets without further meaning: bin8 .. bin1024, vbin8 .. vbin32, dec32, dec64."""
UNSIGNED: Final = 1
SIGNED: Final = 2
FLOATING: Final = 3
BOOLEAN: Final = 4
TEXT: Final = 5
"""A string with an encoding, of fixed (char) or variable width."""
IDENTIFIER: Final = 6
"""uuid"""
NOTHING: Final = 7
"""void, and bit: present without a value."""
MAP: Final = 8
LIST: Final = 9
ARRAY: Final = 10
STRUCT32: Final = 11
RANGES: Final = 12
"""sequence-set and byte-ranges: pairs of numbers, each of half the "unit" in octets."""
COMPOUND: Final = 13
"""A field whose type is a struct of the specification."""

CONTROL: Final = 0
COMMAND: Final = 1
STRUCT: Final = 2


class TypeDef:
    """One type of the type system.

    ``code`` is -1 for types that cannot stand in a map. ``width`` is the number of octets of a
    fixed-width type, or of the length prefix when ``variable``. ``form`` says how to read it.
    """

    __slots__ = ("code", "encoding", "form", "name", "variable", "width")

    def __init__(
        self, name: str, code: int, width: int, form: int, variable: bool, encoding: str = ""
    ) -> None:
        self.name = name
        self.code = code
        self.width = width
        self.form = form
        self.variable = variable
        self.encoding = encoding


def _fixed(name: str, code: int, width: int, form: int, encoding: str = "") -> TypeDef:
    return TypeDef(name, code, width, form, False, encoding)


def _variable(name: str, code: int, width: int, form: int, encoding: str = "") -> TypeDef:
    return TypeDef(name, code, width, form, True, encoding)


_TYPE_TABLE: Final = (
    _fixed("bin8", 0x00, 1, BITS),
    _fixed("int8", 0x01, 1, SIGNED),
    _fixed("uint8", 0x02, 1, UNSIGNED),
    _fixed("char", 0x04, 1, TEXT, "iso-8859-1"),
    _fixed("boolean", 0x08, 1, BOOLEAN),
    _fixed("bin16", 0x10, 2, BITS),
    _fixed("int16", 0x11, 2, SIGNED),
    _fixed("uint16", 0x12, 2, UNSIGNED),
    _fixed("bin32", 0x20, 4, BITS),
    _fixed("int32", 0x21, 4, SIGNED),
    _fixed("uint32", 0x22, 4, UNSIGNED),
    _fixed("float", 0x23, 4, FLOATING),
    _fixed("char-utf32", 0x27, 4, TEXT, "utf-32-be"),
    _fixed("sequence-no", -1, 4, UNSIGNED),
    _fixed("bin64", 0x30, 8, BITS),
    _fixed("int64", 0x31, 8, SIGNED),
    _fixed("uint64", 0x32, 8, UNSIGNED),
    _fixed("double", 0x33, 8, FLOATING),
    _fixed("datetime", 0x38, 8, UNSIGNED),
    _fixed("bin128", 0x40, 16, BITS),
    _fixed("uuid", 0x48, 16, IDENTIFIER),
    _fixed("bin256", 0x50, 32, BITS),
    _fixed("bin512", 0x60, 64, BITS),
    _fixed("bin1024", 0x70, 128, BITS),
    _variable("vbin8", 0x80, 1, BITS),
    _variable("str8-latin", 0x84, 1, TEXT, "iso-8859-15"),
    _variable("str8", 0x85, 1, TEXT, "utf-8"),
    _variable("str8-utf16", 0x86, 1, TEXT, "utf-16-be"),
    _variable("vbin16", 0x90, 2, BITS),
    _variable("str16-latin", 0x94, 2, TEXT, "iso-8859-15"),
    _variable("str16", 0x95, 2, TEXT, "utf-8"),
    _variable("str16-utf16", 0x96, 2, TEXT, "utf-16-be"),
    _variable("byte-ranges", -1, 2, RANGES),
    _variable("sequence-set", -1, 2, RANGES),
    _variable("vbin32", 0xA0, 4, BITS),
    _variable("map", 0xA8, 4, MAP),
    _variable("list", 0xA9, 4, LIST),
    _variable("array", 0xAA, 4, ARRAY),
    _variable("struct32", 0xAB, 4, STRUCT32),
    _fixed("bin40", 0xC0, 5, BITS),
    _fixed("dec32", 0xC8, 5, BITS),
    _fixed("bin72", 0xD0, 9, BITS),
    _fixed("dec64", 0xD8, 9, BITS),
    _fixed("void", 0xF0, 0, NOTHING),
    _fixed("bit", 0xF1, 0, NOTHING),
)

TYPES: Final[dict[str, TypeDef]] = {type_.name: type_ for type_ in _TYPE_TABLE}
TYPES_BY_CODE: Final[dict[int, TypeDef]] = {
    type_.code: type_ for type_ in _TYPE_TABLE if type_.code >= 0
}

_SPECIFICATION: Final = """
class connection 1
  control 1 start: server-properties map, mechanisms array!, locales array!
  control 2 start-ok: client-properties map, mechanism str8!, response vbin32!, locale str8!
  control 3 secure: challenge vbin32!
  control 4 secure-ok: response vbin32!
  control 5 tune: channel-max uint16, max-frame-size uint16, heartbeat-min uint16,
      heartbeat-max uint16
  control 6 tune-ok: channel-max uint16!, max-frame-size uint16, heartbeat uint16
  control 7 open: virtual-host str8!, capabilities array, insist bit
  control 8 open-ok: known-hosts array
  control 9 redirect: host str16!, known-hosts array
  control 10 heartbeat
  control 11 close: reply-code uint16!, reply-text str8
  control 12 close-ok
class session 2
  struct - header size=1 pack=1: sync bit
  struct - command-fragment size=0 pack=0: command-id sequence-no!, byte-ranges byte-ranges!
  control 1 attach: name vbin16!, force bit
  control 2 attached: name vbin16!
  control 3 detach: name vbin16!
  control 4 detached: name vbin16!, code uint8!
  control 5 request-timeout: timeout uint32
  control 6 timeout: timeout uint32
  control 7 command-point: command-id sequence-no!, command-offset uint64!
  control 8 expected: commands sequence-set!, fragments array
  control 9 confirmed: commands sequence-set, fragments array
  control 10 completed: commands sequence-set, timely-reply bit
  control 11 known-completed: commands sequence-set
  control 12 flush: expected bit, confirmed bit, completed bit
  control 13 gap: commands sequence-set
class execution 3
  command 1 sync
  command 2 result: command-id sequence-no!, value struct32
  command 3 exception: error-code uint16!, command-id sequence-no, class-code uint8,
      command-code uint8, field-index uint8, description str16, error-info map
class message 4
  struct 1 delivery-properties: discard-unroutable bit, immediate bit, redelivered bit,
      priority uint8!, delivery-mode uint8!, ttl uint64, timestamp datetime,
      expiration datetime, exchange str8, routing-key str8, resume-id str16, resume-ttl uint64
  struct 2 fragment-properties: first bit, last bit, fragment-size uint64
  struct - reply-to size=2 pack=2: exchange str8, routing-key str8
  struct 3 message-properties: content-length uint64, message-id uuid, correlation-id vbin16,
      reply-to message.reply-to, content-type str8, content-encoding str8, user-id vbin16,
      app-id vbin16, application-headers map
  command 1 transfer content=delivery-properties+fragment-properties+message-properties:
      destination str8, accept-mode uint8!, acquire-mode uint8!
  command 2 accept: transfers sequence-set!
  command 3 reject: transfers sequence-set!, code uint16!, text str8
  command 4 release: transfers sequence-set!, set-redelivered bit
  struct 4 acquired: transfers sequence-set!
  command 5 acquire result=acquired: transfers sequence-set!
  struct 5 message-resume-result: offset uint64
  command 6 resume result=message-resume-result: destination str8, resume-id str16!
  command 7 subscribe: queue str8!, destination str8, accept-mode uint8!, acquire-mode uint8!,
      exclusive bit, resume-id str16, resume-ttl uint64, arguments map
  command 8 cancel: destination str8!
  command 9 set-flow-mode: destination str8, flow-mode uint8!
  command 10 flow: destination str8, unit uint8!, value uint32
  command 11 flush: destination str8
  command 12 stop: destination str8
class tx 5
  command 1 select
  command 2 commit
  command 3 rollback
class dtx 6
  struct 1 xa-result: status uint16!
  struct 4 xid: format uint32!, global-id vbin8!, branch-id vbin8!
  command 1 select
  command 2 start result=xa-result: xid dtx.xid!, join bit, resume bit
  command 3 end result=xa-result: xid dtx.xid!, fail bit, suspend bit
  command 4 commit result=xa-result: xid dtx.xid!, one-phase bit
  command 5 forget: xid dtx.xid!
  struct 2 get-timeout-result: timeout uint32!
  command 6 get-timeout result=get-timeout-result: xid dtx.xid!
  command 7 prepare result=xa-result: xid dtx.xid!
  struct 3 recover-result: in-doubt array!
  command 8 recover result=recover-result
  command 9 rollback result=xa-result: xid dtx.xid!
  command 10 set-timeout: xid dtx.xid!, timeout uint32!
class exchange 7
  command 1 declare: exchange str8!, type str8!, alternate-exchange str8, passive bit,
      durable bit, auto-delete bit, arguments map
  command 2 delete: exchange str8!, if-unused bit
  struct 1 exchange-query-result: type str8, durable bit, not-found bit, arguments map
  command 3 query result=exchange-query-result: name str8
  command 4 bind: queue str8!, exchange str8!, binding-key str8!, arguments map
  command 5 unbind: queue str8!, exchange str8!, binding-key str8!
  struct 2 exchange-bound-result: exchange-not-found bit, queue-not-found bit,
      queue-not-matched bit, key-not-matched bit, args-not-matched bit
  command 6 bound result=exchange-bound-result: exchange str8, queue str8!, binding-key str8,
      arguments map
class queue 8
  command 1 declare: queue str8!, alternate-exchange str8, passive bit, durable bit,
      exclusive bit, auto-delete bit, arguments map
  command 2 delete: queue str8!, if-unused bit, if-empty bit
  command 3 purge: queue str8!
  struct 1 queue-query-result: queue str8!, alternate-exchange str8, durable bit, exclusive bit,
      auto-delete bit, arguments map, message-count uint32!, subscriber-count uint32!
  command 4 query result=queue-query-result: queue str8!
class file 9
  struct 1 file-properties: content-type str8, content-encoding str8, headers map,
      priority uint8, reply-to str8, message-id str8, filename str8, timestamp datetime,
      cluster-id str8
  command 1 qos: prefetch-size uint32, prefetch-count uint16, global bit
  command 2 qos-ok
  command 3 consume: queue str8, consumer-tag str8, no-local bit, no-ack bit, exclusive bit,
      nowait bit, arguments map
  command 4 consume-ok: consumer-tag str8
  command 5 cancel: consumer-tag str8
  command 6 open: identifier str8, content-size uint64
  command 7 open-ok: staged-size uint64
  command 8 stage content=file-properties
  command 9 publish: exchange str8, routing-key str8, mandatory bit, immediate bit,
      identifier str8
  command 10 return content=file-properties: reply-code uint16, reply-text str8, exchange str8,
      routing-key str8
  command 11 deliver: consumer-tag str8, delivery-tag uint64, redelivered bit, exchange str8,
      routing-key str8, identifier str8
  command 12 ack: delivery-tag uint64, multiple bit
  command 13 reject: delivery-tag uint64, requeue bit
class stream 10
  struct 1 stream-properties: content-type str8, content-encoding str8, headers map,
      priority uint8, timestamp datetime
  command 1 qos: prefetch-size uint32, prefetch-count uint16, consume-rate uint32, global bit
  command 2 qos-ok
  command 3 consume: queue str8, consumer-tag str8, no-local bit, exclusive bit, nowait bit,
      arguments map
  command 4 consume-ok: consumer-tag str8
  command 5 cancel: consumer-tag str8
  command 6 publish content=stream-properties: exchange str8, routing-key str8, mandatory bit,
      immediate bit
  command 7 return content=stream-properties: reply-code uint16, reply-text str8, exchange str8,
      routing-key str8
  command 8 deliver content=stream-properties: consumer-tag str8, delivery-tag uint64,
      exchange str8, queue str8!
"""


class Field:
    """One field of a definition. ``compound`` names the struct when the type is one, else ""."""

    __slots__ = ("compound", "is_bit", "name", "required", "type")

    def __init__(self, name: str, type_: TypeDef, compound: str, required: bool) -> None:
        self.name = name
        self.type = type_
        self.compound = compound
        self.is_bit = type_.name == "bit"
        self.required = required


class Definition:
    """One control, command or struct.

    ``code`` is -1 for a struct without a code; ``key`` is both codes in one number, as on the
    wire. ``pack`` and ``size_width`` are the octets of the packing flags and the size prefix.
    ``result`` names the struct that answers a command, ``content`` the structs of its header
    segment (empty: the command carries no content).
    """

    __slots__ = (
        "class_code",
        "code",
        "content",
        "fields",
        "index",
        "key",
        "kind",
        "name",
        "pack",
        "result",
        "size_width",
    )

    def __init__(
        self,
        kind: int,
        name: str,
        class_code: int,
        code: int,
        fields: list[Field],
        pack: int,
        size_width: int,
        result: str,
        content: tuple[str, ...],
    ) -> None:
        self.kind = kind
        self.name = name
        self.class_code = class_code
        self.code = code
        self.key = class_code << 8 | code if code >= 0 else -1
        self.fields = fields
        self.index: dict[str, Field] = {field.name: field for field in fields}
        self.pack = pack
        self.size_width = size_width
        self.result = result
        self.content = content


def _parse_field(text: str) -> Field:
    name, type_name = text.split()
    required = type_name.endswith("!")
    type_name = type_name.rstrip("!")
    if type_name in TYPES:
        return Field(name.replace("-", "_"), TYPES[type_name], "", required)
    type_ = TypeDef(type_name, -1, 0, COMPOUND, True)
    return Field(name.replace("-", "_"), type_, type_name, required)


def _parse_entry(entry: str, class_name: str, class_code: int) -> Definition:
    head, _, field_text = entry.partition(":")
    words = head.split()
    options = dict(word.split("=", 1) for word in words[3:])
    kind = {"control": CONTROL, "command": COMMAND, "struct": STRUCT}[words[0]]
    result, content = options.get("result", ""), options.get("content", "")
    return Definition(
        kind,
        f"{class_name}.{words[2]}",
        class_code,
        -1 if words[1] == "-" else int(words[1]),
        [_parse_field(text) for text in field_text.split(",") if text.strip()],
        int(options.get("pack", "2")),
        int(options.get("size", "4" if kind == STRUCT else "0")),
        f"{class_name}.{result}" if result else "",
        tuple(f"{class_name}.{name}" for name in content.split("+") if name),
    )


def parse_specification(text: str) -> list[Definition]:
    """All definitions of ``text``, in its order (the notation is in the module docstring)."""
    entries: list[str] = []
    for line in text.splitlines():
        if line.startswith("      "):
            entries[-1] += line
        elif line.strip():
            entries.append(line)
    definitions: list[Definition] = []
    class_name, class_code = "", 0
    for entry in entries:
        if entry.startswith("class "):
            _, class_name, number = entry.split()
            class_code = int(number)
        else:
            definitions.append(_parse_entry(entry, class_name, class_code))
    return definitions


_ALL: Final = parse_specification(_SPECIFICATION)

DEFINITIONS: Final[dict[str, Definition]] = {item.name: item for item in _ALL}
CONTROLS: Final[dict[int, Definition]] = {i.key: i for i in _ALL if i.kind == CONTROL}
COMMANDS: Final[dict[int, Definition]] = {i.key: i for i in _ALL if i.kind == COMMAND}
STRUCTS: Final[dict[int, Definition]] = {
    item.key: item for item in _ALL if item.kind == STRUCT and item.key >= 0
}
