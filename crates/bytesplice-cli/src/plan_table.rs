//! The plan of a commit for people.

use std::fmt::Write;

use bytesplice::{CommitPlan, StrategyCost};

use crate::output::{bytes, grouped};

/// Cells of the longest bar.
const BAR_WIDTH: u64 = 40;

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
    table + &cost_table(&plan.costs)
}

/// What every strategy would cost, a line each; nothing if none was looked at.
fn cost_table(costs: &[StrategyCost]) -> String {
    let mut table = String::new();
    if !costs.is_empty() {
        let _ = writeln!(
            table,
            "\n  {:<14}{:>18}{:>18}{:>18}{:>8}",
            "would cost", "to write", "to journal", "extra disk", "fsyncs"
        );
    }
    for cost in costs {
        let name = cost.strategy.to_string();
        let _ = match &cost.unavailable {
            Some(reason) => writeln!(table, "  {name:<14}  not here: {reason}"),
            None => writeln!(
                table,
                "  {name:<14}{:>18}{:>18}{:>18}{:>8}",
                grouped(cost.bytes_to_write),
                grouped(cost.bytes_to_journal),
                grouped(cost.extra_disk),
                cost.fsyncs
            ),
        };
    }
    table
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
    use super::bar;

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
