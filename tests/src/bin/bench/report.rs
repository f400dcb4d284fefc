//! The table: printed row by row, and written into `docs/benchmarks.md` by a run of everything.

use crate::runner::Outcome;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- bench:begin -->\n";
const END: &str = "<!-- bench:end -->\n";

/// What has been printed.
#[derive(Default)]
pub struct Report {
    text: String,
    /// The rows by theme.
    pub outcomes: Vec<(&'static str, Vec<Outcome>)>,
    /// What was not run, and why.
    pub skipped: Vec<String>,
}

impl Report {
    /// Prints a line.
    pub fn line(&mut self, line: &str) {
        println!("{line}");
        self.text += line;
        self.text.push('\n');
    }

    /// Begins a theme's table.
    pub fn heading(&mut self, title: &'static str) {
        self.line(&format!("\n### {title}\n"));
        self.line("| workload | beside | its rate | ours | ratio | target |");
        self.line("|---|---|---|---|---|---|");
        self.outcomes.push((title, Vec::new()));
    }

    /// Adds a row to the table begun last.
    pub fn row(&mut self, outcome: Outcome) {
        let Outcome { title, beside, theirs, ours, ratio, target, .. } = &outcome;
        let rate = |rate: f64| if rate < 10.0 { format!("{rate:.2}") } else { format!("{rate:.0}") };
        let [theirs, ours] =
            [theirs, ours].map(|of| format!("{} ({} to {})", rate(of.median), rate(of.least), rate(of.most)));
        let verdict = if outcome.is_missed() { ", **MISSED**" } else { "" };
        let target = target.map_or("–".into(), |target| format!("{target}{verdict}"));
        let ratio = format!("{:.2} ({:.2} to {:.2})", ratio.median, ratio.least, ratio.most);
        self.line(&format!("| {title} | {beside} | {theirs} | {ours} | {ratio} | {target} |"));
        self.outcomes.last_mut().expect("a heading").1.push(outcome);
    }

    /// Says that a workload is not run.
    pub fn skip(&mut self, remark: String) {
        eprintln!("not run: {remark}");
        self.skipped.push(remark);
    }

    /// Prints how many targets are met, and what was not run.
    pub fn summary(&mut self) {
        let of_target = self.outcomes.iter().flat_map(|(_, rows)| rows).filter(|row| row.target.is_some());
        let (missed, met): (Vec<&Outcome>, Vec<&Outcome>) = of_target.partition(|row| row.is_missed());
        let summary = format!("\nTargets met: {}, missed: {}.", met.len(), missed.len());
        let missed: Vec<String> = missed
            .iter()
            .map(|row| format!("- missed: {} beside {}: {:.2}", row.title, row.beside, row.ratio.median))
            .collect();
        self.line(&summary);
        let skipped: Vec<String> = self.skipped.iter().map(|remark| format!("- not run: {remark}")).collect();
        if !missed.is_empty() || !skipped.is_empty() {
            self.line("");
        }
        missed.iter().chain(&skipped).for_each(|line| self.line(line));
    }

    /// Writes everything into the documentation, in the place of the last run.
    pub fn document(&self) -> std::io::Result<()> {
        let file = docs().join("benchmarks.md");
        let page = std::fs::read_to_string(&file)?;
        let parts = page.split_once(BEGIN).zip(page.split_once(END));
        let ((before, _), (_, after)) =
            parts.ok_or_else(|| std::io::Error::other("no markers in docs/benchmarks.md"))?;
        std::fs::write(&file, format!("{before}{BEGIN}{}{END}{after}", self.text))?;
        println!("\nwritten: {}", file.display());
        Ok(())
    }
}

/// The documentation's folder.
pub fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs")
}
