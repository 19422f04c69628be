/**
 * 64-bit integers: JavaScript's numbers are doubles, so what may not fit travels as BigInt, is read
 * from JSON and written to it by its digits, and crosses AMQP as 8 bytes.
 */
'use strict';

const { types } = require('rhea');

/** Strings, which stay as they are, or integers that a double may not hold, which become strings. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g;

/** Reads a line of JSON; integers of 16 and more digits come as strings of digits. */
function parse(line) {
  return JSON.parse(line.replace(TOKEN, (token) => (token[0] === '"' ? token : `"${token}"`)));
}

/** Writes a value as JSON; a BigInt by its digits. */
function text(value) {
  if (typeof value === 'bigint') {
    return String(value);
  }
  if (Array.isArray(value)) {
    return `[${value.map(text).join(',')}]`;
  }
  if (value !== null && typeof value === 'object') {
    const pairs = Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)}:${text(inner)}`);
    return `{${pairs.join(',')}}`;
  }
  return JSON.stringify(value);
}

/** An AMQP long of a BigInt. */
function toLong(value) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return types.wrap_long(bytes);
}

/** A BigInt of what rhea makes of an AMQP integer: a number, or the 8 bytes of one that does not fit. */
function fromLong(value) {
  return Buffer.isBuffer(value) ? value.readBigInt64BE() : BigInt(value);
}

module.exports = { parse, text, toLong, fromLong };
