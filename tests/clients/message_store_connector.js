// @doughtnerd/message-store-connector, unmodified, doing everything it offers.
// Environment: STORE_HOST (the socket's folder), STORE_DATABASE.
'use strict';

const assert = require('node:assert/strict');
const { randomUUID } = require('node:crypto');
const { after, before, test } = require('node:test');
const { Client } = require('pg');
const { EventideClient, MessageStore, PostgresClient } = require('@doughtnerd/message-store-connector');

const connect = async (options) => {
  const client = new Client({
    host: process.env.STORE_HOST,
    port: 5432,
    user: 'message_store',
    database: process.env.STORE_DATABASE,
    options,
  });
  await client.connect();
  return { client, store: new MessageStore(new EventideClient(new PostgresClient(client))) };
};

let connection;
let store;
let number = 0;

before(async () => {
  connection = await connect();
  store = connection.store;
});
after(() => connection.client.end());

const message = (type, data = {}, metadata = {}) => ({ id: randomUUID(), type, data, metadata });
// A category of its own for each test.
const category = () => `account${++number}`;

test('writeMessage gives positions and getStreamMessages gives the messages', async () => {
  const stream = `${category()}-123`;
  const opened = message('Opened', { owner: 'Zoë', list: [1, 2.5, null] }, { traceId: 't' });
  assert.deepEqual(await store.writeMessage(stream, opened), { streamPosition: '0' });
  assert.deepEqual(await store.writeMessage(stream, message('Deposited')), { streamPosition: '1' });
  const [first, second] = await store.getStreamMessages(stream);
  assert.equal(second.globalPosition - first.globalPosition, 1);
  assert.ok(first.time instanceof Date);
  const { globalPosition, time, ...rest } = first;
  assert.deepEqual(rest, { ...opened, streamName: stream, position: 0 });
  assert.equal(second.type, 'Deposited');
});

test('an expected version lets the right write in and no other', async () => {
  const stream = `${category()}-123`;
  await store.writeMessage(stream, message('T'), -1);
  await assert.rejects(store.writeMessage(stream, message('T'), 5), {
    code: 'P0001',
    severity: 'ERROR',
    message: `Wrong expected version: 5 (Stream: ${stream}, Stream Version: 0)`,
    detail: undefined,
    hint: undefined,
  });
  assert.deepEqual(await store.getStreamVersion(stream), { streamVersion: 0 });
});

test('an id is written once', async () => {
  const stream = `${category()}-123`;
  const once = message('T');
  await store.writeMessage(stream, once);
  await assert.rejects(store.writeMessage(stream, once), { code: '23505', constraint: 'messages_id' });
});

test('a batch is written whole or not at all', async () => {
  const stream = `${category()}-123`;
  const written = await store.writeBatch(stream, [message('A'), message('B'), message('C')]);
  assert.deepEqual(written.map((w) => w.streamPosition), ['0', '1', '2']);
  const repeated = message('E');
  await assert.rejects(store.writeBatch(stream, [message('D'), repeated, repeated]));
  assert.deepEqual((await store.getStreamMessages(stream)).map((m) => m.type), ['A', 'B', 'C']);
});

test('reads start at a position and stop at a batch size', async () => {
  const name = category();
  for (let n = 0; n < 5; n++) await store.writeMessage(`${name}-1`, message('T', { n }));
  const some = await store.getStreamMessages(`${name}-1`, { startingPosition: 1, batchSize: 2 });
  assert.deepEqual(some.map((m) => m.data.n), [1, 2]);
  const startingPosition = some[1].globalPosition;
  const rest = await store.getCategoryMessages(name, { startingPosition, batchSize: 2 });
  assert.deepEqual(rest.map((m) => m.data.n), [2, 3]);
  assert.deepEqual(await store.getStreamMessages(`${name}-2`), []);
});

test('a category is read by correlation and shared by a consumer group', async () => {
  const name = category();
  for (let n = 0; n < 20; n++) {
    const metadata = n % 2 ? { correlationStreamName: 'order-1' } : {};
    await store.writeMessage(`${name}-${n}`, message('T', { n }, metadata));
  }
  const correlated = await store.getCategoryMessages(name, { correlation: 'order' });
  assert.deepEqual(correlated.map((m) => m.data.n), [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
  const shares = [];
  for (const consumerGroupMember of [0, 1, 2]) {
    const share = await store.getCategoryMessages(name, { consumerGroupMember, consumerGroupSize: 3 });
    assert.notEqual(share.length, 0);
    shares.push(...share.map((m) => m.data.n));
  }
  assert.deepEqual(shares.sort((a, b) => a - b), [...Array(20).keys()]);
});

test('a wrong argument is refused in words', async () => {
  await assert.rejects(store.getStreamMessages('account'), { message: 'Must be a stream name: account' });
  await assert.rejects(store.getCategoryMessages('account-1'), { message: 'Must be a category: account-1' });
  await assert.rejects(store.getCategoryMessages('account', { consumerGroupMember: 3, consumerGroupSize: 2 }), {
    message:
      'Consumer group member must be less than the group size (Consumer Group Member: 3, Consumer Group Size: 2)',
  });
});

test('a condition is refused unless the connection asks for it', async () => {
  const stream = `${category()}-1`;
  for (let n = 0; n < 3; n++) await store.writeMessage(stream, message('T', { n }));
  const condition = "messages.data->>'n' = '2'";
  await assert.rejects(store.getStreamMessages(stream, { condition }), {
    message: 'Retrieval with SQL condition is not activated',
  });
  const other = await connect('-c message_store.sql_condition=on');
  const found = await other.store.getStreamMessages(stream, { condition });
  await other.client.end();
  assert.deepEqual(found.map((m) => m.data.n), [2]);
});

test('getLastStreamMessage and getStreamVersion know the end of a stream', async () => {
  const stream = `${category()}-123`;
  assert.deepEqual(await store.getLastStreamMessage(stream), []);
  assert.deepEqual(await store.getStreamVersion(stream), { streamVersion: null });
  await store.writeBatch(stream, [message('A'), message('B')]);
  const [last, ...others] = await store.getLastStreamMessage(stream);
  assert.deepEqual([last.type, last.position, others], ['B', 1, []]);
  assert.deepEqual(await store.getStreamVersion(stream), { streamVersion: 1 });
});

test('a projection folds a stream', async () => {
  const stream = `${category()}-123`;
  for (let amount = 1; amount <= 10; amount++) await store.writeMessage(stream, message('Deposited', { amount }));
  const balance = {
    projectionName: 'Balance',
    entity: () => ({ total: 0 }),
    handlers: { Deposited: (account, { data }) => ({ total: account.total + data.amount }) },
  };
  assert.deepEqual(await store.project(stream, balance, { batchSize: 3 }), { total: 55 });
});

test('a subscription hands every message of a category to its handler, in order', async () => {
  const name = category();
  for (let n = 0; n < 5; n++) await store.writeMessage(`${name}-${n}`, message('T', { n }));
  const seen = [];
  let subscription;
  await new Promise((resolve, reject) => {
    const handlers = {
      T: async ({ data }) => {
        seen.push(data.n);
        if (seen.length === 3) for (let n = 5; n < 8; n++) await store.writeMessage(`${name}-x`, message('T', { n }));
        if (seen.length === 8) resolve();
      },
    };
    const options = { pollingInterval: 10, positionUpdateInterval: 2 };
    store.subscribeToCategory('subscriber1', name, handlers, options).then((started) => {
      subscription = started;
      subscription.on('subscription_error', (text, errors) => reject(new Error(`${text}: ${errors}`)));
    }, reject);
  });
  subscription.unsubscribe();
  assert.deepEqual(seen, [0, 1, 2, 3, 4, 5, 6, 7]);
  const [position] = await store.getLastStreamMessage(`${name}+position-subscriber1`);
  assert.equal(position.type, 'PositionAdvanced');
});
