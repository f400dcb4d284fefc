// A member of a consumer group: adds up the amounts of its share of the accounts, until it is told to stop.
// Usage: node member.js MEMBER SIZE; the database is that of the environment (PGHOST, PGDATABASE, ...).
const { Client } = require("pg");

const [member, size] = process.argv.slice(2).map(Number);
const name = `totals-${member}`;
const BATCH = 10;

// One batch in one transaction: the totals and the position are committed together, or neither is.
async function handleBatch(client) {
  await client.query("BEGIN");
  // Nothing is lower than 0: it answers with the position. It waits for the end of a transaction of the same name, such
  // as the last one of the process before this.
  const stored = await client.query("SELECT record_consumer_position('account', $1, 0) AS position", [name]);
  const { rows } = await client.query(
    "SELECT global_position, stream_name, data FROM get_category_messages('account', $1, $2, NULL, $3, $4)",
    [BigInt(stored.rows[0].position) + 1n, BATCH, member, size],
  );
  for (const { stream_name, data } of rows) {
    await client.query(
      `INSERT INTO totals AS t VALUES ($1, $2, $3, 1) ON CONFLICT (stream_name, member)
       DO UPDATE SET amount = t.amount + excluded.amount, messages = t.messages + 1`,
      [stream_name, member, JSON.parse(data).amount],
    );
  }
  if (rows.length > 0) {
    await client.query("SELECT record_consumer_position('account', $1, $2)", [name, rows.at(-1).global_position]);
    // Between the work and its commit.
    process.send?.("handled");
  }
  await client.query("COMMIT");
  return rows.length;
}

async function main() {
  const client = new Client();
  await client.connect();
  let running = true;
  process.on("message", () => (running = false));
  process.on("disconnect", () => (running = false));
  while (running) {
    if ((await handleBatch(client)) === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await client.end();
  if (process.connected) process.disconnect();
}

main();
