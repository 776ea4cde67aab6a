//! The plan of a commit for people.

use std::fmt::Write;
use std::time::Duration;

use anstyle::Style;
use bytesplice::CommitPlan;

use crate::layout::Layout;
use crate::output::printable;
use crate::plan_picture::plan_picture;
use crate::size::approximate;

/// Columns that a table may take.
const WIDTH: usize = 80;
/// Where the reason begins why a strategy cannot be had.
const REASON_INDENT: usize = 13;

/// What overlayfs does beside the commit, in two lines.
pub const COPIES_UP: [&str; 2] = [
    "the first opening for writing copies the whole file to the upper layer:",
    "a new inode; other hard links keep the old contents",
];

/// A picture of the plan, what it does, and what every strategy would cost.
pub fn plan_table(plan: &CommitPlan, layout: &Layout) -> String {
    let mut table = plan_picture(layout);
    table.push('\n');
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(table, "  {name:<11}{value}");
    };
    row("strategy", &plan.strategy.to_string());
    row("because", &plan.reason);
    let inode = match (plan.keeps_inode, plan.breaks_hard_links) {
        (true, _) => "stays the same",
        (false, false) => "is a new one",
        (false, true) => "is a new one: other hard links keep the old contents",
    };
    row("inode", inode);
    if plan.copies_up {
        row("overlayfs", COPIES_UP[0]);
        row("", COPIES_UP[1]);
    }
    table + &cost_table(plan)
}

/// What every strategy would cost, a line each, with a mark at the chosen one; nothing if none was looked at.
fn cost_table(plan: &CommitPlan) -> String {
    let mut table = String::new();
    if !plan.costs.is_empty() {
        let _ = writeln!(
            table,
            "\n  {:<11}{:>11}{:>11}{:>11}{:>12}{:>8}{:>9}",
            "would cost", "read", "written", "journaled", "extra disk", "fsyncs", "about"
        );
    }
    let chosen = plan.strategy.to_string();
    for cost in &plan.costs {
        let name = cost.strategy.to_string();
        let is_chosen = name == chosen;
        let style = if is_chosen { Style::new().bold() } else { Style::new() };
        let mark = if is_chosen { '>' } else { ' ' };
        if let Some(reason) = &cost.unavailable {
            let mut label = format!("{mark} {name}");
            for line in wrapped(&format!("not here: {}", printable(reason)), WIDTH - REASON_INDENT)
            {
                let _ = writeln!(table, "{label:<REASON_INDENT$}{line}");
                label.clear();
            }
            continue;
        }
        let _ = writeln!(
            table,
            "{style}{mark} {name:<11}{:>11}{:>11}{:>11}{:>12}{:>8}{:>9}{style:#}",
            approximate(cost.bytes_to_read),
            approximate(cost.bytes_to_write),
            approximate(cost.bytes_to_journal),
            approximate(cost.extra_disk),
            cost.fsyncs,
            about(cost.estimate)
        );
    }
    table
}

/// A rough time.
fn about(estimate: Duration) -> String {
    match estimate.as_secs_f64() {
        seconds if seconds < 0.1 => format!("{:.0} ms", (seconds * 1000.0).max(1.0)),
        seconds if seconds < 10.0 => format!("{seconds:.1} s"),
        seconds => format!("{seconds:.0} s"),
    }
}

/// Lines of at most `width` characters, but for words that are longer.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = &mut lines[0];
        let room = width.saturating_sub(line.chars().count());
        if line.is_empty() {
            line.push_str(word);
        } else if word.chars().count() < room {
            line.push(' ');
            line.push_str(word);
        } else {
            // The last line comes first, until all are there.
            lines.insert(0, word.into());
        }
    }
    lines.reverse();
    lines
}

#[cfg(test)]
mod tests {
    use super::{Duration, about, wrapped};

    #[test]
    fn times_are_rough() {
        for (micros, shown) in
            [(0, "1 ms"), (12_300, "12 ms"), (250_000, "0.2 s"), (5_040_000, "5.0 s")]
        {
            assert_eq!(about(Duration::from_micros(micros)), shown);
        }
        assert_eq!(about(Duration::from_secs(3600)), "3600 s");
    }

    #[test]
    fn reasons_are_wrapped_at_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one two three", 6), ["one", "two", "three"]);
        assert_eq!(wrapped("longer a", 3), ["longer", "a"]);
        assert_eq!(wrapped("", 3), [""]);
    }
}
