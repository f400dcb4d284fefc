// Node's better-sqlite3 as a host. It binds every number as a REAL and keeps statements prepared.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";

const library = process.env.MESSAGE_STORE_LIBRARY.replace(/\.so$/, "");
const directory = mkdtempSync(join(tmpdir(), "message-store-node-"));
let passed = 0;
let failed = 0;

function open(name = "store.db") {
  const db = new Database(join(directory, name));
  db.loadExtension(library);
  return db;
}

function test(name, work) {
  try {
    work();
    passed += 1;
    console.log(`ok node: ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED node: ${name}`);
    console.error(error);
  }
}

test("numbers bound as reals are positions and versions", () => {
  const db = open();
  const write = db.prepare("SELECT write_message(?, ?, ?, ?, ?, ?) AS position");
  assert.equal(write.get(null, "account-1", "Opened", '{"amount": 1}', null, -1).position, 0);
  assert.equal(write.get(null, "account-1", "Deposited", '{"b": 1, "a": 2}', null, 0).position, 1);
  const rows = db.prepare("SELECT * FROM get_stream_messages(?, ?, ?)").all("account-1", 1, 10);
  assert.deepEqual(rows.map((row) => [row.type, row.position, row.data]), [["Deposited", 1, '{"a": 2, "b": 1}']]);
  const group = db.prepare("SELECT count(*) AS n FROM get_category_messages(?, ?, ?, NULL, ?, ?)");
  assert.equal([0, 1, 2].map((member) => group.get("account", 1, -1, member, 3).n).reduce((a, b) => a + b), 2);
  db.close();
});

test("errors have SQLite's codes", () => {
  const db = open();
  const id = "00000000-0000-4000-8000-000000000001";
  const write = (...given) => db.prepare(`SELECT write_message(${given.map(() => "?").join(", ")})`).get(...given);
  write(id, "errors-1", "T", "{}");
  const fails = (work, code, message) => assert.throws(work, (error) => {
    assert.equal(error.code, code);
    assert.equal(error.message, message);
    return true;
  });
  fails(() => write(id, "errors-1", "T", "{}"), "SQLITE_CONSTRAINT_UNIQUE",
    'duplicate key value violates unique constraint "messages_id"');
  fails(() => write(null, null, "T", "{}"), "SQLITE_CONSTRAINT_NOTNULL",
    'null value in column "stream_name" of relation "messages" violates not-null constraint');
  fails(() => write(null, "errors-1", "T", "{}", null, 7), "SQLITE_ERROR",
    "Wrong expected version: 7 (Stream: errors-1, Stream Version: 0)");
  fails(() => db.prepare("SELECT * FROM get_stream_messages('errors')").all(), "SQLITE_ERROR", "Must be a stream name: errors");
  db.close();
});

test("a message follows the host's transaction", () => {
  const db = open();
  db.exec("CREATE TABLE orders (id INTEGER PRIMARY KEY)");
  const place = db.transaction((fail) => {
    db.prepare("INSERT INTO orders VALUES (1)").run();
    db.prepare("SELECT write_message(NULL, 'order-1', 'Placed', '{}')").get();
    if (fail) throw new Error("changed my mind");
  });
  assert.throws(() => place(true), /changed my mind/);
  assert.equal(db.prepare("SELECT stream_version('order-1') AS v").get().v, null);
  place(false);
  assert.equal(db.prepare("SELECT stream_version('order-1') AS v").get().v, 0);
  db.close();
});

test("namespaces and batches", () => {
  const db = open();
  db.prepare("SELECT create_namespace('tenant-a')").get();
  const batch = JSON.stringify([{ type: "A", data: { n: 1 } }, { type: "B" }]);
  const written = JSON.parse(db.prepare("SELECT write_messages(?, ?, ?, ?) AS j").get("account-1", batch, -1, "tenant-a").j);
  assert.deepEqual(written.map((message) => message.position), [0, 1]);
  const rows = db.prepare("SELECT type FROM get_all_messages(NULL, NULL, 'tenant-a')").all();
  assert.deepEqual(rows, [{ type: "A" }, { type: "B" }]);
  db.prepare("SELECT delete_namespace('tenant-a')").get();
  db.close();
});

test("streams, consumers and statistics", () => {
  const db = open("retention.db");
  const write = db.prepare("SELECT write_message(?, ?, 'T', '{}') AS position");
  for (let number = 0; number < 3; number += 1) write.get(null, "account-1");
  assert.equal(db.prepare("SELECT truncate_stream(?, ?) AS n").get("account-1", 2).n, 2);
  assert.equal(db.prepare("SELECT delete_stream(?) AS n").get("account-1").n, 1);
  assert.equal(write.get(null, "account-1").position, 3);
  const record = db.prepare("SELECT record_consumer_position(?, ?, ?, ?) AS position");
  assert.deepEqual([5, 2].map((position) => record.get("account", "totals", position, null).position), [5, 5]);
  assert.equal(record.get("account", "totals", 2, 1).position, 2);
  const { lag } = db.prepare("SELECT lag FROM consumer_positions(?)").get("account");
  const { message_count: count, stream_count: streams } = db.prepare("SELECT * FROM stats()").get();
  assert.deepEqual([lag, count, streams], [1, 1, 1]);
  db.close();
});

test("statements kept prepared do not keep the connection open", () => {
  for (let cycle = 0; cycle < 50; cycle += 1) {
    const db = open("cycles.db");
    db.pragma("journal_mode = wal");
    db.prepare("SELECT write_message(NULL, 'account-1', 'T', '{}')").get();
    db.prepare("SELECT * FROM get_category_messages('account')").all();
    db.close();
  }
  assert.deepEqual(readdirSync(directory).filter((name) => name.startsWith("cycles.db")), ["cycles.db"]);
});

rmSync(directory, { recursive: true });
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
