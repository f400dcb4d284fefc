//! Puts messages into a store, batch by batch, after those that it has.

use clap::Args;

use crate::batch::Batch;
use crate::failure::{Failure, Side};
use crate::format::After;
use crate::interrupt;
use crate::message::{ConsumerPosition, Head, Message};
use crate::standing::{Place, Standing};
use crate::store::{Store, Use};

/// How many heads go into one transaction.
const HEADS: usize = 1000;

/// What has been done.
#[derive(Debug, Default, Clone, serde::Serialize)]
pub struct Done {
    /// Messages that were added.
    pub messages: u64,
    /// Messages that the target had already.
    pub skipped: u64,
    /// Messages that were removed, because the source has removed them.
    pub removed: u64,
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

/// What else is done with the target.
#[derive(Args, Debug, Clone, Copy)]
pub struct Loading {
    /// Create the namespace if it does not exist
    #[arg(long)]
    pub create_namespace: bool,
    /// Go on after the target's last message even if none of its messages is in the source
    #[arg(long)]
    pub append: bool,
    /// Remove from the target's streams what was removed from the beginning of the source's, whole streams too
    #[arg(long)]
    pub delete: bool,
}

impl Loading {
    /// What the target is opened for.
    pub fn purpose(self) -> Use {
        if self.create_namespace { Use::Create } else { Use::Write }
    }
}

/// A store that is being written to.
pub struct Loader<'a> {
    target: &'a mut dyn Store,
    removes: bool,
    batch: Batch,
    heads: Vec<Head>,
    /// Whether they are held back, for it is not certain yet that the target belongs to the source.
    holds_heads: bool,
    standing: Standing,
    /// Whether the batch has a global position that was given out before.
    is_reopening: bool,
    /// What has been done.
    pub done: Done,
}

impl<'a> Loader<'a> {
    /// Asks the target where it stands. The source has given out the global positions below `end`.
    pub fn new(target: &'a mut dyn Store, end: i64, loading: Loading) -> Result<Self, Failure> {
        let standing = Standing::of(target, end, loading.append)?;
        let done = Done { last_global_position: standing.last(), ..Done::default() };
        let (batch, heads, holds_heads) = (Batch::default(), Vec::new(), done.last_global_position > 0);
        Ok(Self { target, removes: loading.delete, batch, heads, holds_heads, standing, is_reopening: false, done })
    }

    /// Finds where the source and the target meet, and returns from where on what comes is of interest.
    pub fn meet(&mut self, source: &mut dyn Store, category: Option<&str>) -> Result<i64, Failure> {
        let from = self.standing.meet(source, self.target, category)?;
        self.standing.check_met()?;
        self.holds_heads = false;
        Ok(from)
    }

    /// Says which message comes before those that come.
    pub fn meet_at(&mut self, after: &After) -> Result<(), Failure> {
        self.standing.meet_at(self.target, after)
    }

    /// Adds the version of a stream.
    pub fn head(&mut self, head: Head) -> Result<(), Failure> {
        self.heads.push(head);
        if self.heads.len() >= HEADS && !self.holds_heads { self.put_heads() } else { Ok(()) }
    }

    /// Adds a message, `json` being the element of `import_messages`; whether a batch was full and is committed.
    pub fn message(&mut self, message: &Message, json: &str) -> Result<bool, Failure> {
        let place = self.standing.place(self.target, message)?;
        if place == Place::Known {
            self.done.skipped += 1;
            return Ok(false);
        }
        self.standing.check_met()?;
        self.put_heads()?;
        self.is_reopening |= place == Place::Given;
        self.batch.push(message.global_position, json);
        if self.batch.is_full() { self.flush().map(|()| true) } else { Ok(false) }
    }

    /// Commits the rest. The next global position becomes `next`, and the consumers' positions these.
    ///
    /// A consumer that was further in the source is at what the target has: the next messages are new to it there.
    pub fn finish(&mut self, positions: Vec<ConsumerPosition>, next: i64) -> Result<(), Failure> {
        self.standing.check_met()?;
        self.put_heads()?;
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
        let reopened = self.is_reopening.then(|| self.standing.last());
        self.batch.close();
        self.target.import(&self.batch, reopened).map_err(|error| self.refused(&error))?;
        if self.is_reopening {
            self.standing.go_beyond();
            self.is_reopening = false;
        }
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
        self.holds_heads = false;
        if self.heads.is_empty() {
            return Ok(());
        }
        if self.removes {
            self.done.removed += self.target.remove(&self.heads).of_target()?;
        }
        let kept = self.target.put_heads(&self.heads).of_target()?;
        self.done.heads += kept as u64;
        self.done.heads_not_kept += (self.heads.len() - kept) as u64;
        self.heads.clear();
        Ok(())
    }

    fn refused(&self, error: &str) -> Failure {
        let Batch { first, last, .. } = self.batch;
        let may_remove = error.starts_with("Position does not fit") && !self.removes;
        let hint =
            if may_remove { "; if the source removed messages before they were copied, --delete helps" } else { "" };
        Failure::Target(format!("global positions {first} to {last}: {error}; {}{hint}", self.reached()))
    }
}
