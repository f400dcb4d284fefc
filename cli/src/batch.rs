//! Messages that are imported together.

/// How many messages a batch has at the most; `import_messages` takes no more.
const MESSAGES: usize = 10_000;

/// About how long a batch is at the most, if no single message is longer.
const BYTES: usize = 4 << 20;

/// The argument of `import_messages`, and what it is about.
#[derive(Default)]
pub struct Batch {
    array: String,
    /// How many messages.
    pub count: usize,
    /// The first global position.
    pub first: i64,
    /// The last one.
    pub last: i64,
}

impl Batch {
    /// Adds a message, by its text.
    pub fn push(&mut self, global_position: i64, json: &str) {
        self.array.push(if self.count == 0 { '[' } else { ',' });
        self.array.push_str(json);
        if self.count == 0 {
            self.first = global_position;
        }
        self.last = global_position;
        self.count += 1;
    }

    /// Whether it should be imported before it gets more.
    pub fn is_full(&self) -> bool {
        self.count >= MESSAGES || self.array.len() >= BYTES
    }

    /// Closes the array.
    pub fn close(&mut self) {
        self.array.push(']');
    }

    /// The closed array.
    pub fn json(&self) -> &str {
        &self.array
    }

    /// Empties it, and keeps its memory.
    pub fn clear(&mut self) {
        self.array.clear();
        self.count = 0;
    }
}
