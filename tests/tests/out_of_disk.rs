//! A disk that is full: of the messages' tablespace, and of the write-ahead log. The disk is a small one of the cluster's own.

use message_store_tests::load::{Acknowledged, Load, connect, is_whole, lost};
use message_store_tests::{Cluster, Failure, Lacks, SmallDisk, Store, Target, follower, leave_out};
use postgres::Client;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const WRITERS: usize = 6;
const TABLE: &str = "message_store.messages";

/// A store in a cluster of its own with a small disk; `None` where nothing may be mounted.
fn on_small_disk(disk: SmallDisk, settings: &[&str]) -> Option<Store> {
    if !SmallDisk::is_possible() {
        leave_out(Lacks::Rights, &format!("{disk:?} on a full disk, for nothing may be mounted here (it takes root)"));
        return None;
    }
    let cluster = Box::leak(Box::new(Cluster::start_on_small_disk(settings, disk)));
    Some(Store::fresh_in(cluster, Target::Ours))
}

/// Half of the writers pipeline commits, and half of each reach the table directly.
fn writer(store: &Store, number: usize) -> Client {
    let mut client = connect(store);
    let pipelining = ["auto", "off"][number % 2];
    let direct = ["on", "off"][number / 2 % 2];
    let settings =
        format!("SET message_store.commit_pipelining = {pipelining}; SET message_store.direct_access = {direct}");
    client.batch_execute(&settings).expect("settings");
    client
}

fn messages(store: &Store) -> i64 {
    store.superuser().number(&format!("SELECT count(*) FROM {TABLE}"))
}

#[test]
fn on_a_full_disk_writes_fail_in_postgres_words_and_go_on_when_there_is_room() {
    let settings = ["fsync=off", "shared_buffers=16MB", "autovacuum=off"];
    let Some(store) = on_small_disk(SmallDisk::Tablespace, &settings) else { return };
    let mut superuser = store.superuser();
    let folder = store.cluster.tablespace_folder();
    superuser.ok(&format!("CREATE TABLESPACE small LOCATION '{}'", folder.display()));
    superuser.ok(&format!("ALTER TABLE {TABLE} SET TABLESPACE small"));
    let indexes = superuser.rows("SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'messages'::regclass");
    for mut index in indexes {
        superuser.ok(&format!("ALTER INDEX {} SET TABLESPACE small", index.remove(0).expect("a name")));
    }
    let mut followers = follower::of_each_kind(&mut superuser, "message_store");
    let mut all = Acknowledged::new();
    for (round, mode) in ["category", "stream"].into_iter().enumerate() {
        superuser.ok(&format!("SELECT set_namespace_option('message_store', 'append_lock', '{mode}')"));
        let done = AtomicBool::new(false);
        let failed: usize = thread::scope(|scope| {
            for follower in &mut followers {
                scope.spawn(|| follower.until_done(|| connect(&store), &done));
            }
            let writers: Vec<_> = (0..WRITERS)
                .map(|number| {
                    let (store, done) = (&store, &done);
                    scope.spawn(move || {
                        let (mut load, mut client, mut failed) = (Load::new(number, round), writer(store, number), 0);
                        while !done.load(Ordering::SeqCst) {
                            if let Err(error) = load.write(&mut client) {
                                let failure = Failure::from_driver(&error);
                                failure.assert_clean();
                                assert_eq!(failure.sqlstate, "53100", "{failure}");
                                assert!(failure.message.contains("No space left on device"), "{failure}");
                                failed += 1;
                                thread::sleep(Duration::from_millis(2));
                            }
                        }
                        // It was one connection all the time.
                        load.write(&mut client).expect("written, with room");
                        (load.acknowledged(), failed)
                    })
                })
                .collect();
            for _ in 0..3 {
                thread::sleep(Duration::from_millis(150));
                store.cluster.fill_disk();
                thread::sleep(Duration::from_millis(400));
                let mut before = messages(&store);
                let until = Instant::now() + Duration::from_secs(10);
                loop {
                    thread::sleep(Duration::from_millis(100));
                    // What is free in the pages there are is used first: from Postgres 16 on that may be half a megabyte.
                    let now = messages(&store);
                    if now == before {
                        break;
                    }
                    assert!(Instant::now() < until, "the disk is not full");
                    before = now;
                }
                store.cluster.make_room();
                let until = Instant::now() + Duration::from_secs(10);
                while messages(&store) < before + 100 {
                    assert!(Instant::now() < until, "nothing is written, though there is room");
                    thread::sleep(Duration::from_millis(5));
                }
            }
            done.store(true, Ordering::SeqCst);
            let (acknowledged, failed): (Vec<Acknowledged>, Vec<usize>) =
                writers.into_iter().map(|writer| writer.join().expect("a writer")).unzip();
            all.extend(acknowledged.into_iter().flatten());
            failed.into_iter().sum()
        });
        assert!(failed > 0, "no write failed");
        assert_eq!(lost(&mut superuser, TABLE, &all), 0, "of {}", all.len());
        is_whole(&mut superuser, "message_store");
        for follower in &mut followers {
            follower.must_have_seen_all(|| connect(&store), &mut superuser);
        }
        let left = "SELECT count(*) FROM pg_locks WHERE locktype IN ('advisory', 'userlock')";
        assert_eq!(superuser.number(left), 0, "locks are left behind");
        eprintln!("{mode}: 3 times full, {failed} writes failed, {} messages acknowledged", all.len());
    }
}

/// Postgres ends itself, since it cannot keep its promise. Nothing that it acknowledged is gone when it is started again.
#[test]
fn with_a_full_log_the_server_stops_and_comes_back_with_every_acknowledged_message() {
    // So that no segments of the log are kept for later.
    let settings = ["wal_recycle=off", "min_wal_size=2MB", "wal_buffers=1MB", "shared_buffers=16MB", "autovacuum=off"];
    let Some(store) = on_small_disk(SmallDisk::Log, &settings) else { return };
    let mut followers = follower::of_each_kind(&mut store.superuser(), "message_store");
    let mut all = Acknowledged::new();
    for (round, mode) in ["category", "stream"].into_iter().enumerate() {
        store.superuser().ok(&format!("SELECT set_namespace_option('message_store', 'append_lock', '{mode}')"));
        thread::scope(|scope| {
            for follower in &mut followers {
                let mut client = connect(&store);
                scope.spawn(move || follower.until_it_fails(&mut client));
            }
            let writers: Vec<_> = (0..WRITERS)
                .map(|number| {
                    let (mut load, mut client) = (Load::new(number, round), writer(&store, number));
                    scope.spawn(move || {
                        load.until_it_fails(&mut client);
                        assert!(load.write(&mut client).is_err(), "the server goes on");
                        load.acknowledged()
                    })
                })
                .collect();
            thread::sleep(Duration::from_millis(300));
            store.cluster.fill_disk();
            all.extend(writers.into_iter().flat_map(|writer| writer.join().expect("a writer")));
        });
        let log = std::fs::read_to_string(store.cluster.log()).expect("the server's log");
        let panics = log.lines().filter(|line| line.contains("PANIC:") && line.contains("No space left on device"));
        assert!(panics.count() > round, "not for the full disk:\n{log}");
        store.cluster.make_room();
        store.cluster.start_again();
        drop(connect(&store));
        let mut superuser = store.superuser();
        assert_eq!(lost(&mut superuser, TABLE, &all), 0, "of {}", all.len());
        is_whole(&mut superuser, "message_store");
        for follower in &mut followers {
            follower.must_have_seen_all(|| connect(&store), &mut superuser);
        }
        eprintln!("{mode}: {} messages acknowledged, every one there", all.len());
    }
}
