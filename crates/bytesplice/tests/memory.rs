//! Files and additions larger than the limits of the process.

use std::fs;
use std::io::{self, Read};
use std::process::Command;

use bytesplice::{Content, Error, OpenOptions, SpliceFile};

const CHILD: &str = "BYTESPLICE_TEST_UNDER_LIMIT";

/// Runs `child` in a process of its own, as the test `name` under `ulimit` with these arguments.
fn under_limit(name: &str, limit: &str, child: fn()) {
    if std::env::var_os(CHILD).is_some() {
        return child();
    }
    let run = Command::new("sh")
        .args(["-c", &format!("ulimit {limit} && exec \"$0\" --exact {name}")])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, "1")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && printed.contains("1 passed"), "{:?} {printed}", run.status);
}

#[test]
fn sixty_four_mib_of_data_are_enough() {
    under_limit("sixty_four_mib_of_data_are_enough", "-d 65536", edit_more_than_fits);
}

#[test]
fn the_limit_of_file_sizes_is_an_error_and_no_signal() {
    // Blocks of 512 bytes or of 1 KiB, as the shell likes.
    let name = "the_limit_of_file_sizes_is_an_error_and_no_signal";
    under_limit(name, "-f 1000", add_more_than_a_file_may_hold);
}

fn add_more_than_a_file_may_hold() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("target");
    fs::write(&path, "0123456789").unwrap();
    let mut file = OpenOptions::new().memory_limit(100).open(&path).unwrap();
    file.insert(5, "abc").unwrap();
    let contents: [fn() -> Content<'static>; 2] =
        [|| Content::reader(io::repeat(7).take(1_100_000)), || Content::bytes(&[7; 1_100_000])];
    for content in contents {
        let error = file.splice(0..0, content()).unwrap_err();
        assert!(matches!(error, Error::SizeLimit { .. }), "{error}");
        let mut text = String::new();
        file.reader().read_to_string(&mut text).unwrap();
        assert_eq!(text, "01234abc56789");
    }
}

fn edit_more_than_fits() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sparse");
    let len = 100 << 30;
    fs::File::create(&path).unwrap().set_len(len).unwrap();
    let mut file = SpliceFile::open(&path).unwrap();
    let added = 200 << 20;
    file.splice(len / 2..len / 2, Content::reader(io::repeat(7).take(added))).unwrap();
    file.insert(0, vec![1; 8 << 20]).unwrap();
    let start = len / 2 + (8 << 20);
    let sevens = file.chunks(start - 5..start + added + 5).unwrap();
    let sum: u64 = sevens.flat_map(|chunk| chunk.unwrap().into_owned()).map(u64::from).sum();
    assert_eq!(sum, 7 * added);
    assert_eq!(file.len(), len + added + (8 << 20));
}
