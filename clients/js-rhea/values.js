/**
 * Values of `put` and `take`: between docs/client-protocol.md's notation and what rhea works with.
 *
 * What rhea hands out has lost its AMQP type: numbers are numbers, strings and symbols are strings, and
 * what it has no JavaScript value for is a Buffer.
 */
'use strict';

const { types } = require('rhea');

/** Of the property, or of the entry of a map, that has the value. */
const KEY = 'value';

/** The type of a section of octets. */
const DATA = 0x75;

const CODES = {
  boolean: 0x56, ubyte: 0x50, ushort: 0x60, uint: 0x70, ulong: 0x80, byte: 0x51, short: 0x61, int: 0x71, long: 0x81,
  float: 0x72, double: 0x82, char: 0x73, timestamp: 0x83, uuid: 0x98, binary: 0xb0, string: 0xb1, symbol: 0xb3,
};

const hex = (text) => Buffer.from(text.replace(/-/g, ''), 'hex');

/** A 64-bit integer by its 8 bytes, which rhea sends as they are. */
function eight(text, signed) {
  const bytes = Buffer.alloc(8);
  if (signed) {
    bytes.writeBigInt64BE(BigInt(text));
  } else {
    bytes.writeBigUInt64BE(BigInt(text));
  }
  return bytes;
}

const WRAP = {
  null: () => types.Null(),
  boolean: (text) => types.wrap_boolean(text === 'true'),
  ubyte: (text) => types.wrap_ubyte(Number(text)),
  ushort: (text) => types.wrap_ushort(Number(text)),
  uint: (text) => types.wrap_uint(Number(text)),
  ulong: (text) => types.wrap_ulong(eight(text, false)),
  byte: (text) => types.wrap_byte(Number(text)),
  short: (text) => types.wrap_short(Number(text)),
  int: (text) => types.wrap_int(Number(text)),
  long: (text) => types.wrap_long(eight(text, true)),
  float: (text) => types.wrap_float(hex(text).readFloatBE()),
  double: (text) => types.wrap_double(hex(text).readDoubleBE()),
  decimal32: (text) => types.Decimal32(hex(text)),
  decimal64: (text) => types.Decimal64(hex(text)),
  decimal128: (text) => types.Decimal128(hex(text)),
  char: (text) => types.wrap_char(Number(text)),
  timestamp: (text) => types.wrap_timestamp(Number(text)),
  uuid: (text) => types.wrap_uuid(hex(text)),
  binary: (text) => types.wrap_binary(hex(text)),
  string: (text) => types.wrap_string(text),
  symbol: (text) => types.wrap_symbol(text),
};

/** What the library sends as this value. Throws for a type that there is not. */
function read({ type, value }) {
  switch (type) {
    case 'list': return types.wrap_list(value.map(read).map(asTyped));
    case 'map': return types.wrap_map_as_map(value.map(([key, item]) => [asTyped(read(key)), asTyped(read(item))]));
    case 'array': return types.wrap_array(value.map((item) => read(item).value), CODES[value[0].type]);
    case 'described': return types.described(read(value[0]), read(value[1]));
    default: return WRAP[type](value);
  }
}

/** The library wraps what is in a list or a map once more, unless it says how it is to be wrapped. */
function asTyped(typed) {
  return { toRheaTyped: () => typed };
}

/** What the library handed out, with the type that it has there. */
function write(given) {
  const simple = (type, value) => ({ type, value: String(value) });
  if (given === null || given === undefined) {
    return simple('null', '');
  } else if (typeof given === 'boolean') {
    return simple('boolean', given);
  } else if (typeof given === 'number') {
    return simple('number', given);
  } else if (typeof given === 'string') {
    return simple('text', given);
  } else if (given instanceof Date) {
    return simple('timestamp', given.getTime());
  } else if (Buffer.isBuffer(given)) {
    return simple('octets', given.toString('hex'));
  } else if (Array.isArray(given)) {
    return { type: 'list', value: given.map(write) };
  } else if (given.descriptor !== undefined) {
    return { type: 'described', value: [write(given.descriptor.value), write(types.unwrap(given.value, true))] };
  }
  return { type: 'map', value: Object.entries(given).map(([key, item]) => [write(key), write(item)]) };
}

/** A message with the value in that place. */
function message(place, value) {
  const inner = read(value);
  if (place === 'property') {
    return { body: '', application_properties: { [KEY]: asTyped(inner) } };
  }
  return { body: asTyped(place === 'map' ? types.wrap_map_as_map([[KEY, asTyped(inner)]]) : inner) };
}

/** The value in that place of a message. */
function found(place, received) {
  if (place === 'property') {
    return write(received.application_properties[KEY]);
  }
  const body = received.body;
  const inner = body?.typecode === DATA ? body.content : body; // octets come as a section
  return write(place === 'map' ? inner[KEY] : inner);
}

module.exports = { message, found };
