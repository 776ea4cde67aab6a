//! Many edits of one text, ours beside the ropes crop and ropey: `bench-edits JOB TEXT COUNT`.
//!
//! Prints one JSON object a run. Times are of the edits alone, without loading the text.

use std::time::Instant;
use std::{env, fs, process};

use bytesplice::{OpenOptions, SpliceFile};

/// Eight bytes that are inserted, of ASCII as the text is.
const INSERTED: &str = "8 bytes\n";
/// Most bytes of added bytes and of history that a job may keep in memory.
const LIMIT: u64 = 256 << 20;

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let [_, job, text, count] = &arguments[..] else { usage() };
    let Ok(count) = count.parse() else { usage() };
    match job.as_str() {
        "inserts-bytesplice" => insert(&mut Ours::open(text), text, count),
        "inserts-crop" => insert(&mut crop::Rope::from(read(text)), text, count),
        "inserts-ropey" => insert(&mut ropey::Rope::from_str(&read(text)), text, count),
        "growth" => grow(text, count),
        "overwrites" => overwrite(text, count),
        _ => usage(),
    }
}

fn usage() -> ! {
    eprintln!(
        "bench-edits inserts-bytesplice|inserts-crop|inserts-ropey|growth|overwrites TEXT COUNT"
    );
    process::exit(2)
}

fn read(path: &str) -> String {
    fs::read_to_string(path).expect("the text")
}

/// What is inserted into, and kept.
trait Text {
    type Snapshot;
    fn insert(&mut self, offset: usize);
    fn snapshot(&mut self, number: usize) -> Self::Snapshot;
    fn pieces(&self) -> usize;

    /// Whether there was something to undo. The ropes have no history.
    fn undo(&mut self) -> bool {
        false
    }

    /// Bytes that undoing takes.
    fn history(&self) -> u64 {
        0
    }
}

struct Ours(SpliceFile);

impl Ours {
    fn open(path: &str) -> Self {
        let options = OpenOptions::new().memory_limit(LIMIT).history_limit(LIMIT);
        Self(options.open(path).expect("the text"))
    }
}

impl Text for Ours {
    type Snapshot = ();

    fn insert(&mut self, offset: usize) {
        self.0.insert(offset as u64, INSERTED).expect("an insert");
    }

    fn snapshot(&mut self, number: usize) {
        self.0.snapshot(number.to_string()).expect("a snapshot");
    }

    fn pieces(&self) -> usize {
        self.0.piece_count()
    }

    fn undo(&mut self) -> bool {
        self.0.undo().expect("an undo")
    }

    fn history(&self) -> u64 {
        self.0.history().memory
    }
}

impl Text for crop::Rope {
    type Snapshot = Self;

    fn insert(&mut self, offset: usize) {
        crop::Rope::insert(self, offset, INSERTED);
    }

    fn snapshot(&mut self, _: usize) -> Self {
        self.clone()
    }

    fn pieces(&self) -> usize {
        self.chunks().count()
    }
}

impl Text for ropey::Rope {
    type Snapshot = Self;

    fn insert(&mut self, offset: usize) {
        // The text is ASCII: characters are bytes.
        ropey::Rope::insert(self, offset, INSERTED);
    }

    fn snapshot(&mut self, _: usize) -> Self {
        self.clone()
    }

    fn pieces(&self) -> usize {
        self.chunks().count()
    }
}

/// Numbers that look random (xorshift, Marsaglia 2003), the same for all.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

fn insert(text: &mut impl Text, path: &str, count: usize) {
    let len = fs::metadata(path).expect("the text").len() as usize;
    let mut random = Random(88_172_645_463_325_252);
    let begin = Instant::now();
    for number in 0..count {
        text.insert(random.below(len + number * INSERTED.len() + 1));
    }
    let each = begin.elapsed().as_secs_f64() / count as f64;
    let (pieces, history) = (text.pieces(), text.history());

    const SNAPSHOTS: usize = 1000;
    let mut kept = Vec::with_capacity(SNAPSHOTS);
    let begin = Instant::now();
    for number in 0..SNAPSHOTS {
        kept.push(text.snapshot(number));
    }
    let snapshot = begin.elapsed().as_secs_f64() / SNAPSHOTS as f64;
    let begin = Instant::now();
    let undone = (0..1000).take_while(|_| text.undo()).count();
    let undo = begin.elapsed().as_secs_f64() / undone.max(1) as f64;
    println!(
        "{{\"seconds_each\": {each:e}, \"pieces\": {pieces}, \"history\": {history}, \
         \"snapshot\": {snapshot:e}, \"undone\": {undone}, \"undo\": {undo:e}}}"
    );
}

/// The cost of an insert at 10^3, 10^4, ... pieces, up to `count` of them.
fn grow(path: &str, count: usize) {
    const SAMPLE: usize = 1000;
    let options = OpenOptions::new().memory_limit(LIMIT).history_limit(0);
    let mut file = options.open(path).expect("the text");
    let len = fs::metadata(path).expect("the text").len() as usize;
    let mut random = Random(88_172_645_463_325_252);
    let mut edits = 0;
    let mut insert = |until: usize| {
        while edits < until {
            let at = random.below(len + edits * INSERTED.len() + 1);
            file.insert(at as u64, INSERTED).expect("an insert");
            edits += 1;
        }
    };
    let mut pieces = SAMPLE;
    while pieces <= count {
        // Each insert makes two pieces more.
        insert((pieces - SAMPLE / 2) / 2);
        let begin = Instant::now();
        insert(pieces / 2);
        let each = begin.elapsed().as_secs_f64() / (SAMPLE / 4) as f64;
        println!("{{\"pieces\": {pieces}, \"seconds_each\": {each:e}}}");
        pieces *= 10;
    }
}

fn overwrite(path: &str, count: usize) {
    let options = OpenOptions::new().memory_limit(LIMIT).history_limit(0);
    let mut file = options.open(path).expect("the text");
    let len = file.len() as usize;
    let mut random = Random(88_172_645_463_325_252);
    let begin = Instant::now();
    for number in 0..count {
        let at = random.below(len) as u64;
        file.replace(at..at + 1, [number as u8]).expect("an overwrite");
    }
    let seconds = begin.elapsed().as_secs_f64();
    println!("{{\"seconds\": {seconds}, \"pieces\": {}}}", file.piece_count());
}
