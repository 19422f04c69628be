/**
 * A client program of the drill: rhea (AMQP 1.0), Node.js.
 *
 * Reads requests from stdin and writes replies and events to stdout, as docs/client-protocol.md says;
 * free text goes to stderr. Started by `run` beside this file. Tasks are in tasks.js, lines in
 * reporter.js; here are the requests and the life of the connection.
 */
'use strict';

const os = require('os');
const readline = require('readline');
const rhea = require('rhea');
const { parse } = require('./numbers');
const { Reporter, nowNs } = require('./reporter');
const { AnsweringTask, DeclareTask, PutTask, ReceiveTask, SendTask, TakeTask } = require('./tasks');

const PROTOCOL = 2;
const TASKS_MS = 1000; // for the tasks to end, and
const CLOSE_MS = 800; // for the connection afterwards; the protocol allows 2 s in all

/** Between two tries; the library's own goes up to 60 s. */
const RETRY_MS = 100;
const RETRY_MAX_MS = 500;

/** What the library does not hold for final. */
const FORCED = 'amqp:connection:forced';

const CAPABILITIES = [
  'send', 'receive', 'heartbeat', 'reconnect', 'redelivered', 'delivery_count', 'connection_events',
  'reopen', 'hold', 'selector', 'subscribe', 'delay', 'values', 'auth',
];

/** Options of the library, by its names, and how to read each. */
const OPTIONS = {
  username: String,
  password: String,
  hostname: String,
  idle_time_out: Number,
  max_frame_size: Number,
  channel_max: Number,
  initial_reconnect_delay: Number,
  max_reconnect_delay: Number,
  reconnect_limit: Number,
  all_errors_non_fatal: (text) => text === 'true',
};

class Client {
  #connection; // the present one
  #wanted = {}; // the request that told how to connect
  #options = {}; // what the library is given for it
  #connecting = false; // it has no answer yet
  #open = false;
  #openedOnce = false;
  #address = ''; // where the last try went
  #tasks = new Map();
  #reopening = []; // what `reopened` will say
  #closing; // the request to close, or {} at the end of stdin

  constructor() {
    this.report = new Reporter();
    this.unique = `js-rhea-${process.pid}-${nowNs()}`;
  }

  serve() {
    for (const event of ['error', 'protocol_error']) { // without a listener the library would throw
      rhea.on(event, (error) => console.error(`${event}: ${error}`));
    }
    const lines = readline.createInterface({ input: process.stdin });
    lines.on('line', (line) => {
      if (line.trim()) {
        this.#line(line);
      }
    });
    lines.on('close', () => this.#close({}));
  }

  // ------------------------------------------------------------------------------------- requests

  #line(line) {
    let request;
    try {
      request = parse(line);
    } catch {
      request = undefined;
    }
    if (!Number.isInteger(request?.id) || typeof request.type !== 'string') {
      this.report.error(0, false, `SyntaxError: not a request: ${line.slice(0, 200)}`);
      return;
    }
    try {
      this.#carryOut(request);
    } catch (error) { // a bad request must not end the program
      this.report.reply('failed', request, { reason: String(error) });
    }
  }

  #carryOut(request) {
    switch (request.type) {
      case 'init': return this.#init(request);
      case 'connect': return this.#connect(request);
      case 'declare': return this.#begin(request, DeclareTask);
      case 'send': return this.#begin(request, SendTask);
      case 'receive':
      case 'drain': return this.#begin(request, ReceiveTask);
      case 'put': return this.#begin(request, PutTask);
      case 'take': return this.#begin(request, TakeTask);
      case 'settle': return this.#settle(request);
      case 'stop': return this.#stop(request);
      case 'close': return this.#close(request);
      default:
        return this.report.reply('unsupported', request, { request: request.type, reason: 'no such request' });
    }
  }

  #init(request) {
    if (request.protocol !== PROTOCOL) {
      this.report.reply('failed', request, { reason: `speaks protocol ${PROTOCOL} only` });
      return;
    }
    this.unique = `${request.name ?? 'js-rhea'}-${process.pid}-${nowNs()}`;
    this.report.reply('init_ok', request, {
      client: 'js-rhea',
      protocol: PROTOCOL,
      versions: {
        rhea: require('rhea/package.json').version,
        node: process.version,
        machine: `${os.type()} ${os.release()}`,
      },
      capabilities: CAPABILITIES,
      now_ns: nowNs(),
    });
  }

  #connect(request) {
    const failover = request.failover ?? 'addresses';
    if (failover !== 'addresses') {
      this.report.reply('unsupported', request, { request: 'connect', reason: `failover ${failover}` });
      return;
    }
    if (this.#connection !== undefined) {
      throw new Error('already connected');
    }
    this.#options = this.#libraryOptions(request);
    this.#wanted = request;
    this.#connecting = true;
    this.#openConnection();
  }

  /** Throws for options that the library does not know. */
  #libraryOptions(request) {
    const options = {
      container_id: this.unique,
      tcp_no_delay: true,
      reconnect: request.reconnect ?? true,
      initial_reconnect_delay: RETRY_MS,
      max_reconnect_delay: RETRY_MAX_MS,
    };
    if (request.heartbeat_s) { // told to the broker as given; twice as much is enforced
      options.idle_time_out = 1000 * request.heartbeat_s;
    }
    for (const [name, text] of Object.entries(request.options ?? {})) {
      if (!Object.hasOwn(OPTIONS, name)) {
        throw new Error(`unknown option ${name}`);
      }
      options[name] = OPTIONS[name](text);
    }
    return options;
  }

  #openConnection() {
    let turn = 0;
    const details = () => { // asked at every try; the library itself knows of one address only
      this.#address = this.#wanted.addresses[turn % this.#wanted.addresses.length];
      turn += 1;
      const [, host, port] = /^(.*):(\d+)$/.exec(this.#address);
      return { host, port: Number(port) };
    };
    const connection = rhea.create_container({ id: this.unique })
      .connect({ ...this.#options, connection_details: details });
    this.#connection = connection;
    this.#watch(connection);
  }

  #watch(connection) {
    const on = (event, listener) => connection.on(event, (context) => {
      if (connection === this.#connection) {
        listener(context);
      }
    });
    on('connection_open', () => this.#opened());
    on('disconnected', ({ reconnecting, error }) => {
      this.#lost(String(error ?? 'disconnected'));
      if (!reconnecting) {
        this.#gaveUp(String(error ?? 'disconnected'));
      }
    });
    on('connection_error', ({ error }) => {
      console.error(`connection: ${error.condition}: ${error.description}`);
      if (error.condition !== FORCED && !this.#options.all_errors_non_fatal) {
        this.#gaveUp(`${error.condition}: ${error.description}`);
      }
    });
    on('connection_close', ({ error }) => {
      if (this.#closing !== undefined) {
        this.#leave();
      }
      if (error === undefined) {
        this.#gaveUp('the broker closed the connection');
      }
    });
    connection.on('error', (error) => console.error(`error: ${error}`));
    connection.on('protocol_error', (error) => console.error(`protocol error: ${error}`));
  }

  /** Begins a task or a declaration. */
  #begin(request, Kind) {
    if (!this.#openedOnce) {
      throw new Error('not connected');
    }
    if (request.transaction) {
      this.report.reply('unsupported', request, { request: request.type, reason: 'rhea has no transactions' });
      return;
    }
    const task = new Kind(this, request);
    this.#tasks.set(task.id, task);
    if (!(task instanceof AnsweringTask)) {
      this.report.reply('done', request);
    }
    if (this.#open) {
      task.attach(this.#connection);
    }
  }

  #settle(request) {
    const task = this.#tasks.get(request.task);
    if (!task?.hold) {
      throw new Error('no such task that holds messages');
    }
    task.settle(request);
  }

  #stop(request) {
    this.report.reply('done', request);
    for (const task of [...this.#tasks.values()]) {
      if (!request.task || request.task === task.id) {
        task.stop();
      }
    }
  }

  /** A task is over. */
  forget(task) {
    this.#tasks.delete(task.id);
  }

  // ----------------------------------------------------------------------------------- connection

  #opened() {
    this.#open = true;
    if (this.#connecting) {
      this.#connecting = false;
      this.#openedOnce = true;
      this.report.reply('done', this.#wanted);
    } else {
      this.report.event('reconnected', { address: this.#address });
    }
    for (const { task, fields } of this.#reopening) {
      if (!task.over) {
        this.report.event('reopened', { task: task.id, ...fields });
      }
    }
    this.#reopening = [];
    for (const task of [...this.#tasks.values()]) {
      if (task.session === undefined) { // others are opened again by the library
        task.attach(this.#connection);
      }
    }
  }

  #lost(reason) {
    if (!this.#open) {
      return;
    }
    this.#open = false;
    for (const task of [...this.#tasks.values()]) {
      task.detach();
    }
    this.report.event('disconnected', { reason });
  }

  /** The broker ended the link of a task: only a new connection may help. */
  linkFailed(task, reason) {
    if (task instanceof AnsweringTask) {
      task.end(reason);
    } else if (this.#wanted.reopen) {
      this.#gaveUp(reason);
    } else {
      this.report.error(task.id, true, reason);
      task.end('error');
    }
  }

  /** This connection will not come back. */
  #gaveUp(reason) {
    if (this.#connection === undefined || this.#closing !== undefined) {
      return;
    }
    const givenUp = this.#connection;
    const wasOpen = this.#open;
    this.#connection = undefined;
    this.#lost(reason);
    for (const task of this.#tasks.values()) {
      task.drop();
    }
    givenUp.set_reconnect(false);
    givenUp.close();
    if (this.#connecting) {
      this.#connecting = false;
      this.report.reply('failed', this.#wanted, { reason });
    } else if (this.#wanted.reopen && (!wasOpen || this.#mayGoOn(reason))) {
      setTimeout(() => {
        if (this.#closing === undefined) {
          this.#openConnection();
        }
      }, RETRY_MS);
    } else {
      this.report.error(0, true, reason);
      for (const task of [...this.#tasks.values()]) {
        task.end('error');
      }
    }
  }

  /** Every task prepares for the next connection; false if one was brought no further by many. */
  #mayGoOn(reason) {
    const tasks = [...this.#tasks.values()];
    if (!tasks.map((task) => task.mayGoOn()).every(Boolean)) {
      return false;
    }
    this.#reopening = tasks
      .filter((task) => !(task instanceof AnsweringTask))
      .map((task) => ({ task, fields: { reason, in_doubt: task.doubt(reason) } }));
    return true;
  }

  // ------------------------------------------------------------------------------------------ end

  /** Ends the process; `request` is empty when the input has ended. */
  #close(request) {
    if (this.#closing !== undefined) {
      return;
    }
    this.#closing = request;
    for (const task of [...this.#tasks.values()]) {
      task.stop();
    }
    this.#awaitTasks(Date.now() + TASKS_MS);
  }

  /** Gives the tasks time to end, then closes the connection. */
  #awaitTasks(deadline) {
    if (this.#tasks.size > 0 && this.#open && Date.now() < deadline) {
      setTimeout(() => this.#awaitTasks(deadline), 20);
      return;
    }
    for (const task of [...this.#tasks.values()]) {
      task.end('stopped');
    }
    if (!this.#open) {
      this.#leave();
    }
    this.#connection.close();
    setTimeout(() => this.#leave(), CLOSE_MS);
  }

  #leave() {
    if (this.#closing.id !== undefined) {
      this.report.reply('done', this.#closing);
    }
    this.report.flush();
    process.exit(0);
  }
}

console.log = console.error; // whatever a library prints must not break the protocol
new Client().serve();
