//! Commands on objects of a real store: they do what they do with files.

#[path = "../json/checker.rs"]
mod checker;
#[path = "../../../bytesplice-s3/tests/object_stores/proxy.rs"]
#[expect(dead_code, reason = "faults are the business of the library's tests")]
mod proxy;
#[path = "../../../bytesplice-s3/tests/object_stores/servers.rs"]
#[expect(dead_code, reason = "one of its servers is enough here")]
mod servers;
mod unknown_stores;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use bytesplice_s3::{Client, Condition, Error, LeftoverUpload, Store};
use checker::Checker;
use proxy::{Fault, Proxy, Seen};
use rustix::process::{Pid, Signal, kill_process};
use servers::{Kind, Server};
use tempfile::TempDir;

/// Longer than what is sent whole.
const LONG: usize = (12 << 20) + 5;

struct Place<'a> {
    server: &'a Server,
    directory: TempDir,
}

impl<'a> Place<'a> {
    fn new(server: &'a Server) -> Self {
        let place = Self { server, directory: tempfile::tempdir().unwrap() };
        fs::write(place.path("more"), "more of it\n".repeat(1000)).unwrap();
        place
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    /// The program, which finds the store at this port. A shell that starts the tests in the background has SIGINT
    /// ignored, which children inherit.
    fn program(&self, port: u16) -> Command {
        let mut command = Command::new("env");
        command
            .args(["--default-signal=INT", env!("CARGO_BIN_EXE_bytesplice")])
            .current_dir(self.directory.path())
            .env_clear()
            .env("HOME", self.directory.path())
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("AWS_ACCESS_KEY_ID", "key")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"))
            .env("BYTESPLICE_STORE", "compatible")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, line: &str) -> Output {
        self.program(self.server.port).args(words(line)).output().unwrap()
    }

    #[track_caller]
    fn run_well(&self, line: &str) -> Vec<u8> {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(0), "{line}: {output:?}");
        output.stdout
    }

    fn client(&self, key: &str) -> Client {
        self.server.client(key, self.server.port)
    }

    fn put(&self, key: &str, bytes: &[u8]) {
        let client = self.client(key);
        let condition = match client.head() {
            Ok(head) => Condition::Matches(head.etag),
            Err(Error::NotFound { .. }) => Condition::Absent,
            Err(error) => panic!("{error}"),
        };
        client.put(bytes, &[], &condition).unwrap();
    }

    fn get(&self, key: &str) -> Vec<u8> {
        let client = self.client(key);
        let head = client.head().unwrap();
        client.get(0..head.len, &head.etag).unwrap()
    }

    fn uploads(&self, key: &str) -> Vec<LeftoverUpload> {
        self.client(key).list_uploads().unwrap()
    }
}

/// Words, of which those in `'…'` may have spaces.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('\'').enumerate();
    let words = parts.flat_map(|(number, part)| match number % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

fn text(len: usize) -> Vec<u8> {
    let lines = (0_u64..).flat_map(|number| format!("line {number} of the text\n").into_bytes());
    lines.take(len).collect()
}

/// What commands print, and what they do, but for the name.
fn commands_do_with_objects_what_they_do_with_files(place: &Place<'_>) {
    for len in [100, LONG] {
        let contents = text(len);
        place.put("it", &contents);
        fs::write(place.path("it"), &contents).unwrap();
        for line in [
            "insert IT 7 --text 'a header'",
            "insert IT end --from more",
            "replace IT 10..20 --text 'text of any length'",
            "replace IT --lines 2..3 --escaped 'one line for two\\n'",
            "remove IT -30..-20 --expect-hex EXPECTED",
            "remove IT 1..2 --save saved",
            "append IT --fill 65:100",
            "copy IT 0..10 end",
            "move IT -10.. 3",
            "apply IT -e '{\"insert\":0,\"text\":\"# \"}' -e '{\"remove\":[10,20]}'",
            "sub IT line Zeile --range ..100",
            "replace-all IT --regex '(\\d) of' 'of $1' --max 3",
            "truncate IT -1",
            "remove IT 3..4 --undo-script undo",
            "apply IT undo",
            "remove IT 2+20 --quiet",
        ] {
            let expected = fs::read(place.path("it")).unwrap();
            let expected = &expected[expected.len() - 30..expected.len() - 20];
            let hex: String = expected.iter().map(|byte| format!("{byte:02x}")).collect();
            let line = line.replace("EXPECTED", &hex);
            let make = |name: &str| {
                let output = place.run_well(&line.replace("IT", name));
                let made = ["saved", "undo"].map(|new| fs::read(place.path(new)).ok());
                if line.contains("--save") || line.starts_with("apply IT undo") {
                    let _ = fs::remove_file(place.path("saved"));
                    let _ = fs::remove_file(place.path("undo"));
                }
                (output, made)
            };
            if line.ends_with("--undo-script undo") {
                // The script of the object comes from a copy of the file.
                let of_file = make("it");
                fs::rename(place.path("undo"), place.path("undo of file")).unwrap();
                assert!(of_file == make("s3://bucket/it"), "{line}");
            } else if line.ends_with("apply IT undo") {
                place.run_well(&line.replace("IT", "it"));
                make("s3://bucket/it");
            } else {
                assert!(make("it") == make("s3://bucket/it"), "{line}");
            }
            assert!(place.get("it") == fs::read(place.path("it")).unwrap(), "{len}: {line}");
        }
        assert_eq!(place.uploads("it"), []);
        place.run_well("replace it 5..9 --text other");
        for line in [
            "read IT ..",
            "read IT --lines 2..4",
            "show IT 3..50",
            "find IT Zeile",
            "find IT --regex 'l.ne \\d' --context 3 --max 5",
            "find IT of --count",
            "diff IT it",
            "diff it IT --reversible",
            "diff IT IT --format vcdiff",
        ] {
            let output = |name| place.run(&line.replace("IT", name));
            let (of_file, of_object) = (output("it"), output("s3://bucket/it"));
            assert_eq!(of_file.status, of_object.status, "{line}: {of_object:?}");
            if !line.contains("it") {
                place.put("it", &fs::read(place.path("it")).unwrap());
                let of_object = output("s3://bucket/it");
                assert!(of_file.stdout == of_object.stdout, "{line}");
            }
        }
        let script = place.run_well("diff s3://bucket/it more");
        fs::write(place.path("script"), script).unwrap();
        fs::write(place.path("second"), place.get("it")).unwrap();
        place.run_well("apply s3://bucket/it script --undo-script inverse");
        assert!(place.get("it") == fs::read(place.path("more")).unwrap());
        let inverse = place.run_well("invert script --old second");
        assert!(inverse == fs::read(place.path("inverse")).unwrap());
        place.run_well("apply s3://bucket/it inverse");
        assert!(place.get("it") == fs::read(place.path("second")).unwrap());
        fs::remove_file(place.path("inverse")).unwrap();
        let _ = fs::remove_file(place.path("undo of file"));
    }
}

fn refusals_change_nothing_and_say_what_to_do(place: &Place<'_>) {
    place.put("it", b"contents");
    fs::write(place.path("existing"), "").unwrap();
    for (line, code, message) in [
        ("remove s3://bucket/missing 0..1", 4, "there is no such object or bucket"),
        ("remove s3://missing/it 0..1", 4, "there is no such object or bucket"),
        ("recover s3://missing/it", 4, "no such"),
        ("remove s3://bucket/it 0..9", 3, "which are 8 bytes long; nothing was changed"),
        ("insert s3://bucket/it -9 --text x", 3, "before the start"),
        ("remove s3://bucket/it --lines 3..", 3, "which have 1 line; nothing"),
        ("truncate s3://bucket/it 9", 3, "append --fill 0:1"),
        ("remove s3://bucket/it 0..1 --expect-hex 00", 6, "differ"),
        ("remove s3://bucket/it 0..1 --save existing", 4, "exists already"),
        ("remove s3://bucket/it 0..1 --undo-script existing", 4, "exists already"),
        ("append s3://bucket/it --from s3://bucket/it", 2, "read s3://bucket/it .. |"),
        ("append s3://bucket/it --text x --endpoint nonsense", 4, "address of a store"),
    ] {
        let output = place.run(line);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}: {told}");
        assert!(told.contains(message), "{line}: {told}");
        assert_eq!(place.get("it"), b"contents", "{line}");
    }
    let mut wrong = place.program(place.server.port);
    wrong.env("AWS_SECRET_ACCESS_KEY", "wrong").args(["status", "s3://bucket/it"]);
    let output = wrong.output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("403"));
    place.run_well("remove s3://bucket/it 0..1 --dry-run");
    assert_eq!(place.get("it"), b"contents");
}

/// FILE is opened before standard input is read.
fn who_comes_second_is_told(place: &Place<'_>) {
    place.put("it", b"contents");
    let mut child = place
        .program(place.server.port)
        .args(["append", "s3://bucket/it", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    sleep(Duration::from_millis(500));
    place.put("it", b"of others");
    child.stdin.take().unwrap().write_all(b"mine").unwrap();
    let (status, told) = end(child);
    assert_eq!(status.code(), Some(6), "{told}");
    assert!(told.contains("changed by others"), "{told}");
    assert_eq!(place.get("it"), b"of others");
}

fn end(mut child: Child) -> (ExitStatus, String) {
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    (child.wait().unwrap(), told)
}

fn is_upload(seen: &Seen) -> bool {
    seen.method == "PUT" && seen.target.contains("partNumber=") && !seen.is_copy
}

/// Starts an insertion, and comes back when the first part is on its way, which takes a while.
fn slow_insertion(place: &Place<'_>) -> (Child, Proxy) {
    let arrived = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&arrived);
    let proxy = Proxy::start(place.server.port, move |seen| {
        if is_upload(seen) {
            told.store(true, Ordering::SeqCst);
            sleep(Duration::from_secs(1));
        }
        Fault::None
    });
    let child = place
        .program(proxy.port)
        .args(["insert", "s3://bucket/it", "6MiB", "--text", "x"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !arrived.load(Ordering::SeqCst) {
        sleep(Duration::from_millis(5));
    }
    (child, proxy)
}

fn signals_leave_the_object_as_it_was(place: &Place<'_>) {
    let old = text(LONG);
    place.put("it", &old);
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let (child, _proxy) = slow_insertion(place);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let (status, told) = end(child);
        assert_eq!(status.code(), Some(code), "{told}");
        assert!(told.contains("interrupted: stopping when the requests"), "{told}");
        assert!(told.contains("the commit was stopped; the object is unchanged"), "{told}");
        assert!(place.get("it") == old);
        assert_eq!(place.uploads("it"), []);
    }

    // The second one does not wait.
    let (child, proxy) = slow_insertion(place);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    sleep(Duration::from_millis(200));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let (status, told) = end(child);
    assert_eq!(status.signal(), Some(2), "{told}");
    assert!(told.contains("its upload is left to `bytesplice recover`"), "{told}");
    // So that no part comes after the upload is aborted.
    sleep(Duration::from_millis(1500));
    drop(proxy);
    assert!(place.get("it") == old);
    assert_eq!(place.uploads("it").len(), 1);

    let told = String::from_utf8(place.run_well("recover s3://bucket/it")).unwrap();
    assert!(told.contains("1 under way, too young to be aborted"), "{told}");
    let status = String::from_utf8(place.run_well("status s3://bucket/it")).unwrap();
    assert!(status.contains(&place.uploads("it")[0].id), "{status}");
    let told = String::from_utf8(place.run_well("recover s3://bucket/it --older-than 0s")).unwrap();
    assert!(told.contains("1 aborted, none is left"), "{told}");
    assert_eq!(place.uploads("it"), []);
    assert!(place.get("it") == old);
}

fn a_kept_upload_is_resumed(place: &Place<'_>) {
    let old = text(LONG);
    place.put("it", &old);
    let drop_copies = Proxy::start(place.server.port, |seen| match seen.is_copy {
        true => {
            // Until the other part is there.
            sleep(Duration::from_millis(300));
            Fault::DropRequest
        }
        false => Fault::None,
    });
    let line = "insert s3://bucket/it 0 --from more --keep-upload";
    let output = place.program(drop_copies.port).args(words(line)).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(9), "{told}");
    assert!(drop_copies.seen().iter().any(is_upload));
    assert!(place.get("it") == old);
    let (_, upload) = told.split_once("--resume ").expect(&told);
    let upload = upload.split_whitespace().next().unwrap();
    assert_eq!(place.uploads("it")[0].id, upload);

    // SeaweedFS does not list checksums, so that parts are sent again, to another upload: `tests/resume.rs` of the
    // library has one that does.
    place.run_well(&format!("insert s3://bucket/it 0 --from more --resume {upload}"));
    let more = fs::read(place.path("more")).unwrap();
    assert!(place.get("it") == [more, old].concat());
    assert_eq!(place.uploads("it"), []);
}

fn progress_is_told_in_lines(place: &Place<'_>) {
    place.put("it", &text(LONG));
    let slowly = AtomicUsize::new(0);
    let proxy = Proxy::start(place.server.port, move |seen| {
        if seen.target.contains("partNumber=") {
            sleep(Duration::from_millis(1100 * slowly.fetch_add(1, Ordering::SeqCst) as u64));
        }
        Fault::None
    });
    let line = "insert s3://bucket/it 6MiB --text x --progress always";
    let output = place.program(proxy.port).args(words(line)).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("s3://bucket/it: 100% of 12.0 MiB"), "{told}");
    assert!(told.lines().count() >= 2, "{told}");
}

fn objects_are_told_as_the_schema_says(place: &Place<'_>) {
    let checker = Checker::new();
    place.put("it", &text(LONG));
    let run = |line: &str, code| checker.check(&place.run(&format!("{line} --json")), code);
    let plan = &run("insert s3://bucket/it 6MiB --text x --dry-run --store aws", 0)["plan"];
    assert_eq!((&plan["bytes_up"], &plan["bytes_down"]), (&(5 << 20).into(), &5_242_879.into()));
    assert!(plan["price"].as_f64().unwrap() > 0.0, "{plan}");
    let changed = run("insert s3://bucket/it 6MiB --text x", 0);
    let status = run("status s3://bucket/it", 0);
    assert_eq!(status["etag"], changed["etag"]);
    assert_eq!(status["length"], LONG + 1);
    run("copy s3://bucket/it 0..6MiB end --dry-run --store equal-parts", 0);
    run("sub s3://bucket/it line Zeile --max 3 --undo-script undo", 0);
    run("find s3://bucket/it Zeile", 0);
    run("show s3://bucket/it 0..20", 0);
    assert_eq!(run("recover s3://bucket/it", 0)["recovery"], "clean");
    let upload = place.client("it").create_upload(&[]).unwrap();
    assert_eq!(run("recover s3://bucket/it", 0)["left"][0]["id"], upload.id);
    assert_eq!(run("status s3://bucket/it", 0)["uploads"][0]["id"], upload.id);
    assert_eq!(run("recover s3://bucket/it --older-than 0s", 0)["aborted"][0]["id"], upload.id);
    run("remove s3://bucket/missing 0..1", 4);
    run("abort s3://bucket/it", 2);
    run("status s3://bucket/it --endpoint http://127.0.0.1:1", 9);
}

fn files_named_like_objects_are_reached_by_a_dot(place: &Place<'_>) {
    let directory = Path::new("s3:").join("bucket");
    fs::create_dir_all(place.path("").join(directory)).unwrap();
    fs::write(place.path("s3:/bucket/it"), "a file").unwrap();
    place.put("it", b"an object");
    assert_eq!(place.run_well("read ./s3://bucket/it .."), b"a file");
    assert_eq!(place.run_well("read s3://bucket/it .."), b"an object");
}

type Scenario = fn(&Place<'_>);

#[test]
fn commands_take_objects() {
    let server = Server::start(Kind::SeaweedFs);
    let scenarios: [(&str, Scenario); 10] = [
        (
            "commands do with objects what they do with files",
            commands_do_with_objects_what_they_do_with_files,
        ),
        ("refusals change nothing and say what to do", refusals_change_nothing_and_say_what_to_do),
        ("who comes second is told", who_comes_second_is_told),
        ("signals leave the object as it was", signals_leave_the_object_as_it_was),
        ("a kept upload is resumed", a_kept_upload_is_resumed),
        ("progress is told in lines", progress_is_told_in_lines),
        ("objects are told as the schema says", objects_are_told_as_the_schema_says),
        (
            "stores that nobody knows are refused with the ways on",
            unknown_stores::stores_that_nobody_knows_are_refused_with_the_ways_on,
        ),
        (
            "tags are kept or the commit is refused",
            unknown_stores::tags_are_kept_or_the_commit_is_refused,
        ),
        (
            "files named like objects are reached by a dot",
            files_named_like_objects_are_reached_by_a_dot,
        ),
    ];
    for (name, scenario) in scenarios {
        println!("{name}");
        scenario(&Place::new(&server));
    }
}
