use std::io;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytesplice::{Cancel, Progress};

use crate::client::checksum;
use crate::completion::{self, Rules};
use crate::plan::Fetch;
use crate::{
    Attribute, Condition, Error, Head, Operation, Origin, Part, Plan, Result, Store, Upload,
    UploadedPart,
};

/// Reads new bytes: fills the buffer from an offset of the new contents. Called by several threads.
pub type ReadNew<'a> = dyn Fn(u64, &mut [u8]) -> io::Result<()> + Sync + 'a;

/// How a plan is carried out.
#[derive(Clone)]
pub struct CommitOptions<'a> {
    /// Most requests at a time.
    pub threads: usize,
    /// Bytes that parts to be sent may take in memory. One part is held at least.
    pub memory: u64,
    /// An upload that an earlier commit left, to go on with: sent parts that the store has already, by their checksums,
    /// are not sent again. Copied parts are copied again: nothing tells which bytes they hold. An upload without
    /// checksums is aborted, and another one begun.
    pub resume: Option<&'a str>,
    /// Whether an upload that fails is left to be resumed. Its parts are charged.
    pub keep_upload: bool,
    /// Whether to commit also to a store that does not honour conditions, or of which nobody knows:
    /// for objects that nobody else writes. What others write between the last look at the object
    /// and the swap is then lost, without an error. The condition is sent as well, in case the
    /// store honours it, unless the store refuses that.
    pub unconditional: bool,
    /// Whether the new object gets no tags, whichever the old one has: for credentials that may not
    /// read them.
    pub drop_tags: bool,
    /// Told the identifier of the upload once there is one: keep it to resume or abort it after a kill.
    pub on_upload: Option<&'a (dyn Fn(&str) + Sync)>,
    /// Told how many bytes of the new contents are in parts, by several threads, whenever a part is there.
    pub progress: Option<&'a (dyn Fn(Progress) + Sync)>,
    /// The commit stops once this is requested, unless the object is being swapped.
    pub cancel: Option<&'a Cancel>,
}

impl Default for CommitOptions<'_> {
    /// 8 requests at a time and 256 MiB.
    fn default() -> Self {
        Self {
            threads: 8,
            memory: 256 << 20,
            resume: None,
            keep_upload: false,
            unconditional: false,
            drop_tags: false,
            on_upload: None,
            progress: None,
            cancel: None,
        }
    }
}

/// Carries out a plan: the object of `store`, which was `old` (or absent), then has the new contents, and the attributes that it
/// had. Gives its new ETag.
///
/// The object has the old contents until the last request, and the new ones from then on. Every request carries the
/// old ETag. After a failure the upload is aborted; after a kill its parts stay, and [`recover`](crate::recover) aborts them.
///
/// # Errors
/// [`Error::NoConditions`] unless the store honours conditions, by the profile of the plan, or the
/// commit is [unconditional](CommitOptions::unconditional); [`Error::Tags`] if the tags cannot be
/// read; [`Error::WrongPart`] if the store copied something else than a range; [`Error::Changed`]
/// if somebody else wrote the object since; [`Error::Unknown`] if the answer to the last request
/// was lost and looking at the object did not tell; [`Error::LeftOver`] if the upload could not be
/// aborted. Otherwise the object is unchanged, and nothing is left.
///
/// ```no_run
/// use bytesplice_s3::{Client, CommitOptions, Piece, Plan, Profile, Settings, Store, commit};
///
/// let client = Client::new("s3://bucket/key".parse()?, &Settings::from_environment(None)?)?;
/// let old = client.head()?;
/// let pieces = [Piece::New { len: 3 }, Piece::Kept { offset: 0, len: old.len }];
/// let plan = Plan::new(pieces, old.len, &Profile::AWS).map_err(|error| error.of(client.name()))?;
/// let new = |offset: u64, buffer: &mut [u8]| {
///     buffer.copy_from_slice(&b"new"[offset as usize..][..buffer.len()]);
///     Ok(())
/// };
/// let etag = commit(&client, Some(&old), &plan, &new, &CommitOptions::default())?;
/// # Ok::<(), bytesplice_s3::Error>(())
/// ```
pub fn commit(
    store: &dyn Store,
    old: Option<&Head>,
    plan: &Plan,
    new: &ReadNew<'_>,
    options: &CommitOptions<'_>,
) -> Result<String> {
    if let Some(cancel) = options.cancel {
        cancel.begin();
    }
    if !options.unconditional {
        plan.conditions().check(store.name())?;
    }
    let job = Job { store, old, plan, new, options };
    let attributes = attributes(store, old, options)?;
    let rules = Rules {
        condition: old.map_or(Condition::Absent, |head| Condition::Matches(head.etag.clone())),
        looks_first: plan.checks_before_swap(),
        unconditional: options.unconditional,
    };
    if plan.is_single_put() {
        let body = job.body(0..plan.len())?;
        job.pass_commit_point()?;
        return completion::put(store, &body, &attributes, &rules);
    }
    let (upload, there) = begin(store, &attributes, options.resume)?;
    if let Some(tell) = options.on_upload {
        tell(&upload.id);
    }
    let result = job.parts(&upload, &there).and_then(|parts| {
        if plan.checks_before_swap() && plan.has_copies() {
            job.check_lengths(&upload)?;
        }
        job.pass_commit_point()?;
        completion::complete(store, &upload, &parts, plan.len(), &rules)
    });
    match result {
        Err(error) if !options.keep_upload && !matches!(error, Error::Unknown { .. }) => {
            Err(match store.abort(&upload.id) {
                Ok(()) | Err(Error::UploadGone { .. }) => error,
                Err(abort) => Error::LeftOver {
                    upload: upload.id,
                    abort: Box::new(abort),
                    source: Box::new(error),
                },
            })
        }
        result => result,
    }
}

/// The attributes of the new object: those of the old one, and its tags.
///
/// The tags are asked for once, also if the store does not tell that there are any: Amazon S3 tells
/// their number only to those who may read them, and Apache Ozone to nobody.
fn attributes(
    store: &dyn Store,
    old: Option<&Head>,
    options: &CommitOptions<'_>,
) -> Result<Vec<Attribute>> {
    let Some(old) = old else { return Ok(Vec::new()) };
    let mut attributes = old.attributes.clone();
    if options.drop_tags {
        return Ok(attributes);
    }
    let unreadable =
        |source: Error| Error::Tags { object: store.name().clone(), source: Box::new(source) };
    let tags = store.tags().map_err(|error| match error {
        error @ (Error::Refused { .. } | Error::BadAnswer { .. }) => unreadable(error),
        error => error,
    })?;
    if tags.is_empty() && old.tags.is_some_and(|count| count > 0) {
        return Err(unreadable(Error::BadAnswer {
            object: store.name().clone(),
            operation: Operation::GetTags,
            why: "it has none of the tags that HeadObject counts".to_owned(),
        }));
    }
    if !tags.is_empty() {
        let tags = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(tags).finish();
        attributes.push(Attribute::new("x-amz-tagging", tags));
    }
    Ok(attributes)
}

/// The upload to put parts into, and the parts that it has.
fn begin(
    store: &dyn Store,
    attributes: &[Attribute],
    resume: Option<&str>,
) -> Result<(Upload, Vec<UploadedPart>)> {
    if let Some(id) = resume {
        // A part that is listed twice came twice (SeaweedFS), and nothing tells which one counts.
        let listed = store.list_parts(id)?;
        let single = listed.chunk_by(|one, other| one.number == other.number);
        let there: Vec<_> = single.filter(|parts| parts.len() == 1).flatten().cloned().collect();
        if there.iter().any(|part| part.checksum.is_some()) {
            return Ok((Upload { id: id.to_owned(), checksums: true }, there));
        }
        // Nothing that can be used again, nor a way to tell whether it wants checksums.
        store.abort(id)?;
    }
    Ok((store.create_upload(attributes)?, Vec::new()))
}

struct Job<'a> {
    store: &'a dyn Store,
    old: Option<&'a Head>,
    plan: &'a Plan,
    new: &'a ReadNew<'a>,
    options: &'a CommitOptions<'a>,
}

impl Job<'_> {
    /// All parts, made by several threads. The first error stops them all.
    fn parts(&self, upload: &Upload, there: &[UploadedPart]) -> Result<Vec<UploadedPart>> {
        let parts = self.plan.parts();
        let longest = parts.iter().filter(|part| part.origin == Origin::New).map(|part| part.len);
        let fit = self.options.memory / longest.max().unwrap_or(0).max(1);
        let fit = usize::try_from(fit).unwrap_or(usize::MAX);
        let threads = self.options.threads.min(fit).min(parts.len()).max(1);
        let next = AtomicUsize::new(0);
        let bytes_done = AtomicU64::new(0);
        let made: Mutex<Result<Vec<UploadedPart>>> = Mutex::new(Ok(Vec::new()));
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(part) = parts.get(index) else { return };
                let result = self.part(upload, index, part, there);
                let failed = result.is_err();
                if let (false, Some(progress)) = (failed, self.options.progress) {
                    let bytes_done = bytes_done.fetch_add(part.len, Ordering::Relaxed) + part.len;
                    progress(Progress { bytes_done, bytes_total: self.plan.len() });
                }
                let mut made = made.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                match (&mut *made, result) {
                    (Ok(made), Ok(part)) => made.push(part),
                    (made @ Ok(_), Err(error)) => *made = Err(error),
                    (Err(_), _) => {}
                }
                if failed {
                    next.store(parts.len(), Ordering::Relaxed);
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                // Without a thread that the system refuses, the others make its parts.
                if std::thread::Builder::new().spawn_scoped(scope, work).is_err() {
                    break;
                }
            }
            work();
        });
        let made = made.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut made = made?;
        made.sort_unstable_by_key(|part| part.number);
        Ok(made)
    }

    fn part(
        &self,
        upload: &Upload,
        index: usize,
        part: &Part,
        there: &[UploadedPart],
    ) -> Result<UploadedPart> {
        self.check_cancelled()?;
        // A plan has no more parts than numbers.
        let number = u16::try_from(index + 1).unwrap_or(u16::MAX);
        if let Origin::Kept(offset) = part.origin {
            let range = offset..offset + part.len;
            return self.store.copy_part(upload, number, range, self.old_etag());
        }
        let body = self.body(part.offset..part.end())?;
        let found = there.binary_search_by_key(&number, |part| part.number);
        if let Some(found) = found.ok().map(|index| &there[index]) {
            let is_same = found.len == Some(part.len)
                && !found.etag.is_empty()
                && found.checksum.as_ref().is_some_and(|found| *found == checksum(&body));
            if is_same {
                return Ok(found.clone());
            }
        }
        self.store.upload_part(upload, number, &body)
    }

    /// Fails unless the store lists every part with the length that was asked for: some stores copy
    /// the whole object where a range was asked for.
    fn check_lengths(&self, upload: &Upload) -> Result<()> {
        self.check_cancelled()?;
        let listed = self.store.list_parts(&upload.id)?;
        for (number, part) in (1..).zip(self.plan.parts()) {
            let mut lens =
                listed.iter().filter(|found| found.number == number).map(|found| found.len);
            let first = lens.next().unwrap_or(None);
            // One that came twice has one length.
            let found = lens.find(|len| *len != Some(part.len)).unwrap_or(first);
            if found != Some(part.len) {
                let object = self.store.name().clone();
                return Err(Error::WrongPart { object, number, expected: part.len, found });
            }
        }
        Ok(())
    }

    /// The bytes `range` of the new contents.
    fn body(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        let mut fetches = self.plan.fetches(range.clone()).into_iter();
        // What the last request fetched, from where on, and how many segments of that are still to come.
        let (mut fetched, mut start, mut left) = (Vec::new(), 0, 0);
        for segment in self.plan.segments(range) {
            if let Origin::Kept(offset) = segment.origin {
                if left == 0 {
                    let alone = Fetch { range: offset..offset + segment.len, segments: 1 };
                    let fetch = fetches.next().unwrap_or(alone);
                    (start, left) = (fetch.range.start, fetch.segments);
                    fetched = self.fetch(fetch.range)?;
                }
                left -= 1;
                let begin = (offset - start) as usize;
                body.extend_from_slice(&fetched[begin..begin + segment.len as usize]);
                continue;
            }
            let begin = body.len();
            let len = usize::try_from(segment.len).unwrap_or(usize::MAX);
            body.resize(begin.saturating_add(len), 0);
            (self.new)(segment.offset, &mut body[begin..]).map_err(|source| Error::Read {
                object: self.store.name().clone(),
                offset: segment.offset,
                source,
            })?;
        }
        Ok(body)
    }

    /// The bytes `range` of the old object, all of them.
    fn fetch(&self, range: Range<u64>) -> Result<Vec<u8>> {
        self.check_cancelled()?;
        let bytes = self.store.get(range.clone(), self.old_etag())?;
        if bytes.len() as u64 == range.end - range.start {
            return Ok(bytes);
        }
        Err(Error::BadAnswer {
            object: self.store.name().clone(),
            operation: Operation::Get,
            why: "not as many bytes as asked for".to_owned(),
        })
    }

    /// Nothing is kept of an object that is absent.
    fn old_etag(&self) -> &str {
        self.old.map_or("", |head| &head.etag)
    }

    fn check_cancelled(&self) -> Result<()> {
        self.go_on(!self.options.cancel.is_some_and(Cancel::is_requested))
    }

    /// Fails if a stop was asked for before; after this none stops the swap.
    fn pass_commit_point(&self) -> Result<()> {
        self.go_on(self.options.cancel.is_none_or(Cancel::pass_commit_point))
    }

    fn go_on(&self, goes_on: bool) -> Result<()> {
        let cancelled = || Error::Cancelled { object: self.store.name().clone() };
        if goes_on { Ok(()) } else { Err(cancelled()) }
    }
}
