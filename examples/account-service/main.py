"""An account service, on Postgres or in an SQLite file; a second run finds everything done.

    main.py postgres URL       with message-db-py
    main.py sqlite FILE [LIB]  with message_store_sqlite, or with the loadable library LIB
"""

import sys

import balances
import transfers
from account import WrongVersion, deposit, load, open_account, withdraw


def store(engine, address, library=None):
    """The only place that knows which one it is."""
    if engine == "postgres":
        from postgres_store import PostgresStore

        return PostgresStore(address)
    from sqlite_store import SqliteStore

    if library is None:
        from message_store_sqlite import load as load_functions
    else:
        def load_functions(connection):
            connection.enable_load_extension(True)
            connection.load_extension(library)

    return SqliteStore(address, load_functions)


def main(bank):
    with bank.transaction() as transaction:
        transaction.execute(balances.TABLE)

    open_account(bank, "ada", "Ada", "command-1")
    open_account(bank, "grace", "Grace", "command-2")
    deposit(bank, "ada", 100, "command-3")
    deposit(bank, "ada", 100, "command-3")
    withdraw(bank, "ada", 30, "command-4")
    withdraw(bank, "grace", 1, "command-5")
    for name in "ada", "grace":
        account = load(bank, name)
        print(f"{account.owner}: version {account.version}, balance {account.balance}")

    try:
        bank.write("account-ada", "Deposited", {"amount": 1}, {"commandId": "late"}, 0)
    except WrongVersion as error:
        print(f"too late: {str(error.__cause__).removeprefix('P0001-ERROR:  ')}")

    transfers.start(bank, "1", "ada", "grace", 50)
    transfers.start(bank, "2", "grace", "ada", 1000)
    transfers.run(bank)
    for transfer in "1", "2":
        print(f"transfer {transfer}: {' '.join(message['type'] for message in bank.read_stream(f'transfer-{transfer}'))}")

    balances.update(bank)
    for account, balance in balances.all_balances(bank):
        print(f"{account} has {balance}")


if __name__ == "__main__":
    bank = store(*sys.argv[1:])
    main(bank)
    bank.close()
