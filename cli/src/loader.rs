//! Puts messages into a store, batch by batch, after those that it has.

use crate::batch::Batch;
use crate::failure::{Failure, Side};
use crate::filter::Filter;
use crate::interrupt;
use crate::message::{ConsumerPosition, Head, Message};
use crate::store::Store;

/// How many heads go into one transaction.
const HEADS: usize = 1000;

/// What has been done.
#[derive(Debug, Default, Clone, serde::Serialize)]
pub struct Done {
    /// Messages that were added.
    pub messages: u64,
    /// Messages that the target had already.
    pub skipped: u64,
    /// Versions of streams that were added.
    pub heads: u64,
    /// Versions of streams for which the target has no place.
    pub heads_not_kept: u64,
    /// Consumers' positions that the target has now, or later ones.
    pub consumer_positions: u64,
    /// Consumers' positions for which the target has no place.
    pub consumer_positions_not_kept: u64,
    /// Of the target's last message.
    pub last_global_position: i64,
}

/// A store that is being written to.
pub struct Loader<'a> {
    target: &'a mut dyn Store,
    batch: Batch,
    heads: Vec<Head>,
    has: Option<(i64, String)>,
    must_meet: bool,
    /// The target's next global position at the beginning; 0 once a batch has gone beyond it.
    next: i64,
    /// Whether the batch has a global position below that.
    is_reopening: bool,
    /// What has been done.
    pub done: Done,
}

impl<'a> Loader<'a> {
    /// Asks the target where it stands. What comes are the messages of the filter.
    pub fn new(target: &'a mut dyn Store, filter: &Filter) -> Result<Self, Failure> {
        let has = target.last().of_target()?;
        let last_global_position = has.as_ref().map_or(0, |has| has.0);
        let must_meet = has.is_some() && filter.first() <= last_global_position && !filter.has_times();
        let done = Done { last_global_position, ..Done::default() };
        let next = target.next_global_position().of_target()?;
        let (batch, heads) = (Batch::default(), Vec::new());
        Ok(Self { target, batch, heads, has, must_meet, next, is_reopening: false, done })
    }

    /// Adds the version of a stream.
    pub fn head(&mut self, head: Head) -> Result<(), Failure> {
        self.heads.push(head);
        if self.heads.len() >= HEADS { self.put_heads() } else { Ok(()) }
    }

    /// Adds a message, `json` being the element of `import_messages`; whether a batch was full and is committed.
    pub fn message(&mut self, message: &Message, json: &str) -> Result<bool, Failure> {
        let Message { global_position, id, stream_name, position, .. } = message;
        let global_position = *global_position;
        self.put_heads()?;
        if let Some((last, last_id)) = &self.has
            && global_position <= *last
        {
            if global_position == *last && id.eq_ignore_ascii_case(last_id) {
                self.must_meet = false;
            } else if global_position == *last {
                return Err(self.strange());
            } else {
                self.must_meet = true;
            }
            self.done.skipped += 1;
            return Ok(false);
        }
        self.check_met()?;
        if global_position < self.next {
            if self.target.has_lost(stream_name, *position).of_target()? {
                self.done.skipped += 1;
                return Ok(false);
            }
            self.is_reopening = true;
        }
        self.batch.push(global_position, json);
        if self.batch.is_full() { self.flush().map(|()| true) } else { Ok(false) }
    }

    /// Commits the rest. The next global position becomes `next`, and the consumers' positions these.
    ///
    /// A consumer that was further in the source is at what the target has: the next messages are new to it there.
    pub fn finish(&mut self, positions: Vec<ConsumerPosition>, next: i64) -> Result<(), Failure> {
        self.put_heads()?;
        self.check_met()?;
        self.flush()?;
        self.target.advance_to(next).of_target()?;
        let positions: Vec<_> = positions.into_iter().map(|position| position.before(next)).collect();
        let kept = self.target.put_consumer_positions(&positions).of_target()?;
        self.done.consumer_positions += kept as u64;
        self.done.consumer_positions_not_kept += (positions.len() - kept) as u64;
        Ok(())
    }

    /// Commits what there is.
    pub fn flush(&mut self) -> Result<(), Failure> {
        if self.batch.count == 0 {
            return Ok(());
        }
        // A batch that was rolled back may have moved the sequence: what it took is given out after all.
        let reopened = self.is_reopening.then(|| self.has.as_ref().map_or(0, |(last, _)| *last));
        self.batch.close();
        self.target.import(&self.batch, reopened).map_err(|error| self.refused(&error))?;
        (self.next, self.is_reopening) = (0, false);
        self.done.messages += self.batch.count as u64;
        self.done.last_global_position = self.batch.last;
        self.batch.clear();
        Ok(())
    }

    /// Fails when the program is to end; to be asked after a batch.
    pub fn check_interrupt(&self) -> Result<(), Failure> {
        if interrupt::requested() {
            Err(Failure::Interrupted(format!("interrupted; {}", self.standing())))
        } else {
            Ok(())
        }
    }

    /// Where the target stands, in words, when a later run may get further.
    pub fn standing(&self) -> String {
        match self.done.last_global_position {
            0 => self.reached(),
            _ => format!("{}; the same command goes on from there", self.reached()),
        }
    }

    fn reached(&self) -> String {
        match self.done.last_global_position {
            0 => "the target has no messages".to_owned(),
            last => format!("the target has everything up to global position {last}"),
        }
    }

    fn put_heads(&mut self) -> Result<(), Failure> {
        if self.heads.is_empty() {
            return Ok(());
        }
        let kept = self.target.put_heads(&self.heads).of_target()?;
        self.done.heads += kept as u64;
        self.done.heads_not_kept += (self.heads.len() - kept) as u64;
        self.heads.clear();
        Ok(())
    }

    fn check_met(&self) -> Result<(), Failure> {
        if self.must_meet { Err(self.strange()) } else { Ok(()) }
    }

    fn strange(&self) -> Failure {
        let (last, id) = self.has.as_ref().map_or((0, ""), |has| (has.0, has.1.as_str()));
        Failure::Target(format!(
            "the target holds other messages: its last one, {id} at global position {last}, is not in the source"
        ))
    }

    fn refused(&self, error: &str) -> Failure {
        let Batch { first, last, .. } = self.batch;
        Failure::Target(format!("global positions {first} to {last}: {error}; {}", self.reached()))
    }
}
