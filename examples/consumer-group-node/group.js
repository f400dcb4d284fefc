// A consumer group of four: each member a process of its own, one of them killed while it works, and started again.
// Usage: node group.js; the database, with an empty store, is that of the environment (PGHOST, PGDATABASE, ...).
const { fork } = require("node:child_process");
const { once } = require("node:events");
const path = require("node:path");
const { Client } = require("pg");

const SIZE = 4;
const VICTIM = 2;
const ACCOUNTS = 40;

function start(member) {
  return fork(path.join(__dirname, "member.js"), [member, SIZE]);
}

// Amounts 1 to `count`, one after the other to each account.
async function deposit(client, count) {
  await client.query(
    `SELECT write_message(NULL, 'account-' || n % $2::int, 'Deposited', jsonb_build_object('amount', n))
     FROM generate_series(1, $1::int) AS n`,
    [count, ACCOUNTS],
  );
}

// How many messages of a member's share its position has not passed.
async function waiting(client, member) {
  const { rows } = await client.query(
    `SELECT count(*)::int AS count FROM get_category_messages('account',
       coalesce((SELECT position FROM consumer_positions('account') WHERE consumer = 'totals-' || $1::int), 0) + 1,
       -1, NULL, $1::int, $2::int)`,
    [member, SIZE],
  );
  return rows[0].count;
}

async function untilDone(client, members) {
  for (const member of members) {
    while ((await waiting(client, member)) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function main() {
  const client = new Client();
  await client.connect();
  await client.query(
    `CREATE TABLE totals (stream_name varchar, member int, amount bigint NOT NULL, messages int NOT NULL,
       PRIMARY KEY (stream_name, member))`,
  );
  const members = Array.from({ length: SIZE }, (_, member) => start(member));

  await deposit(client, 600);
  await once(members[VICTIM], "message");
  members[VICTIM].kill("SIGKILL");
  const [, signal] = await once(members[VICTIM], "exit");
  console.log(`member ${VICTIM} ended by ${signal}`);

  await deposit(client, 200);
  await untilDone(client, [0, 1, 3]);
  const left = await waiting(client, VICTIM);
  console.log(`the others are done; messages wait for member ${VICTIM}: ${left > 0 ? "yes" : "no"}`);

  members[VICTIM] = start(VICTIM);
  await untilDone(client, [VICTIM]);
  for (const member of members) member.send("stop");
  await Promise.all(members.map((member) => once(member, "exit")));

  const { rows } = await client.query(
    "SELECT member, count(*) AS accounts, sum(messages) AS messages, sum(amount) AS amount FROM totals GROUP BY 1 ORDER BY 1",
  );
  for (const { member, accounts, messages, amount } of rows) {
    console.log(`member ${member}: ${accounts} accounts, ${messages} messages, ${amount} in all`);
  }
  const { rows: [all] } = await client.query("SELECT sum(messages) AS messages, sum(amount) AS amount FROM totals");
  console.log(`together: ${all.messages} messages, ${all.amount} in all`);
  await client.end();
}

main();
