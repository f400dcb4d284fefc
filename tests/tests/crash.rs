//! A server that dies under load, at a random moment. Each round pipelines commits or not, and stops at once or is killed,
//! whole or the postmaster alone; the long form, `MESSAGE_STORE_LONG=1`, does 48 rounds with each lock.

use message_store_tests::follower::{self, Follower};
use message_store_tests::load::{Acknowledged, Load, connect, is_long, is_whole, lost};
use message_store_tests::namespaces::granted;
use message_store_tests::wal::{Alone, alone};
use message_store_tests::{Crash, Session, Store};
use rand::Rng;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const WRITERS: usize = 8;
/// So many calls are answered before a crash.
const LOAD: usize = 50;
/// Half of the writers write to the default store, half to the other.
const NAMESPACES: [&str; 2] = ["message_store", "tenant-a"];
/// Beyond the postmaster's end.
const LONGER: Duration = Duration::from_millis(400);

/// What was acknowledged in each of [`NAMESPACES`].
type Answers = [Acknowledged; 2];

fn rounds(short: usize, long: usize) -> usize {
    if is_long() { long } else { short }
}

/// How and when a server dies.
#[derive(Clone, Copy, Debug)]
struct Death {
    way: Crash,
    after: Duration,
    /// When somebody asks for a checkpoint. It may not come to its end.
    checkpoint: Option<Duration>,
}

impl Death {
    fn new(way: Crash) -> Death {
        // 400 ms in the mean.
        let after = rand::rng().random_range(Duration::from_millis(50)..Duration::from_millis(750));
        Death { way, after, checkpoint: None }
    }

    fn with_checkpoint(self) -> Death {
        let checkpoint = rand::rng().random_range(Duration::ZERO..self.after);
        Death { checkpoint: Some(checkpoint), ..self }
    }
}

/// A store with both namespaces.
fn store() -> Alone {
    let store = alone();
    granted(&store, NAMESPACES[1], "message_store");
    store
}

/// Crashes the server while all write and read, and returns what was acknowledged.
fn crash_under_load(store: &Store, round: usize, settings: &str, death: Death, followers: &mut [Follower]) -> Answers {
    let answered = AtomicUsize::new(0);
    let answered = &answered;
    thread::scope(|scope| {
        for follower in followers {
            let mut client = connect(store);
            scope.spawn(move || follower.until_it_fails(&mut client));
        }
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let mut client = connect(store);
                client.batch_execute(settings).expect("settings");
                let mut load = Load::new(number, round);
                // Neighbours share streams.
                let namespace = number / 2 % 2;
                load.namespace = (namespace > 0).then(|| NAMESPACES[namespace].into());
                scope.spawn(move || {
                    while load.write(&mut client).is_ok() {
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                    (namespace, load.acknowledged())
                })
            })
            .collect();
        let started = Instant::now();
        if let Some(after) = death.checkpoint {
            let mut bystander = store.superuser();
            scope.spawn(move || {
                thread::sleep(after);
                let _ = bystander.client().batch_execute("CHECKPOINT");
            });
        }
        let longest = (death.way == Crash::Postmaster).then(|| {
            let longest = scope.spawn(move || goes_on(store, round, death.after + LONGER));
            let mut watcher = store.superuser();
            let active = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'DO %'";
            while watcher.number(active) == 0 {}
            longest
        });
        thread::sleep(death.after);
        while answered.load(Ordering::SeqCst) <= LOAD {
            assert!(started.elapsed() < Duration::from_secs(30), "no load");
            thread::sleep(Duration::from_millis(1));
        }
        store.cluster.crash(death.way);
        if let Some(longest) = longest {
            longest.join().expect("a writer");
        }
        let mut answers = Answers::default();
        for writer in writers {
            let (namespace, acknowledged) = writer.join().expect("a writer");
            answers[namespace].extend(acknowledged);
        }
        answers
    })
}

/// Writes for a time in one transaction, the last message of another type. By psql, which has read the answer before it
/// looks at what the backend says about the postmaster.
fn goes_on(store: &Store, round: usize, time: Duration) {
    let write = format!(
        "DO $$
         DECLARE
           until timestamptz := clock_timestamp() + '{} ms';
         BEGIN
           WHILE clock_timestamp() < until LOOP
             PERFORM message_store.write_message(NULL, 'long-{round}', 'T', '{{}}');
           END LOOP;
           PERFORM message_store.write_message(NULL, 'long-{round}', 'Last', '{{}}');
         END $$",
        time.as_millis()
    );
    let mut psql = store.cluster.command("psql");
    let psql = psql.args(["--no-psqlrc", "--dbname", &store.database, "--command", &write]).output().expect("psql");
    assert!(psql.status.success(), "without a postmaster: {}", String::from_utf8_lossy(&psql.stderr));
}

fn lost_of(session: &mut Session, answers: &Answers) -> [usize; 2] {
    [0, 1].map(|n| lost(session, &format!("\"{}\".messages", NAMESPACES[n]), &answers[n]))
}

fn no_acknowledged_message_is_lost(mode: &str, ways: &[Crash], rounds: usize) {
    let store = store();
    let mut followers = Vec::new();
    for (n, namespace) in NAMESPACES.into_iter().enumerate() {
        let mut superuser = store.superuser();
        superuser.ok(&format!("SELECT set_namespace_option('{namespace}', 'append_lock', '{mode}')"));
        // Half of the kinds in each, and the other half with the other lock.
        let skipped = if mode == "category" { n } else { 1 - n };
        followers.extend(follower::of_each_kind(&mut superuser, namespace).into_iter().skip(skipped).step_by(2));
    }
    let mut all = Answers::default();
    let first_checkpoint = rand::rng().random_range(0..3);
    for round in 0..rounds {
        let pipelining = ["auto", "off"][round % 2];
        let death = Death::new(ways[round / 2 % ways.len()]);
        let death = if round % 3 == first_checkpoint { death.with_checkpoint() } else { death };
        let settings = format!("SET message_store.commit_pipelining = {pipelining}");
        let answers = crash_under_load(&store, round, &settings, death, &mut followers);
        assert!(answers.iter().map(Acknowledged::len).sum::<usize>() > LOAD, "a load");
        all.iter_mut().zip(answers).for_each(|(all, answers)| all.extend(answers));
        let mut session = store.superuser();
        assert_eq!(lost_of(&mut session, &all), [0, 0], "round {round}, {pipelining}, {death:?}");
        for namespace in NAMESPACES {
            is_whole(&mut session, namespace);
        }
        for follower in &mut followers {
            follower.must_have_seen_all(|| connect(&store), &mut session);
        }
        if death.way == Crash::Postmaster {
            let ends = format!("SELECT count(*) FROM messages WHERE stream_name = 'long-{round}' AND type = 'Last'");
            assert_eq!(session.number(&ends), 1, "what was answered after the postmaster's end");
        }
    }
    let count: usize = all.iter().map(Acknowledged::len).sum();
    eprintln!("{mode}, {ways:?}: {count} acknowledged messages in {rounds} crashes");
}

#[test]
fn a_crash_loses_no_acknowledged_message_where_writers_lock_categories() {
    no_acknowledged_message_is_lost("category", &[Crash::Kill, Crash::Stop], rounds(4, 32));
}

#[test]
fn a_crash_loses_no_acknowledged_message_where_writers_lock_streams() {
    no_acknowledged_message_is_lost("stream", &[Crash::Kill, Crash::Stop], rounds(4, 32));
}

/// Backends go on until they notice, one to the end of a long transaction.
#[test]
fn backends_that_outlive_the_postmaster_lose_no_acknowledged_message() {
    for mode in ["category", "stream"] {
        no_acknowledged_message_is_lost(mode, &[Crash::Postmaster], rounds(1, 16));
    }
}

/// What the flush prevents, or else the tests above prove nothing: each way takes messages away, and each store loses some.
#[test]
fn a_crash_loses_messages_whose_writers_do_not_wait_for_the_flush() {
    const WAYS: [Crash; 2] = [Crash::Stop, Crash::Kill];
    let store = store();
    let (mut by_way, mut by_store) = ([0; 2], [0; 2]);
    // Somebody else's flush may come right before a crash.
    for round in 0..40 {
        let way = WAYS[round % 2];
        let answers = crash_under_load(&store, round, "SET synchronous_commit = off", Death::new(way), &mut []);
        let mut session = store.superuser();
        let lost = lost_of(&mut session, &answers);
        eprintln!("{way:?}: {lost:?} of {:?} messages lost", answers.each_ref().map(Acknowledged::len));
        for (n, namespace) in NAMESPACES.into_iter().enumerate() {
            is_whole(&mut session, namespace);
            by_store[n] += lost[n];
            by_way[round % 2] += lost[n];
        }
        if by_way.iter().chain(&by_store).all(|lost| *lost > 0) {
            return;
        }
    }
    panic!("lost by {WAYS:?}: {by_way:?}, of {NAMESPACES:?}: {by_store:?}");
}
