"""A table of balances, kept up to date by a consumer of the category."""

from consumer import consume

TABLE = "CREATE TABLE IF NOT EXISTS balances (account varchar PRIMARY KEY, balance bigint NOT NULL)"
SIGN = {"Opened": 0, "Deposited": 1, "Withdrawn": -1}


def handle(transaction, message):
    """Adding an amount twice would be wrong; it is in one transaction with the position, and so happens once."""
    if message.type in SIGN:
        transaction.execute(
            "INSERT INTO balances AS b VALUES (?, ?) ON CONFLICT (account) DO UPDATE SET balance = b.balance + excluded.balance",
            message.stream.removeprefix("account-"), SIGN[message.type] * message.data.get("amount", 0),
        )


def update(store):
    return consume(store, "account", "balances", handle)


def all_balances(store):
    with store.transaction() as transaction:
        return transaction.execute("SELECT account, balance FROM balances ORDER BY account")
