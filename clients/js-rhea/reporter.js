/**
 * What the program says: replies and events of docs/client-protocol.md, one JSON line each.
 *
 * Events about messages are collected and written at most 20 ms or 500 messages later, as ranges of
 * sequence numbers; everything else is written at once, after all that was collected before it.
 */
'use strict';

const fs = require('fs');
const { text } = require('./numbers');

const BATCH_MS = 20;
const BATCH_MESSAGES = 500;

/** A flush writes in this order: what is received before what is acknowledged. */
const RANK = ['received', 'settled', 'acked', 'ok', 'fail', 'info'];

const STDOUT = 1;

/** CLOCK_MONOTONIC in nanoseconds, a BigInt. */
const nowNs = () => process.hrtime.bigint();

class Reporter {
  #collected = new Map(); // by type, task and producer
  #messages = 0;

  /** Answers a request. */
  reply(type, to, fields = {}) {
    this.#now({ ...fields, type, in_reply_to: to.id });
  }

  /** Tells what happened now. */
  event(type, fields) {
    this.#now({ ...fields, type, t: nowNs() });
  }

  error(task, fatal, reason) {
    this.event('error', { task, fatal, text: reason });
  }

  /** Announces messages. */
  invoke(task, producer, first, last) {
    this.event('invoke', { task, producer, sns: [[first, last]] });
  }

  /** Collects the outcome or reception of one message; `sn` is a BigInt. */
  message(type, task, producer, sn, extra = {}) {
    const key = `${type} ${task} ${producer}`;
    const same = text(extra);
    let batch = this.#collected.get(key);
    if (batch !== undefined && batch.same !== same) {
      this.flush();
      batch = undefined;
    }
    if (batch === undefined) {
      if (this.#collected.size === 0) {
        setTimeout(() => this.flush(), BATCH_MS);
      }
      batch = { line: { ...extra, type, t: nowNs(), task, producer, sns: [] }, same };
      this.#collected.set(key, batch);
    }
    const last = batch.line.sns.at(-1);
    if (last !== undefined && last[1] + 1n === sn) {
      last[1] = sn;
    } else {
      batch.line.sns.push([sn, sn]);
    }
    this.#messages += 1;
    if (this.#messages >= BATCH_MESSAGES) {
      this.flush();
    }
  }

  /** Writes what was collected. */
  flush() {
    const lines = [...this.#collected.values()].map((batch) => batch.line);
    lines.sort((one, other) => RANK.indexOf(one.type) - RANK.indexOf(other.type));
    this.#collected.clear();
    this.#messages = 0;
    this.#write(lines);
  }

  #now(line) {
    this.flush();
    this.#write([line]);
  }

  #write(lines) {
    if (lines.length === 0) {
      return;
    }
    const bytes = Buffer.from(lines.map((line) => `${text(line)}\n`).join(''));
    let done = 0;
    while (done < bytes.length) {
      try {
        done += fs.writeSync(STDOUT, bytes, done);
      } catch (error) {
        if (error.code !== 'EAGAIN') {
          return; // the drill has gone; stdin ends as well and ends the program
        }
      }
    }
  }
}

module.exports = { Reporter, nowNs };
