//! The plan of a commit for people.

use std::fmt::Write;
use std::time::Duration;

use bytesplice::CommitPlan;

use crate::output::{bytes, grouped, printable};

/// Cells of the longest bar.
const BAR_WIDTH: u64 = 40;
/// Columns that a table may take.
const WIDTH: usize = 100;
/// Where the reason begins why a strategy cannot be had.
const REASON_INDENT: usize = 16;

/// A table of the plan, with a bar for what stays, what moves and what is new.
pub fn plan_table(plan: &CommitPlan) -> String {
    let mut table = String::new();
    let mut row = |name: &str, value: String| {
        let _ = writeln!(table, "  {name:<14}{value}");
    };
    row("strategy", plan.strategy.to_string());
    row("because", plan.reason.clone());
    row("length", format!("{} -> {}", grouped(plan.old_len), bytes(plan.new_len)));
    let parts = [
        ("bytes staying", plan.bytes_staying),
        ("bytes moved", plan.bytes_moved),
        ("bytes new", plan.bytes_new),
    ];
    let total =
        parts.iter().map(|(_, count)| count).fold(0u64, |sum, &count| sum.saturating_add(count));
    let width = parts.iter().map(|(_, count)| grouped(*count).len()).max().unwrap_or(0);
    for (name, count) in parts {
        let bar = bar(count, total);
        let space = if bar.is_empty() { "" } else { "  " };
        row(name, format!("{:>width$}{space}{bar}", grouped(count)));
    }
    row("to read", bytes(plan.bytes_to_read));
    row("to write", bytes(plan.bytes_to_write));
    row("to journal", bytes(plan.bytes_to_journal));
    row("fsyncs", grouped(plan.fsyncs));
    row("extra disk", bytes(plan.extra_disk));
    let inode = match (plan.keeps_inode, plan.breaks_hard_links) {
        (true, _) => "stays the same",
        (false, false) => "is a new one",
        (false, true) => "is a new one: other hard links keep the old contents",
    };
    row("inode", inode.into());
    table + &cost_table(plan)
}

/// What every strategy would cost, a line each, with a mark at the chosen one; nothing if none was looked at.
fn cost_table(plan: &CommitPlan) -> String {
    let mut table = String::new();
    if !plan.costs.is_empty() {
        let _ = writeln!(
            table,
            "\n  {:<10}{:>18}{:>18}{:>18}{:>18}{:>7}{:>9}",
            "would cost", "to read", "to write", "to journal", "extra disk", "fsyncs", "about"
        );
    }
    let chosen = plan.strategy.to_string();
    for cost in &plan.costs {
        let name = cost.strategy.to_string();
        let mark = if name == chosen { '>' } else { ' ' };
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
            "{mark} {name:<10}{:>18}{:>18}{:>18}{:>18}{:>7}{:>9}",
            grouped(cost.bytes_to_read),
            grouped(cost.bytes_to_write),
            grouped(cost.bytes_to_journal),
            grouped(cost.extra_disk),
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

/// A bar in proportion; what there is at all is seen.
fn bar(count: u64, total: u64) -> String {
    if count == 0 || total == 0 {
        return String::new();
    }
    // Fits: count <= total, so the quotient is at most BAR_WIDTH.
    let cells = (u128::from(count) * u128::from(BAR_WIDTH) / u128::from(total)) as usize;
    "█".repeat(cells.max(1))
}

#[cfg(test)]
mod tests {
    use super::{Duration, about, bar, wrapped};

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

    #[test]
    fn bars_are_in_proportion_and_small_parts_are_seen() {
        assert_eq!(bar(0, 10), "");
        assert_eq!(bar(0, 0), "");
        assert_eq!(bar(10, 10).chars().count(), 40);
        assert_eq!(bar(5, 10).chars().count(), 20);
        assert_eq!(bar(1, u64::MAX).chars().count(), 1);
        assert_eq!(bar(u64::MAX, u64::MAX).chars().count(), 40);
    }
}
