/**
 * Sender and receiver tasks, and the declaration of a queue: each has a session and a link of its own.
 *
 * rhea opens sessions and links again by itself after a reconnect, with no credit, and forgets what was
 * handed over and not acknowledged. So a sender keeps every message that it handed over until its outcome
 * is known, and hands those over again, first and in their order, when the link is open again.
 */
'use strict';

const { fromLong, toLong } = require('./numbers');
const { nowNs } = require('./reporter');
const { filter, types } = require('rhea');
const values = require('./values');

const BLOCK = 100; // messages announced at once; the protocol's limit
const TICK_MS = 5; // of a sender with a rate
const ACK_MS = 10; // a message waits at most so long for its acknowledgement when no other comes
const LOOK_MS = 50; // how often a receiver looks whether it was quiet for long enough
const DRAIN_MS = 2000; // patience with a broker that does not answer when a receiver ends
const FAILURES_MAX = 20; // connections that brought a task no further: then it is our own mistake

/** What a `settle` does with a delivery. */
const OUTCOMES = {
  accept: (delivery) => delivery.accept(),
  reject: (delivery) => delivery.reject(),
  release: (delivery) => delivery.release({ delivery_failed: false, undeliverable_here: false }),
  modify: (delivery) => delivery.modified({ delivery_failed: true }),
};

const seconds = (since) => Number(nowNs() - since) / 1e9;

/** One task. `client` attaches it to every new connection; the library opens its link again on the same one. */
class Task {
  constructor(client, request) {
    this.client = client;
    this.report = client.report;
    this.request = request;
    this.id = request.id;
    this.session = undefined;
    this.link = undefined;
    this.attachedSince = undefined; // undefined: no link that the broker has opened
    this.count = 0;
    this.stopping = false;
    this.over = false;
    this.failures = 0; // connections given up since the last progress
    this.progressed = -1; // what progress() was then
  }

  /** There is a new connection: opens a session and a link. */
  attach(connection) {
    const session = connection.create_session();
    this.session = session;
    session.on('session_error', (context) => {
      if (session === this.session && !this.over) {
        this.client.linkFailed(this, String(context.session.error.description));
      }
    });
    session.begin();
    this.link = this.openLink(session, `${this.client.unique}-${this.id}-${nowNs()}`);
    this.watch(this.link, this.link.is_sender() ? 'sender' : 'receiver');
  }

  watch(link, kind) {
    const mine = () => link === this.link && !this.over;
    link.on(`${kind}_open`, () => {
      const terminus = kind === 'sender' ? link.target : link.source;
      if (mine() && terminus && terminus.address) { // else it is refused: the reason follows, in a detach
        this.attachedSince = nowNs();
        this.begin();
      }
    });
    link.on(`${kind}_error`, () => {
      if (mine()) {
        this.client.linkFailed(this, `${link.error.condition}: ${link.error.description}`);
      }
    });
    link.on(`${kind}_close`, () => {
      if (mine()) {
        this.client.linkFailed(this, 'the broker closed the link');
      }
    });
  }

  /** The connection is lost. */
  detach() {
    this.attachedSince = undefined;
  }

  /** The connection is given up: its session and link are worth nothing. */
  drop() {
    this.session = undefined;
    this.link = undefined;
  }

  /** Ends in good order. */
  stop() {
    this.stopping = true;
    this.work();
  }

  /** The broker has opened the link. */
  begin() {}

  /** Goes on, as far as possible. */
  work() {}

  /** Grows with what was done. */
  progress() {
    return this.count;
  }

  /** Counts a connection that was given up; false when that leads nowhere. */
  mayGoOn() {
    this.failures = this.progress() === this.progressed ? this.failures + 1 : 1;
    this.progressed = this.progress();
    return this.failures < FAILURES_MAX;
  }

  /** The library gave the connection up: prepares for the next; how many messages are sent again. */
  doubt() {
    return 0;
  }

  /** Reports the outcome of what has none. */
  reportRest() {}

  /** Closes the link, reports what is open and the end, once. */
  end(reason) {
    if (this.over) {
      return;
    }
    this.reportRest();
    this.over = true;
    if (this.session !== undefined) {
      this.closeLink();
      this.session.close();
    }
    this.client.forget(this);
    this.reportEnd(reason);
  }

  closeLink() {
    this.link.close();
  }

  reportEnd(reason) {
    this.report.event('ended', { task: this.id, reason, count: this.count });
  }
}

/** A task that is over with the answer to its request. */
class AnsweringTask extends Task {
  reportEnd(reason) {
    this.report.reply(reason ? 'failed' : 'done', this.request, reason ? { reason } : {});
  }
}

/** Sends one message that carries a value. */
class PutTask extends AnsweringTask {
  constructor(client, request) {
    super(client, request);
    this.message = values.message(request.place, request.value);
  }

  openLink(session, name) {
    const link = session.open_sender({ name, target: this.request.queue });
    link.once('sendable', () => link.send(this.message));
    link.on('accepted', () => this.end(''));
    for (const outcome of ['rejected', 'released', 'modified']) {
      link.on(outcome, () => this.end(outcome));
    }
    return link;
  }
}

/** Receives one message that carries a value. */
class TakeTask extends AnsweringTask {
  constructor(client, request) {
    super(client, request);
    this.waiting = setTimeout(() => this.end('no message came'), 1000 * (request.timeout_s ?? 5));
  }

  openLink(session, name) {
    const link = session.open_receiver({ name, source: this.request.queue, credit_window: 0, autoaccept: false });
    link.on('message', ({ message, delivery }) => {
      if (link === this.link && !this.over) {
        delivery.accept();
        this.value = values.found(this.request.place, message);
        this.end('');
      }
    });
    return link;
  }

  begin() {
    this.link.add_credit(1);
  }

  reportEnd(reason) {
    clearTimeout(this.waiting);
    if (reason) {
      super.reportEnd(reason);
    } else {
      this.report.reply('taken', this.request, { value: this.value });
    }
  }
}

/** Answers its request when the broker has the queue. */
class DeclareTask extends AnsweringTask {
  openLink(session, name) {
    // qpid::messaging asks a broker in the same way to create what a link names.
    const target = { address: this.request.queue, capabilities: ['create-on-demand', 'queue'] };
    if (this.request.durable) {
      target.dynamic_node_properties = { durable: true };
    }
    return session.open_sender({ name, target });
  }

  begin() {
    this.end('');
  }
}

/**
 * `count` messages were announced, the first `handed` of them given to the library at least once;
 * `unconfirmed` have no outcome, those of them in `again` must be given to it once more. Sequence
 * numbers are BigInts.
 */
class SendTask extends Task {
  constructor(client, request) {
    super(client, request);
    this.first = BigInt(request.first_sn);
    this.total = Number(request.count);
    this.producer = request.producer;
    this.window = Math.max(1, request.window ?? 100);
    this.rate = request.rate_per_s ?? 0;
    this.bodyBytes = request.body_bytes ?? 100;
    this.durable = Boolean(request.durable);
    this.delayMs = request.delay_ms ?? 0;
    this.kinds = BigInt(request.kinds ?? 0);
    this.handed = 0;
    this.confirmed = 0;
    this.unconfirmed = new Set(); // in the order of handing over
    this.again = [];
    this.doubted = new Set(); // reported as `info`
    this.started = undefined;
    this.ticking = false;
  }

  openLink(session, name) {
    const link = session.open_sender({ name, target: this.request.queue, treat_modified_as_released: true });
    link.on('sendable', () => this.work());
    link.on('accepted', ({ delivery }) => this.outcome(link, delivery, 'ok'));
    link.on('rejected', ({ delivery }) => {
      const error = delivery.remote_state.error;
      this.outcome(link, delivery, 'fail', { reason: `rejected: ${error ? error.condition : ''}` });
    });
    link.on('released', ({ delivery }) => { // the broker did not take it: gives it to the library again
      if (link === this.link && this.unconfirmed.has(delivery.sn)) {
        this.again.push(delivery.sn);
        setImmediate(() => this.work());
      }
    });
    link.on('settled', ({ delivery }) => {
      if (!this.again.includes(delivery.sn)) {
        this.outcome(link, delivery, 'info', { reason: 'settled without an outcome' });
      }
    });
    return link;
  }

  begin() {
    this.started ??= nowNs();
    this.work();
  }

  work() {
    if (this.over) {
      return;
    }
    if (this.attachedSince !== undefined) {
      while (this.link.sendable() && this.handOverNext()) {}
    }
    const allHanded = this.isAllAnnounced() && this.handed === this.count;
    if (this.unconfirmed.size === 0 && (this.stopping || allHanded)) {
      this.end(this.isAllAnnounced() ? 'count' : 'stopped');
    }
  }

  isAllAnnounced() {
    return this.total > 0 && this.count >= this.total;
  }

  /** Gives the next message to the library; false if there is none now. */
  handOverNext() {
    if (this.again.length > 0) {
      this.handOver(this.again.shift());
      return true;
    }
    if (this.stopping || this.unconfirmed.size >= this.window) {
      return false;
    }
    if (this.handed === this.count && !this.announce()) {
      return false;
    }
    const sn = this.first + BigInt(this.handed);
    this.handed += 1;
    this.unconfirmed.add(sn);
    this.handOver(sn);
    return true;
  }

  /** Announces the next messages; false if none is due. */
  announce() {
    let block = Math.min(BLOCK, this.window);
    if (this.total > 0) {
      block = Math.min(block, this.total - this.count);
    }
    if (this.rate > 0) {
      block = Math.min(block, Math.floor(seconds(this.started) * this.rate) + 1 - this.count);
    }
    if (block <= 0) {
      if (!this.isAllAnnounced()) {
        this.tick();
      }
      return false;
    }
    const sn = this.first + BigInt(this.count);
    this.count += block;
    this.report.invoke(this.id, this.producer, sn, sn + BigInt(block - 1));
    return true;
  }

  tick() {
    if (!this.ticking) {
      this.ticking = true;
      setTimeout(() => {
        this.ticking = false;
        this.work();
      }, TICK_MS);
    }
  }

  handOver(sn) {
    const due = this.delayMs && { 'x-opt-delivery-time': types.wrap_timestamp(Date.now() + this.delayMs) };
    const delivery = this.link.send({
      message_annotations: due || undefined,
      body: `${this.producer}:${sn}:`.padEnd(this.bodyBytes, 'x'),
      application_properties: this.properties(sn),
      durable: this.durable,
    });
    delivery.sn = sn;
  }

  properties(sn) {
    const properties = { producer: this.producer, sn: toLong(sn) };
    if (this.kinds > 0n) {
      properties.kind = Number(sn % this.kinds);
    }
    return properties;
  }

  /** Reports the outcome of one message, unless it has one. */
  outcome(link, delivery, type, extra) {
    const sn = delivery.sn;
    if (link === this.link && this.unconfirmed.delete(sn)) {
      this.doubted.delete(sn);
      this.confirmed += 1;
      this.report.message(type, this.id, this.producer, sn, extra);
      this.work();
    }
  }

  progress() {
    return this.confirmed;
  }

  detach() {
    super.detach();
    this.again = [...this.unconfirmed];
  }

  doubt(reason) {
    this.reportDoubt(reason);
    return this.unconfirmed.size;
  }

  reportDoubt(reason) {
    for (const sn of this.unconfirmed) {
      if (!this.doubted.has(sn)) {
        this.doubted.add(sn);
        this.report.message('info', this.id, this.producer, sn, { reason });
      }
    }
  }

  reportRest() {
    this.reportDoubt('not acknowledged');
    for (let number = this.handed; number < this.count; number += 1) {
      const sn = this.first + BigInt(number);
      this.report.message('fail', this.id, this.producer, sn, { reason: 'not sent' });
    }
  }
}

/** Both `receive` and `drain`. With `hold`, `unacked` keeps what `settle` will be about. */
class ReceiveTask extends Task {
  constructor(client, request) {
    super(client, request);
    this.prefetch = Math.max(1, request.prefetch ?? 100);
    this.ackEvery = Math.max(1, request.ack_every ?? 1);
    this.limit = Number(request.count ?? 0);
    this.hold = Boolean(request.hold);
    this.isDrain = request.type === 'drain';
    this.idleS = (this.isDrain ? request.empty_s : request.idle_s) ?? 0;
    this.unacked = [];
    this.quietSince = nowNs();
    this.ending = ''; // the reason, while the broker is asked to take back what it may still send
    this.acking = false;
    if (this.idleS > 0) {
      this.looking = setInterval(() => this.look(), LOOK_MS);
    }
  }

  openLink(session, name) {
    const source = { address: this.request.queue };
    if (this.request.selector) {
      source.filter = filter.selector(this.request.selector);
    }
    if (this.request.subscription) {
      Object.assign(source, { durable: 2, expiry_policy: 'never' });
      name = this.request.subscription;
    }
    const options = { name, source, credit_window: 0, autoaccept: false };
    const link = session.open_receiver(options);
    link.on('message', (context) => {
      if (link === this.link && !this.over) {
        this.onMessage(context);
      }
    });
    link.on('receiver_drained', () => {
      if (link === this.link && this.ending) {
        this.end(this.ending);
      }
    });
    return link;
  }

  closeLink() {
    if (this.request.subscription) {
      this.link.detach(); // the subscription stays
    } else {
      super.closeLink();
    }
  }

  begin() {
    if (this.ending) {
      this.end(this.ending);
    } else {
      this.link.add_credit(this.hold ? this.limit - this.count : this.prefetch);
    }
  }

  /** Gives what is held the outcome of the request, and answers it. */
  settle(request) {
    const act = OUTCOMES[request.outcome];
    if (act === undefined) {
      const reason = `${request.outcome} of this task`;
      this.report.reply('unsupported', request, { request: 'settle', reason });
      return;
    }
    const held = this.unacked;
    this.unacked = [];
    for (const { delivery, producer, sn } of held) {
      act(delivery);
      this.report.message('settled', this.id, producer, sn, { outcome: request.outcome });
    }
    this.report.reply('done', request);
  }

  work() {
    if (this.stopping) {
      this.finish('stopped');
    }
  }

  onMessage({ message, delivery }) {
    if (this.ending) {
      delivery.release();
      this.endDrained();
      return;
    }
    this.quietSince = nowNs();
    this.take(message, delivery);
    if (this.hold) {
      return;
    }
    if (this.limit > 0 && this.count >= this.limit) {
      this.finish('count');
    } else {
      this.link.add_credit(1);
    }
  }

  take(message, delivery) {
    const { producer, sn: number } = message.application_properties ?? {};
    if (producer === undefined || number === undefined) {
      this.report.error(this.id, false, 'TypeError: a message without producer and sn');
      delivery.accept();
      return;
    }
    const sn = fromLong(number);
    this.count += 1;
    this.unacked.push({ delivery, producer, sn });
    const before = message.delivery_count ?? 0;
    this.report.message('received', this.id, producer, sn, {
      redelivered: before > 0, count: before, first_acquirer: Boolean(message.first_acquirer),
    });
    if (this.hold) {
      return;
    }
    if (this.unacked.length >= this.ackEvery) {
      this.acknowledge(false);
    } else if (!this.acking) {
      this.acking = true;
      setTimeout(() => {
        this.acking = false;
        this.acknowledge(false);
      }, ACK_MS);
    }
  }

  acknowledge(unknown) {
    if (this.hold) {
      return;
    }
    const unacked = this.unacked;
    this.unacked = [];
    for (const { delivery, producer, sn } of unacked) {
      if (!unknown) {
        delivery.accept();
      }
      this.report.message('acked', this.id, producer, sn, { unknown });
    }
  }

  look() {
    if (this.isDrain && this.attachedSince === undefined) {
      return;
    }
    const since = this.isDrain && this.attachedSince > this.quietSince ? this.attachedSince : this.quietSince;
    if (seconds(since) >= this.idleS) {
      this.finish(this.isDrain ? 'empty' : 'idle');
    }
  }

  /** Acknowledges, then takes the credit back, so that no message is on its way when the link ends. */
  finish(reason) {
    if (this.ending) {
      return;
    }
    this.ending = reason;
    clearInterval(this.looking);
    this.acknowledge(false);
    if (this.attachedSince === undefined) {
      this.end(reason);
      return;
    }
    this.link.drain_credit();
    setTimeout(() => this.end(reason), DRAIN_MS);
    this.endDrained();
  }

  /** The broker answers a drain only if there is credit left. */
  endDrained() {
    if (this.link.credit === 0) {
      this.end(this.ending);
    }
  }

  detach() {
    this.acknowledge(true); // the acknowledgement has nowhere to go; these come again
    super.detach();
    if (this.ending) {
      this.end(this.ending);
    }
  }

  reportRest() {
    clearInterval(this.looking);
    this.acknowledge(this.attachedSince === undefined);
  }
}

module.exports = { AnsweringTask, DeclareTask, PutTask, ReceiveTask, SendTask, TakeTask };
