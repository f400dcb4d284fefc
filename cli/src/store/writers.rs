//! Who writes to a store in Postgres while it is read, and may still commit what lies below the position given out next.

use std::thread;
use std::time::{Duration, Instant};

use message_store_core::lock_key::category_tag;
use postgres::Client;

use super::{Patience, Result};
use crate::connection::reason;
use crate::interrupt;

/// How often is looked whether they have ended.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// After this time it is said who is waited for.
const SILENT: Duration = Duration::from_secs(1);

/// The transactions that hold the lock which whoever inserts takes before a position is drawn, prepared ones included.
const WRITERS: &str = "l.locktype = 'relation' AND l.granted \
     AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock') \
     AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) \
     AND l.relation = ";

/// The table of messages.
const TABLE: &str = "(SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                      WHERE n.nspname = $1 AND c.relname = 'messages')";

/// What a user can do something with: the session and its role, or the name of what was prepared.
const NAMES: &str = "CASE WHEN l.pid IS NOT NULL \
         THEN format('session %s of role %s (%s), since %s', l.pid, coalesce(a.usename, '?'), coalesce(a.application_name, '?'), \
                     coalesce(to_char(a.xact_start AT TIME ZONE 'utc', 'YYYY-MM-DD HH24:MI:SS'), '?')) \
         ELSE format('prepared transaction %L of role %s, since %s; COMMIT PREPARED or ROLLBACK PREPARED ends it', \
                     coalesce(p.gid, '?'), coalesce(p.owner, '?'), \
                     coalesce(to_char(p.prepared AT TIME ZONE 'utc', 'YYYY-MM-DD HH24:MI:SS'), '?')) END";

/// Whether the server is a standby, where locks are not seen, and sequences are ahead.
pub fn is_standby(client: &mut Client) -> Result<bool> {
    let row = client.query_one("SELECT pg_catalog.pg_is_in_recovery()", &[]).map_err(|error| reason(&error))?;
    row.try_get(0).map_err(|error| reason(&error))
}

/// The lowest global position that a transaction has said it may take, in a category or anywhere, where its writers say so:
/// by a lock whose tag has the low half of the position, and sixteen bits of the category or 0 for all of them. `next` is
/// the one given out next, asked for before.
pub fn lowest_mark(client: &mut Client, schema: &str, category: Option<&str>, next: i64) -> Result<Option<i64>> {
    let sql = format!(
        "SELECT DISTINCT l.objid::bigint FROM pg_catalog.pg_locks l WHERE l.locktype = 'userlock' AND l.granted \
         AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) \
         AND l.classid = {TABLE} AND ($2::integer IS NULL OR l.objsubid IN ($2, 0))"
    );
    // The view shows the sixteen bits as a signed number.
    let tag = category.map(|category| i32::from(category_tag(category.as_bytes()).cast_signed()));
    let rows = client.query(&sql, &[&schema, &tag]).map_err(|error| reason(&error))?;
    let low: std::result::Result<Vec<i64>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    Ok(low.map_err(|error| reason(&error))?.into_iter().map(|low| completed(low, next)).min())
}

/// The position with this low half that is nearest to another one.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // the halves are what is wanted
fn completed(low: i64, near: i64) -> i64 {
    let distance = (low as u32).wrapping_sub(near as u32).cast_signed();
    near.saturating_add(distance.into())
}

/// The position given out next, once whatever is below it is committed or never will be.
///
/// The position is asked for first: who has drawn a lower one holds the lock by then, or has ended.
pub fn settle(
    client: &mut Client,
    schema: &str,
    next: impl FnOnce(&mut Client) -> Result<i64>,
    patience: Patience,
) -> Result<i64> {
    if is_standby(client)? {
        return Err("this is a standby, where nobody knows who is writing: read from the primary".to_owned());
    }
    let next = next(client)?;
    let begun = Instant::now();
    let mut open = writers(client, schema)?;
    let mut has_spoken = false;
    while !open.is_empty() {
        let elapsed = begun.elapsed();
        let is_over = elapsed >= patience.at_most || interrupt::requested();
        if is_over || elapsed >= SILENT && !has_spoken {
            let names = names(client, schema, &open)?;
            if is_over && !names.is_empty() {
                let seconds = elapsed.as_secs();
                return Err(format!(
                    "not everything below global position {next} is committed or rolled back yet: waited {seconds} s for {names}"
                ));
            }
            patience.say(&format!("waiting for {names}"));
            has_spoken = true;
        }
        thread::sleep(LOOK_EVERY);
        let now = writers(client, schema)?;
        open.retain(|writer| now.contains(writer));
    }
    Ok(next)
}

/// The transactions that write now.
pub fn writers(client: &mut Client, schema: &str) -> Result<Vec<String>> {
    let sql = format!("SELECT DISTINCT l.virtualtransaction FROM pg_catalog.pg_locks l WHERE {WRITERS}{TABLE}");
    let rows = client.query(&sql, &[&schema]).map_err(|error| reason(&error))?;
    rows.iter().map(|row| row.try_get(0).map_err(|error| reason(&error))).collect()
}

/// Those that have not ended, in words; empty when they have.
fn names(client: &mut Client, schema: &str, open: &[String]) -> Result<String> {
    let sql = format!(
        "SELECT DISTINCT {NAMES} FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
         LEFT JOIN pg_catalog.pg_locks x ON l.pid IS NULL AND x.pid IS NULL AND x.locktype = 'transactionid' \
             AND x.virtualtransaction = l.virtualtransaction \
         LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = x.transactionid \
         WHERE {WRITERS}{TABLE} AND l.virtualtransaction = ANY ($2) ORDER BY 1"
    );
    let rows = client.query(&sql, &[&schema, &open]).map_err(|error| reason(&error))?;
    let names: std::result::Result<Vec<String>, _> = rows.iter().map(|row| row.try_get(0)).collect();
    Ok(names.map_err(|error| reason(&error))?.join(", and for "))
}

#[cfg(test)]
mod tests {
    use super::completed;

    #[test]
    fn a_mark_is_completed_to_the_nearest_position() {
        assert_eq!(completed(5, 7), 5);
        assert_eq!(completed(i64::from(u32::MAX), (1 << 32) + 3), (1 << 32) - 1);
        assert_eq!(completed(4, (1 << 32) - 2), (1 << 32) + 4);
    }
}
