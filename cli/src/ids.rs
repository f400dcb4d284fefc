//! Global positions and ids of a store's messages, one after the other, in either order.

use std::vec;

use crate::failure::{Failure, Side};
use crate::store::{Part, Result, Store};

/// How many are asked for at once, after the first one.
const PAGE: i64 = 10_000;

/// Global position and id of a message.
pub type Id = (i64, String);

/// A walk through a part of a store.
pub struct Ids {
    part: Part,
    page: vec::IntoIter<Id>,
    is_over: bool,
}

impl Ids {
    /// From a global position on, and below another one.
    pub fn ascending(from: i64, before: i64) -> Self {
        Self::new(Part { from, before, category: None, newest_first: false, limit: PAGE })
    }

    /// From a global position back to the first one, in a category or everywhere. The first one may be all that is asked.
    pub fn back_from(last: i64, category: Option<&str>) -> Self {
        let category = category.map(str::to_owned);
        Self::new(Part { from: 1, before: last.saturating_add(1), category, newest_first: true, limit: 1 })
    }

    fn new(part: Part) -> Self {
        Self { part, page: Vec::new().into_iter(), is_over: false }
    }

    /// The next one.
    pub fn next(&mut self, store: &mut dyn Store) -> Result<Option<Id>> {
        if self.page.len() == 0 && !self.is_over {
            let page = store.ids(&self.part)?;
            match page.last() {
                Some((last, _)) if self.part.newest_first => self.part.before = *last,
                Some((last, _)) => self.part.from = last.saturating_add(1),
                None => self.is_over = true,
            }
            self.part.limit = PAGE;
            self.page = page.into_iter();
        }
        Ok(self.page.next())
    }
}

/// Whether two ids are the same; who writes to an SQLite file without the functions may have spelled one in capitals.
pub fn is_same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

/// Where two stores meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Common {
    /// At this global position, where both have the same message.
    At(i64),
    /// Nowhere: this global position is that of two messages.
    Another(i64),
    /// Nowhere.
    Nothing,
}

/// The newest message up to a global position that both stores have, in a category or everywhere. What is passed on the way
/// one of them has removed.
pub fn newest_common(
    source: &mut dyn Store,
    target: &mut dyn Store,
    last: i64,
    category: Option<&str>,
) -> std::result::Result<Common, Failure> {
    let (mut of_source, mut of_target) = (Ids::back_from(last, category), Ids::back_from(last, category));
    let mut one = of_source.next(source).of_source()?;
    let mut other = of_target.next(target).of_target()?;
    while let (Some((source_position, source_id)), Some((target_position, target_id))) = (&one, &other) {
        if source_position == target_position {
            let position = *source_position;
            return Ok(if is_same(source_id, target_id) { Common::At(position) } else { Common::Another(position) });
        }
        if source_position > target_position {
            one = of_source.next(source).of_source()?;
        } else {
            other = of_target.next(target).of_target()?;
        }
    }
    Ok(Common::Nothing)
}
