//! Commits against real servers: bytes are compared with a model, never only statuses or lengths.

mod object_file;
mod proxy;
mod servers;

use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytesplice_s3::{
    Client, CommitOptions, Condition, Error, Head, ObjectState, Piece, Plan, Profile, Result,
    Store, commit, recover,
};
use proxy::{Fault, Proxy};
use servers::{Kind, Server};

const MIB: u64 = 1 << 20;
const LEN: u64 = 13 * MIB + 17;

/// Bytes that differ everywhere, by a seed.
fn noise(len: u64, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(len as usize + 8);
    while bytes.len() < len as usize {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&(state ^ (state >> 29)).to_le_bytes());
    }
    bytes.truncate(len as usize);
    bytes
}

/// What the pieces make of `old`, with new bytes from `new` by their offset in the contents.
fn expected(old: &[u8], pieces: &[Piece], new: &[u8]) -> Vec<u8> {
    let mut contents = Vec::new();
    for piece in pieces {
        match *piece {
            Piece::Kept { offset, len } => {
                contents.extend_from_slice(&old[offset as usize..(offset + len) as usize]);
            }
            Piece::New { len } => {
                let at = contents.len();
                contents.extend_from_slice(&new[at..at + len as usize]);
            }
        }
    }
    contents
}

/// An object with attributes and `bytes`, whatever it was before.
fn make(client: &Client, bytes: &[u8]) -> Head {
    let attributes = [
        ("cache-control", "max-age=7"),
        ("content-type", "text/x-test"),
        ("x-amz-meta-owner", "somebody"),
    ];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let like = Head { len: 0, etag: String::new(), checksum: None, attributes, tags: 0 };
    let condition = match client.head() {
        Ok(head) => Condition::Matches(head.etag),
        Err(Error::NotFound { .. }) => Condition::Absent,
        Err(error) => panic!("{error}"),
    };
    client.put(bytes, Some(&like), &condition).unwrap();
    client.head().unwrap()
}

fn contents(client: &Client) -> Vec<u8> {
    let head = client.head().unwrap();
    client.get(0..head.len, &head.etag).unwrap()
}

/// No upload is under way. s3s-fs 0.14 cannot list uploads.
fn nothing_is_left(server: &Server, client: &Client) {
    if server.kind == Kind::SeaweedFs {
        assert_eq!(client.list_uploads().unwrap(), []);
    }
}

fn edit(
    client: &Client,
    old: &Head,
    pieces: &[Piece],
    new: &[u8],
    options: &CommitOptions<'_>,
) -> Result<String> {
    let plan = Plan::new(pieces.iter().copied(), old.len, &Profile::AWS).unwrap();
    let read = |offset: u64, buffer: &mut [u8]| {
        buffer.copy_from_slice(&new[offset as usize..offset as usize + buffer.len()]);
        Ok(())
    };
    commit(client, Some(old), &plan, &read, options)
}

fn insertion(len: u64) -> Vec<Piece> {
    let half = len / 2;
    vec![
        Piece::Kept { offset: 0, len: half },
        Piece::New { len: 100 },
        Piece::Kept { offset: half, len: len - half },
    ]
}

/// One thread: requests come in a known order.
fn in_order() -> CommitOptions<'static> {
    CommitOptions { threads: 1, ..CommitOptions::default() }
}

fn edits_give_the_bytes_and_keep_the_attributes(server: &Server) {
    let client = server.client("folder/a key+with &signs=ä", server.port);
    let (old, new) = (noise(LEN, 1), noise(3 * LEN, 2));
    let jobs = [
        insertion(LEN),
        vec![Piece::Kept { offset: 100, len: LEN - 100 }],
        vec![Piece::Kept { offset: 0, len: LEN }, Piece::New { len: 3 }],
        vec![Piece::New { len: 1 }, Piece::Kept { offset: 0, len: LEN }],
        vec![
            Piece::Kept { offset: 6 * MIB, len: 7 * MIB },
            Piece::Kept { offset: 0, len: 6 * MIB },
        ],
        vec![Piece::Kept { offset: 1, len: 100 }, Piece::New { len: 9 }],
        vec![
            Piece::New { len: 11 * MIB },
            Piece::Kept { offset: 7, len: 6 * MIB },
            Piece::New { len: MIB },
        ],
        vec![],
    ];
    for pieces in jobs {
        let head = make(&client, &old);
        let etag = edit(&client, &head, &pieces, &new, &CommitOptions::default()).unwrap();
        let after = client.head().unwrap();
        assert!(contents(&client) == expected(&old, &pieces, &new), "{pieces:?}");
        assert_eq!(after.etag, etag);
        if server.kind == Kind::SeaweedFs {
            assert_eq!(after.attributes, head.attributes, "{pieces:?}");
        }
        nothing_is_left(server, &client);
    }
}

fn an_object_is_made_once(server: &Server) {
    let client = server.client("made", server.port);
    for (len, made) in [(10, true), (70 * MIB, false)] {
        let plan = Plan::new([Piece::New { len }], 0, &Profile::AWS).unwrap();
        let bytes = noise(len, 3);
        let read = |offset: u64, buffer: &mut [u8]| {
            buffer.copy_from_slice(&bytes[offset as usize..][..buffer.len()]);
            Ok(())
        };
        let result = commit(&client, None, &plan, &read, &CommitOptions::default());
        if made {
            result.unwrap();
            assert!(contents(&client) == bytes);
        } else {
            let error = result.unwrap_err();
            assert!(matches!(error, Error::Changed { .. }), "{error}");
            assert!(contents(&client) == noise(10, 3));
            nothing_is_left(server, &client);
        }
    }
}

/// Somebody writes before the n-th request, for every n.
fn a_writer_in_between_wins(server: &Server) {
    let (old, new, others) = (noise(LEN, 1), noise(LEN, 2), noise(77, 4));
    let direct = server.client("contended", server.port);
    for (pieces, requests) in
        [(insertion(LEN), 6), (insertion(LEN)[..2].to_vec(), 6), (insertion(1000), 3)]
    {
        for at in 0..requests {
            let head = make(&direct, &old);
            let writer = server.client("contended", server.port);
            let bytes = others.clone();
            let proxy = Proxy::start(server.port, move |seen| {
                if seen.number == at {
                    make(&writer, &bytes);
                }
                Fault::None
            });
            let client = server.client("contended", proxy.port);
            let result = edit(&client, &head, &pieces, &new, &in_order());
            if at < proxy.seen().len() {
                let error = result.unwrap_err();
                assert!(matches!(error, Error::Changed { .. }), "{at}: {error}");
                assert_eq!(error.object_state(), ObjectState::Unchanged);
                assert!(contents(&direct) == others, "{at}: {pieces:?}");
            } else {
                result.unwrap();
                assert!(contents(&direct) == expected(&old, &pieces, &new));
            }
            nothing_is_left(server, &direct);
        }
    }
}

/// Every request fails in every way once, and the commit gets through.
fn faults_are_mended(server: &Server) {
    let (old, new) = (noise(LEN, 1), noise(LEN, 2));
    let direct = server.client("faulty", server.port);
    let mut injected = 0;
    for pieces in [insertion(LEN), insertion(1000)] {
        for fault in [Fault::SlowDown, Fault::DropRequest, Fault::DropAnswer, Fault::CutAnswer] {
            for at in 0.. {
                let head = make(&direct, &old);
                let proxy =
                    Proxy::start(
                        server.port,
                        move |seen| {
                            if seen.number == at { fault } else { Fault::None }
                        },
                    );
                let client = server.client("faulty", proxy.port);
                let result = edit(&client, &head, &pieces, &new, &in_order());
                let reached = proxy.seen().len() > at;
                if let Err(error) = result {
                    // s3s-fs does not say that an upload is gone, so nobody knows.
                    let is_unknown = error.object_state() == ObjectState::OldOrNew;
                    assert!(is_unknown && server.kind == Kind::S3sFs, "{fault:?} at {at}: {error}");
                }
                assert!(contents(&direct) == expected(&old, &pieces, &new), "{fault:?} at {at}");
                // A lost answer to the first request leaves an upload that nobody knows.
                if server.kind == Kind::SeaweedFs {
                    recover(&direct, Duration::ZERO).unwrap();
                }
                if !reached {
                    break;
                }
                injected += 1;
            }
        }
    }
    println!("{:?}: {injected} faults mended", server.kind);
    assert!(injected > 30, "{injected}");
}

/// The answer to the swap is lost, and somebody writes before the client can look: an object of the same length is not taken
/// for ours, nor is the commit said to have changed nothing, as whoever repeats the edits might make them twice.
fn others_are_not_taken_for_ours(server: &Server) {
    let (old, new) = (noise(LEN, 1), noise(LEN, 2));
    let direct = server.client("taken", server.port);
    for pieces in [insertion(LEN), insertion(1000)] {
        let head = make(&direct, &old);
        let ours = expected(&old, &pieces, &new);
        let others = noise(ours.len() as u64, 4);
        let (writer, bytes) = (server.client("taken", server.port), others.clone());
        let swap = AtomicUsize::new(usize::MAX - 1);
        let proxy = Proxy::start(server.port, move |seen| {
            if seen.number == swap.load(Ordering::SeqCst) + 1 {
                assert!(contents(&writer) == ours, "it was swapped");
                make(&writer, &bytes);
            }
            if !seen.swaps() {
                return Fault::None;
            }
            swap.store(seen.number, Ordering::SeqCst);
            Fault::DropAnswer
        });
        let client = server.client("taken", proxy.port);
        let error = edit(&client, &head, &pieces, &new, &in_order()).unwrap_err();
        assert!(matches!(error, Error::Unknown { .. }), "{error}");
        assert!(contents(&direct) == others);
        nothing_is_left(server, &direct);
    }
}

/// From the n-th request on nothing gets through but the end of the upload.
fn failures_change_nothing_and_leave_nothing(server: &Server) {
    let (old, new) = (noise(LEN, 1), noise(LEN, 2));
    let direct = server.client("failing", server.port);
    for at in 1..=5 {
        let head = make(&direct, &old);
        let proxy = Proxy::start(server.port, move |seen| {
            // The last request is looked after.
            let spared: &[&str] = if at == 5 { &["DELETE", "GET", "HEAD"] } else { &["DELETE"] };
            let is_over = seen.number >= at && !spared.contains(&seen.method.as_str());
            if is_over { Fault::SlowDown } else { Fault::None }
        });
        let client = server.client("failing", proxy.port);
        let error = edit(&client, &head, &insertion(LEN), &new, &in_order()).unwrap_err();
        assert_eq!(direct.head().unwrap().etag, head.etag, "{at}: {error}");
        assert!(contents(&direct) == old);
        nothing_is_left(server, &direct);
    }
}

/// The client is killed at the n-th request, for every n; then an upload may be left, and is resumed or aborted.
fn kills_leave_old_or_new(server: &Server) {
    let (old, new) = (noise(LEN, 1), noise(LEN, 2));
    let direct = server.client("killed", server.port);
    let after = expected(&old, &insertion(LEN), &new);
    let (mut kills, mut resumed) = (0, 0);
    for at in 0.. {
        let head = make(&direct, &old);
        let (ready, wait) = std::sync::mpsc::channel::<u32>();
        let wait = Mutex::new(wait);
        // Before the server sees the request, or after it answered.
        let fault = if at % 2 == 0 { Fault::DropRequest } else { Fault::DropAnswer };
        let reached = std::sync::Arc::new(AtomicUsize::new(0));
        let count = std::sync::Arc::clone(&reached);
        let proxy = Proxy::start(server.port, move |seen| {
            count.fetch_max(seen.number + 1, Ordering::SeqCst);
            if seen.number != at / 2 {
                return Fault::None;
            }
            if fault == Fault::DropRequest {
                let id = wait.lock().unwrap().recv().unwrap();
                kill(id);
            }
            fault
        });
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "client_that_is_killed", "--ignored", "--nocapture"])
            .env("BYTESPLICE_PORT", proxy.port.to_string())
            .env("BYTESPLICE_KIND", format!("{:?}", server.kind))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        ready.send(child.id()).unwrap();
        if fault == Fault::DropAnswer {
            // The server has done it once the next request, or none, comes.
            while reached.load(Ordering::SeqCst) <= at / 2 && child.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(20));
            let _ = child.kill();
        }
        let status = child.wait().unwrap();
        let found = contents(&direct);
        assert!(found == old || found == after, "{at}: neither old nor new");
        if status.success() {
            assert!(found == after, "{at}");
            if reached.load(Ordering::SeqCst) <= at / 2 {
                break;
            }
        } else {
            kills += 1;
        }
        if server.kind == Kind::S3sFs {
            continue;
        }
        let uploads = direct.list_uploads().unwrap();
        if let (true, Some(upload)) = (found == old, uploads.first()) {
            let proxy = Proxy::start(server.port, |_| Fault::None);
            let there = direct.list_parts(&upload.id).unwrap();
            let client = server.client("killed", proxy.port);
            let options = CommitOptions { resume: Some(&upload.id), ..in_order() };
            edit(&client, &head, &insertion(LEN), &new, &options).unwrap();
            let sent = proxy
                .seen()
                .iter()
                .filter(|seen| seen.target.contains("partNumber") && !seen.is_copy)
                .count();
            let has_sent_part =
                there.iter().any(|part| part.number == 2 && part.checksum.is_some());
            assert_eq!(sent, usize::from(!has_sent_part), "{there:?}");
            resumed += 1;
            assert!(contents(&direct) == after, "{at}");
        }
        let left = direct.list_uploads().unwrap();
        assert!(
            recover(&direct, Duration::from_secs(3600)).unwrap().is_empty(),
            "younger than an hour"
        );
        assert_eq!(recover(&direct, Duration::ZERO).unwrap(), left);
        assert_eq!(direct.list_uploads().unwrap(), []);
    }
    println!("{:?}: {kills} kills, {resumed} uploads resumed", server.kind);
    assert!(kills >= 8, "{kills}");
}

fn kill(id: u32) {
    let status = Command::new("kill").args(["-KILL", &id.to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
#[ignore = "the client that kills_leave_old_or_new runs and kills"]
fn client_that_is_killed() {
    let port = std::env::var("BYTESPLICE_PORT").unwrap().parse().unwrap();
    let name = bytesplice_s3::ObjectName::new("bucket", "killed").unwrap();
    let client = Client::new(name, &servers::settings(port)).unwrap();
    let old = client.head().unwrap();
    edit(&client, &old, &insertion(LEN), &noise(LEN, 2), &in_order()).unwrap();
}

fn wrong_credentials_are_told(server: &Server) {
    let mut settings = servers::settings(server.port);
    settings.credentials.secret = "wrong".to_owned();
    let name = bytesplice_s3::ObjectName::new("bucket", "ready").unwrap();
    let client = Client::new(name, &settings).unwrap();
    let error = client.get(0..1, "\"\"").unwrap_err();
    assert!(matches!(error, Error::Refused { status: 403, .. }), "{error}");
    assert!(error.to_string().starts_with("s3://bucket/ready: "), "{error}");
    let missing = server.client("missing", server.port).head().unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }), "{missing}");
}

type Scenario = fn(&Server);

const SCENARIOS: [(&str, Scenario); 8] = [
    ("edits", edits_give_the_bytes_and_keep_the_attributes),
    ("made once", an_object_is_made_once),
    ("writer in between", a_writer_in_between_wins),
    ("faults", faults_are_mended),
    ("others' objects", others_are_not_taken_for_ours),
    ("failures", failures_change_nothing_and_leave_nothing),
    ("kills", kills_leave_old_or_new),
    ("credentials", wrong_credentials_are_told),
];

fn run(kind: Kind) {
    let server = Server::start(kind);
    // Only these, such as `kills,faults`, or all.
    let wanted = std::env::var("BYTESPLICE_SCENARIOS").unwrap_or_default();
    for (name, scenario) in SCENARIOS.into_iter().chain(object_file::SCENARIOS) {
        if !wanted.is_empty() && !wanted.split(',').any(|wanted| wanted == name) {
            continue;
        }
        println!("{kind:?}: {name}");
        scenario(&server);
    }
}

#[test]
fn seaweedfs() {
    run(Kind::SeaweedFs);
}

#[test]
fn s3s_fs() {
    run(Kind::S3sFs);
}
