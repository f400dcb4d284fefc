//! How far a command is: a bar on a terminal, a line now and then elsewhere, on standard error.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// A bar, lines, or nothing.
pub struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    total: u64,
    begun: Instant,
    printed: Instant,
    messages: u64,
}

impl Progress {
    /// Of `total` steps, 0 where their number is not known.
    pub fn new(total: u64, quiet: bool) -> Self {
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let template = if total > 0 { "{bar:32} {percent:>3}%  {msg}  {eta} left" } else { "{spinner} {msg}" };
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(total).with_style(style)
        });
        let now = Instant::now();
        Self { bar, quiet, total, begun: now, printed: now, messages: 0 }
    }

    /// `messages` more, and `done` of the steps by now.
    pub fn advance(&mut self, messages: u64, done: u64) {
        self.messages += messages;
        if let Some(bar) = &self.bar {
            bar.set_message(self.rate());
            bar.set_position(done.min(self.total));
        } else if !self.quiet && self.printed.elapsed() >= LINE_EVERY {
            self.printed = Instant::now();
            let left = self.left(done).map(|seconds| format!(", {seconds} s left")).unwrap_or_default();
            eprintln!("{}{left}", self.rate());
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// Since the beginning.
    pub fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)] // for people
    fn rate(&self) -> String {
        let rate = self.messages as f64 / self.seconds().max(0.001);
        format!("{} messages, {} a second", self.messages, rate as u64)
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    fn left(&self, done: u64) -> Option<u64> {
        let rest = self.total.checked_sub(done).filter(|_| done > 0)?;
        Some((self.seconds() * rest as f64 / done as f64) as u64)
    }
}
