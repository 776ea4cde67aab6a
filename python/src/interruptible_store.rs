//! A store that is waited for as Python waits: signals are handled meanwhile.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use bytesplice_s3::{
    Attribute, Client, Condition, Error, Head, LeftoverUpload, ObjectName, Result, Retry, Store,
    Upload, UploadedPart,
};
use pyo3::prelude::*;

use crate::commit::INTERVAL;

/// Asks on a thread of its own whatever changes nothing, and asks Python about signals until the answer is there: what a handler
/// raises, such as that of Ctrl-C, ends the wait, however long the store takes, and becomes the source of the error.
///
/// Requests that change something are waited for, so that what becomes of them is known.
pub(crate) struct InterruptibleStore {
    client: Arc<Client>,
    /// How often a handler raised something: that ends the waits of other threads for the same call as well.
    raised: AtomicUsize,
}

impl InterruptibleStore {
    pub(crate) fn new(client: Client) -> Self {
        Self { client: Arc::new(client), raised: AtomicUsize::new(0) }
    }

    fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Client) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let client = Arc::clone(&self.client);
        let raised_before = self.raised.load(Ordering::Relaxed);
        let (sender, receiver) = mpsc::sync_channel(1);
        // The thread takes the question out of here, because what is given to a refused thread is lost.
        let waiting = Arc::new(Mutex::new(Some(ask)));
        let take = |waiting: &Mutex<Option<_>>| {
            waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
        };
        let asked = Arc::clone(&waiting);
        let asking = move || {
            if let Some(ask) = take(&asked) {
                // Nobody listens any more after a signal.
                sender.send(ask(&client)).unwrap_or_default();
            }
        };
        if thread::Builder::new().spawn(asking).is_err()
            && let Some(ask) = take(&waiting)
        {
            // The answer is waited for without looking at signals.
            return ask(&self.client);
        }
        loop {
            match receiver.recv_timeout(INTERVAL) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Timeout) => {
                    // Nothing in other threads than the main one, as always in Python.
                    if let Some(Err(raised)) = Python::try_attach(|py| py.check_signals()) {
                        self.raised.fetch_add(1, Ordering::Relaxed);
                        return Err(self.failed(io::Error::other(raised)));
                    }
                    if self.raised.load(Ordering::Relaxed) != raised_before {
                        return Err(self.failed(io::ErrorKind::Interrupted.into()));
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.failed(io::ErrorKind::BrokenPipe.into()));
                }
            }
        }
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::Read { object: self.client.name().clone(), offset: 0, source }
    }
}

impl Store for InterruptibleStore {
    fn name(&self) -> &ObjectName {
        self.client.name()
    }

    fn retry(&self) -> Retry {
        self.client.retry()
    }

    fn head(&self) -> Result<Head> {
        self.ask(Store::head)
    }

    fn get(&self, range: Range<u64>, etag: &str) -> Result<Vec<u8>> {
        let etag = etag.to_owned();
        self.ask(move |client| client.get(range, &etag))
    }

    fn tags(&self) -> Result<Vec<(String, String)>> {
        self.ask(Store::tags)
    }

    fn put(&self, body: &[u8], attributes: &[Attribute], condition: &Condition) -> Result<String> {
        self.client.put(body, attributes, condition)
    }

    fn create_upload(&self, attributes: &[Attribute]) -> Result<Upload> {
        self.client.create_upload(attributes)
    }

    fn upload_part(&self, upload: &Upload, number: u16, body: &[u8]) -> Result<UploadedPart> {
        self.client.upload_part(upload, number, body)
    }

    fn copy_part(
        &self,
        upload: &Upload,
        number: u16,
        range: Range<u64>,
        etag: &str,
    ) -> Result<UploadedPart> {
        self.client.copy_part(upload, number, range, etag)
    }

    fn complete(
        &self,
        upload: &Upload,
        parts: &[UploadedPart],
        condition: &Condition,
    ) -> Result<String> {
        self.client.complete(upload, parts, condition)
    }

    fn abort(&self, upload: &str) -> Result<()> {
        self.client.abort(upload)
    }

    fn list_parts(&self, upload: &str) -> Result<Vec<UploadedPart>> {
        self.ask({
            let upload = upload.to_owned();
            move |client| client.list_parts(&upload)
        })
    }

    fn list_uploads(&self) -> Result<Vec<LeftoverUpload>> {
        self.ask(Store::list_uploads)
    }

    fn delete(&self) -> Result<()> {
        self.client.delete()
    }
}
