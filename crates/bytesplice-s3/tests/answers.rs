//! Answers that stores give now and then, as they come over the wire: none is taken for what it is not.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytesplice_s3::{
    Client, Condition, Credentials, Error, Retry, Settings, Store, Upload, UploadedPart,
};

const ETAG: &str = "\"0cc175b9c0f1b6a831c399e269772661\"";

/// A server that gives these answers, one a connection, and closes it. Keeps what it was asked.
struct Canned {
    client: Client,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Canned {
    fn new(answers: &[impl AsRef<[u8]>]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let answers: Vec<_> = answers.iter().map(|answer| answer.as_ref().to_vec()).collect();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&asked);
        std::thread::spawn(move || {
            for answer in answers {
                let (mut client, _) = listener.accept().unwrap();
                all.lock().unwrap().push(read_request(&mut client));
                client.write_all(&answer).unwrap();
            }
        });
        let retry = Retry { attempts: 3, first_wait: Duration::from_millis(1), ..Retry::default() };
        let settings = Settings {
            endpoint: Some(endpoint),
            retry,
            timeout: Duration::from_secs(5),
            ..Settings::new(Credentials::new("key", "secret"))
        };
        Self { client: Client::new("s3://bucket/key".parse().unwrap(), &settings).unwrap(), asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// The head of a request; its body is read and forgotten.
fn read_request(client: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let len = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    client.read_exact(&mut vec![0; len.unwrap_or(0)]).unwrap();
    head
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let len = body.len();
    format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {len}\r\n{headers}\r\n{body}"
    )
}

fn error(code: &str) -> String {
    format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>no</Message></Error>")
}

fn upload() -> Upload {
    Upload { id: "id".to_owned(), checksums: false }
}

fn parts() -> Vec<UploadedPart> {
    vec![UploadedPart { number: 1, etag: ETAG.to_owned(), len: Some(1), checksum: None }]
}

const COMPLETED: &str =
    "<CompleteMultipartUploadResult><ETag>&quot;e-1&quot;</ETag></CompleteMultipartUploadResult>";
const COPIED: &str = "<CopyPartResult><ETag>&quot;e&quot;</ETag></CopyPartResult>";

#[test]
fn an_error_that_comes_with_status_200_is_one() {
    let late = answer("200 OK", "", &format!("   \n  {}", error("InternalError")));
    let store = Canned::new(&[&late, &late, &answer("200 OK", "", COPIED)]);
    store.client.copy_part(&upload(), 1, 0..10, ETAG).unwrap();
    assert_eq!(store.asked().len(), 3, "asked again");
    let store = Canned::new(&[&late]);
    let told = store.client.complete(&upload(), &parts(), &Condition::Absent).unwrap_err();
    assert!(matches!(told, Error::Unreachable { undone: false, .. }), "{told}");
    let changed = answer("200 OK", "", &error("PreconditionFailed"));
    let told = Canned::new(&[&changed]).client.complete(&upload(), &parts(), &Condition::Absent);
    assert!(matches!(told, Err(Error::Changed { .. })), "{told:?}");
}

#[test]
fn a_store_that_did_nothing_is_told_from_one_that_may_have() {
    let busy = [("503 Slow Down", "SlowDown"), ("409 Conflict", "ConditionalRequestConflict")];
    let lost = [("500 Internal Server Error", "InternalError"), ("503 Service Unavailable", "")];
    for (status, code, done_nothing) in
        busy.map(|(a, b)| (a, b, true)).into_iter().chain(lost.map(|(a, b)| (a, b, false)))
    {
        let store = Canned::new(&[&answer(status, "", &error(code))]);
        let told = store.client.complete(&upload(), &parts(), &Condition::Absent).unwrap_err();
        let Error::Unreachable { undone, .. } = told else { panic!("{told}") };
        assert_eq!(undone, done_nothing, "{status}");
    }
}

#[test]
fn answers_that_are_cut_short_are_asked_for_again() {
    let range = "Content-Range: bytes 0-9/20\r\nETag: \"0cc175b9c0f1b6a831c399e269772661\"\r\n";
    let whole = answer("206 Partial Content", range, "0123456789");
    let short = &whole[..whole.len() - 1];
    let store = Canned::new(&[short, &whole[..]]);
    assert_eq!(store.client.get(0..10, ETAG).unwrap(), b"0123456789");
    assert_eq!(store.asked().len(), 2);
}

#[test]
fn other_bytes_than_were_asked_for_are_refused() {
    let etag = "ETag: \"0cc175b9c0f1b6a831c399e269772661\"\r\n";
    let of = |headers: &str| format!("{headers}\r\n{etag}");
    for (status, headers, body) in [
        // Another range; the whole; less than was asked for.
        ("206 Partial Content", of("Content-Range: bytes 1-10/20"), "0123456789"),
        ("200 OK", of("Accept-Ranges: none"), "01234567890123456789"),
        ("206 Partial Content", of("Content-Range: bytes 0-8/20"), "012345678"),
        ("206 Partial Content", of("Content-Range: bytes 0-9/20"), "012345678"),
    ] {
        let told = Canned::new(&[&answer(status, &headers, body)]).client.get(0..10, ETAG);
        assert!(matches!(told, Err(Error::BadAnswer { .. })), "{told:?}");
    }
    let other = answer(
        "206 Partial Content",
        "Content-Range: bytes 0-9/20\r\nETag: \"other\"\r\n",
        "0123456789",
    );
    let told = Canned::new(&[&other]).client.get(0..10, ETAG);
    assert!(matches!(told, Err(Error::Changed { .. })), "{told:?}");
}

#[test]
fn redirections_are_not_followed_but_told() {
    let elsewhere = "Location: http://127.0.0.1:9/bucket/key\r\n";
    for body in [error("PermanentRedirect"), String::new()] {
        let redirection = answer("301 Moved Permanently", elsewhere, &body);
        let told = Canned::new(&[&redirection]).client.get(0..10, ETAG).unwrap_err();
        assert!(matches!(told, Error::Refused { status: 301, .. }), "{told}");
        assert!(told.to_string().contains("AWS_REGION"), "{told}");
    }
}

/// Some stores leave the quotes out where the ETag is no header. As a condition it must be what the header says.
#[test]
fn an_etag_without_quotes_is_the_same() {
    let bare = COMPLETED.replace("&quot;", "");
    for body in [COMPLETED, &bare] {
        let store = Canned::new(&[&answer("200 OK", "", body)]);
        let etag = store.client.complete(&upload(), &parts(), &Condition::Absent).unwrap();
        assert_eq!(etag, "\"e-1\"");
    }
}

#[test]
fn attributes_are_kept_or_refused_but_never_left_out() {
    let head = |headers: &str| {
        let headers = format!("ETag: {ETAG}\r\n{headers}");
        Canned::new(&[&answer("200 OK", &headers, "")]).client.head()
    };
    let found = head("x-amz-meta-name: a  b\r\nContent-Encoding: gzip,aws-chunked\r\n").unwrap();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    // How a body was sent once is no attribute of the object.
    assert_eq!(
        found.attributes,
        [pair("content-encoding", "gzip"), pair("x-amz-meta-name", "a  b")]
    );
    let found = head("Content-Encoding: aws-chunked\r\n").unwrap();
    assert_eq!(found.attributes, []);
    let found = head("x-amz-meta-name: \u{e4}\r\n").unwrap();
    assert_eq!(found.attributes, [pair("x-amz-meta-name", "\u{e4}")]);
    // The same letter in ISO 8859-1.
    let mut answer = answer("200 OK", "ETag: \"e\"\r\nx-amz-meta-name: ?\r\n", "").into_bytes();
    let at = answer.iter().position(|&byte| byte == b'?').unwrap();
    answer[at] = 0xE4;
    let told = Canned::new(&[answer]).client.head();
    assert!(matches!(told, Err(Error::BadAnswer { .. })), "{told:?}");
}
