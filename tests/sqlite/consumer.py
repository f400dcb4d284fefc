"""A consumer that adds amounts up by stream, in the file that it reads from, until it is killed or told to end.

Usage: consumer.py FILE NAME MEMBER SIZE [once]. Position and sums are written in one transaction, so that neither is
ever without the other. With `once` it ends when nothing is left.
"""

import sys
import time

from host import connect, value

path, name, member, size = sys.argv[1:5]
connection = connect(path, timeout=20)
while True:
    connection.execute("BEGIN IMMEDIATE")
    found = connection.execute("SELECT position FROM consumer_positions('account') WHERE consumer = ?", (name,)).fetchone()
    position = found[0] if found else 0
    rows = connection.execute(
        "SELECT global_position, stream_name, data FROM get_category_messages('account', ?, 10, NULL, ?, ?)",
        (position + 1, member, size),
    ).fetchall()
    for position, stream, data in rows:
        connection.execute(
            "INSERT INTO sums VALUES (?1, json_extract(?2, '$.amount'), 1) "
            "ON CONFLICT (stream_name) DO UPDATE SET amount = amount + excluded.amount, messages = messages + 1",
            (stream, data),
        )
    if rows:
        assert value(connection, "SELECT record_consumer_position('account', ?, ?)", name, position) == position
    connection.execute("COMMIT")
    if rows:
        print(position, flush=True)
    elif "once" in sys.argv:
        break
    else:
        time.sleep(0.002)
