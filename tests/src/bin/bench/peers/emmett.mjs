// emmett's Postgres event store, and ours through the driver that it uses, with prepared statements and one connection.
//
// Arguments: `theirs fill STREAMS`, which fills so many streams of 100 events, or `theirs` or `ours`, `append` or `read`,
// `seconds` or `calls`, and how many. Prints the calls a second.

import { randomUUID } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql'
import pg from 'pg'

const DATA = { amount: 12.5, currency: 'EUR' }
const METADATA = { correlationStreamName: 'order-1' }

class Theirs {
  async open() {
    const { PGHOST, PGUSER, PGDATABASE } = process.env
    const url = `postgresql://${PGUSER}@localhost/${PGDATABASE}?host=${encodeURIComponent(PGHOST)}`
    this.store = getPostgreSQLEventStore(url)
  }

  async fill(streams) {
    await this.store.schema.migrate()
    const events = Array.from({ length: 100 }, () => this.event())
    for (let number = 0; number < streams; number++) await this.store.appendToStream(`account-${number}`, events)
  }

  event() {
    return { type: 'Deposited', data: DATA, metadata: METADATA }
  }

  append(name, version) {
    const expectedStreamVersion = version === 0 ? 'STREAM_DOES_NOT_EXIST' : BigInt(version)
    return this.store.appendToStream(name, [this.event()], { expectedStreamVersion })
  }

  async read(number, position) {
    // Its positions begin at 1.
    const from = BigInt(position + 1)
    return (await this.store.readStream(`account-${number}`, { from, to: from + 9n })).events
  }

  close() {
    return this.store.close()
  }
}

class Ours {
  async open() {
    this.client = new pg.Client({ options: '-c search_path=message_store,public' })
    await this.client.connect()
  }

  append(name, version) {
    const text = 'SELECT write_message($1::varchar, $2::varchar, $3::varchar, $4::jsonb, $5::jsonb, $6)'
    const values = [randomUUID(), name, 'Deposited', JSON.stringify(DATA), JSON.stringify(METADATA), version - 1]
    return this.client.query({ name: 'append', text, values })
  }

  async read(number, position) {
    const text = 'SELECT * FROM get_stream_messages($1::varchar, $2, 10)'
    const { rows } = await this.client.query({ name: 'read', text, values: [`account-${number}`, position] })
    for (const row of rows) {
      row.data = JSON.parse(row.data)
      row.metadata = JSON.parse(row.metadata)
    }
    return rows
  }

  close() {
    return this.client.end()
  }
}

// Appends to 1,000 new streams in turn, at the version that each has.
function* appends(store) {
  const names = Array.from({ length: 1000 }, () => `account-${randomUUID()}`)
  for (let version = 0; ; version++) {
    for (const name of names) yield () => store.append(name, version)
  }
}

function* reads(store) {
  const below = (number) => Math.floor(Math.random() * number)
  while (true) {
    yield async () => {
      const events = await store.read(below(1000), below(90))
      if (events.length !== 10) throw new Error(`${events.length} events`)
    }
  }
}

async function rate(calls, unit, amount) {
  await calls.next().value()
  const started = performance.now()
  const seconds = () => (performance.now() - started) / 1000
  let made = 0
  while ((unit === 'calls' ? made : seconds()) < amount) {
    await calls.next().value()
    made++
  }
  return made / seconds()
}

const [side, action, unit, amount] = process.argv.slice(2)
const store = side === 'theirs' ? new Theirs() : new Ours()
await store.open()
if (action === 'fill') await store.fill(Number(unit))
else console.log(await rate(action === 'append' ? appends(store) : reads(store), unit, Number(amount)))
await store.close()
