//! `search-peers METHOD PATH [PIECES]` searches a file for bytes that it does not hold, again and again, and prints the
//! seconds of each time, one a line.
//!
//! Methods: `preads` (memmem over reads of 1 MiB), `map` and `map-rfind` (memmem over a map), and bytesplice's `find`, `rfind` and `regex`
//! with the file edited so that it is in PIECES pieces.

use std::error::Error;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Instant;

use bytesplice::{OpenOptions, Pattern, SpliceFile};
use memchr::memmem::{Finder, FinderRev};

/// In no file of random bytes.
const NEEDLE: &[u8] = b"THE bytes that are nowhere";
const BUFFER: usize = 1 << 20;
const RUNS: usize = 7;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [method, path, rest @ ..] = &arguments[..] else {
        return Err("usage: search-peers METHOD PATH [PIECES]".into());
    };
    let pieces = rest.first().map_or(Ok(1), |pieces| pieces.parse::<u64>())?;
    match method.as_str() {
        "preads" => {
            let file = File::open(path)?;
            measure(|| by_preads(&file))
        }
        "map" | "map-rfind" => {
            // SAFETY: the benchmark made the file for itself, and nobody writes to it.
            let map = unsafe { memmap2::Mmap::map(&File::open(path)?)? };
            let (finder, backwards) = (Finder::new(NEEDLE), FinderRev::new(NEEDLE));
            measure(|| Ok(if method == "map" { finder.find(&map) } else { backwards.rfind(&map) }))
        }
        "find" | "rfind" | "regex" => {
            let file = in_pieces(path, pieces)?;
            let pattern = match method.as_str() {
                "regex" => Pattern::regex("[a-z]+ [0-9]+ nowhere")?,
                _ => Pattern::literal(NEEDLE),
            };
            measure(|| {
                let found = match method.as_str() {
                    "rfind" => file.rfind(&pattern, ..)?,
                    _ => file.find(&pattern, ..)?,
                };
                Ok(found.map(|found| found.range.start as usize))
            })
        }
        _ => Err(format!("unknown method {method}").into()),
    }
}

/// Prints the times. The first is only to warm up.
fn measure(
    mut search: impl FnMut() -> Result<Option<usize>, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    for run in 0..=RUNS {
        let begin = Instant::now();
        if let Some(offset) = search()? {
            return Err(format!("found something at {offset}").into());
        }
        if run > 0 {
            println!("{}", begin.elapsed().as_secs_f64());
        }
    }
    Ok(())
}

/// What one writes who need not care for edits.
fn by_preads(file: &File) -> Result<Option<usize>, Box<dyn Error>> {
    let finder = Finder::new(NEEDLE);
    let carried = NEEDLE.len() - 1;
    let mut buffer = vec![0; carried + BUFFER];
    let mut offset = 0;
    loop {
        let count = file.read_at(&mut buffer[carried..], offset)?;
        if count == 0 {
            return Ok(None);
        }
        if let Some(at) = finder.find(&buffer[..carried + count]) {
            return Ok(Some(offset as usize + at));
        }
        buffer.copy_within(count..carried + count, 0);
        offset += count as u64;
    }
}

/// The file with four bytes inserted in so many places that it is in `pieces` pieces.
fn in_pieces(path: &str, pieces: u64) -> Result<SpliceFile, Box<dyn Error>> {
    let mut file = OpenOptions::new().read_only(true).open(path)?;
    let (inserts, len) = (pieces / 2, file.len());
    for number in 0..inserts {
        let spread = (number + 1) * (len / (inserts + 1));
        file.insert(spread + 4 * number, format!("{:04}", number % 10_000))?;
    }
    Ok(file)
}
