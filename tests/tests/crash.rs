//! A server that dies under load. Each round pipelines commits or not, and stops at once or is killed; the long form,
//! `MESSAGE_STORE_LONG=1`, does 32 rounds with each lock.

use message_store_tests::load::{Acknowledged, Load, connect, is_long, is_whole, lost};
use message_store_tests::wal::alone;
use message_store_tests::{Crash, Store, follower};
use std::thread;
use std::time::Duration;

const WRITERS: usize = 8;
const TABLE: &str = "message_store.messages";

fn rounds() -> usize {
    if is_long() { 32 } else { 4 }
}

/// Crashes the server while all write and read, and returns what was acknowledged.
fn crash_under_load(
    store: &Store,
    round: usize,
    settings: &str,
    way: Crash,
    followers: &mut [follower::Follower],
) -> Acknowledged {
    let client = || {
        let mut client = connect(store);
        client.batch_execute(settings).expect("settings");
        client
    };
    thread::scope(|scope| {
        for follower in followers {
            let mut client = connect(store);
            scope.spawn(move || follower.until_it_fails(&mut client));
        }
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let mut client = client();
                let mut load = Load::new(number, round);
                scope.spawn(move || {
                    load.until_it_fails(&mut client);
                    load.acknowledged()
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(400));
        store.cluster.crash(way);
        writers.into_iter().flat_map(|writer| writer.join().expect("a writer")).collect()
    })
}

fn no_acknowledged_message_is_lost(mode: &str) {
    let store = alone();
    store.superuser().ok(&format!("SELECT set_namespace_option('message_store', 'append_lock', '{mode}')"));
    let mut all = Acknowledged::new();
    let mut followers = follower::of_each_kind(&mut store.superuser(), "message_store");
    let mut kills = 0;
    for round in 0..rounds() {
        let pipelining = ["auto", "off"][round % 2];
        let way = [Crash::Kill, Crash::Stop][round / 2 % 2];
        kills += usize::from(way == Crash::Kill);
        let settings = format!("SET message_store.commit_pipelining = {pipelining}");
        let acknowledged = crash_under_load(&store, round, &settings, way, &mut followers);
        assert!(acknowledged.len() > 50, "a load: {}", acknowledged.len());
        all.extend(acknowledged);
        let mut session = store.superuser();
        let lost = lost(&mut session, TABLE, &all);
        assert_eq!(lost, 0, "round {round}, {pipelining}, {way:?}: of {} acknowledged messages", all.len());
        is_whole(&mut session, "message_store");
        for follower in &mut followers {
            follower.must_have_seen_all(|| connect(&store), &mut session);
        }
    }
    eprintln!("{mode}: {} acknowledged messages in {} crashes, {kills} of them by SIGKILL", all.len(), rounds());
}

#[test]
fn a_crash_loses_no_acknowledged_message_where_writers_lock_categories() {
    no_acknowledged_message_is_lost("category");
}

#[test]
fn a_crash_loses_no_acknowledged_message_where_writers_lock_streams() {
    no_acknowledged_message_is_lost("stream");
}

/// What the flush prevents, or else the tests above prove nothing.
#[test]
fn a_crash_loses_messages_whose_writers_do_not_wait_for_the_flush() {
    let store = alone();
    for (way, mut rounds) in [(Crash::Stop, 0..10), (Crash::Kill, 10..20)] {
        // Somebody else's flush may come right before a crash.
        let has_lost = rounds.any(|round| {
            let acknowledged = crash_under_load(&store, round, "SET synchronous_commit = off", way, &mut []);
            let mut session = store.superuser();
            let lost = lost(&mut session, TABLE, &acknowledged);
            eprintln!("{way:?}: {lost} of {} messages lost", acknowledged.len());
            is_whole(&mut session, "message_store");
            lost > 0
        });
        assert!(has_lost, "{way:?}: none was ever lost");
    }
}
