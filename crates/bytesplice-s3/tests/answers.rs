//! Answers that stores give now and then, as they come over the wire: none is taken for what it is not.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytesplice_s3::{
    Attribute, Client, CommitOptions, Condition, Conditions, Credentials, Error, Head, ObjectState,
    Operation, Piece, Plan, Profile, Retry, Settings, Store, Upload, UploadedPart, commit,
};

const ETAG: &str = "\"0cc175b9c0f1b6a831c399e269772661\"";

/// A server that gives these answers, one a connection, and closes it. Keeps what it was asked.
struct Canned {
    client: Client,
    asked: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Canned {
    fn new(answers: &[impl AsRef<[u8]>]) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let answers: Vec<_> = answers.iter().map(|answer| answer.as_ref().to_vec()).collect();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut answers = answers.into_iter().peekable();
            let mut listener = Some(listener);
            while let (Some(answer), Some(open)) = (answers.next(), &listener) {
                let (mut client, _) = open.accept().unwrap();
                all.lock().unwrap().push(read_request(&mut client));
                if answers.peek().is_none() {
                    // Before the last answer, so that the next connection is refused.
                    listener = None;
                }
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

    fn asked(&self) -> Vec<Vec<u8>> {
        self.asked.lock().unwrap().clone()
    }
}

/// The head of a request; its body is read and forgotten.
fn read_request(client: &mut TcpStream) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let len = String::from_utf8_lossy(&head)
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

fn head_with(headers: &[u8]) -> Head {
    let found = format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: {ETAG}\r\n");
    let answer = [found.as_bytes(), headers, b"Connection: close\r\n\r\n"].concat();
    Canned::new(&[answer]).client.head().unwrap()
}

#[test]
fn attributes_are_never_left_out() {
    let found = head_with(b"x-amz-meta-name: a  b\r\nContent-Encoding: gzip,aws-chunked\r\n");
    // How a body was sent once is no attribute of the object.
    assert_eq!(
        found.attributes,
        [Attribute::new("content-encoding", "gzip"), Attribute::new("x-amz-meta-name", "a  b")]
    );
    let found = head_with(b"Content-Encoding: aws-chunked\r\nCache-Control:\r\n");
    assert_eq!(found.attributes, []);
    let found = head_with(b"x-amz-meta-empty:\r\n");
    assert_eq!(found.attributes, [Attribute::new("x-amz-meta-empty", "")]);
    // The same letter in UTF-8 and in ISO 8859-1.
    for letter in [&b"\xC3\xA4"[..], b"\xE4"] {
        let found = head_with(&[b"x-amz-meta-name: ", letter, b"\r\n"].concat());
        assert_eq!(found.attributes, [Attribute::new("x-amz-meta-name", letter)]);
        assert_eq!(found.attributes[0].text(), "\u{e4}");
    }
}

/// Attributes are sent as they came, byte by byte, also by a request that is signed.
#[test]
fn attributes_are_sent_as_they_are() {
    let attributes =
        [Attribute::new("x-amz-meta-empty", ""), Attribute::new("x-amz-meta-name", b"\xE4 b")];
    let store = Canned::new(&[&answer("200 OK", &format!("ETag: {ETAG}\r\n"), "")]);
    store.client.put(b"new", &attributes, &Condition::Absent).unwrap();
    let asked = store.asked();
    let head = asked[0].split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).collect::<Vec<_>>();
    assert!(head.contains(&&b"x-amz-meta-name: \xE4 b"[..]), "{head:?}");
    assert!(head.contains(&&b"x-amz-meta-empty:"[..]), "{head:?}");
    let names = b"X-Amz-SignedHeaders=host%3Bif-none-match%3Bx-amz-checksum-crc32c%3Bx-amz-meta-empty%3Bx-amz-meta-name&";
    assert!(head[0].windows(names.len()).any(|found| found == names), "{head:?}");
}

fn tags_told_by(status: &str, body: &str) -> Result<Vec<(String, String)>, Error> {
    Canned::new(&[&answer(status, "", body)]).client.tags()
}

#[test]
fn tags_are_read_or_not_there_but_never_guessed() {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let told = tags_told_by(
        "200 OK",
        "<Tagging><TagSet><Tag><Key>a b</Key><Value>&amp;</Value></Tag><Tag><Key>c</Key><Value/></Tag></TagSet></Tagging>",
    );
    assert_eq!(told.unwrap(), [pair("a b", "&"), pair("c", "")]);
    let none = "<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet/></Tagging>";
    for (status, body) in [
        ("200 OK", none.to_owned()),
        // Ceph; stores without tags.
        ("404 Not Found", error("NoSuchTagSetError")),
        ("501 Not Implemented", error("NotImplemented")),
        ("405 Method Not Allowed", error("MethodNotAllowed")),
    ] {
        assert_eq!(tags_told_by(status, &body).unwrap(), [], "{status}");
    }
    let told = tags_told_by("403 Forbidden", &error("AccessDenied"));
    assert!(matches!(told, Err(Error::Refused { status: 403, .. })), "{told:?}");
    let told = tags_told_by("404 Not Found", &error("NoSuchKey"));
    assert!(matches!(told, Err(Error::NotFound { .. })), "{told:?}");
    // A store that ignores the query sends the object.
    for object in ["<html/>", "no XML"] {
        let told = tags_told_by("200 OK", object);
        assert!(matches!(told, Err(Error::BadAnswer { .. })), "{told:?}");
    }
}

/// A HEAD of an object of five bytes, with more headers.
fn told_head(headers: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\nETag: {ETAG}\r\n{headers}\r\n"
    )
}

/// Commits three bytes in the place of the five.
fn replace(store: &Canned, options: &CommitOptions<'_>) -> Result<String, Error> {
    replace_at(store, &Profile::AWS, options)
}

fn replace_at(
    store: &Canned,
    profile: &Profile,
    options: &CommitOptions<'_>,
) -> Result<String, Error> {
    let old = store.client.head()?;
    let plan = Plan::new([Piece::New { len: 3 }], old.len, profile).unwrap();
    let new = |_: u64, buffer: &mut [u8]| {
        buffer.fill(b'x');
        Ok(())
    };
    commit(&store.client, Some(&old), &plan, &new, options)
}

/// The heads of the requests so far.
fn requests(store: &Canned) -> Vec<String> {
    store.asked().iter().map(|head| String::from_utf8_lossy(head).into_owned()).collect()
}

#[test]
fn tags_whose_number_is_not_told_are_kept() {
    let tags = answer(
        "200 OK",
        "",
        "<Tagging><TagSet><Tag><Key>a b</Key><Value>&amp;</Value></Tag></TagSet></Tagging>",
    );
    let put = answer("200 OK", "ETag: \"new\"\r\n", "");
    for counted in ["", "x-amz-tagging-count: 1\r\n"] {
        let store = Canned::new(&[&told_head(counted), &tags, &put]);
        assert_eq!(replace(&store, &CommitOptions::default()).unwrap(), "\"new\"");
        let asked = requests(&store);
        assert!(
            asked[1].starts_with("GET /bucket/key?") && asked[1].contains("tagging="),
            "{asked:?}"
        );
        assert!(asked[2].contains("x-amz-tagging: a+b=%26\r\n"), "{asked:?}");
    }
    // Where nobody wants them, they are not even asked for.
    let store = Canned::new(&[&told_head("x-amz-tagging-count: 1\r\n"), &put]);
    replace(&store, &CommitOptions { drop_tags: true, ..CommitOptions::default() }).unwrap();
    assert!(!requests(&store)[1].contains("tagging"));
}

#[test]
fn tags_that_cannot_be_read_are_not_lost() {
    let refused = answer("403 Forbidden", "", &error("AccessDenied"));
    let none = answer("200 OK", "", "<Tagging><TagSet/></Tagging>");
    let counted = "x-amz-tagging-count: 1\r\n";
    for (headers, tags) in [("", &refused), (counted, &refused), (counted, &none)] {
        let store = Canned::new(&[&told_head(headers), tags]);
        let told = replace(&store, &CommitOptions::default()).unwrap_err();
        assert!(matches!(told, Error::Tags { .. }), "{told}");
        assert_eq!(told.object_state(), ObjectState::Unchanged);
        let text = told.to_string();
        assert!(text.contains("s3:GetObjectTagging") && text.contains("drop the tags"), "{text}");
        assert_eq!(store.asked().len(), 2, "nothing was written");
    }
}

/// Only a write whose answer was lost leaves it open what the object holds: not a question before
/// it.
#[test]
fn what_fails_before_a_put_leaves_nothing_open() {
    let failed = answer("500 Internal Server Error", "", &error("InternalError"));
    let store = Canned::new(&[&told_head(""), &failed, &failed, &failed]);
    let told = replace(&store, &CommitOptions::default()).unwrap_err();
    assert!(matches!(told, Error::Unreachable { operation: Operation::GetTags, .. }), "{told}");
    assert_eq!(told.object_state(), ObjectState::Unchanged);
    assert_eq!(store.asked().len(), 4, "nothing was written");
}

/// A request that could not be sent was not carried out.
#[test]
fn a_put_that_is_not_sent_leaves_nothing_open() {
    let none = answer("200 OK", "", "<Tagging><TagSet/></Tagging>");
    // Then nobody listens any more.
    let store = Canned::new(&[&told_head(""), &none]);
    let told = replace(&store, &CommitOptions::default()).unwrap_err();
    let is_put = matches!(told, Error::Unreachable { operation: Operation::Put, undone: true, .. });
    assert!(is_put, "{told:?}");
    assert_eq!(told.object_state(), ObjectState::Unchanged);
}

/// A store that refuses conditions, as Backblaze B2, is written to without one if the caller insists,
/// right after a look at the object.
#[test]
fn a_store_without_conditions_is_written_to_if_the_caller_insists() {
    let none = answer("501 Not Implemented", "", &error("NotImplemented"));
    let put = answer("200 OK", "ETag: \"new\"\r\n", "");
    let (head, tags) = (told_head(""), &none);
    let profile = Profile { conditions: Conditions::Unsupported, ..Profile::COMPATIBLE };
    let insists = CommitOptions { unconditional: true, ..CommitOptions::default() };
    // The first put has a CRC-32C, which may be what the store does not know.
    let store = Canned::new(&[&head, tags, &head, &none, &none, &put]);
    assert_eq!(replace_at(&store, &profile, &insists).unwrap(), "\"new\"");
    let asked = requests(&store);
    let has_condition = |head: &&String| head.contains("if-match");
    assert!(asked[2].starts_with("HEAD "), "{asked:?}");
    assert_eq!(asked.iter().filter(has_condition).count(), 2, "{asked:?}");
    assert!(asked[5].starts_with("PUT ") && !has_condition(&&asked[5]), "{asked:?}");

    let store = Canned::new(&[&head]);
    let told = replace_at(&store, &profile, &CommitOptions::default()).unwrap_err();
    assert!(matches!(told, Error::NoConditions { .. }), "{told}");
    // Who says that the store honours conditions, and is wrong, is told.
    let store = Canned::new(&[&head, tags, &head, &none, &none]);
    let told = replace_at(&store, &Profile::COMPATIBLE, &CommitOptions::default()).unwrap_err();
    assert!(matches!(told, Error::Refused { operation: Operation::Put, .. }), "{told}");
    assert!(told.to_string().contains("unconditional"), "{told}");
    assert_eq!(told.object_state(), ObjectState::Unchanged);
}

/// A look before the swap that finds another object, or fails, leaves nothing open: nothing was sent.
#[test]
fn the_look_before_the_swap_decides() {
    let none = answer("200 OK", "", "<Tagging><TagSet/></Tagging>");
    let other = told_head("").replace(ETAG, "\"other\"");
    let store = Canned::new(&[&told_head(""), &none, &other]);
    let told = replace_at(&store, &Profile::COMPATIBLE, &CommitOptions::default()).unwrap_err();
    assert!(matches!(told, Error::Changed { operation: Operation::Head, .. }), "{told}");
    let failed = "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\n\r\n".to_owned();
    let store = Canned::new(&[&told_head(""), &none, &failed, &failed, &failed]);
    let told = replace_at(&store, &Profile::COMPATIBLE, &CommitOptions::default()).unwrap_err();
    assert!(matches!(told, Error::Unreachable { operation: Operation::Head, .. }), "{told}");
    assert_eq!(told.object_state(), ObjectState::Unchanged);

    // After a put whose answer was lost, the object that the look finds may be ours: it is compared.
    let lost = answer("500 Internal Server Error", "", &error("InternalError"));
    let get = |body| {
        answer("206 Partial Content", "ETag: \"new\"\r\nContent-Range: bytes 0-2/3\r\n", body)
    };
    let ours = told_head("").replace(ETAG, "\"new\"").replace("Length: 5", "Length: 3");
    let same = told_head("");
    for (body, is_ours) in [("xxx", true), ("yyy", false)] {
        let answers = [&same, &none, &same, &lost, &same, &ours, &get(body)];
        let store = Canned::new(&answers);
        let result = replace_at(&store, &Profile::COMPATIBLE, &CommitOptions::default());
        match result {
            Ok(etag) => assert!(is_ours && etag == "\"new\"", "{etag}"),
            Err(told) => {
                assert!(!is_ours && matches!(told, Error::Unknown { .. }), "{told}");
                let text = told.to_string();
                assert!(!text.contains("unchanged") && !text.contains("nothing was"), "{text}");
            }
        }
        assert_eq!(store.asked().len(), answers.len(), "{body}: no second put");
    }
}
