//! What a backend holds at a moment.

use message_store_tests::Session;
use std::time::{Duration, Instant};

/// In kB, but for the counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// Memory of the process that is its own.
    pub private: i64,
    /// What Postgres has allocated in all its memory contexts.
    pub contexts: i64,
    /// Memory contexts of plans that are kept, up to three a plan.
    pub plans: i64,
    /// Open files, but for those of tables that are there.
    pub descriptors: i64,
    /// Locks outside of a transaction: there must be none.
    pub locks: i64,
}

/// Locks that an idle backend would have kept, but for those of the query itself.
const LOCKS: &str = "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()
    AND (locktype IN ('advisory', 'userlock', 'transactionid')
         OR locktype = 'relation' AND relation::regclass::text LIKE '%messages%')";

const KEPT: &str = "SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'CachedPlan%'";

impl Sample {
    /// Of a session's backend.
    pub fn take(session: &mut Session) -> Sample {
        let backend = session.number("SELECT pg_backend_pid()");
        let status = std::fs::read_to_string(format!("/proc/{backend}/status")).expect("the backend's status");
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("RssAnon");
        Sample {
            private: line.trim().trim_end_matches(" kB").parse().expect("a number"),
            contexts: session.number("SELECT sum(total_bytes)::bigint / 1024 FROM pg_backend_memory_contexts"),
            plans: session.number(KEPT),
            descriptors: descriptors(backend),
            locks: session.number(LOCKS),
        }
    }

    /// What a fifth more than this growth in memory is. Not of other things: nothing but memory may grow.
    fn and_a_fifth(self) -> Sample {
        let more = |grown: i64| grown.max(0) * 6 / 5;
        Sample { private: more(self.private), contexts: more(self.contexts), ..Sample::default() }
    }

    fn max(self, other: Sample) -> Sample {
        Sample {
            private: self.private.max(other.private),
            contexts: self.contexts.max(other.contexts),
            plans: self.plans.max(other.plans),
            descriptors: self.descriptors.max(other.descriptors),
            locks: self.locks.max(other.locks),
        }
    }
}

/// Postgres keeps the files of tables open that it has read, as many as it may. Whenever its caches are emptied it reads
/// more of its catalog, so their number goes up and down.
fn descriptors(process: i64) -> i64 {
    let folder = std::fs::read_dir(format!("/proc/{process}/fd")).expect("the process' files");
    let others = folder.filter(|entry| {
        let path = entry.as_ref().ok().and_then(|entry| std::fs::read_link(entry.path()).ok());
        let path = path.map(|path| path.display().to_string()).unwrap_or_default();
        let is_table = path.contains("/base/") || path.contains("/global/");
        !is_table || path.ends_with(" (deleted)")
    });
    i64::try_from(others.count()).expect("a count")
}

/// The samples of one backend, and what it has done.
pub struct Course {
    what: &'static str,
    started: Instant,
    time: Duration,
    next: Instant,
    /// The most in the first half, in which caches fill.
    warm: Sample,
    /// The most in the second half.
    after: Sample,
    /// How often it has done its work.
    pub rounds: usize,
}

/// What may grow after the first half, beside a tenth of what there was: an allocator's slack.
const SLACK_KB: i64 = 4 * 1024;
const DESCRIPTORS: i64 = 32;
/// A statement or two that came up in the second half only.
const PLANS: i64 = 6;
/// From how many on a backend looks for those of namespaces that are gone: 64 plans.
const MANY_PLANS: i64 = 3 * 64;

impl Course {
    /// One that lasts for a time.
    pub fn new(what: &'static str, time: Duration) -> Course {
        let now = Instant::now();
        let [warm, after] = [Sample::default(); 2];
        Course { what, started: now, time, next: now, warm, after, rounds: 0 }
    }

    /// Whether the time is over. Takes a sample now and then, 40 in all.
    pub fn is_over(&mut self, session: &mut Session) -> bool {
        let now = Instant::now();
        if now >= self.next {
            self.next = now + self.time / 40;
            let sample = Sample::take(session);
            let half = if now - self.started < self.time / 2 { &mut self.warm } else { &mut self.after };
            *half = half.max(sample);
        }
        now - self.started >= self.time
    }

    /// Prints what it came to, and answers what is wrong with it.
    pub fn finish(mut self, session: &mut Session) -> Vec<String> {
        self.end(session);
        self.wrong(Sample::default())
    }

    /// The same beside a connection that did as much with plain SQL, whose memory Postgres lets grow, too: its caches
    /// keep that there is nothing more to know of a table that is gone.
    pub fn finish_beside(
        mut self,
        session: &mut Session,
        mut plain: Course,
        plain_session: &mut Session,
    ) -> Vec<String> {
        plain.end(plain_session);
        self.end(session);
        let plans = (MANY_PLANS - self.warm.plans).max(self.warm.plans / 5);
        self.wrong(Sample { plans, ..plain.growth().and_a_fifth() })
    }

    fn end(&mut self, session: &mut Session) {
        self.after = self.after.max(Sample::take(session));
        let Course { what, warm, after, rounds, .. } = self;
        println!(
            "{what:<16} {rounds:>9} rounds; private {} -> {} kB, contexts {} -> {} kB, plans {} -> {}, files {} -> {}, \
             locks {}",
            warm.private,
            after.private,
            warm.contexts,
            after.contexts,
            warm.plans,
            after.plans,
            warm.descriptors,
            after.descriptors,
            after.locks
        );
    }

    fn growth(&self) -> Sample {
        Sample {
            private: self.after.private - self.warm.private,
            contexts: self.after.contexts - self.warm.contexts,
            plans: self.after.plans - self.warm.plans,
            descriptors: self.after.descriptors - self.warm.descriptors,
            locks: self.warm.locks.max(self.after.locks),
        }
    }

    /// What grew by more than is allowed beside the slack.
    fn wrong(&self, allowed: Sample) -> Vec<String> {
        let Course { what, warm, after, rounds, .. } = self;
        let growth = self.growth();
        let mut wrong = Vec::new();
        for (of, grown, now, slack) in [
            ("private memory", growth.private, after.private, allowed.private + SLACK_KB + warm.private / 10),
            ("memory contexts", growth.contexts, after.contexts, allowed.contexts + SLACK_KB + warm.contexts / 10),
            ("kept plans", growth.plans, after.plans, allowed.plans + PLANS + warm.plans / 10),
            ("open files", growth.descriptors, after.descriptors, DESCRIPTORS),
            ("locks while idle", growth.locks, growth.locks, 0),
        ] {
            if grown > slack {
                wrong.push(format!("{what}: {of} grew by {grown} to {now}, by more than {slack}"));
            }
        }
        if *rounds == 0 {
            wrong.push(format!("{what}: did nothing"));
        }
        wrong
    }
}
