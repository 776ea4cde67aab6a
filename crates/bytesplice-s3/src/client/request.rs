use std::borrow::Cow;
use std::io;
use std::time::Duration;

use jiff::Timestamp;
use rusty_s3::Method;
use ureq::http::{HeaderMap, Request};

use super::{Client, xml};
use crate::{Attribute, Error, Operation, Result};

/// A request before it is signed.
#[derive(Debug, Clone)]
pub(super) struct Draft<'a> {
    pub operation: Operation,
    pub method: Method,
    /// Of the bucket instead of the object.
    pub of_bucket: bool,
    /// Sorted by name before it is signed.
    pub query: Vec<(&'a str, String)>,
    /// Names in lower case. Values may be other bytes than UTF-8.
    pub headers: Vec<(&'a str, Vec<u8>)>,
    pub body: &'a [u8],
    /// How many bytes of the answer are taken at most.
    pub answer: u64,
}

impl<'a> Draft<'a> {
    pub fn new(operation: Operation, method: Method) -> Self {
        Self {
            operation,
            method,
            of_bucket: false,
            query: Vec::new(),
            headers: Vec::new(),
            body: &[],
            // 1,000 parts of a list with all their checksums are below 1 MB.
            answer: 16 << 20,
        }
    }

    pub fn query(mut self, name: &'a str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    pub fn header(mut self, name: &'a str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string().into_bytes()));
        self
    }

    /// Adds the headers that give a new object these attributes.
    pub fn attributes(mut self, attributes: &'a [Attribute]) -> Self {
        let headers = attributes.iter();
        self.headers
            .extend(headers.map(|attribute| (&attribute.name[..], attribute.value.clone())));
        self
    }

    pub fn body(mut self, body: &'a [u8]) -> Self {
        self.body = body;
        self
    }
}

/// A whole answer of status 200 to 299.
#[derive(Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap_or("")
    }
}

/// What came of one attempt.
enum Failure {
    /// Another attempt may help.
    Passing {
        why: String,
        /// Whether the store said that it did nothing, or the request did not reach it.
        undone: bool,
    },
    Final(Error),
}

/// Whether a request failed before a connection was there to send it.
fn was_not_sent(error: &ureq::Error) -> bool {
    use ureq::{Error, Timeout};
    match error {
        Error::HostNotFound
        | Error::ConnectionFailed
        | Error::Timeout(Timeout::Resolve | Timeout::Connect) => true,
        // An established connection is not refused any more.
        Error::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        _ => false,
    }
}

impl Failure {
    /// The request may have been carried out.
    fn lost(why: String) -> Self {
        Self::Passing { why, undone: false }
    }
}

impl Client {
    /// Sends a request as often as it takes.
    pub(super) fn send(&self, draft: &Draft<'_>) -> Result<Answer> {
        self.send_up_to(draft, self.retry.attempts)
    }

    /// Sends a request up to `attempts` times. A request that came too often is told by [`Error::Unreachable`].
    pub(super) fn send_up_to(&self, draft: &Draft<'_>, attempts: u32) -> Result<Answer> {
        let (mut failures, mut all_undone) = (0, true);
        loop {
            match self.send_once(draft) {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing { why, undone }) => {
                    failures += 1;
                    all_undone &= undone;
                    if failures >= attempts {
                        return Err(Error::Unreachable {
                            object: self.name.clone(),
                            operation: draft.operation,
                            attempts: failures,
                            undone: all_undone,
                            why,
                        });
                    }
                    std::thread::sleep(self.retry.wait(failures));
                }
            }
        }
    }

    fn send_once(&self, draft: &Draft<'_>) -> Result<Answer, Failure> {
        let request = self.signed(draft).map_err(|why| Failure::Final(self.bad(draft, why)))?;
        self.counters.sent(draft);
        let response = match draft.method {
            // Not even the length of a body.
            Method::Get | Method::Head | Method::Delete => self.agent.run(request.map(|_| ())),
            Method::Put | Method::Post => self.agent.run(request),
        };
        let mut response = response.map_err(|error| match error.to_string() {
            why if why.contains("invalid peer certificate") => self.untrusted(draft, why),
            why => Failure::Passing { why, undone: was_not_sent(&error) },
        })?;
        let status = response.status().as_u16();
        let expected = response.body().content_length();
        let body =
            response.body_mut().with_config().limit(draft.answer.saturating_add(1)).read_to_vec();
        let body = body.map_err(|error| Failure::lost(error.to_string()))?;
        self.counters.fetched(draft, &body);
        let is_head = draft.method == Method::Head;
        if !is_head && expected.is_some_and(|len| len != body.len() as u64) {
            return Err(Failure::lost("the answer was cut short".to_owned()));
        }
        let answer = Answer { status, headers: response.headers().clone(), body };
        // An error can come with status 200, where the store had begun to answer before it knew.
        let told = if status < 300 && draft.operation == Operation::Get {
            None
        } else {
            xml::error_in(answer.text())
        };
        match (status, told) {
            (200..=299, None) => Ok(answer),
            (_, told) => Err(self.failure(draft, &answer, told)),
        }
    }

    /// The request with its signature, which is good for a quarter of an hour.
    fn signed<'a>(&self, draft: &Draft<'a>) -> Result<Request<&'a [u8]>, String> {
        let mut query = draft.query.clone();
        query.sort_unstable();
        let mut headers = draft.headers.clone();
        headers.sort_unstable();
        let url = if draft.of_bucket {
            self.bucket.base_url().clone()
        } else {
            self.bucket.object_url(self.name.key())
        };
        let now = Timestamp::now();
        let texts: Vec<_> =
            headers.iter().map(|(name, value)| (*name, String::from_utf8_lossy(value))).collect();
        let url = rusty_s3::signing::sign(
            &now,
            draft.method,
            url,
            self.credentials.key(),
            self.credentials.secret(),
            self.credentials.token(),
            self.bucket.region(),
            Duration::from_secs(15 * 60).as_secs(),
            query.iter().map(|(name, value)| (*name, value.as_str())),
            texts.iter().map(|(name, value)| (*name, &**value)),
        );
        let is_text = texts.iter().all(|(_, value)| matches!(value, Cow::Borrowed(_)));
        let url =
            if is_text { url } else { self.signed_as_bytes(&now, draft.method, url, &headers) };
        let mut request = Request::builder().method(draft.method.to_str()).uri(url.as_str());
        for (name, value) in &headers {
            request = request.header(*name, &value[..]);
        }
        request.body(draft.body).map_err(|error| error.to_string())
    }

    fn failure(
        &self,
        draft: &Draft<'_>,
        answer: &Answer,
        told: Option<(String, String)>,
    ) -> Failure {
        let (code, message) = told.unwrap_or_default();
        let (object, operation) = (self.name.clone(), draft.operation);
        let status = answer.status;
        let undone = matches!(
            code.as_str(),
            "SlowDown"
                | "Throttling"
                | "ThrottlingException"
                | "RequestThrottled"
                | "TooManyRequests"
                // Other bytes came than were sent.
                | "BadDigest"
                | "XAmzContentChecksumMismatch"
                // Another write of the same object is under way.
                | "ConditionalRequestConflict"
                | "OperationAborted"
        );
        let is_passing = undone
            || matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
            || matches!(code.as_str(), "InternalError" | "ServiceUnavailable" | "RequestTimeout");
        if is_passing {
            return Failure::Passing { why: format!("{status} {code} {message}"), undone };
        }
        Failure::Final(match (status, code.as_str()) {
            (412, _) | (_, "PreconditionFailed") => Error::Changed { object, operation },
            // The range was within the object once; some stores look at it before the ETag.
            (416, _) if matches!(operation, Operation::Get | Operation::CopyPart) => {
                Error::Changed { object, operation }
            }
            (_, "NoSuchUpload") => {
                let upload = draft.query.iter().find(|(name, _)| *name == "uploadId");
                let upload = upload.map(|(_, id)| id.clone()).unwrap_or_default();
                Error::UploadGone { object, upload }
            }
            // There is the object, but no tags.
            (404, "NoSuchTagSet" | "NoSuchTagSetError") => {
                Error::Refused { object, operation, status, code, message }
            }
            (404, _) => Error::NotFound { object, operation },
            _ => Error::Refused { object, operation, status, code, message },
        })
    }

    /// The store's certificate comes from nobody who is trusted: trying again does not help.
    fn untrusted(&self, draft: &Draft<'_>, why: String) -> Failure {
        Failure::Final(Error::Untrusted {
            object: self.name.clone(),
            operation: draft.operation,
            why,
        })
    }

    pub(super) fn bad(&self, draft: &Draft<'_>, why: impl Into<String>) -> Error {
        Error::BadAnswer { object: self.name.clone(), operation: draft.operation, why: why.into() }
    }
}
