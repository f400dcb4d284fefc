//! What namespaces cost: making them, having a thousand of them, and writing to one of a thousand.

use message_store_tests::{Session, Store, Target};
use std::time::{Duration, Instant};

const MANY: usize = 1000;

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn timed(run: impl FnOnce()) -> Duration {
    let started = Instant::now();
    run();
    started.elapsed()
}

#[test]
fn creating_and_deleting_take_milliseconds() {
    let store = Store::fresh(Target::Ours);
    let mut session = store.superuser();
    let mut created: Vec<Duration> =
        (0..50).map(|n| timed(|| session.ok(&format!("SELECT create_namespace('t{n}')")))).collect();
    session.ok(
        "SELECT write_message(NULL, 'account-' || n, 'T', '{}', NULL, NULL, 't1') FROM generate_series(1, 1000) AS n",
    );
    let mut deleted: Vec<Duration> =
        (0..50).map(|n| timed(|| session.ok(&format!("SELECT delete_namespace('t{n}')")))).collect();
    let (create, delete) = (median(&mut created), median(&mut deleted));
    eprintln!("medians of 50: create_namespace {create:.1?}, delete_namespace {delete:.1?}");
    assert!(create < Duration::from_millis(100) && delete < Duration::from_millis(200));
}

/// Memory of a session's backend that is its own, in kB.
fn memory(session: &mut Session) -> i64 {
    let backend = session.number("SELECT pg_backend_pid()");
    let status = std::fs::read_to_string(format!("/proc/{backend}/status")).expect("the backend's status");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("RssAnon");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn one_of_a_thousand_is_written_to_like_the_default_one() {
    let store = Store::fresh(Target::Ours);
    let mut admin = store.superuser();
    let mut created: Vec<Duration> =
        (0..MANY).map(|n| timed(|| admin.ok(&format!("SELECT create_namespace('tenant-{n}')")))).collect();
    let last = median(&mut created[MANY - 50..]);
    eprintln!("{MANY} namespaces; the median of the last 50 create_namespace: {last:.1?}");

    let mut session = store.superuser();
    let write = "SELECT write_message(NULL, 'account-1', 'T', '{\"amount\": 1}', NULL, NULL, $1)";
    let write = session.client().prepare(write).expect("a statement");
    let write = |session: &mut Session, namespace: Option<&str>| {
        timed(|| assert!(session.client().execute(&write, &[&namespace]).expect("a write") == 1))
    };
    // Interleaved, one for one, after a while in which nothing counts.
    let (mut default, mut named, mut explicit) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..4000 {
        let times = [None, Some("tenant-500"), Some("message_store")].map(|ns| write(&mut session, ns));
        if round >= 500 {
            default.push(times[0]);
            named.push(times[1]);
            explicit.push(times[2]);
        }
    }
    let [default, named, explicit] = [default, named, explicit].map(|mut times| median(&mut times));
    let ratio = named.as_secs_f64() / default.as_secs_f64();
    eprintln!(
        "median write: default store {default:.1?}, by its name {explicit:.1?}, one of {MANY} {named:.1?}: {ratio:.3}"
    );

    let before = memory(&mut session);
    let mut first: Vec<Duration> = (0..MANY).map(|n| write(&mut session, Some(&format!("tenant-{n}")))).collect();
    let after = memory(&mut session);
    let mut second: Vec<Duration> = (0..MANY).map(|n| write(&mut session, Some(&format!("tenant-{n}")))).collect();
    let (first, second) = (median(&mut first), median(&mut second));
    eprintln!("median write to each of {MANY}: the first time {first:.1?}, the second time {second:.1?}");
    eprintln!("memory of the backend: {before} kB, after it has written to {MANY} namespaces {after} kB");

    let read = |session: &mut Session, n: usize| {
        let read = format!(
            "SELECT count(*) FROM get_category_messages('account', 1, 10, NULL, NULL, NULL, NULL, 'tenant-{n}')"
        );
        assert!(session.number(&read) >= 2);
    };
    (0..MANY).for_each(|n| read(&mut session, n));
    eprintln!("and read from them too {} kB", memory(&mut session));
    assert!(after - before < 300 * 1024, "{} kB", after - before);
    assert!(ratio < 1.3, "{ratio}");
}
