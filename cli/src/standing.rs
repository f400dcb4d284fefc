//! What a target had before an import, beside what comes: whether they belong together, and what is new.

use crate::failure::{Failure, Side};
use crate::format::After;
use crate::ids::{Common, Id, Ids, is_same, newest_common};
use crate::message::Message;
use crate::store::Store;

/// What a message that comes is to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It is there, or was and has been removed.
    Known,
    /// It is new, but its global position has been given out, perhaps to a batch that was rolled back.
    Given,
    /// It is new.
    Free,
}

/// A target as it was in the beginning.
pub struct Standing {
    last: Option<Id>,
    next: i64,
    ids: Option<Ids>,
    ahead: Option<Id>,
    /// Whether the target has a message that the source has, too, or none at all.
    has_met: bool,
    /// Whether it is taken for one that belongs to the source all the same.
    is_trusted: bool,
}

impl Standing {
    /// Asks the target. What comes is of a source that has given out the global positions below `end`.
    pub fn of(target: &mut dyn Store, end: i64, is_trusted: bool) -> Result<Self, Failure> {
        let last = target.last().of_target()?;
        let has_met = last.is_none();
        let mut standing = Self { last, next: 0, ids: None, ahead: None, has_met, is_trusted };
        standing.next = target.next_global_position().of_target()?.max(standing.last().saturating_add(1));
        if standing.last() >= end { Err(standing.strange(", which ends before")) } else { Ok(standing) }
    }

    /// The global position of the target's last message; 0 without one.
    pub fn last(&self) -> i64 {
        self.last.as_ref().map_or(0, |last| last.0)
    }

    /// Looks for the newest message that the source has as well, and returns from where on what comes is of interest.
    ///
    /// Any message is a sign that they belong together. Where only a category comes, it is what follows the newest common
    /// one of that category that may be new.
    pub fn meet(
        &mut self,
        source: &mut dyn Store,
        target: &mut dyn Store,
        category: Option<&str>,
    ) -> Result<i64, Failure> {
        if self.last.is_none() {
            return Ok(1);
        }
        let mut common = newest_common(source, target, self.last(), category)?;
        let from = if let Common::At(position) = common { position } else { 1 };
        if common == Common::Nothing && category.is_some() {
            common = newest_common(source, target, self.last(), None)?;
        }
        if let Common::Another(position) = common {
            return Err(self.strange(&format!(", where global position {position} is another one's")));
        }
        self.has_met = common != Common::Nothing;
        Ok(from)
    }

    /// Takes note of the message of the source before those that come: the target may have it.
    pub fn meet_at(&mut self, target: &mut dyn Store, after: &After) -> Result<(), Failure> {
        let After { global_position, id } = after;
        let end = global_position.saturating_add(1);
        match Ids::ascending(*global_position, end).next(target).of_target()? {
            Some((_, found)) if is_same(&found, id) => self.has_met = true,
            Some((_, found)) => return Err(other(*global_position, &found, id)),
            None => {}
        }
        Ok(())
    }

    /// A batch has taken global positions that had been given out: what comes after it is free.
    pub fn go_beyond(&mut self) {
        self.next = 0;
    }

    /// Makes sure that they belong together.
    pub fn check_met(&self) -> Result<(), Failure> {
        if self.has_met || self.is_trusted {
            return Ok(());
        }
        Err(self.strange(", nor is any before it; --append goes on after it all the same"))
    }

    /// What the message is to the target. They come in global order.
    pub fn place(&mut self, target: &mut dyn Store, message: &Message) -> Result<Place, Failure> {
        let Message { global_position, id, stream_name, position, .. } = message;
        if *global_position >= self.next {
            return Ok(Place::Free);
        }
        let is_passed = *global_position <= self.last();
        if is_passed && let Some(found) = self.id_at(target, *global_position).of_target()? {
            if !is_same(&found, id) {
                return Err(other(*global_position, &found, id));
            }
            self.has_met = true;
            return Ok(Place::Known);
        }
        if target.has_lost(stream_name, *position).of_target()? {
            return Ok(Place::Known);
        }
        if is_passed {
            return Err(Failure::Target(format!(
                "the target holds other messages: it has passed global position {global_position}, where the source has \
                 position {position} of {stream_name}"
            )));
        }
        Ok(Place::Given)
    }

    /// The id of the target's message at a global position, which is asked for in ascending order.
    fn id_at(&mut self, target: &mut dyn Store, position: i64) -> crate::store::Result<Option<String>> {
        let end = self.last().saturating_add(1);
        let ids = self.ids.get_or_insert_with(|| Ids::ascending(position, end));
        while self.ahead.as_ref().is_none_or(|ahead| ahead.0 < position) {
            self.ahead = ids.next(target)?;
            if self.ahead.is_none() {
                return Ok(None);
            }
        }
        Ok(self.ahead.as_ref().filter(|ahead| ahead.0 == position).map(|ahead| ahead.1.clone()))
    }

    fn strange(&self, why: &str) -> Failure {
        let (last, id) = self.last.as_ref().map_or((0, ""), |last| (last.0, last.1.as_str()));
        Failure::Target(format!(
            "the target holds other messages: its last one, {id} at global position {last}, is not in the source{why}"
        ))
    }
}

fn other(global_position: i64, found: &str, id: &str) -> Failure {
    Failure::Target(format!(
        "the target holds other messages: {found} at global position {global_position}, the source {id}"
    ))
}
