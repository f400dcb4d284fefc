"""What can be broken, and who must notice."""

from dataclasses import dataclass


@dataclass
class Mutation:
    name: str
    engine: str  # postgres, sqlite or core
    file: str
    code: str  # there exactly once
    broken: str
    suite: str
    test: str

    @property
    def summary(self):
        """The broken code in one line."""
        return " ".join(self.broken.split()) or "(nothing)"


MUTATIONS = [
    Mutation(
        "the category's lock is shared",
        "postgres",
        "pg_ext/src/lock.rs",
        "lock_tag::acquire(&lock_tag::advisory(key), Mode::Exclusive);",
        "lock_tag::acquire(&lock_tag::advisory(key), Mode::Share);",
        "concurrency",
        "writes_to_other_categories_do_not_wait",
    ),
    Mutation(
        "the stream's lock is not taken",
        "postgres",
        "pg_ext/src/append_lock.rs",
        "lock_tag::acquire(&lock_tag::advisory(stream), Mode::Exclusive);",
        "",
        "append_lock",
        "writers_of_one_stream_exclude_each_other",
    ),
    Mutation(
        "a version is read with the statement's old snapshot",
        "postgres",
        "pg_ext/src/direct_scan.rs",
        "AsOf::Statement => pg_sys::GetTransactionSnapshot(),",
        "AsOf::Statement => pg_sys::GetActiveSnapshot(),",
        "concurrency",
        "one_writer_wins_each_version_of_a_stream",
    ),
    Mutation(
        "a pipelined commit is answered before its flush",
        "postgres",
        "pg_ext/src/commit_pipelining.rs",
        "unsafe { raw::XLogFlush(pg_sys::XactLastCommitEnd) };",
        "let _ = raw::XLogFlush;",
        "durable_answers",
        "an_answered_commit_is_flushed",
    ),
    Mutation(
        "a read tells of what is not flushed",
        "postgres",
        "pg_ext/src/durability.rs",
        "self.needed = self.needed.max(raw::TransactionIdGetCommitLSN(writer));",
        "let _ = raw::TransactionIdGetCommitLSN;",
        "durable_answers",
        "no_answer_tells_of_a_message_that_is_not_flushed",
    ),
    Mutation(
        "a transaction that writes elsewhere is pipelined",
        "postgres",
        "pg_ext/src/commit_pipelining.rs",
        "STATE.set(if unchanged && is_self_contained {",
        "STATE.set(if unchanged || is_self_contained {",
        "commit_pipelining",
        "a_transaction_that_writes_anything_else_keeps_its_locks_until_the_flush",
    ),
    Mutation(
        "privileges on the table are not checked",
        "postgres",
        "pg_ext/src/namespace.rs",
        'refuse(result, pg_sys::ObjectType::OBJECT_TABLE, "messages");',
        "let _ = result;",
        "privileges",
        "a_role_with_the_schema_alone_gets_no_message_through_our_functions",
    ),
    Mutation(
        "privileges on the schema are not checked",
        "postgres",
        "pg_ext/src/namespace.rs",
        "refuse(result, pg_sys::ObjectType::OBJECT_SCHEMA, &store.namespace);",
        "let _ = result;",
        "namespace_isolation",
        "what_was_granted_can_be_taken_back_from_an_open_connection",
    ),
    Mutation(
        "the recorded owner of a schema is not compared",
        "postgres",
        "pg_ext/src/namespace.rs",
        "if owner.is_some() && owner != schema_owner(schema) {",
        "if owner.is_some() && schema_owner(schema).is_none() {",
        "namespace_ownership",
        "an_owner_that_changed_is_refused_until_it_changes_back",
    ),
    Mutation(
        "a search_path that may not be used leads to the default store",
        "postgres",
        "pg_ext/src/namespace.rs",
        "Some(name) => find(&name)?,\n            None",
        "Some(name) => find(&name).or_else(|_| find(namespace_name::DEFAULT))?,\n            None",
        "namespace_ownership",
        "a_schema_dropped_by_hand_is_an_error_and_not_the_default_store",
    ),
    Mutation(
        "the horizon is two positions too high",
        "postgres",
        "pg_ext/src/horizon.rs",
        "last.min(mark - 1)",
        "last.min(mark + 1)",
        "all_messages_race",
        "a_message_waits_for_those_before_it",
    ),
    Mutation(
        "a writer's mark goes with a savepoint",
        "postgres",
        "pg_ext/src/horizon.rs",
        "lock_tag::acquire_for_transaction(&tag, Mode::Share);",
        "lock_tag::acquire(&tag, Mode::Share);",
        "all_messages_race",
        "a_rolled_back_savepoint_leaves_the_mark",
    ),
    Mutation(
        "a category written by stream is read past the horizon",
        "postgres",
        "pg_ext/src/category_messages.rs",
        "let by_stream = table_layout::of(store).append_lock == AppendLock::Stream;",
        "let by_stream = table_layout::of(store).append_lock == AppendLock::Stream && is_standby;",
        "append_lock",
        "a_message_waits_for_those_before_it",
    ),
    Mutation(
        "an import lets other writers in",
        "postgres",
        "pg_ext/src/namespace.rs",
        "Self::Import => pg_sys::ShareRowExclusiveLock,",
        "Self::Import => pg_sys::RowExclusiveLock,",
        "import",
        "an_import_and_writers_wait_for_each_other",
    ),
    Mutation(
        "an expected version is not compared",
        "core",
        "shared/src/expected_version.rs",
        "Some(expected) if expected != version => {",
        "Some(expected) if expected > version => {",
        "core",
        "a_wrong_version_names_stream_and_version",
    ),
    Mutation(
        "a consumer group goes by the whole id",
        "core",
        "shared/src/consumer_group.rs",
        "let cardinal_id = cardinal_id(stream_name)?;",
        "let cardinal_id = crate::stream_name::id(stream_name)?;",
        "core",
        "streams_of_one_cardinal_id_stay_together",
    ),
    Mutation(
        "SQLite: a version is read before the write lock is held",
        "sqlite",
        "sqlite_ext/src/transaction.rs",
        "let result = lock(connection, store).and_then(|()| work()).and_then(|value| {",
        "let result = schema::check(connection, store).and_then(|()| work()).and_then(|value| {",
        "test_processes",
        "test_four_writers_while_a_fifth_process_polls",
    ),
    Mutation(
        "SQLite: a write is answered before it is committed",
        "sqlite",
        "sqlite_ext/src/transaction.rs",
        "retrying(connection, || true, || run(connection, Query::Commit))?;",
        "drop(run(connection, Query::Rollback));",
        "test_processes",
        "test_four_writers_while_a_fifth_process_polls",
    ),
    Mutation(
        "SQLite: a failed batch is not undone in the host's transaction",
        "sqlite",
        "sqlite_ext/src/transaction.rs",
        "        return all_or_nothing(connection, store, work);",
        "        return if connection.db.is_autocommit() { all_or_nothing(connection, store, work) } else { work() };",
        "test_transactions",
        "test_a_failed_call_leaves_the_hosts_transaction_as_it_was",
    ),
    Mutation(
        "SQLite: a read relies on what it remembers while a statement writes",
        "sqlite",
        "sqlite_ext/src/newest.rs",
        "let is_settled = db.transaction_state(Some(&store.schema)) != TransactionState::Write;",
        "let is_settled = true;",
        "test_transactions",
        "test_a_read_sees_what_a_statement_has_written_that_has_not_ended",
    ),
]
