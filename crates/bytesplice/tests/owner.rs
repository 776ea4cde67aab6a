//! Contents of an owner that is no file: bytes in memory, which a commit makes anew from the parts.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytesplice::{
    Content, Contents, Error, FileState, OpenOptions, Origin, Original, owns_contents,
};
use proptest::prelude::*;

#[derive(Debug)]
struct Memory(Vec<u8>);

impl Original for Memory {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let bytes = self.0.get(offset as usize..).and_then(|rest| rest.get(..buffer.len()));
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn change(&self) -> Option<String> {
        None
    }
}

struct MemoryFile {
    contents: Contents,
    memory: Arc<Memory>,
}

owns_contents!(MemoryFile);

impl MemoryFile {
    fn new(bytes: Vec<u8>) -> Self {
        let memory = Arc::new(Memory(bytes));
        let path = PathBuf::from("memory://1");
        Self { contents: Contents::new(path, memory.clone(), &OpenOptions::new()), memory }
    }

    fn commit(&mut self) -> bytesplice::Result<()> {
        let kept = self.begin_commit(u64::MAX)?;
        let mut new = Vec::new();
        for part in self.parts() {
            let len = (part.range.end - part.range.start) as usize;
            match part.origin {
                Origin::Kept(offset) | Origin::Copied(offset) => {
                    new.extend_from_slice(&self.memory.0[offset as usize..][..len]);
                }
                Origin::New => {
                    let start = new.len();
                    new.resize(start + len, 0);
                    self.read_exact_at(&mut new[start..], part.range.start)?;
                }
            }
        }
        self.memory = Arc::new(Memory(new));
        self.contents.end_commit(self.memory.clone(), kept);
        Ok(())
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.len() as usize];
        self.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn edits_undo_and_snapshots_outlive_commits(
        old in prop::collection::vec(any::<u8>(), 0..200),
        actions in prop::collection::vec((0..8_u8, any::<u16>(), any::<u16>(), any::<u16>()), 1..40),
    ) {
        let mut file = MemoryFile::new(old.clone());
        // All contents since the beginning, by the number of edits that lead there.
        let (mut before, mut model) = (Vec::new(), old);
        let mut snapshot = None;
        for (kind, one, other, third) in actions {
            let place = |number: u16| usize::from(number) % (model.len() + 1);
            let (start, end) = (place(one).min(place(other)), place(one).max(place(other)));
            let range = start as u64..end as u64;
            match kind {
                0 | 1 => {
                    let bytes = vec![third as u8; usize::from(third % 9) + 1];
                    before.push(model.clone());
                    file.insert(range.start, &bytes).unwrap();
                    model.splice(start..start, bytes);
                }
                2 if start < end => {
                    before.push(model.clone());
                    file.remove(range).unwrap();
                    model.drain(start..end);
                }
                3 if start < end => {
                    let copied = model[start..end].to_vec();
                    before.push(model.clone());
                    let to = place(third);
                    file.splice(to as u64..to as u64, Content::copy(range)).unwrap();
                    model.splice(to..to, copied);
                }
                4 => prop_assert_eq!(file.undo().unwrap(), {
                    let known = before.pop();
                    let undone = known.is_some();
                    model = known.unwrap_or(model);
                    undone
                }),
                5 => {
                    file.snapshot("then").unwrap();
                    snapshot = Some(model.clone());
                }
                _ => {
                    file.commit().unwrap();
                    prop_assert_eq!(&file.memory.0, &model);
                    prop_assert!(!file.is_modified());
                }
            }
            prop_assert_eq!(file.bytes(), &model[..]);
        }
        if let Some(snapshot) = snapshot {
            let mut bytes = vec![0; snapshot.len()];
            file.view("then").unwrap().read_exact_at(&mut bytes, 0).unwrap();
            prop_assert_eq!(bytes, snapshot);
        }
    }
}

#[test]
fn what_an_owner_says_is_damaged_is_not_read_on() {
    let mut file = MemoryFile::new(b"0123456789".to_vec());
    file.remove(file.len() - 4..).unwrap();
    file.contents.poison(FileState::Damaged);
    let refused = |outcome| matches!(outcome, Err(Error::Poisoned { .. }));
    assert!(refused(file.append("x")));
    assert!(refused(file.read_exact_at(&mut [0], 0)));
    assert!(refused(file.begin_commit(u64::MAX).map(drop)));
}

#[test]
fn expectations_are_asked_for_by_the_next_commit() {
    let mut file = MemoryFile::new(b"0123456789".to_vec());
    file.expect(2..4, "23").unwrap();
    file.begin_commit(u64::MAX).unwrap();
    file.expect(2..4, "xx").unwrap_err();
    assert!(matches!(file.begin_commit(u64::MAX), Err(Error::Unexpected { start: 2, end: 4, .. })));
}
