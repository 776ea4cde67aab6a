//! Stores that nobody knows, or that do not let tags be read: what is refused, and the ways on.

use std::process::Command;

use bytesplice_s3::{Attribute, Condition, Store};

use crate::proxy::{Fault, Proxy, Seen};
use crate::{LONG, Place, text, words};

/// The exit code, and all that is printed.
fn told(mut program: Command) -> (Option<i32>, String) {
    let output = program.output().unwrap();
    let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code(), told)
}

/// What a user meets at the first try with a store that nobody has told about, and what each of the
/// ways on does.
pub fn stores_that_nobody_knows_are_refused_with_the_ways_on(place: &Place<'_>) {
    let old = text(LONG);
    place.put("it", &old);
    let run = |line: &str| {
        let mut program = place.program(place.server.port);
        program.env_remove("BYTESPLICE_STORE").args(words(line));
        told(program)
    };
    // Before standard input is read, of which there is none.
    let (code, told) = run("append s3://bucket/it -");
    assert_eq!(code, Some(4), "{told}");
    for way in ["--probe-store", "--store compatible", "BYTESPLICE_STORE", "--unconditional"] {
        assert!(told.contains(way), "{way}: {told}");
    }
    assert!(told.contains("nothing was changed"), "{told}");
    assert!(place.get("it") == old);
    // A plan is shown, with a warning.
    let (code, told) = run("append s3://bucket/it --text x --dry-run --probe-store");
    assert!(code == Some(0) && told.contains("If-Match is not known"), "{told}");
    assert!(place.get("it") == old);
    // Reading needs no such thing.
    let (code, told) = run("read s3://bucket/it 0..1");
    assert!(code == Some(0) && told == "l", "{told}");

    let mut new = old;
    for (line, letter, says) in [
        ("append s3://bucket/it --text a --store compatible", b'a', ""),
        ("append s3://bucket/it --text b --unconditional", b'b', ""),
        (
            "append s3://bucket/it --text c --probe-store",
            b'c',
            "--store compatible or BYTESPLICE_STORE",
        ),
    ] {
        let (code, told) = run(line);
        assert!(code == Some(0) && told.contains(says), "{line}: {told}");
        new.push(letter);
        assert!(place.get("it") == new, "{line}");
    }
    let (code, told) = run("append s3://bucket/it --text d --probe-store --quiet");
    assert!(code == Some(0) && told.is_empty(), "{told}");
    new.push(b'd');
    assert!(place.get("it") == new);

    // At a store that ignores conditions the probe says so.
    let lenient = Proxy::start(place.server.port, |_| {
        Fault::Ignore(&["if-match", "if-none-match", "x-amz-copy-source-if-match"])
    });
    let output = place
        .program(lenient.port)
        .args(words("append s3://bucket/it --text e --probe-store"))
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(told.contains("does not honour If-Match"), "{told}");
    assert!(told.contains("(--unconditional)") && !told.contains("--probe-store"), "{told}");
    assert!(place.get("it") == new);

    // For files there is nothing to ask.
    for option in ["--probe-store", "--unconditional", "--drop-tags"] {
        let (code, told) = run(&format!("append more --text x {option}"));
        assert!(code == Some(2) && told.contains("is for objects"), "{told}");
    }
    let mut program = place.program(place.server.port);
    program.env("BYTESPLICE_STORE", "minio").args(words("append s3://bucket/it --text x"));
    let output = program.output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && told.contains("compatible"), "{told}");
}

pub fn tags_are_kept_or_the_commit_is_refused(place: &Place<'_>) {
    let client = place.client("tagged");
    let tags = [Attribute::new("x-amz-tagging", "key=value")];
    client.put(&text(100), &tags, &Condition::Absent).unwrap();
    let forbid = |seen: &Seen| match seen.target.contains("tagging=") {
        true => Fault::Forbid,
        false => Fault::Hide("x-amz-tagging-count"),
    };
    let proxy = Proxy::start(place.server.port, forbid);
    let run = |line: &str| {
        let mut program = place.program(proxy.port);
        program.args(words(line));
        told(program)
    };
    let (code, told) = run("append s3://bucket/tagged --text x");
    assert_eq!(code, Some(4), "{told}");
    assert!(told.contains("s3:GetObjectTagging") && told.contains("--drop-tags"), "{told}");
    assert!(place.get("tagged") == text(100));
    assert_eq!(client.tags().unwrap().len(), 1);
    let (code, told) = run("status s3://bucket/tagged");
    assert!(code == Some(0) && told.contains("tags         not known"), "{told}");
    let (code, told) = run("status s3://bucket/tagged --json");
    assert!(code == Some(0) && told.contains("\"tags\":null"), "{told}");
    let (code, told) = run("append s3://bucket/tagged --text x --drop-tags");
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(client.tags().unwrap(), []);

    // A store that fails before anything is written leaves nothing open: exit code 9, not 8.
    let failing = Proxy::start(place.server.port, |seen| match seen.target.contains("tagging=") {
        true => Fault::FailRequest,
        false => Fault::None,
    });
    let line = words("append s3://bucket/tagged --text y");
    let output = place.program(failing.port).args(line).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(9), "{told}");
    assert!(told.contains("GetObjectTagging") && told.contains("is unchanged"), "{told}");
}
