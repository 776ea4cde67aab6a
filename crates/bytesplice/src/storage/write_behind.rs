use std::fs::File;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;

/// Ranges that wait for their turn; more are left to the next sync.
const QUEUE: usize = 64;
/// Shorter ranges are not worth a thread.
const WORTHWHILE: u64 = 256 << 10;

/// A thread that lets the system begin to write, so that copying goes on meanwhile: handing pages to the disk takes
/// about a third of the time of copying them. It ends with this.
#[derive(Debug, Default)]
pub(super) struct WriteBehind(OnceLock<Option<SyncSender<(u64, u64)>>>);

impl WriteBehind {
    /// Lets the system begin to write a range, in bytes. A hint: nothing is promised.
    pub fn start(&self, file: &Arc<File>, offset: u64, len: u64) {
        if len < WORTHWHILE {
            return;
        }
        let sender = self.0.get_or_init(|| {
            let (sender, receiver) = sync_channel(QUEUE);
            let file = Arc::clone(file);
            let name = "bytesplice write behind".into();
            let body = move || receiver.iter().for_each(|(offset, len)| begin(&file, offset, len));
            thread::Builder::new().name(name).spawn(body).ok().map(|_| sender)
        });
        if let Some(sender) = sender {
            let _ = sender.try_send((offset, len));
        }
    }
}

#[cfg(target_os = "linux")]
fn begin(file: &File, offset: u64, len: u64) {
    use std::os::fd::AsRawFd;

    let (Ok(offset), Ok(len)) = (offset.try_into(), len.try_into()) else { return };
    // SAFETY: sync_file_range takes no pointers, and the descriptor is open as long as `file` is borrowed.
    unsafe {
        libc::sync_file_range(file.as_raw_fd(), offset, len, libc::SYNC_FILE_RANGE_WRITE);
    }
}

#[cfg(not(target_os = "linux"))]
fn begin(_file: &File, _offset: u64, _len: u64) {}
