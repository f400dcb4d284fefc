"""The store on Postgres: commands by message-db-py, unmodified; consumers on a connection of its pool."""

from contextlib import contextmanager

from account import WrongVersion
from message_db.client import MessageDB


class PostgresStore:
    def __init__(self, url):
        self.client = MessageDB.from_url(url)
        self.pool = self.client.connection_pool

    def write(self, stream, event, data, metadata, expected_version):
        try:
            return self.client.write(stream, event, data, metadata, expected_version)
        except ValueError as error:
            if "Wrong expected version" in str(error):
                raise WrongVersion from error
            raise

    def read_stream(self, stream, position=0):
        return self.client.read_stream(stream, position)

    @contextmanager
    def transaction(self):
        connection = self.pool.get_connection()
        try:
            with connection, connection.cursor() as cursor:
                yield Transaction(cursor)
        finally:
            self.pool.release(connection)

    def close(self):
        self.pool.closeall()


class Transaction:
    def __init__(self, cursor):
        self.cursor = cursor

    def execute(self, sql, *parameters):
        """Its rows. The SQL is that of SQLite, but for the placeholders."""
        self.cursor.execute(sql.replace("?", "%s"), parameters)
        return self.cursor.fetchall() if self.cursor.description else []
