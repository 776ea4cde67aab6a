//! A store in memory that keeps checksums, for what real servers here do not list: resumed uploads, and lost answers.

use std::collections::BTreeMap;
use std::ops::Range;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use bytesplice::Cancel;
use bytesplice_s3::{
    Attribute, CommitOptions, Condition, Error, Head, LeftoverUpload, ObjectFile, ObjectName,
    ObjectOptions, ObjectState, Operation, Piece, Plan, Profile, Result, Retry, Store, Upload,
    UploadedPart, commit,
};
use rustix::process::{Resource, Rlimit, geteuid, setrlimit};

/// An object, the parts of its one upload, and what it was asked.
struct Memory {
    name: ObjectName,
    state: Mutex<State>,
    /// What the next completion does besides failing.
    lost: Mutex<Lost>,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    version: u64,
    /// Of the parts' checksums.
    checksum: Option<String>,
    upload: Option<BTreeMap<u16, Vec<u8>>>,
    sent: usize,
    copied: usize,
    created: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lost {
    Nothing,
    /// The next answers, of requests that were carried out.
    Answers,
    /// The same, and the store does not keep what would tell the object from others.
    Unproven,
    /// The next requests, until the upload is aborted.
    Requests,
    /// The last byte of what is read.
    LastByte,
    /// The answer, and whether the upload is gone cannot be asked.
    Everything,
}

impl Memory {
    fn new(bytes: Vec<u8>) -> Self {
        let state = State { bytes, version: 1, ..State::default() };
        let name = "s3://bucket/key".parse().unwrap();
        Self { name, state: Mutex::new(state), lost: Mutex::new(Lost::Nothing) }
    }

    fn gone(&self) -> Error {
        Error::UploadGone { object: self.name.clone(), upload: "id".to_owned() }
    }

    fn unreachable(&self, operation: Operation) -> Error {
        let (object, why) = (self.name.clone(), "lost".to_owned());
        Error::Unreachable { object, operation, attempts: 1, undone: false, why }
    }

    fn check(&self, found: u64, etag: &str, operation: Operation) -> Result<()> {
        let object = self.name.clone();
        if found.to_string() == etag { Ok(()) } else { Err(Error::Changed { object, operation }) }
    }
}

/// A part as a store lists it that keeps its CRC-32C.
fn listed(number: u16, bytes: &[u8]) -> UploadedPart {
    let len = Some(bytes.len() as u64);
    UploadedPart { number, etag: "e".to_owned(), len, checksum: Some(base64_crc(bytes)) }
}

fn base64_crc(bytes: &[u8]) -> String {
    let crc = crc32c::crc32c(bytes).to_be_bytes();
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, crc)
}

impl Store for Memory {
    fn name(&self) -> &ObjectName {
        &self.name
    }

    fn retry(&self) -> Retry {
        Retry { attempts: 3, first_wait: Duration::ZERO, ..Retry::default() }
    }

    fn head(&self) -> Result<Head> {
        let state = self.state.lock().unwrap();
        let etag = state.version.to_string();
        Ok(Head {
            len: state.bytes.len() as u64,
            etag,
            checksum: state.checksum.clone(),
            attributes: Vec::new(),
            tags: None,
        })
    }

    fn get(&self, range: Range<u64>, etag: &str) -> Result<Vec<u8>> {
        let state = self.state.lock().unwrap();
        self.check(state.version, etag, Operation::Get)?;
        let lost = usize::from(*self.lost.lock().unwrap() == Lost::LastByte);
        Ok(state.bytes[range.start as usize..range.end as usize - lost].to_vec())
    }

    fn tags(&self) -> Result<Vec<(String, String)>> {
        Ok(Vec::new())
    }

    fn put(&self, _: &[u8], _: &[Attribute], _: &Condition) -> Result<String> {
        unreachable!("contents of these tests are longer than a part")
    }

    fn create_upload(&self, _: &[Attribute]) -> Result<Upload> {
        let mut state = self.state.lock().unwrap();
        state.upload = Some(BTreeMap::new());
        state.created += 1;
        Ok(Upload { id: "id".to_owned(), checksums: true })
    }

    fn upload_part(&self, _: &Upload, number: u16, body: &[u8]) -> Result<UploadedPart> {
        let mut state = self.state.lock().unwrap();
        state.sent += 1;
        let parts = state.upload.as_mut().ok_or_else(|| self.gone())?;
        parts.insert(number, body.to_vec());
        Ok(listed(number, body))
    }

    fn copy_part(
        &self,
        _: &Upload,
        number: u16,
        range: Range<u64>,
        etag: &str,
    ) -> Result<UploadedPart> {
        let bytes = self.get(range, etag)?;
        let mut state = self.state.lock().unwrap();
        state.copied += 1;
        let part = listed(number, &bytes);
        state.upload.as_mut().ok_or_else(|| self.gone())?.insert(number, bytes);
        Ok(part)
    }

    fn complete(
        &self,
        _: &Upload,
        parts: &[UploadedPart],
        condition: &Condition,
    ) -> Result<String> {
        let lost = *self.lost.lock().unwrap();
        if lost == Lost::Requests {
            return Err(self.unreachable(Operation::Complete));
        }
        let mut state = self.state.lock().unwrap();
        let Condition::Matches(etag) = condition else { panic!("the object is there") };
        self.check(state.version, etag, Operation::Complete)?;
        let there = state.upload.take().ok_or_else(|| self.gone())?;
        assert!(
            there.iter().map(|(number, bytes)| listed(*number, bytes)).eq(parts.iter().cloned())
        );
        let crcs: Vec<u8> =
            there.values().flat_map(|bytes| crc32c::crc32c(bytes).to_be_bytes()).collect();
        let checksum = format!("{}-{}", base64_crc(&crcs), there.len());
        state.checksum = (lost != Lost::Unproven).then_some(checksum);
        state.bytes = there.into_values().flatten().collect();
        state.version += 1;
        if lost != Lost::Nothing {
            return Err(self.unreachable(Operation::Complete));
        }
        Ok(state.version.to_string())
    }

    fn abort(&self, _: &str) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        state.upload.take().map(|_| ()).ok_or_else(|| self.gone())
    }

    fn list_parts(&self, _: &str) -> Result<Vec<UploadedPart>> {
        if *self.lost.lock().unwrap() == Lost::Everything {
            return Err(self.unreachable(Operation::ListParts));
        }
        let state = self.state.lock().unwrap();
        let parts = state.upload.as_ref().ok_or_else(|| self.gone())?;
        Ok(parts.iter().map(|(number, bytes)| listed(*number, bytes)).collect())
    }

    fn delete(&self) -> Result<()> {
        unreachable!("commits remove nothing")
    }

    fn list_uploads(&self) -> Result<Vec<LeftoverUpload>> {
        let upload = LeftoverUpload { id: "id".to_owned(), initiated: SystemTime::UNIX_EPOCH };
        Ok(self.state.lock().unwrap().upload.iter().map(|_| upload.clone()).collect())
    }
}

fn profile() -> Profile {
    Profile { smallest_part: 10, largest_part: 40, preferred_upload: 30, ..Profile::AWS }
}

fn old() -> Vec<u8> {
    (0..=255).collect()
}

/// 100 new bytes in the middle, all of them `byte`, and what must come of it.
fn edit(store: &Memory, byte: u8, options: &CommitOptions<'_>) -> (Result<String>, Vec<u8>) {
    let pieces = [
        Piece::Kept { offset: 0, len: 100 },
        Piece::New { len: 100 },
        Piece::Kept { offset: 100, len: 156 },
    ];
    let plan = Plan::new(pieces, 256, &profile()).unwrap();
    let head = store.head().unwrap();
    let read = |_: u64, buffer: &mut [u8]| {
        buffer.fill(byte);
        Ok(())
    };
    let new = [&old()[..100], &[byte; 100], &old()[100..]].concat();
    (commit(store, Some(&head), &plan, &read, options), new)
}

/// A commit that fails once all parts but the last ones are there, and leaves its upload.
fn cut_short() -> Memory {
    let store = Memory::new(old());
    *store.lost.lock().unwrap() = Lost::Everything;
    let cancel = Cancel::new();
    let options = CommitOptions {
        keep_upload: true,
        threads: 1,
        cancel: Some(&cancel),
        ..CommitOptions::default()
    };
    let pieces = [
        Piece::Kept { offset: 0, len: 100 },
        Piece::New { len: 100 },
        Piece::Kept { offset: 100, len: 156 },
    ];
    let plan = Plan::new(pieces, 256, &profile()).unwrap();
    let read = |offset: u64, buffer: &mut [u8]| {
        buffer.fill(7);
        // Two of the sent parts get there.
        if offset >= 125 {
            cancel.request();
        }
        Ok(())
    };
    let head = store.head().unwrap();
    let error = commit(&store, Some(&head), &plan, &read, &options).unwrap_err();
    assert!(matches!(error, Error::Cancelled { .. }), "{error}");
    assert_eq!(store.list_uploads().unwrap().len(), 1);
    *store.lost.lock().unwrap() = Lost::Nothing;
    store
}

#[test]
fn parts_that_are_there_are_not_sent_again() {
    let store = cut_short();
    let before = store.state.lock().unwrap().sent;
    assert_eq!(before, 2);
    let options = CommitOptions { resume: Some("id"), ..CommitOptions::default() };
    let (result, new) = edit(&store, 7, &options);
    result.unwrap();
    let state = store.state.lock().unwrap();
    assert_eq!(state.bytes, new);
    // 100 bytes are four parts of 25.
    assert_eq!((state.sent, state.created), (4, 1));
}

#[test]
fn parts_of_other_edits_are_not_taken() {
    let store = cut_short();
    let options = CommitOptions { resume: Some("id"), ..CommitOptions::default() };
    let (result, new) = edit(&store, 8, &options);
    result.unwrap();
    assert_eq!(store.state.lock().unwrap().bytes, new);
    assert_eq!(store.state.lock().unwrap().sent, 2 + 4);
}

#[test]
fn a_lost_answer_to_the_last_request_is_found_out() {
    let cases = [
        (Lost::Answers, true),
        (Lost::Unproven, true),
        (Lost::Requests, false),
        (Lost::Everything, true),
    ];
    for (lost, is_new) in cases {
        let store = Memory::new(old());
        *store.lost.lock().unwrap() = lost;
        let (result, new) = edit(&store, 9, &CommitOptions::default());
        let found = store.state.lock().unwrap().bytes.clone();
        assert_eq!(found, if is_new { new } else { old() });
        match (lost, result) {
            // What is there is known to be ours, whatever else cannot be asked.
            (Lost::Answers | Lost::Everything, Ok(etag)) => assert_eq!(etag, "2"),
            (Lost::Requests, Err(error)) => {
                assert!(matches!(error, Error::Unreachable { .. }), "{error}");
                assert_eq!(error.object_state(), ObjectState::Unchanged);
            }
            (Lost::Unproven, Err(error)) => {
                assert_eq!(error.object_state(), ObjectState::OldOrNew, "{error}");
            }
            (_, result) => panic!("{result:?}"),
        }
        assert_eq!(store.list_uploads().unwrap(), []);
    }
}

#[test]
fn too_few_old_bytes_are_an_error() {
    let store = Memory::new(old());
    *store.lost.lock().unwrap() = Lost::LastByte;
    let pieces = [Piece::New { len: 1 }, Piece::Kept { offset: 0, len: 256 }];
    let plan = Plan::new(pieces, 256, &profile()).unwrap();
    let head = store.head().unwrap();
    let read = |_: u64, _: &mut [u8]| Ok(());
    let error = commit(&store, Some(&head), &plan, &read, &CommitOptions::default()).unwrap_err();
    assert!(matches!(error, Error::BadAnswer { operation: Operation::Get, .. }), "{error}");
    assert_eq!(store.state.lock().unwrap().bytes, old());
}

#[test]
fn new_bytes_that_cannot_be_read_leave_nothing() {
    let store = Memory::new(old());
    let pieces = [Piece::Kept { offset: 0, len: 200 }, Piece::New { len: 50 }];
    let plan = Plan::new(pieces, 256, &profile()).unwrap();
    let read = |_: u64, _: &mut [u8]| Err(std::io::Error::other("gone"));
    let head = store.head().unwrap();
    let error = commit(&store, Some(&head), &plan, &read, &CommitOptions::default()).unwrap_err();
    assert!(matches!(error, Error::Read { offset: 200.., .. }), "{error}");
    assert_eq!(store.list_uploads().unwrap(), []);
    assert_eq!(store.state.lock().unwrap().bytes, old());
}

const THREADLESS: &str = "BYTESPLICE_THREADLESS";

/// What the process without threads does: a commit of several parts, and a read that several requests answer.
#[test]
fn process_without_threads() {
    if std::env::var_os(THREADLESS).is_none() {
        return;
    }
    setrlimit(Resource::Nproc, Rlimit { current: Some(0), maximum: Some(0) }).unwrap();
    assert!(thread::Builder::new().spawn(|| ()).is_err(), "the limit forbids no thread");

    let store = Memory::new(old());
    let (result, new) = edit(&store, 7, &CommitOptions { threads: 4, ..CommitOptions::default() });
    result.unwrap();
    assert_eq!(store.state.lock().unwrap().bytes, new);

    let bytes: Vec<u8> = (0..36_u64 << 20).map(|at| (at * 7 / 3) as u8).collect();
    let store = Arc::new(Memory::new(bytes.clone()));
    let object = ObjectFile::of_store(store, ObjectOptions::default()).unwrap();
    let mut found = vec![0; bytes.len()];
    object.read_exact_at(&mut found, 0).unwrap();
    assert!(found == bytes);
}

#[test]
fn a_commit_and_a_long_read_need_no_threads() {
    let directory = tempfile::tempdir().unwrap();
    // A copy of the program, where another user can run it: the limit is not held against root. It is made by another
    // process, because a descriptor that a child of another test inherits would keep the copy from being run.
    let program = directory.path().join("program");
    let copied = Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status();
    assert!(copied.unwrap().success());
    let mut command = Command::new(&program);
    command.args(["--exact", "process_without_threads", "--test-threads=1"]).env(THREADLESS, "1");
    if geteuid().is_root() {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(directory.path(), permissions).unwrap();
        command.uid(65534).gid(65534);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
