//! What a power cut leaves on a disk of the writes that came to it.

use crate::chance::Chance;
use crate::fuse_disk::{Event, FuseDisk};

/// The number of events up to the last flush before the cut, that one included.
pub fn last_flush<Mark>(events: &[Event<Mark>], cut: usize) -> usize {
    events[..cut].iter().rposition(|event| matches!(event, Event::Flush)).map_or(0, |at| at + 1)
}

/// Puts any part of the writes that were not flushed onto the disk, torn between sectors of so many bytes.
pub fn lose_some<Mark: Send + 'static>(
    disk: &FuseDisk<Mark>,
    pending: &[Event<Mark>],
    sector: usize,
    chance: &mut Chance,
) {
    let way = chance.below(6);
    let share = chance.fraction();
    for event in pending {
        let Event::Write { offset, bytes } = event else { continue };
        let survives = |chance: &mut Chance| chance.fraction() < share;
        match way {
            0 => {}
            1 => disk.write(*offset, bytes),
            2 | 3 => {
                if survives(chance) {
                    disk.write(*offset, bytes);
                }
            }
            // Whole sectors, each for itself.
            4 => {
                for (index, part) in bytes.chunks(sector).enumerate() {
                    if survives(chance) {
                        disk.write(offset + (index * sector) as u64, part);
                    }
                }
            }
            // The beginning of some writes.
            _ => {
                let sectors = bytes.len().div_ceil(sector) as u64;
                let end = (chance.below(sectors + 1) as usize * sector).min(bytes.len());
                disk.write(*offset, if survives(chance) { bytes } else { &bytes[..end] });
            }
        }
    }
}
