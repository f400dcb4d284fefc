"""A consumer that adds amounts up by stream, in the database that it reads from, until it is killed or told to end.

Usage: projection.py HOST DATABASE NAME MEMBER SIZE [once]. Position and sums are written in one transaction, so that
neither is ever without the other. With `once` it ends when nothing is left.
"""

import select
import sys

import psycopg2

host, database, name, member, size = sys.argv[1:6]
# How long it waits, in seconds, before it looks without having been told.
INTERVAL = 5


def connect():
    return psycopg2.connect(host=host, dbname=database, user="postgres", options="-c search_path=message_store,public")


def process_batch(cursor):
    """Processes the next messages, and returns the position of the last one, or None where there is none."""
    # Nothing is lower than 0: it answers with the position, and keeps another one of the same name waiting, such as the
    # one before this whose last commit is under way.
    cursor.execute("SELECT record_consumer_position('account', %s, 0)", (name,))
    (position,) = cursor.fetchone()
    cursor.execute(
        "SELECT global_position, stream_name, data FROM get_category_messages('account', %s, 10, NULL, %s, %s)",
        (position + 1, member, size),
    )
    rows = cursor.fetchall()
    for position, stream, data in rows:
        cursor.execute(
            "INSERT INTO sums AS s VALUES (%s, (%s::jsonb ->> 'amount')::bigint, 1) ON CONFLICT (stream_name) DO UPDATE"
            " SET amount = s.amount + excluded.amount, messages = s.messages + 1",
            (stream, data),
        )
    if not rows:
        return None
    cursor.execute("SELECT record_consumer_position('account', %s, %s)", (name, position))
    return position


# Of its own, so that no transaction is open while it waits. It listens before the first read: whatever comes after that is told.
listener = connect()
listener.autocommit = True
listener.cursor().execute("LISTEN message_store")
connection = connect()
while True:
    # Commits at the end, or rolls back.
    with connection, connection.cursor() as cursor:
        last = process_batch(cursor)
    if last is not None:
        print(last, flush=True)
    elif "once" in sys.argv:
        break
    else:
        select.select([listener], [], [], INTERVAL)
        listener.poll()
        listener.notifies.clear()
