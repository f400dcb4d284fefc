"""A consumer: handles the messages of a category one after the other, each once, and keeps its position."""

import json
from typing import NamedTuple

BATCH = 100


class Message(NamedTuple):
    stream: str
    type: str
    data: dict
    metadata: dict


def consume(store, category, consumer, handle, correlation=None):
    """Handles what is new, a batch in a transaction, and returns how many messages that were.

    What `handle` does in the transaction and the position are committed together, or neither is. With `correlation`, a
    category, only messages that were written on behalf of one of its streams are read.
    """
    handled = 0
    while True:
        with store.transaction() as transaction:
            # Nothing is lower than 0: it answers with the position, and keeps another consumer of this name waiting.
            ((position,),) = transaction.execute("SELECT record_consumer_position(?, ?, 0)", category, consumer)
            rows = transaction.execute(
                "SELECT global_position, stream_name, type, data, metadata FROM get_category_messages(?, ?, ?, ?)",
                category, position + 1, BATCH, correlation,
            )
            if not rows:
                return handled
            for position, stream, kind, data, metadata in rows:
                handle(transaction, Message(stream, kind, json.loads(data), json.loads(metadata or "{}")))
            transaction.execute("SELECT record_consumer_position(?, ?, ?)", category, consumer, position)
        handled += len(rows)
