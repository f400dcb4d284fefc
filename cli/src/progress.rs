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
    /// How many of the steps somebody else had done, and when this is known.
    start: (u64, Instant),
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
        Self { bar, quiet, total, start: (0, now), begun: now, printed: now, messages: 0 }
    }

    /// So many of the steps had been done before, and say nothing of how long the rest takes.
    pub fn begin_at(&mut self, done: u64) {
        self.start = (done, Instant::now());
        if let Some(bar) = &self.bar {
            bar.set_position(done.min(self.total));
            bar.reset_eta();
        }
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

    fn left(&self, done: u64) -> Option<u64> {
        left(self.start.1.elapsed().as_secs_f64(), done.checked_sub(self.start.0)?, self.total.checked_sub(done)?)
    }
}

/// How many seconds the rest takes, where the steps that were done took so long.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)] // for people
fn left(seconds: f64, done: u64, rest: u64) -> Option<u64> {
    (done > 0).then(|| (seconds * rest as f64 / done as f64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_before_does_not_shorten_the_rest() {
        let mut progress = Progress::new(1000, true);
        progress.begin_at(900);
        let start = Instant::now().checked_sub(Duration::from_secs(20)).expect("20 s ago");
        progress.start.1 = start;
        assert_eq!(progress.left(950), Some(20));
        assert_eq!(progress.left(900), None);
        assert_eq!(left(10.0, 5, 0), Some(0));
    }
}
