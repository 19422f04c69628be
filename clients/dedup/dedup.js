// A consumer that handles each message once, though it may arrive twice: rhea.
//
//     NODE_PATH=... node dedup.js HOST:PORT[,HOST:PORT...] QUEUE LEDGER IDLE_SECONDS
//
// See README.md for why it is made so.

'use strict';

const fs = require('fs');
const rhea = require('rhea');

const CREDIT = 20;

/** What was handled: a line per message, on disk before the message is acknowledged. */
class Ledger {
  constructor(path) {
    this.file = fs.openSync(path, 'a+');
    const text = fs.readFileSync(path, 'utf8');
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    // We died while writing what is cut off here: it was not handled.
    fs.ftruncateSync(this.file, Buffer.byteLength(whole));
    this.seen = new Set(whole.split('\n').slice(0, -1));
  }

  /** Do what is to be done with a message, unless that was done before. */
  handle(producer, sn) {
    const line = `${producer} ${sn}`;
    if (this.seen.has(line)) return false;
    fs.writeSync(this.file, `${line}\n`); // the work; yours goes here, in the same transaction
    fs.fsyncSync(this.file);
    this.seen.add(line);
    return true;
  }
}

const [addresses, queue, path, idle] = process.argv.slice(2);
const members = addresses.split(',').map((address) => {
  const [host, port] = address.split(':');
  return { host, port: Number(port) };
});
const ledger = new Ledger(path);
let tries = 0;
let last = Date.now();
const count = { handled: 0, duplicates: 0 };

const container = rhea.create_container();
container.on('message', (context) => {
  last = Date.now();
  const { producer, sn } = context.message.application_properties;
  count[ledger.handle(producer, sn) ? 'handled' : 'duplicates'] += 1;
  context.delivery.accept();
});
container.on('disconnected', () => {}); // it tries the next address
const connection = container.connect({
  connection_details: () => members[tries++ % members.length],
  initial_reconnect_delay: 100,
  max_reconnect_delay: 500,
  idle_time_out: 1000,
});
connection.open_receiver({ source: queue, credit_window: CREDIT, autoaccept: false });

setInterval(() => {
  if (Date.now() - last <= 1000 * Number(idle)) return;
  console.log(`handled ${count.handled}, duplicates ${count.duplicates}`);
  process.exit(0);
}, 100);
