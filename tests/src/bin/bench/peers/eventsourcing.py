"""eventsourcing's application recorder, and ours through psycopg as it does it: prepared statements, one connection.

Arguments: `theirs fill STREAMS`, which fills so many streams of 100 events, or `theirs` or `ours`, `append` or `read`,
`seconds` or `calls`, and how many. Prints the calls a second.
"""

import os
import random
import sys
import time
import uuid

import psycopg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore

DATA = '{"amount": 12.50, "currency": "EUR"}'
METADATA = '{"correlationStreamName": "order-1"}'


def stream(number):
    return uuid.UUID(int=number + 1)


class Theirs:
    def __init__(self):
        datastore = PostgresDatastore(
            dbname=os.environ["PGDATABASE"], host=os.environ["PGHOST"], port=os.environ["PGPORT"],
            user=os.environ["PGUSER"], password="", pool_size=1)
        self.recorder = PostgresApplicationRecorder(datastore)
        self.recorder.create_table()

    def event(self, name, version):
        return StoredEvent(originator_id=name, originator_version=version, topic="bank:Account.Deposited", state=DATA.encode())

    def fill(self, streams):
        for number in range(streams):
            self.recorder.insert_events([self.event(stream(number), version) for version in range(1, 101)])

    def name(self):
        return uuid.uuid4()

    def append(self, name, version):
        self.recorder.insert_events([self.event(name, version + 1)])

    def read(self, number, position):
        return self.recorder.select_events(stream(number), gt=position, limit=10)


class Ours:
    def __init__(self):
        self.connection = psycopg.connect(options="-c search_path=message_store,public", autocommit=True)
        self.cursor = self.connection.cursor()

    def name(self):
        return f"account-{uuid.uuid4()}"

    def append(self, name, version):
        self.cursor.execute(
            "SELECT write_message(%s::varchar, %s::varchar, %s::varchar, %s::jsonb, %s::jsonb, %s)",
            (str(uuid.uuid4()), name, "Deposited", DATA, METADATA, version - 1), prepare=True)
        return self.cursor.fetchone()

    def read(self, number, position):
        self.cursor.execute(
            "SELECT * FROM get_stream_messages(%s::varchar, %s, 10)", (f"account-{number}", position), prepare=True)
        return self.cursor.fetchall()


def appends(store):
    """Appends to 1,000 new streams in turn, at the version that each has."""
    names = [store.name() for _ in range(1000)]
    version = 0
    while True:
        for name in names:
            yield lambda: store.append(name, version)
        version += 1


def reads(store):
    while True:
        number, position = random.randrange(1000), random.randrange(90)

        def read():
            events = store.read(number, position)
            assert len(events) == 10, events

        yield read


def rate(calls, unit, amount):
    """Calls a second."""
    next(calls)()
    started = time.perf_counter()
    made = 0
    while (made if unit == "calls" else time.perf_counter() - started) < amount:
        next(calls)()
        made += 1
    return made / (time.perf_counter() - started)


store = Theirs() if sys.argv[1] == "theirs" else Ours()
if sys.argv[2] == "fill":
    store.fill(int(sys.argv[3]))
else:
    random.seed(1)
    calls = appends(store) if sys.argv[2] == "append" else reads(store)
    print(rate(calls, sys.argv[3], int(sys.argv[4])))
