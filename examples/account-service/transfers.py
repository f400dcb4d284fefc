"""Transfers between accounts: what happens on behalf of a transfer is correlated with its stream.

Nothing here counts on being called once: the commands' ids are those of the transfer, and its own stream says how far
it is. So it does not matter that the commands may commit before the consumer's position does.
"""

from account import WrongVersion, deposit, withdraw
from consumer import consume


def start(store, transfer, source, destination, amount):
    """A transfer of that name is started once: its stream must have no message."""
    try:
        data = {"source": source, "destination": destination, "amount": amount}
        store.write(f"transfer-{transfer}", "Started", data, None, -1)
    except WrongVersion:
        pass


def run(store):
    """Moves every transfer on, until there is nothing to do."""

    def started(transaction, message):
        if message.type == "Started":
            terms = message.data
            withdraw(store, terms["source"], terms["amount"], f"{message.stream}/withdraw", message.stream)

    def moved(transaction, message):
        transfer = message.metadata["correlationStreamName"]
        match message.type:
            case "Withdrawn":
                terms = store.read_stream(transfer)[0]["data"]
                deposit(store, terms["destination"], terms["amount"], f"{transfer}/deposit", transfer)
            case "Deposited":
                finish(store, transfer, "Completed")
            case "WithdrawalRejected":
                finish(store, transfer, "Cancelled")

    while consume(store, "transfer", "transfers", started) + consume(store, "account", "transfers", moved, "transfer"):
        pass


def finish(store, transfer, event):
    """The second and last message of a transfer's stream."""
    try:
        store.write(transfer, event, {}, None, 0)
    except WrongVersion:
        pass
