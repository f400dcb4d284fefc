//! Namespaces that are created, cleared and deleted under the feet of those who use them.

use message_store_tests::namespaces::{
    assert_own_error, count, error, granted, role, schema_exists, wait_until_blocked, write,
};
use message_store_tests::{Failure, Session, Store, Target, calls};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Runs `sql` on a connection of its own, which waits for `holder`; then `holder` runs `end`.
fn meanwhile(store: &Store, sql: &str, holder: &mut Session, end: &str) -> Result<Option<String>, Box<Failure>> {
    let (mut waiter, mut watcher) = (store.superuser(), store.superuser());
    let backend = waiter.number("SELECT pg_backend_pid()");
    thread::scope(|scope| {
        let waiting = scope.spawn(move || waiter.run(sql));
        wait_until_blocked(&mut watcher, backend);
        assert!(!waiting.is_finished());
        holder.ok(end);
        let result = waiting.join().expect("the waiter").result;
        result.map(|mut rows| rows.rows.remove(0).remove(0)).map_err(Box::new)
    })
}

#[test]
fn of_two_who_create_the_same_one_the_second_is_told() {
    let store = Store::fresh(Target::Ours);
    let mut first = store.superuser();
    first.ok("BEGIN; SELECT create_namespace('tenant', 'hash')");
    let failure = meanwhile(&store, "SELECT create_namespace('tenant')", &mut first, "COMMIT").expect_err("taken");
    assert_own_error(&failure, "Namespace already exists: tenant");

    first.ok("BEGIN; SELECT create_namespace('other', 'other hash')");
    let same_hash = "SELECT create_namespace('third', 'other hash')";
    let failure = meanwhile(&store, same_hash, &mut first, "COMMIT").expect_err("taken");
    assert_own_error(&failure, "Token hash is already in use");

    first.ok("BEGIN; SELECT create_namespace('late')");
    let created = meanwhile(&store, "SELECT create_namespace('late')", &mut first, "ROLLBACK");
    assert_eq!(created.expect("created").as_deref(), Some("late"));

    // All at once: one wins.
    let outcomes: Vec<_> = thread::scope(|scope| {
        let attempts: Vec<_> = (0..8)
            .map(|_| store.superuser())
            .map(|mut session| scope.spawn(move || session.run("SELECT create_namespace('race')")))
            .collect();
        attempts.into_iter().map(|attempt| attempt.join().expect("an attempt")).collect()
    });
    assert_eq!(outcomes.iter().filter(|outcome| outcome.result.is_ok()).count(), 1);
    for failure in outcomes.iter().filter_map(|outcome| outcome.result.as_ref().err()) {
        assert_own_error(failure, "Namespace already exists: race");
    }
    assert_eq!(first.number(&write("race", "account-1")), 0);
}

#[test]
fn deleting_waits_for_writers_and_readers() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    for (begin, end) in [("write", "COMMIT"), ("write", "ROLLBACK"), ("read", "COMMIT")] {
        session.ok("SELECT create_namespace('tenant')");
        let mut user = store.superuser();
        let call = match begin {
            "write" => write("tenant", "account-1"),
            _ => "SELECT count(*) FROM get_all_messages(1, 10, 'tenant')".into(),
        };
        user.ok(&format!("BEGIN; {call}"));
        let deleted = meanwhile(&store, "SELECT delete_namespace('tenant')", &mut user, end);
        assert_eq!(deleted.expect("deleted").as_deref(), Some("tenant"));
        assert!(!schema_exists(&mut session, "tenant"));
        error(&mut user, &write("tenant", "account-1"), "Namespace does not exist: tenant");
    }
}

#[test]
fn clearing_waits_for_writers() {
    let store = Store::fresh(Target::Ours);
    let mut user = store.superuser();
    user.ok("SELECT create_namespace('tenant')");
    user.ok(&write("tenant", "account-1"));
    user.ok(&format!("BEGIN; {}", write("tenant", "account-1")));
    let cleared = meanwhile(&store, "SELECT clear_namespace('tenant')", &mut user, "COMMIT");
    assert_eq!(cleared.expect("cleared").as_deref(), Some("2"));
    user.ok(&format!("BEGIN; {}", write("tenant", "account-1")));
    let cleared = meanwhile(&store, "SELECT clear_namespace('tenant')", &mut user, "ROLLBACK");
    assert_eq!(cleared.expect("cleared").as_deref(), Some("0"));
}

#[test]
fn who_comes_after_a_deletion_gets_the_namespace_error() {
    let store = Store::fresh(Target::Ours);
    for call in calls::by_argument("tenant").iter().filter(|call| !call.contains("acquire_lock")) {
        let mut deleter = store.superuser();
        deleter.ok("SELECT create_namespace('tenant')");
        deleter.ok("BEGIN; SELECT delete_namespace('tenant')");
        let failure = meanwhile(&store, call, &mut deleter, "COMMIT").expect_err(call);
        assert_own_error(&failure, "Namespace does not exist: tenant");
    }
    // And when it was not deleted after all, they go on.
    let mut deleter = store.superuser();
    deleter.ok("SELECT create_namespace('tenant')");
    deleter.ok("BEGIN; SELECT delete_namespace('tenant')");
    let written = meanwhile(&store, &write("tenant", "account-1"), &mut deleter, "ROLLBACK");
    assert_eq!(written.expect("written").as_deref(), Some("0"));
    // A store of the same name is another store: who waited for the old one does not write into the new one unasked.
    deleter.ok("BEGIN; SELECT delete_namespace('tenant'); SELECT create_namespace('tenant')");
    let outcome = meanwhile(&store, &write("tenant", "account-1"), &mut deleter, "COMMIT");
    match outcome {
        Ok(position) => assert_eq!(position.as_deref(), Some("0")),
        Err(failure) => assert_own_error(&failure, "Namespace does not exist: tenant"),
    }
    assert_eq!(deleter.number(&write("tenant", "account-2")), 0);
}

/// Whatever of it is dropped between two look-ups of a call: the store, or the error that names it.
#[test]
fn who_calls_while_it_is_deleted_is_told_that_it_is_gone() {
    let store = Store::fresh(Target::Ours);
    let ended = AtomicBool::new(false);
    let is_over = || ended.load(Ordering::Relaxed);
    let told: Vec<(usize, usize)> = thread::scope(|scope| {
        let users: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut session = store.superuser();
                    let (mut gone, mut there) = (0, 0);
                    while !is_over() {
                        for call in calls::by_argument("tenant") {
                            match session.run(&call).result {
                                Ok(_) => there += 1,
                                Err(failure) if failure.message == "Namespace does not exist: tenant" => gone += 1,
                                // Two writers of one message, and a truncated stream that has none.
                                Err(failure) if ["23505", "P0001"].contains(&failure.sqlstate.as_str()) => there += 1,
                                Err(failure) => panic!("{call}: {failure}"),
                            }
                        }
                    }
                    (gone, there)
                })
            })
            .collect();
        let mut owner = store.superuser();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(4) && users.iter().all(|user| !user.is_finished()) {
            owner.ok("SELECT create_namespace('tenant')");
            owner.ok("SELECT pg_sleep(0.002)");
            owner.ok("SELECT delete_namespace('tenant')");
        }
        ended.store(true, Ordering::Relaxed);
        users.into_iter().map(|user| user.join().expect("a user")).collect()
    });
    let (gone, there) = told.iter().fold((0, 0), |sum, told| (sum.0 + told.0, sum.1 + told.1));
    println!("{gone} calls found it gone, {there} found it there");
    assert!(gone > 50 && there > 50, "{gone} calls found it gone, {there} found it there");
}

#[test]
fn two_who_delete_the_same_one() {
    let store = Store::fresh(Target::Ours);
    let mut first = store.superuser();
    first.ok("SELECT create_namespace('tenant')");
    first.ok("BEGIN; SELECT delete_namespace('tenant')");
    let failure = meanwhile(&store, "SELECT delete_namespace('tenant')", &mut first, "COMMIT").expect_err("gone");
    assert_own_error(&failure, "Namespace does not exist: tenant");
}

/// The namespace that a role writes to is kept while its deleter waits, however many they are.
#[test]
fn writers_of_a_namespace_that_is_deleted_again_and_again() {
    let store = Store::fresh(Target::Ours);
    let bob = role(&store, "bob");
    granted(&store, "tenant", &bob);
    store.superuser().ok(&format!("GRANT message_store TO {bob}"));
    let done = std::sync::atomic::AtomicBool::new(false);
    let (written, refused) = thread::scope(|scope| {
        let end = message_store_tests::consumer::SetAtEnd(&done);
        let writers: Vec<_> = (0..4)
            .map(|n| {
                let mut session = store.session_as(&bob);
                session.ok("SET search_path = tenant, message_store");
                let done = &done;
                scope.spawn(move || {
                    let (mut written, mut refused) = (0, 0);
                    while !done.load(std::sync::atomic::Ordering::SeqCst) {
                        let call = if n % 2 == 0 {
                            format!("SELECT write_message(NULL, 'account{n}-1', 'T', '{{}}')")
                        } else {
                            write("tenant", &format!("account{n}-1"))
                        };
                        match session.run(&call).result {
                            Ok(_) => written += 1,
                            Err(failure) => {
                                failure.assert_clean();
                                let known = match failure.sqlstate.as_str() {
                                    "P0001" => failure.message == "Namespace does not exist: tenant",
                                    "42501" => failure.message == "permission denied for schema tenant",
                                    _ => false,
                                };
                                assert!(known, "{failure}");
                                refused += 1;
                            }
                        }
                    }
                    (written, refused)
                })
            })
            .collect();
        let mut superuser = store.superuser();
        for _ in 0..30 {
            thread::sleep(std::time::Duration::from_millis(20));
            // In one transaction, so that the name is registered at every moment.
            superuser.ok(&format!(
                "BEGIN; SELECT delete_namespace('tenant'); SELECT create_namespace('tenant');
                 SELECT grant_namespace('tenant', '{bob}', 'write'); COMMIT"
            ));
        }
        drop(end);
        writers.into_iter().map(|writer| writer.join().expect("a writer")).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    });
    eprintln!("{written} written, {refused} refused");
    assert!(written > 100);
    assert_eq!(count(&store, "message_store"), 0, "nothing landed in the default store");
}
