//! Stores that ignore what they are asked for: conditions, ranges of copies, tags. A proxy takes
//! the headers away, so that SeaweedFS does what such a store does. An object is never a mixture,
//! has never another length, and loses no tags.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytesplice_s3::{
    Attribute, Client, CommitOptions, Condition, Conditions, Error, Head, ObjectFile,
    ObjectOptions, ObjectState, Operation, Piece, Plan, Profile, Result, Store, commit, probe,
    probe_name,
};

use crate::proxy::{Fault, Proxy, Seen};
use crate::servers::{Kind, Server};
use crate::{LEN, MIB, contents, expected, in_order, insertion, make, noise, nothing_is_left};

/// All conditions of all requests.
const CONDITIONS: &[&str] =
    &["if-match", "if-none-match", "x-amz-copy-source-if-match", "x-amz-copy-source-if-none-match"];

fn edit_as(
    client: &Client,
    old: &Head,
    pieces: &[Piece],
    new: &[u8],
    profile: &Profile,
    options: &CommitOptions<'_>,
) -> Result<String> {
    let plan = Plan::new(pieces.iter().copied(), old.len, profile).unwrap();
    let read = |offset: u64, buffer: &mut [u8]| {
        buffer.copy_from_slice(&new[offset as usize..offset as usize + buffer.len()]);
        Ok(())
    };
    commit(client, Some(old), &plan, &read, options)
}

fn unconditional() -> CommitOptions<'static> {
    CommitOptions { unconditional: true, ..in_order() }
}

/// What a commit came to, at a store that ignores conditions, when others wrote before its request
/// number `at`.
struct Contended {
    result: Result<String>,
    found: Vec<u8>,
    seen: Vec<Seen>,
}

fn contended(
    server: &Server,
    at: usize,
    pieces: &[Piece],
    profile: &Profile,
    (old, new, others): (&[u8], &[u8], &[u8]),
) -> Contended {
    let direct = server.client("ignored", server.port);
    let head = make(&direct, old);
    let (writer, bytes) = (server.client("ignored", server.port), others.to_vec());
    let proxy = Proxy::start(server.port, move |seen| {
        if seen.number == at {
            make(&writer, &bytes);
        }
        Fault::Ignore(CONDITIONS)
    });
    let client = server.client("ignored", proxy.port);
    let result = edit_as(&client, &head, pieces, new, profile, &unconditional());
    let found = contents(&direct);
    nothing_is_left(server, &direct);
    Contended { result, found, seen: proxy.seen() }
}

/// Others write before the n-th request, for every n: without the look before the swap that makes
/// mixtures, with it only a write between the look and the swap is lost, and the object is whole.
pub fn ignored_conditions_make_no_mixture(server: &Server) {
    let (old, new, others) = (noise(LEN, 1), noise(LEN, 2), noise(LEN, 4));
    let bytes = (&old[..], &new[..], &others[..]);
    for pieces in [insertion(LEN), insertion(1000)] {
        let ours = expected(&old, &pieces, &new);
        let (mut told, mut overwritten) = (0, 0);
        for at in 0.. {
            let trial = contended(server, at, &pieces, &Profile::UNKNOWN, bytes);
            if at >= trial.seen.len() {
                trial.result.unwrap();
                assert!(trial.found == ours);
                break;
            }
            match trial.result {
                // Seen at the copies, or by the look right before the swap.
                Err(error) => {
                    assert!(matches!(error, Error::Changed { .. }), "{at}: {error}");
                    assert_eq!(error.object_state(), ObjectState::Unchanged);
                    assert!(trial.found == others, "{at}: {pieces:?}");
                    told += 1;
                }
                Ok(_) => {
                    assert!(trial.seen[at].swaps(), "{at}: before {:?}", trial.seen[at]);
                    assert!(trial.found == ours, "{at}: {pieces:?}");
                    overwritten += 1;
                }
            }
        }
        assert!(told > 1 && overwritten == 1, "{told} {overwritten}");
    }

    // The same without the look: this is what these tests can see.
    let blind = Profile { checks_before_swap: false, ..Profile::UNKNOWN };
    let pieces = insertion(LEN);
    let is_mixture = |at: usize| {
        let trial = contended(server, at, &pieces, &blind, bytes);
        let ours = expected(&old, &pieces, &new);
        trial.result.is_ok() && at < trial.seen.len() && trial.found != ours
    };
    assert!((0..5).any(is_mixture), "conditions were honoured");
}

/// Nothing is asked of a store of which nobody told, or that is known to ignore conditions, unless
/// the caller says so.
pub fn unknown_stores_are_refused(server: &Server) {
    let direct = server.client("unknown", server.port);
    let old = noise(LEN, 1);
    for conditions in [Conditions::Unknown, Conditions::Unsupported] {
        let head = make(&direct, &old);
        let proxy = Proxy::start(server.port, |_| Fault::Ignore(CONDITIONS));
        let client = server.client("unknown", proxy.port);
        let profile = Profile { conditions, ..Profile::COMPATIBLE };
        for pieces in [insertion(LEN), insertion(1000)] {
            let error = edit_as(&client, &head, &pieces, &noise(LEN, 2), &profile, &in_order())
                .unwrap_err();
            assert!(matches!(error, Error::NoConditions { .. }), "{error}");
            assert_eq!(error.object_state(), ObjectState::Unchanged);
            assert_eq!(proxy.seen(), [], "{error}");
        }
    }
    let store = Arc::new(server.client("unknown", server.port));
    let mut object = ObjectFile::of_store(store, ObjectOptions::default()).unwrap();
    object.append("x").unwrap();
    let error = object.commit().unwrap_err();
    assert!(matches!(error, Error::NoConditions { .. }), "{error}");
    assert!(contents(&direct) == old);
    object.set_conditions(Conditions::Honoured);
    object.commit().unwrap();
    assert!(contents(&direct) == [&old[..], b"x"].concat());
}

/// A store that copies all of the object where a range was asked for: the object would have another
/// length.
pub fn ignored_ranges_are_noticed(server: &Server) {
    let direct = server.client("ranges", server.port);
    let (old, new) = (noise(LEN, 1), noise(LEN, 2));
    let head = make(&direct, &old);
    let proxy = Proxy::start(server.port, |_| Fault::Ignore(&["x-amz-copy-source-range"]));
    let client = server.client("ranges", proxy.port);
    for pieces in [insertion(LEN), vec![Piece::Kept { offset: 5, len: LEN - 5 }]] {
        let error = edit_as(&client, &head, &pieces, &new, &Profile::COMPATIBLE, &in_order());
        let error = error.unwrap_err();
        let is_told = matches!(error, Error::WrongPart { found: Some(LEN), .. });
        assert!(is_told, "{error}");
        assert_eq!(error.object_state(), ObjectState::Unchanged);
        assert!(contents(&direct) == old);
        nothing_is_left(server, &direct);
    }
}

/// Without the permission to list the parts nothing is swapped.
pub fn parts_that_cannot_be_listed_are_not_swapped(server: &Server) {
    let direct = server.client("parts", server.port);
    let (old, new) = (noise(LEN, 1), noise(LEN, 2));
    let lists = |seen: &Seen| seen.method == "GET" && seen.target.contains("uploadId=");
    let proxy = Proxy::start(
        server.port,
        move |seen| {
            if lists(seen) { Fault::Forbid } else { Fault::None }
        },
    );
    let client = server.client("parts", proxy.port);
    let head = make(&direct, &old);
    let error = edit_as(&client, &head, &insertion(LEN), &new, &Profile::COMPATIBLE, &in_order());
    let error = error.unwrap_err();
    let is_refused = matches!(error, Error::Refused { operation: Operation::ListParts, .. });
    assert!(is_refused, "{error}");
    assert!(error.to_string().contains("s3:ListMultipartUploadParts"), "{error}");
    assert!(contents(&direct) == old);
    nothing_is_left(server, &direct);
    // Amazon S3 copies what it is asked for, and parts that are sent have checksums.
    edit_as(&client, &head, &insertion(LEN), &new, &Profile::AWS, &in_order()).unwrap();
    assert!(contents(&direct) == expected(&old, &insertion(LEN), &new));
}

/// An object with tags, and metadata that is no UTF-8, keeps them: also where the store does not
/// count the tags. (SeaweedFS 4.48 keeps no empty metadata: `tests/answers.rs` has some.)
pub fn tags_and_metadata_are_kept(server: &Server) {
    if server.kind == Kind::S3sFs {
        println!("SKIPPED on s3s-fs 0.14: it keeps no tags");
        return;
    }
    let direct = server.client("tagged", server.port);
    let (old, new) = (noise(LEN, 1), noise(LEN, 2));
    let attributes = [
        Attribute::new("content-type", "text/x-test"),
        Attribute::new("x-amz-meta-latin", b"\xE4 b"),
        Attribute::new("x-amz-meta-utf", "\u{e4}"),
    ];
    let tagged = Attribute::new("x-amz-tagging", "key=a+value&other=");
    let tags = [("key", "a value"), ("other", "")];
    let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let make_tagged = || {
        if let Ok(head) = direct.head() {
            direct.put(&[], &[], &Condition::Matches(head.etag)).unwrap();
        } else {
            direct.put(&[], &[], &Condition::Absent).unwrap();
        }
        let etag = direct.head().unwrap().etag;
        let all = [&attributes[..], std::slice::from_ref(&tagged)].concat();
        direct.put(&old, &all, &Condition::Matches(etag)).unwrap();
        let head = direct.head().unwrap();
        assert_eq!(head.attributes, attributes, "the server keeps them");
        assert_eq!(direct.tags().unwrap(), tags);
        head
    };
    let reads_tags = |seen: &Seen| seen.target.contains("tagging=");
    for pieces in [insertion(LEN), insertion(1000)] {
        for hides in [false, true] {
            make_tagged();
            let proxy = Proxy::start(server.port, move |_| match hides {
                true => Fault::Hide("x-amz-tagging-count"),
                false => Fault::None,
            });
            let client = server.client("tagged", proxy.port);
            let head = client.head().unwrap();
            assert!(!hides || head.tags.is_none());
            edit_as(&client, &head, &pieces, &new, &Profile::COMPATIBLE, &in_order()).unwrap();
            assert!(contents(&direct) == expected(&old, &pieces, &new));
            assert_eq!(direct.head().unwrap().attributes, attributes, "{pieces:?}");
            assert_eq!(direct.tags().unwrap(), tags, "{pieces:?}");
            assert_eq!(proxy.seen().iter().filter(|seen| reads_tags(seen)).count(), 1);
        }
        // Who may not read them loses none unknowingly.
        let head = make_tagged();
        let proxy = Proxy::start(server.port, move |seen| {
            if reads_tags(seen) { Fault::Forbid } else { Fault::Hide("x-amz-tagging-count") }
        });
        let client = server.client("tagged", proxy.port);
        let hidden = client.head().unwrap();
        for head in [&head, &hidden] {
            let error = edit_as(&client, head, &pieces, &new, &Profile::COMPATIBLE, &in_order())
                .unwrap_err();
            assert!(matches!(error, Error::Tags { .. }), "{error}");
            assert!(contents(&direct) == old);
            assert_eq!(direct.tags().unwrap(), tags);
            nothing_is_left(server, &direct);
        }
        let options = CommitOptions { drop_tags: true, ..in_order() };
        edit_as(&client, &hidden, &pieces, &new, &Profile::COMPATIBLE, &options).unwrap();
        assert_eq!(direct.head().unwrap().attributes, attributes);
        assert_eq!(direct.tags().unwrap(), []);
    }
}

/// A probe tells what a store does with conditions, and leaves nothing behind.
pub fn probes_find_out(server: &Server) {
    type Decide = fn(&Seen) -> Fault;
    let swaps_parts = |seen: &Seen| seen.method == "POST" && seen.swaps();
    let cases: [(&str, Decide, Conditions); 6] = [
        ("as it is", |_| Fault::None, Conditions::Honoured),
        ("ignores all", |_| Fault::Ignore(CONDITIONS), Conditions::Unsupported),
        ("ignores If-None-Match", |_| Fault::Ignore(&["if-none-match"]), Conditions::Unsupported),
        (
            "ignores If-Match of puts",
            |seen| match seen.method == "PUT" {
                true => Fault::Ignore(&["if-match"]),
                false => Fault::None,
            },
            Conditions::Unsupported,
        ),
        (
            "ignores If-Match of completions",
            |seen| match seen.method == "POST" && seen.swaps() {
                true => Fault::Ignore(&["if-match"]),
                false => Fault::None,
            },
            Conditions::Unsupported,
        ),
        (
            "forbids writes",
            |seen| if seen.method == "PUT" { Fault::Forbid } else { Fault::None },
            Conditions::Unknown,
        ),
    ];
    let object = server.client("folder/probed", server.port);
    make(&object, b"contents");
    for (case, decide, conditions) in cases {
        let proxy = Proxy::start(server.port, decide);
        let name = probe_name(object.name()).unwrap();
        assert!(name.key().starts_with("folder/.bytesplice-probe-"), "{name}");
        let client = server.client(name.key(), proxy.port);
        assert_eq!(probe(&client).unwrap(), conditions, "{case}");
        let direct = server.client(name.key(), server.port);
        let left = direct.head();
        assert!(matches!(left, Err(Error::NotFound { .. })), "{case}: {left:?}");
        nothing_is_left(server, &direct);
        let completions = proxy.seen().iter().filter(|seen| swaps_parts(seen)).count();
        assert!(conditions != Conditions::Honoured || completions == 2, "{case}");
    }
    assert!(contents(&object) == b"contents");

    // An object of others is not written to, nor removed.
    let taken = server.client("taken by others", server.port);
    make(&taken, b"of others");
    assert_eq!(probe(&taken).unwrap(), Conditions::Unknown);
    assert!(contents(&taken) == b"of others");

    // A key that cannot be removed is named.
    let proxy = Proxy::start(server.port, |seen| {
        let removes = seen.method == "DELETE" && !seen.target.contains("uploadId=");
        if removes { Fault::Forbid } else { Fault::None }
    });
    let name = probe_name(object.name()).unwrap();
    let error = probe(&server.client(name.key(), proxy.port)).unwrap_err();
    assert!(error.to_string().contains(&name.to_string()), "{error}");
    server.client(name.key(), server.port).delete().unwrap();

    // A lost answer to the first write leaves nothing either.
    let count = AtomicUsize::new(0);
    let proxy = Proxy::start(server.port, move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => Fault::DropAnswer,
        _ => Fault::None,
    });
    let name = probe_name(object.name()).unwrap();
    let error = probe(&server.client(name.key(), proxy.port)).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    let left = server.client(name.key(), server.port).head();
    assert!(matches!(left, Err(Error::NotFound { .. })), "{left:?}");
}

/// Several writers that are told to go without conditions: nobody promises that no update is lost,
/// but the object is always one of the writers' objects.
pub fn unconditional_writers_make_no_mixture(server: &Server) {
    let direct = server.client("writers", server.port);
    let len = 5 * MIB + 100;
    let old = noise(len, 1);
    make(&direct, &old);
    let proxy = Proxy::start(server.port, |_| Fault::Ignore(CONDITIONS));
    std::thread::scope(|scope| {
        for letter in *b"abcd" {
            let port = proxy.port;
            scope.spawn(move || {
                for _ in 0..4 {
                    let store = Arc::new(server.client("writers", port));
                    let mut object = ObjectFile::of_store(store, ObjectOptions::default()).unwrap();
                    object.append([letter]).unwrap();
                    let options = CommitOptions { unconditional: true, ..CommitOptions::default() };
                    match object.commit_with(&options) {
                        Ok(()) | Err(Error::Changed { .. }) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
    let found = contents(&direct);
    let (kept, added) = found.split_at(old.len());
    assert!(kept == old);
    assert!((1..=16).contains(&added.len()), "{}", added.len());
    assert!(added.iter().all(|letter| b"abcd".contains(letter)), "{added:?}");
}
