"""A client of Message DB, message-db-py unmodified, at work until its standard input ends.

Arguments: the socket's folder, the database, what it does (write, versions, follow), its number.
Prints "ready" after its first call, and at the end a line of JSON: how often it called, what it was told (the
positions that its writes were given, the ids that it has read), its errors and its longest call in milliseconds.
"""

import json
import select
import sys
import time

from message_db.client import MessageDB

HOST, DATABASE, TASK, NUMBER = sys.argv[1:]
STORE = MessageDB(dbname=DATABASE, user="message_store", host=HOST)
SEEN = []
NEXT = 1


def write():
    """Blind writes, to a few streams of a category that others write to, too."""
    SEEN.append(STORE.write(f"account-{NUMBER}{len(SEEN) % 5}", "Deposited", {"n": len(SEEN)}))


def versions():
    """Writes that expect the version that the last one has left, and reads of what they wrote."""
    position = STORE.write(f"order-{NUMBER}", "Placed", {"n": len(SEEN)}, expected_version=len(SEEN) - 1)
    assert position == len(SEEN), f"position {position} after {len(SEEN)} messages"
    SEEN.append(position)
    assert STORE.read_last_message(f"order-{NUMBER}")["position"] == position
    assert STORE.read_stream(f"order-{NUMBER}", position=position)[0]["data"] == {"n": position}


def follow():
    """A consumer of the category that polls by position."""
    global NEXT
    for message in STORE.read_category("account", position=NEXT, no_of_messages=1000):
        SEEN.append(message["id"])
        NEXT = message["global_position"] + 1


def main():
    task = {"write": write, "versions": versions, "follow": follow}[TASK]
    calls, errors, longest = 0, [], 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        began = time.monotonic()
        try:
            task()
        except Exception as error:  # Whatever a client would see.
            errors.append(f"{type(error).__name__}: {error}")
        longest = max(longest, time.monotonic() - began)
        calls += 1
        if calls == 1:
            print("ready", flush=True)
        if TASK == "follow":
            time.sleep(0.002)
    if TASK == "follow":
        follow()
    print(json.dumps({"calls": calls, "seen": SEEN, "errors": errors, "longest_ms": longest * 1000}))


main()
