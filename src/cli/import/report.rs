//! What became of the files, told while it happens and at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::intake::{Imported, Rejected};

/// What became of one file.
pub(super) enum Outcome {
    /// Stored.
    Done(Imported),
    /// Would be stored.
    Good(BTreeMap<String, usize>),
    /// Imported before.
    Before,
    /// Refused; nothing of it is stored.
    Refused(Rejected),
    /// Longer than is accepted.
    TooLong,
    /// Cannot be read.
    Unreadable(io::Error),
}

/// Issues of one refused file that are shown.
const SHOWN: usize = 3;

/// The tally, and the bar above it.
pub(super) struct Report {
    bar: ProgressBar,
    dry_run: bool,
    done: u64,
    before: u64,
    stopped: Option<&'static str>,
    types: BTreeMap<String, usize>,
    new: BTreeSet<String>,
    known: BTreeSet<String>,
    kept: u64,
    refused: Vec<(PathBuf, String)>,
}

impl Report {
    pub(super) fn new(files: usize, dry_run: bool) -> Self {
        // Hidden by itself when standard error is no terminal.
        let bar = ProgressBar::with_draw_target(Some(files as u64), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} files  {per_sec}  {eta} left  {msg}") {
            bar.set_style(style);
        }
        Self {
            bar,
            dry_run,
            done: 0,
            before: 0,
            stopped: None,
            types: BTreeMap::new(),
            new: BTreeSet::new(),
            known: BTreeSet::new(),
            kept: 0,
            refused: Vec::new(),
        }
    }

    /// Whether no further file is to be begun.
    pub(super) const fn stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// Begins no further file.
    pub(super) fn stop(&mut self, why: &'static str) {
        self.stopped = Some(why);
    }

    /// Counts what became of `path`.
    pub(super) fn add(&mut self, path: &Path, outcome: Outcome) {
        match outcome {
            Outcome::Done(imported) => self.stored(imported),
            Outcome::Good(types) => {
                self.done += 1;
                self.count(types);
            }
            Outcome::Before => self.before += 1,
            Outcome::TooLong => self.refuse(path, "longer than 64 MiB".to_owned()),
            Outcome::Unreadable(error) => self.refuse(path, error.to_string()),
            Outcome::Refused(rejected) => {
                if matches!(rejected, Rejected::Unavailable(_)) {
                    // A full disk or a lost database would refuse every file after it as well.
                    self.stop("stopped, because something below failed; the same command goes on from here");
                }
                self.refuse(path, reasons(&rejected));
            }
        }
        self.tick();
    }

    fn stored(&mut self, imported: Imported) {
        self.done += 1;
        self.kept += u64::from(imported.kept_patient);
        let patient = imported.patient.to_string();
        if imported.new_patient {
            self.new.insert(patient);
        } else if !self.new.contains(&patient) {
            self.known.insert(patient);
        }
        self.count(imported.types);
    }

    fn count(&mut self, types: BTreeMap<String, usize>) {
        for (kind, many) in types {
            *self.types.entry(kind).or_default() += many;
        }
    }

    fn refuse(&mut self, path: &Path, why: String) {
        self.tell(&format!("refused: {}: {why}", path.display()));
        self.refused.push((path.to_owned(), why));
    }

    fn tick(&mut self) {
        self.bar.inc(1);
        let (at, all) = (self.bar.position(), self.bar.length().unwrap_or(0));
        // Where nobody sees a bar, a line for each tenth.
        if self.bar.is_hidden() && (at == all || at % (all / 10).max(1) == 0) {
            self.tell(&format!("{at} of {all} files, {} resources", self.types.values().sum::<usize>()));
        }
    }

    fn tell(&self, line: &str) {
        if self.bar.is_hidden() {
            // Nobody reads it when standard error is closed; the summary still counts.
            drop(writeln!(io::stderr(), "{line}"));
        } else {
            self.bar.println(line);
        }
    }

    /// Tells the whole on standard output.
    pub(super) fn end(self) -> ExitCode {
        self.bar.finish_and_clear();
        let text = self.summary();
        let told = io::stdout().write_all(text.as_bytes());
        if told.is_err() || self.stopped() || !self.refused.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }

    fn summary(&self) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _infallible = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let resources: usize = self.types.values().sum();
        let word = if self.dry_run { "would be imported" } else { "imported" };
        writeln!(out, "{word}: {} files, {resources} resources", self.done)?;
        for (kind, many) in &self.types {
            writeln!(out, "  {kind}: {many}")?;
        }
        if !self.dry_run {
            writeln!(out, "patients: {} new, {} known", self.new.len(), self.known.len())?;
        }
        if self.kept > 0 {
            writeln!(out, "Patient resources that were there already and stay as they were: {}", self.kept)?;
        }
        if self.before > 0 {
            writeln!(out, "imported before: {} files", self.before)?;
        }
        if !self.refused.is_empty() {
            writeln!(out, "refused: {} files, nothing of them is stored", self.refused.len())?;
            for (path, why) in &self.refused {
                writeln!(out, "  {}: {why}", path.display())?;
            }
        }
        if let Some(why) = self.stopped {
            writeln!(out, "{why}")?;
        }
        Ok(())
    }
}

fn reasons(rejected: &Rejected) -> String {
    if let Rejected::Broken(broken) = rejected {
        return broken.to_string();
    }
    let issues = rejected.issues();
    let mut out: Vec<String> = issues
        .iter()
        .take(SHOWN)
        .map(|issue| {
            if issue.expression.is_empty() {
                issue.reason.to_owned()
            } else {
                format!("{}: {}", issue.expression, issue.reason)
            }
        })
        .collect();
    if issues.len() > SHOWN {
        out.push(format!("and {} more", issues.len() - SHOWN));
    }
    // The operator is to know what failed below; it names no patient.
    let mut cause = std::error::Error::source(rejected);
    while let Some(error) = cause {
        out.push(error.to_string());
        cause = error.source();
    }
    out.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PatientId;

    fn imported(patient: u8, new_patient: bool) -> Outcome {
        let patient = PatientId::from_bytes([patient; 16]);
        let types = BTreeMap::from([("Observation".to_owned(), 2)]);
        Outcome::Done(Imported { patient, new_patient, kept_patient: !new_patient, leaf: 1, types })
    }

    #[test]
    fn the_summary_counts_everything_and_names_what_was_refused() {
        let mut report = Report::new(6, false);
        let path = Path::new("a.json");
        for outcome in [imported(1, true), imported(1, false), imported(2, false), Outcome::Before] {
            report.add(path, outcome);
        }
        assert!(!report.stopped() && report.refused.is_empty());
        report.add(Path::new("b.json"), Outcome::Refused(Rejected::OtherPatient));
        report.add(Path::new("c.json"), Outcome::TooLong);
        let expected = "imported: 3 files, 6 resources\n  Observation: 6\npatients: 1 new, 1 known\n\
            Patient resources that were there already and stay as they were: 2\nimported before: 1 files\n\
            refused: 2 files, nothing of them is stored\n  b.json: it names another patient\n  c.json: longer than 64 MiB\n";
        assert_eq!(report.summary(), expected);
        assert!(!report.stopped());
        let failed = Rejected::Unavailable(Box::new(io::Error::other("disk full")));
        report.add(path, Outcome::Refused(failed));
        assert!(report.stopped(), "a failure below would refuse every file after it");
        assert!(report.summary().contains("disk full") && report.end() == ExitCode::FAILURE);
    }
}
