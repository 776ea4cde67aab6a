//! The plan of a commit as a picture: one bar of the old file and one of the new one, and what they are made of.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use bytesplice::{Origin, Part};

use crate::layout::{FATES, Fate, Layout, fate};
use crate::output::{bytes, grouped};

/// Parts and removed ranges that are listed one by one; of more only the sums are of use.
const LISTED: u64 = 8;

impl Fate {
    fn symbol(self) -> char {
        match self {
            Self::Stays => '█',
            Self::Moves => '▒',
            Self::Copied => '*',
            Self::New => '+',
            Self::Removed => '-',
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Stays => "stays",
            Self::Moves => "moves",
            Self::Copied => "copied",
            Self::New => "new",
            Self::Removed => "removed",
        }
    }

    /// Those of a diff for what comes and goes; all readable on light and dark.
    fn style(self) -> Style {
        match self {
            Self::Stays => Style::new(),
            Self::Moves => AnsiColor::Cyan.on_default(),
            Self::Copied => AnsiColor::Magenta.on_default(),
            Self::New => AnsiColor::Green.on_default(),
            Self::Removed => AnsiColor::Red.on_default(),
        }
    }
}

/// The picture, with colours that whoever prints it takes out where they are not wanted.
pub fn plan_picture(layout: &Layout) -> String {
    let mut picture = String::new();
    for (name, bar, len) in
        [("old", &layout.old_bar, layout.old_len), ("new", &layout.new_bar, layout.new_len)]
    {
        let space = if bar.is_empty() { "" } else { "  " };
        let _ = writeln!(picture, "  {name}  {}{space}{}", drawn(bar), bytes(len));
    }
    picture.push('\n');
    let there = |fate: &Fate| layout.bytes[*fate as usize] > 0;
    let widths = FATES.iter().map(|&fate| grouped(layout.bytes[fate as usize]).len());
    let width = widths.max().unwrap_or(0);
    for fate in FATES.into_iter().filter(there) {
        let count = layout.bytes[fate as usize];
        let unit = if count == 1 { "byte" } else { "bytes" };
        let shift = match layout.shifts.filter(|_| fate == Fate::Moves) {
            Some(shifts) => format!(", {}", by(shifts)),
            None => String::new(),
        };
        let _ = writeln!(
            picture,
            "  {} {:<8}{:>width$} {unit}{shift}",
            drawn(&[fate]),
            fate.name(),
            grouped(count)
        );
    }
    if layout.part_count + layout.removed_count <= LISTED && layout.part_count > 1 {
        picture.push('\n');
        list(layout, &mut picture);
    }
    picture
}

/// Cells, with a change of colour only where the fate changes.
fn drawn(cells: &[Fate]) -> String {
    let mut out = String::new();
    for run in cells.chunk_by(|one, other| one == other) {
        let (style, symbol) = (run[0].style(), run[0].symbol());
        let symbols: String = run.iter().map(|_| symbol).collect();
        let _ = write!(out, "{style}{symbols}{style:#}");
    }
    out
}

/// How far bytes move, at least and at most.
fn by((least, most): (i128, i128)) -> String {
    let direction = |shift: i128| if shift < 0 { "down" } else { "up" };
    // No offset has more than 64 bits.
    let far = |shift: i128| grouped(u64::try_from(shift.unsigned_abs()).unwrap_or(u64::MAX));
    if least == most {
        format!("{} by {}", direction(least), far(least))
    } else if direction(least) == direction(most) {
        let (near, distant) = if least < 0 { (most, least) } else { (least, most) };
        format!("{} by {} to {}", direction(least), far(near), far(distant))
    } else {
        format!("down by {} to up by {}", far(least), far(most))
    }
}

fn list(layout: &Layout, picture: &mut String) {
    let place =
        |range: &std::ops::Range<u64>| format!("{}..{}", grouped(range.start), grouped(range.end));
    let places: Vec<(String, String)> = layout
        .parts
        .iter()
        .map(|part| (place(&part.range), becomes(part)))
        .chain(layout.removed.iter().map(|range| (place(range), "of the old file: removed".into())))
        .collect();
    let width = places.iter().map(|(place, _)| place.len()).max().unwrap_or(0);
    for (place, becomes) in places {
        let _ = writeln!(picture, "  {place:<width$}  {becomes}");
    }
}

fn becomes(part: &Part) -> String {
    let came_from = |offset| {
        let end = offset + (part.range.end - part.range.start);
        format!("{}..{}", grouped(offset), grouped(end))
    };
    match (fate(part), part.origin) {
        (Fate::Stays, _) => "stays".into(),
        (_, Origin::Kept(offset)) => {
            let shift = i128::from(part.range.start) - i128::from(offset);
            format!("was {}: {}", came_from(offset), by((shift, shift)))
        }
        (_, Origin::Copied(offset)) => format!("copied from {}", came_from(offset)),
        (_, Origin::New) => "new".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::by;

    #[test]
    fn shifts_say_where_to() {
        assert_eq!(by((3, 3)), "up by 3");
        assert_eq!(by((-4000, 12)), "down by 4_000 to up by 12");
        assert_eq!(by((2, 6)), "up by 2 to 6");
        assert_eq!(by((-6, -2)), "down by 2 to 6");
    }
}
