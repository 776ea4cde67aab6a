use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes that are fetched together at least, and kept or forgotten together.
const BLOCK: u64 = 256 << 10;
/// Bytes that one request fetches at most.
const MOST: u64 = 8 << 20;
/// Bytes that are fetched at a time, by several requests: one alone is not as fast as the line. Whoever reads on gets twice as
/// much each time, up to this.
const WINDOW: u64 = 4 * MOST;
/// Bytes that are kept.
const KEPT: u64 = 64 << 20;

/// Gets bytes from where they are.
pub(crate) trait Fetch: fmt::Debug + Send + Sync {
    /// The bytes of `range`, by one request.
    fn fetch(&self, range: Range<u64>) -> io::Result<Vec<u8>>;
}

/// Bytes far away, fetched where they are wanted and kept for a while: a request takes as long as the transfer of some 100 KiB.
///
/// Reading on, forwards or backwards, fetches ever more at once; jumping about fetches a block at a time.
#[derive(Debug)]
pub(crate) struct Cache<F> {
    origin: F,
    len: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By number; the last one may be short.
    blocks: BTreeMap<u64, Block>,
    /// What was fetched last.
    last: Range<u64>,
    /// Counts uses.
    clock: u64,
}

struct Block {
    bytes: Box<[u8]>,
    /// When it was used last.
    used: u64,
}

impl<F: Fetch> Cache<F> {
    /// Nothing yet of the `len` bytes of `origin`.
    pub fn new(origin: F, len: u64) -> Self {
        Self { origin, len, state: Mutex::default() }
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Where the bytes come from.
    pub fn origin(&self) -> &F {
        &self.origin
    }

    /// Fills `buffer` with the bytes from `offset` on, which are there.
    ///
    /// # Errors
    /// Those of the origin; `UnexpectedEof` behind the end.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(buffer.len() as u64).filter(|&end| end <= self.len);
        let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let (mut at, mut rest) = (offset, buffer);
        while at < end {
            let copied = self.state().copy(at, rest);
            at += copied as u64;
            rest = &mut rest[copied..];
            if copied == 0 {
                self.fetch_around(at..end)?;
            }
        }
        Ok(())
    }

    /// Fetches the missing bytes from `wanted.start` on, and perhaps some more.
    fn fetch_around(&self, wanted: Range<u64>) -> io::Result<()> {
        let range = self.state().to_fetch(wanted, self.len);
        // Not under the lock: others may have what they want already.
        let fetched = self.fetch_all(range.clone())?;
        self.state().keep(range, fetched);
        Ok(())
    }

    /// The bytes of `range` by as many requests as it takes, at once; each has a multiple of whole blocks but for the last.
    fn fetch_all(&self, range: Range<u64>) -> io::Result<Vec<Vec<u8>>> {
        let fetch = &|start| {
            let part = start..range.end.min(start + MOST);
            let bytes = self.origin.fetch(part.clone())?;
            let is_whole = bytes.len() as u64 == part.end - part.start;
            is_whole.then_some(bytes).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "not as many bytes as asked for")
            })
        };
        let mut starts = range.clone().step_by(MOST as usize);
        let first = starts.next().unwrap_or(range.start);
        std::thread::scope(|scope| {
            let spawn = |start| {
                (start, std::thread::Builder::new().spawn_scoped(scope, move || fetch(start)))
            };
            let others: Vec<_> = starts.map(spawn).collect();
            let first = fetch(first);
            let others = others.into_iter().map(|(start, thread)| match thread {
                Ok(thread) => thread
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("a thread that fetches panicked"))),
                // The system refused the thread.
                Err(_) => fetch(start),
            });
            std::iter::once(first).chain(others).collect()
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Copies what is there from `offset` on, of one block; how much that was.
    fn copy(&mut self, offset: u64, buffer: &mut [u8]) -> usize {
        let Some(block) = self.blocks.get_mut(&(offset / BLOCK)) else { return 0 };
        self.clock += 1;
        block.used = self.clock;
        let bytes = &block.bytes[(offset % BLOCK) as usize..];
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
        count
    }

    /// The range of whole blocks to fetch when `wanted.start` is missing.
    fn to_fetch(&self, wanted: Range<u64>, len: u64) -> Range<u64> {
        let missing = wanted.start / BLOCK;
        let last = self.last.start / BLOCK..self.last.end.div_ceil(BLOCK);
        let twice = (2 * (last.end - last.start)).clamp(1, WINDOW / BLOCK);
        let (mut first, mut end) = (missing, wanted.end.div_ceil(BLOCK));
        if last.end == first {
            end = end.max(first + twice);
        } else if last.start == end {
            first = first.min(end.saturating_sub(twice));
        }
        // The wanted block is among them whatever comes.
        let first = first.max(end.saturating_sub(WINDOW / BLOCK)).min(missing);
        let end = end.min(first + WINDOW / BLOCK);
        // What is there already ends it on both sides.
        let known = |block: &u64| self.blocks.contains_key(block);
        let first = (first..missing).rev().find(known).map_or(first, |known| known + 1);
        let end = (missing + 1..end).find(known).unwrap_or(end);
        first * BLOCK..(end * BLOCK).min(len)
    }

    /// Takes over what was fetched, a request's bytes at a time, so that little is there twice.
    fn keep(&mut self, range: Range<u64>, fetched: Vec<Vec<u8>>) {
        let mut number = range.start / BLOCK;
        self.last = range;
        self.clock += 1;
        for bytes in fetched {
            for block in bytes.chunks(BLOCK as usize) {
                self.blocks.insert(number, Block { bytes: block.into(), used: self.clock });
                number += 1;
            }
            self.forget();
        }
    }

    fn forget(&mut self) {
        while self.blocks.len() as u64 > KEPT / BLOCK {
            let oldest = self.blocks.iter().min_by_key(|(_, block)| block.used);
            let Some((&number, _)) = oldest else { break };
            self.blocks.remove(&number);
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("State").field("blocks", &self.blocks.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Bytes in memory, and what was asked for.
    #[derive(Debug)]
    struct Memory {
        bytes: Vec<u8>,
        requests: Mutex<Vec<Range<u64>>>,
    }

    impl Fetch for Memory {
        fn fetch(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
            self.requests.lock().unwrap().push(range.clone());
            Ok(self.bytes[range.start as usize..range.end as usize].to_vec())
        }
    }

    fn cache(len: u64) -> Cache<Memory> {
        let bytes = (0..len).map(|at| (at * 7 / 3) as u8).collect();
        Cache::new(Memory { bytes, requests: Mutex::default() }, len)
    }

    impl Cache<Memory> {
        fn read(&self, range: Range<u64>) {
            let mut buffer = vec![0; (range.end - range.start) as usize];
            self.read_exact_at(&mut buffer, range.start).unwrap();
            let expected = &self.origin.bytes[range.start as usize..range.end as usize];
            assert!(buffer == expected, "{range:?}");
        }

        fn requests(&self) -> Vec<Range<u64>> {
            std::mem::take(&mut *self.origin.requests.lock().unwrap())
        }
    }

    const MIB: u64 = 1 << 20;

    #[test]
    fn reading_on_fetches_ever_more_and_nothing_twice() {
        for backwards in [false, true] {
            let cache = cache(40 * MIB + 5);
            let mut at: Vec<u64> = (0..40 * MIB + 5).step_by(64 << 10).collect();
            if backwards {
                at.reverse();
            }
            at.iter().for_each(|&at| cache.read(at..(at + (64 << 10)).min(cache.len())));
            let requests = cache.requests();
            assert!(requests.len() < 14, "{requests:?}");
            let fetched: u64 = requests.iter().map(|range| range.end - range.start).sum();
            assert_eq!(fetched, cache.len());
            assert!(requests.iter().all(|range| range.end - range.start <= MOST));
        }
    }

    #[test]
    fn jumping_about_fetches_a_block_at_a_time() {
        let cache = cache(40 * MIB);
        for at in [30 * MIB, 3 * MIB, 17 * MIB, 17 * MIB + 5, 9 * MIB] {
            cache.read(at..at + 10);
        }
        let lens: Vec<u64> = cache.requests().iter().map(|range| range.end - range.start).collect();
        assert_eq!(lens, [BLOCK; 4]);
    }

    /// A store that gives too little.
    #[derive(Debug)]
    struct Short;

    impl Fetch for Short {
        fn fetch(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
            Ok(vec![0; (range.end - range.start) as usize / 2])
        }
    }

    #[test]
    fn too_few_bytes_are_an_error() {
        let cache = Cache::new(Short, 3 * BLOCK);
        for offset in [0, BLOCK - 1, 3 * BLOCK - 1] {
            let error = cache.read_exact_at(&mut [0], offset).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn behind_the_end_is_nothing() {
        let cache = cache(10);
        for (offset, len) in [(11, 0), (10, 1), (0, 11), (u64::MAX, 2)] {
            let error = cache.read_exact_at(&mut vec![0; len], offset).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
        cache.read(0..10);
        cache.read(10..10);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]

        #[test]
        fn any_reads_give_the_bytes(
            len in 1..20 * MIB,
            reads in prop::collection::vec((any::<prop::sample::Index>(), 0..3 * MIB), 1..60),
        ) {
            let cache = cache(len);
            for (at, count) in reads {
                let start = at.index(len as usize + 1) as u64;
                cache.read(start..(start + count).min(len));
            }
            prop_assert!(cache.state().blocks.len() as u64 <= KEPT / BLOCK);
        }
    }
}
