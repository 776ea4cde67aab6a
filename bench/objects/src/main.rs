//! An object edited by its store, beside fetching it, editing the file and sending it again by the same client:
//! `bench-objects make|fetch ADDRESS FILE`, `ours ADDRESS EDITS`, `whole ADDRESS EDITS FILE`, with the settings of the environment.
//!
//! EDITS is a file with a line an edit: offset, number of removed bytes, inserted bytes as text. `ours` and `whole` print one
//! JSON object; their times begin when the edits are read. FILE is what `make` sends, what `fetch` writes, and where `whole`
//! works.

use std::error::Error;
use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use std::{env, io};

use bytesplice::{CommitOptions as FileCommitOptions, Contents, Durability, SpliceFile, Strategy};
use bytesplice_s3::{
    Client, CommitOptions, Head, ObjectFile, ObjectName, ObjectOptions, Piece, Plan, Profile,
    Settings, Store, Traffic, commit,
};

/// Bytes that a request fetches, and requests at a time: those of boto3 and of our commits.
const FETCH: u64 = 8 << 20;
const THREADS: u64 = 8;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-objects: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    match *arguments {
        ["make", address, file] => send(&*open(address)?, None, Path::new(file)),
        ["fetch", address, file] => {
            let store = open(address)?;
            fetch(&*store, &store.head()?, Path::new(file))
        }
        ["ours", address, edits] => timed(address, edits, |store, edits| {
            // SeaweedFS honours conditions.
            let profile = Some(Profile::COMPATIBLE);
            let options = ObjectOptions { profile, ..ObjectOptions::default() };
            let mut object = ObjectFile::of_store(store, options)?;
            apply(&mut object, edits)?;
            Ok(object.commit()?)
        }),
        ["whole", address, edits, file] => timed(address, edits, |store, edits| {
            let (old, path) = (store.head()?, Path::new(file));
            fetch(&*store, &old, path)?;
            let mut local = SpliceFile::open(path)?;
            apply(&mut local, edits)?;
            // Nobody wants a copy to survive a power cut.
            let options = FileCommitOptions::new()
                .strategy(Strategy::Direct)
                .durability(Durability::Unsynced);
            local.commit_with(options)?;
            drop(local);
            send(&*store, Some(&old), path)
        }),
        _ => Err(
            "bench-objects make|fetch ADDRESS FILE, ours ADDRESS EDITS, whole ADDRESS EDITS FILE"
                .into(),
        ),
    }
}

struct Edit {
    range: Range<u64>,
    inserted: String,
}

fn read_edits(path: &str) -> Result<Vec<Edit>, Box<dyn Error>> {
    let edit = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let mut number = || words.next().unwrap_or_default().parse::<u64>();
        let (offset, removed) = (number()?, number()?);
        let inserted = words.next().unwrap_or_default().to_owned();
        Ok(Edit { range: offset..offset + removed, inserted })
    };
    fs::read_to_string(path)?.lines().map(edit).collect()
}

fn apply(contents: &mut Contents, edits: &[Edit]) -> bytesplice::Result<()> {
    edits.iter().try_for_each(|edit| contents.replace(edit.range.clone(), &edit.inserted))
}

fn open(address: &str) -> Result<Arc<Client>, Box<dyn Error>> {
    let name: ObjectName = address.parse()?;
    Ok(Arc::new(Client::new(name, &Settings::from_environment(None)?)?))
}

/// Prints how long the work took, and what it asked of the store.
fn timed(
    address: &str,
    edits: &str,
    work: impl FnOnce(Arc<Client>, &[Edit]) -> Result<(), Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let (client, edits) = (open(address)?, read_edits(edits)?);
    let begin = Instant::now();
    work(Arc::clone(&client), &edits)?;
    let seconds = begin.elapsed().as_secs_f64();
    let Traffic { requests, bytes_up, bytes_down } = client.traffic();
    println!(
        r#"{{"seconds": {seconds}, "requests": {requests}, "bytes_up": {bytes_up}, "bytes_down": {bytes_down}}}"#
    );
    Ok(())
}

/// Writes the object to a file, by several requests at a time.
fn fetch(client: &Client, head: &Head, path: &Path) -> Result<(), Box<dyn Error>> {
    let file = File::create(path)?;
    let next = AtomicU64::new(0);
    let work = || -> io::Result<()> {
        loop {
            let start = next.fetch_add(FETCH, Ordering::Relaxed);
            if start >= head.len {
                return Ok(());
            }
            let bytes = client.get(start..(start + FETCH).min(head.len), &head.etag);
            file.write_all_at(&bytes.map_err(io::Error::other)?, start)?;
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| {
            thread.join().map_err(|_| io::Error::other("a thread panicked"))?
        })
    })?;
    Ok(())
}

/// Makes the file the object.
fn send(client: &Client, old: Option<&Head>, path: &Path) -> Result<(), Box<dyn Error>> {
    let file = File::open(path)?;
    let (len, old_len) = (file.metadata()?.len(), old.map_or(0, |head| head.len));
    let plan = Plan::new([Piece::New { len }], old_len, &Profile::COMPATIBLE)?;
    let read = |offset: u64, buffer: &mut [u8]| file.read_exact_at(buffer, offset);
    commit(client, old, &plan, &read, &CommitOptions::default())?;
    Ok(())
}
