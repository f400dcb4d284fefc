// A consumer that adds amounts up by stream, in the database that it reads from, until it is killed or told to end.
//
// Usage: projection.js HOST DATABASE NAME MEMBER SIZE [once]. Position and sums are written in one transaction, so that
// neither is ever without the other. With `once` it ends when nothing is left.
const { Client } = require("pg");

const [host, database, name, member, size, once] = process.argv.slice(2);
const settings = { host, database, user: "postgres", options: "-c search_path=message_store,public" };
// How long it waits, in milliseconds, before it looks without having been told.
const INTERVAL = 5000;

// Processes the next messages in a transaction, and returns the position of the last one, or null where there is none.
async function processBatch(client) {
  await client.query("BEGIN");
  // Nothing is lower than 0: it answers with the position, and keeps another one of the same name waiting.
  const stored = await client.query("SELECT record_consumer_position('account', $1, 0) + 1 AS next", [name]);
  // bigint arrives as text, and goes back as such: no digit is lost.
  const { rows } = await client.query(
    "SELECT global_position, stream_name, data FROM get_category_messages('account', $1, 10, NULL, $2, $3)",
    [stored.rows[0].next, member, size],
  );
  for (const row of rows) {
    await client.query(
      "INSERT INTO sums AS s VALUES ($1, ($2::jsonb ->> 'amount')::bigint, 1) ON CONFLICT (stream_name) DO UPDATE" +
        " SET amount = s.amount + excluded.amount, messages = s.messages + 1",
      [row.stream_name, row.data],
    );
  }
  const last = rows.length > 0 ? rows[rows.length - 1].global_position : null;
  if (last !== null) {
    await client.query("SELECT record_consumer_position('account', $1, $2)", [name, last]);
  }
  await client.query("COMMIT");
  return last;
}

// Notifications that nobody has waited for yet are not forgotten.
class Waker {
  isWoken = false;
  resolve = () => {};

  wake() {
    this.isWoken = true;
    this.resolve();
  }

  async wait(milliseconds) {
    let timer;
    await new Promise((resolve) => {
      this.resolve = resolve;
      timer = setTimeout(resolve, milliseconds);
      if (this.isWoken) resolve();
    });
    clearTimeout(timer);
    this.isWoken = false;
  }
}

async function run() {
  const waker = new Waker();
  // Of its own, so that no transaction is open while it waits. It listens before the first read.
  const listener = new Client(settings);
  listener.on("notification", () => waker.wake());
  await listener.connect();
  await listener.query("LISTEN message_store");
  const client = new Client(settings);
  await client.connect();
  for (;;) {
    const last = await processBatch(client);
    if (last !== null) console.log(last);
    else if (once) break;
    else await waker.wait(INTERVAL);
  }
  await client.end();
  await listener.end();
}

// What fails ends the process, and so rolls back; whoever runs it starts it again.
run().catch((error) => {
  console.error(error);
  process.exit(1);
});
