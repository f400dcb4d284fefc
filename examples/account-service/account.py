"""An account: its state, made of its stream, and the commands that add to the stream.

A command has an id, which its event keeps. So a command that is given again, for one because its answer was lost, finds
itself in the stream and does nothing. It writes only behind the state that it has decided on (`expected_version`): where
somebody else was faster, it decides again.
"""

from dataclasses import dataclass, field


class WrongVersion(Exception):
    """The stream has moved on since it was read."""


@dataclass
class Account:
    """What the messages of an account's stream amount to."""

    version: int = -1  # the position of its last message; -1 is the version of a stream that has none
    owner: str = ""
    balance: int = 0
    commands: set = field(default_factory=set)

    def apply(self, message):
        data = message["data"]
        match message["type"]:
            case "Opened":
                self.owner = data["owner"]
            case "Deposited":
                self.balance += data["amount"]
            case "Withdrawn":
                self.balance -= data["amount"]
        self.version = message["position"]
        self.commands.add(message["metadata"]["commandId"])


def load(store, account):
    """The account as it is now, read a page at a time."""
    state = Account()
    while messages := store.read_stream(f"account-{account}", state.version + 1):
        for message in messages:
            state.apply(message)
    return state


def open_account(store, account, owner, command):
    def decide(state):
        if state.version >= 0:
            raise ValueError(f"account {account} is open")
        return "Opened", {"owner": owner}

    execute(store, account, command, decide)


def deposit(store, account, amount, command, correlation=None):
    execute(store, account, command, lambda state: ("Deposited", {"amount": amount}), correlation)


def withdraw(store, account, amount, command, correlation=None):
    def decide(state):
        return ("Withdrawn" if amount <= state.balance else "WithdrawalRejected"), {"amount": amount}

    execute(store, account, command, decide, correlation)


def execute(store, account, command, decide, correlation=None):
    """Writes what `decide` makes of the account's state, once for each command.

    `correlation` is the stream on whose behalf this happens: who follows that reads the events by it.
    """
    metadata = {"commandId": command}
    if correlation:
        metadata["correlationStreamName"] = correlation
    while True:
        state = load(store, account)
        if command in state.commands:
            return
        event, data = decide(state)
        try:
            store.write(f"account-{account}", event, data, metadata, state.version)
            return
        except WrongVersion:
            continue
