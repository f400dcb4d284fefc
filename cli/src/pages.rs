//! The messages of a store one after the other, in constant memory.

use std::sync::mpsc;
use std::thread;
use std::vec;

use crate::message::Message;
use crate::selection::Selection;
use crate::store::{PAGE_BYTES, Result, Store};

/// How many messages a page has at the most.
const MESSAGES: i64 = 10_000;

/// A read of a part of a store.
pub struct Pages {
    selection: Selection,
    next: i64,
    limit: i64,
    page: vec::IntoIter<Message>,
}

impl Pages {
    /// The messages of a part.
    pub fn new(selection: &Selection) -> Self {
        Self { next: selection.from, selection: selection.clone(), limit: 1000, page: Vec::new().into_iter() }
    }

    /// Begins at this global position instead, if it is a later one.
    pub fn go_on_from(&mut self, position: i64) {
        self.next = self.next.max(position);
    }

    /// The next message.
    pub fn next(&mut self, store: &mut dyn Store) -> Result<Option<Message>> {
        loop {
            if let Some(message) = self.page.next() {
                return Ok(Some(message));
            }
            let Some(page) = self.next_page(store)? else { return Ok(None) };
            self.page = page.into_iter();
        }
    }

    /// The next page; `None` at the end.
    fn next_page(&mut self, store: &mut dyn Store) -> Result<Option<Vec<Message>>> {
        if self.next >= self.selection.end {
            return Ok(None);
        }
        let mut page = store.page(self.next, self.selection.category.as_deref(), self.limit)?;
        let Some(last) = page.last() else { return Ok(None) };
        self.next = last.global_position.saturating_add(1);
        self.limit = limit(&page);
        page.retain(|message| message.global_position < self.selection.end);
        Ok(Some(page))
    }

    /// Hands over the messages one by one, and reads the next page meanwhile. An error of the store is the last thing
    /// handed over; one of `each` ends it.
    pub fn read_ahead<E>(
        mut self,
        store: &mut dyn Store,
        mut each: impl FnMut(Result<Message>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let (sender, receiver) = mpsc::sync_channel(1);
        thread::scope(|scope| {
            scope.spawn(move || {
                while let Some(page) = self.next_page(store).transpose() {
                    let is_last = page.is_err();
                    if sender.send(page).is_err() || is_last {
                        break;
                    }
                }
            });
            for page in receiver {
                match page {
                    Ok(page) => page.into_iter().try_for_each(|message| each(Ok(message)))?,
                    Err(error) => each(Err(error))?,
                }
            }
            Ok(())
        })
    }

    /// Whether a page has just ended.
    pub fn is_at_end_of_page(&self) -> bool {
        self.page.len() == 0
    }
}

/// As many as take half of the memory of a page, if they are as large as these.
fn limit(page: &[Message]) -> i64 {
    let size: usize = page.iter().map(Message::size).sum();
    let fitting = page.len() * PAGE_BYTES / size.max(1);
    i64::try_from(fitting).unwrap_or(MESSAGES).clamp(1, MESSAGES)
}
