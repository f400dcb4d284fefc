//! Random operations run on two stores in Postgres, and on one in SQLite beside them, which must answer alike.

mod operation;
mod portable;
mod reads;
mod sqlite_side;
pub(crate) mod values;
mod writes;

use crate::{Failure, Outcome, Session, Store};
use operation::{Actor, Generator, Operation};
use sqlite_side::SqliteSide;
use std::collections::BTreeMap;

/// What a run has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Operations that returned, and rows that they returned.
    pub succeeded: usize,
    /// See [`Seen::succeeded`].
    pub rows: usize,
    /// Operations that failed, by SQLSTATE.
    pub failed: BTreeMap<String, usize>,
    /// Operations that SQLite has answered, too.
    pub compared_with_sqlite: usize,
    /// Operations that it was not given, by the reason.
    pub skipped_on_sqlite: BTreeMap<&'static str, usize>,
}

struct Side {
    main: Session,
    other: Session,
}

impl Side {
    fn of(store: &Store) -> Side {
        Side { main: store.session(), other: store.session() }
    }

    fn run(&mut self, operation: &Operation) -> Outcome {
        self.session(operation.actor).run(&operation.sql)
    }

    fn session(&mut self, actor: Actor) -> &mut Session {
        match actor {
            Actor::Main => &mut self.main,
            Actor::Other => &mut self.other,
        }
    }
}

/// The column of the messages that the operations read.
const GLOBAL_POSITION: usize = 4;

/// Differences after which a run is given up.
const MANY: usize = 10;

/// Runs `count` operations, made up from `seed`, on both stores, on request on one in SQLite as well, and fails if an
/// answer differed.
pub fn run(left: &Store, right: &Store, with_sqlite: bool, seed: u64, count: usize) -> Seen {
    let mut sqlite = with_sqlite.then(|| SqliteSide::beside(right));
    let mut generator = Generator::new(seed);
    let mut sides = [Side::of(left), Side::of(right)];
    let mut seen = Seen::default();
    let mut differences = Vec::new();
    for number in 0..count {
        let operation = generator.next_operation();
        let [l, r] = sides.each_mut().map(|side| side.run(&operation));
        for outcome in [&l, &r] {
            if let Err(failure) = &outcome.result {
                failure.assert_clean();
            }
        }
        if operation.actor == Actor::Main {
            generator.answered(l.result.is_err());
        }
        match &l.result {
            Ok(rows) => {
                seen.succeeded += 1;
                seen.rows += rows.rows.len();
            }
            Err(failure) => *seen.failed.entry(failure.sqlstate.clone()).or_default() += 1,
        }
        let followed = sqlite.as_mut().map_or(Ok(()), |sqlite| sqlite.follow(&operation, &r, &mut sides[1]));
        let (l, r) = (comparable(l, operation.ordered), comparable(r, operation.ordered));
        let alike = l == r || operation.as_of_call && shows_what_came_since(&l, &r);
        if !alike || followed.is_err() {
            let Operation { actor, sql, .. } = &operation;
            let sqlite = followed.err().map(|answer| format!("\n  SQLite: {answer}")).unwrap_or_default();
            differences.push(format!(
                "operation {number} ({actor:?}): {sql}\n  {}: {l:?}\n  {}: {r:?}{sqlite}",
                left.target, right.target
            ));
        }
        if differences.len() == MANY {
            break;
        }
    }
    assert!(differences.is_empty(), "seed {seed}, {} differences:\n{}", differences.len(), differences.join("\n"));
    for side in &mut sides {
        side.main.ok("ROLLBACK");
    }
    let [l, r] = sides.each_mut().map(|side| content(&mut side.main));
    assert_eq!(l, r, "seed {seed}: the tables' content");
    if let Some(mut sqlite) = sqlite {
        let compared = sqlite.compare_content(&mut sides[1].main);
        assert_eq!(compared, Ok(()), "seed {seed}: the tables' content in SQLite");
        (seen.compared_with_sqlite, seen.skipped_on_sqlite) = (sqlite.compared, sqlite.skipped);
    }
    seen
}

/// Whether a read of a category as of now, the second, shows all that the first shows as of before, as far as it goes.
fn shows_what_came_since(before: &Outcome, now: &Outcome) -> bool {
    let (Ok(before), Ok(now)) = (&before.result, &now.result) else { return false };
    let position = |row: &[Option<String>]| -> i64 {
        let text = row.get(GLOBAL_POSITION).cloned().flatten();
        text.and_then(|text| text.parse().ok()).expect("a global position")
    };
    let end = now.rows.last().map(|row| position(row));
    before.columns == now.columns
        && before.rows.len() <= now.rows.len()
        && before.rows.iter().all(|row| now.rows.contains(row) || end.is_some_and(|end| position(row) > end))
}

fn comparable(mut outcome: Outcome, ordered: bool) -> Outcome {
    outcome.result = outcome.result.map_err(|failure: Failure| failure.comparable());
    if let (Ok(rows), false) = (&mut outcome.result, ordered) {
        rows.rows.sort();
    }
    outcome
}

/// Every message and what the sequence gives next.
fn content(session: &mut Session) -> Vec<Vec<Option<String>>> {
    let mut content = session.rows(
        "SELECT global_position, position, stream_name, type, data, metadata, id FROM messages ORDER BY global_position",
    );
    content.push(vec![session.value("SELECT last_value FROM messages_global_position_seq")]);
    content
}
