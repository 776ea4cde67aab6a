//! A disk in memory, seen by the system as one file on a FUSE file system: every write and every flush passes here.
//!
//! The disk keeps what each write overwrote, so that it can be taken back to any earlier moment by touching only the
//! blocks that changed since.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags,
    Generation, INodeNo, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyWrite, Request, WriteFlags,
};

/// What came to the disk, in the order in which it came.
#[derive(Debug)]
pub enum Event<Mark> {
    /// Bytes for an offset. They stay in the disk's cache until the next flush.
    Write { offset: u64, bytes: Box<[u8]> },
    /// All writes before are durable.
    Flush,
    /// What the workload said of itself.
    Mark(Mark),
}

/// A disk in memory, and the file that it is.
pub struct FuseDisk<Mark> {
    memory: Arc<Memory<Mark>>,
    /// Ends on drop, after everything mounted on the file.
    _session: BackgroundSession,
    directory: tempfile::TempDir,
}

type Memory<Mark> = Mutex<State<Mark>>;

struct State<Mark> {
    bytes: Vec<u8>,
    overwritten: Vec<(u64, Box<[u8]>)>,
    log: Option<Vec<Event<Mark>>>,
    /// What writes are refused with `EIO` if they contain it.
    refused: Option<Box<[u8]>>,
}

impl<Mark: Send + 'static> FuseDisk<Mark> {
    /// A disk of `len` zeros.
    pub fn new(len: u64) -> Result<Self, String> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let state = State {
            bytes: vec![0; len as usize],
            overwritten: Vec::new(),
            log: None,
            refused: None,
        };
        let memory = Arc::new(Mutex::new(state));
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("bytesplice-crash-disk".into())];
        let server = Server { memory: Arc::clone(&memory), len };
        let session = fuser::spawn_mount(server, directory.path(), &config)
            .map_err(|error| format!("no FUSE file system can be mounted: {error}"))?;
        Ok(Self { memory, _session: session, directory })
    }

    /// The file that is this disk.
    pub fn path(&self) -> PathBuf {
        self.directory.path().join(NAME)
    }

    /// Starts to record events.
    pub fn record(&self) {
        lock(&self.memory).log = Some(Vec::new());
    }

    /// Puts a mark into the record.
    pub fn mark(&self, mark: Mark) {
        if let Some(log) = &mut lock(&self.memory).log {
            log.push(Event::Mark(mark));
        }
    }

    /// Stops to record; all events since the start.
    pub fn stop(&self) -> Vec<Event<Mark>> {
        lock(&self.memory).log.take().unwrap_or_default()
    }

    /// Refuses from now on every write that contains these bytes; without, takes all of them again.
    pub fn refuse(&self, bytes: Option<Box<[u8]>>) {
        lock(&self.memory).refused = bytes;
    }

    /// This moment, to go back to.
    pub fn moment(&self) -> usize {
        lock(&self.memory).overwritten.len()
    }

    /// Takes back every write since a moment. Nothing may be mounted.
    pub fn go_back(&self, moment: usize) {
        let mut state = lock(&self.memory);
        while state.overwritten.len() > moment {
            if let Some((offset, bytes)) = state.overwritten.pop() {
                let start = offset as usize;
                state.bytes[start..start + bytes.len()].copy_from_slice(&bytes);
            }
        }
    }

    /// Writes as if by the system, but records nothing.
    pub fn write(&self, offset: u64, bytes: &[u8]) {
        lock(&self.memory).write(offset, bytes);
    }

    /// Puts a copy into a file, for looking at it later.
    pub fn save(&self, path: &Path) -> std::io::Result<()> {
        let state = lock(&self.memory);
        let file = File::create(path)?;
        file.set_len(state.bytes.len() as u64)?;
        for (index, block) in state.bytes.chunks(1 << 16).enumerate() {
            if block.iter().any(|&byte| byte != 0) {
                file.write_all_at(block, (index as u64) << 16)?;
            }
        }
        Ok(())
    }
}

impl<Mark> State<Mark> {
    fn write(&mut self, offset: u64, bytes: &[u8]) -> bool {
        let start = offset as usize;
        let Some(place) = self.bytes.get_mut(start..start + bytes.len()) else { return false };
        self.overwritten.push((offset, Box::from(&*place)));
        place.copy_from_slice(bytes);
        true
    }
}

fn lock<Mark>(memory: &Memory<Mark>) -> MutexGuard<'_, State<Mark>> {
    // Who panicked elsewhere must still be able to unmount.
    memory.lock().unwrap_or_else(PoisonError::into_inner)
}

const NAME: &str = "disk";
const FILE: INodeNo = INodeNo(2);
const FOREVER: Duration = Duration::from_secs(1 << 30);

struct Server<Mark> {
    memory: Arc<Memory<Mark>>,
    len: u64,
}

impl<Mark> Server<Mark> {
    fn attributes(&self, inode: INodeNo) -> FileAttr {
        let directory = inode == INodeNo::ROOT;
        FileAttr {
            ino: inode,
            size: if directory { 0 } else { self.len },
            blocks: if directory { 0 } else { self.len / 512 },
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if directory { FileType::Directory } else { FileType::RegularFile },
            perm: if directory { 0o755 } else { 0o644 },
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

/// Requests come one after the other: what is answered before a flush comes was there before it.
impl<Mark: Send + 'static> Filesystem for Server<Mark> {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if parent == INodeNo::ROOT && name == NAME {
            reply.entry(&FOREVER, &self.attributes(FILE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&FOREVER, &self.attributes(inode));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let state = lock(&self.memory);
        let start = (offset as usize).min(state.bytes.len());
        let end = (start + size as usize).min(state.bytes.len());
        reply.data(&state.bytes[start..end]);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut state = lock(&self.memory);
        if let Some(refused) = &state.refused
            && data.windows(refused.len()).any(|bytes| *bytes == **refused)
        {
            return reply.error(Errno::EIO);
        }
        if !state.write(offset, data) {
            return reply.error(Errno::ENOSPC);
        }
        if let Some(log) = &mut state.log {
            log.push(Event::Write { offset, bytes: data.into() });
        }
        reply.written(data.len() as u32);
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // That somebody closed the file, and no flush of the disk.
        reply.ok();
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        if let Some(log) = &mut lock(&self.memory).log {
            log.push(Event::Flush);
        }
        reply.ok();
    }
}
