//! The client is killed at every request of several plans, before the server sees it, while the server is at it, and before the
//! answer arrives: the object is wholly old or new, and the upload that is left is resumed or aborted.

use std::process::{Command, Stdio};
use std::time::Duration;

use bytesplice_s3::{CommitOptions, Origin, Store, recover};

use crate::jobs::{Job, jobs, usual};
use crate::proxy::{Fault, Proxy};
use crate::servers::{Kind, Server, client, settings};
use crate::{contents, environment, in_order, make};

#[derive(Default)]
struct Counts {
    kills: u64,
    new: u64,
    resumed: u64,
    aborted: usize,
}

pub fn objects_are_old_or_new_after_kills(server: &Server) {
    let (most_jobs, usual) = usual(server.kind, 100);
    let wanted = environment("BYTESPLICE_KILLS", usual);
    let mut counts = Counts::default();
    // In order, then by several threads, in whatever order it comes.
    for threads in [1, 4].into_iter().chain(std::iter::repeat(4)) {
        for job in jobs().take(most_jobs) {
            for moment in [Fault::KillBefore, Fault::KillDuring, Fault::KillAfter] {
                for at in 0.. {
                    let is_enough = threads > 1 && counts.kills >= wanted;
                    if is_enough || !kill_one(server, &job, moment, at, threads, &mut counts) {
                        break;
                    }
                }
            }
        }
        if counts.kills >= wanted {
            break;
        }
    }
    let Counts { kills, new, resumed, aborted } = counts;
    println!(
        "{:?}: {kills} kills: {new} times new; {resumed} uploads resumed, {aborted} aborted",
        server.kind
    );
}

/// Whether there was such a request.
fn kill_one(
    server: &Server,
    job: &Job,
    moment: Fault,
    at: usize,
    threads: usize,
    counts: &mut Counts,
) -> bool {
    let key = format!("killed {}", job.name);
    let direct = server.client(&key, server.port);
    let head = make(&direct, &job.old);
    let decide = move |number| if number == at { moment } else { Fault::None };
    let proxy = Proxy::start(server.port, move |seen| decide(seen.number));
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kills::client_that_is_killed", "--ignored"])
        .env("BYTESPLICE_PORT", proxy.port.to_string())
        .env("BYTESPLICE_JOB", job.name)
        .env("BYTESPLICE_THREADS", threads.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    proxy.aim_at(child.id());
    let status = child.wait().unwrap();
    proxy.settle();
    let case = format!("{:?}: {} {moment:?} {at}", server.kind, job.name);
    let found = contents(&direct);
    if status.success() {
        assert!(found == job.new, "{case}");
        assert!(proxy.seen().len() <= at, "{case}: it was not killed");
        return false;
    }
    assert!(status.code().is_none() && proxy.seen().len() > at, "{case}: {status}");
    counts.kills += 1;
    assert!(found == job.old || found == job.new, "{case}: neither old nor new");
    counts.new += u64::from(found == job.new);
    if server.kind == Kind::S3sFs {
        // It cannot list uploads.
        return true;
    }
    let left = direct.list_uploads().unwrap();
    assert!(left.len() <= 1 && (found == job.old || left.is_empty()), "{case}: {left:?}");
    if let (0, Some(upload)) = (at % 2, left.first()) {
        resume(server, job, &key, &upload.id);
        assert!(contents(&direct) == job.new, "{case}");
        counts.resumed += 1;
    } else {
        let early = recover(&direct, Duration::from_secs(3600)).unwrap();
        assert_eq!(early, [], "younger than an hour");
        assert_eq!(recover(&direct, Duration::ZERO).unwrap(), left);
        assert!(contents(&direct) == found, "{case}");
        assert!(found == job.new || direct.head().unwrap() == head, "{case}");
        counts.aborted += left.len();
    }
    assert_eq!(direct.list_uploads().unwrap(), [], "{case}");
    true
}

/// Goes on with an upload, and sends no part again that is there.
fn resume(server: &Server, job: &Job, key: &str, upload: &str) {
    let proxy = Proxy::start(server.port, |_| Fault::None);
    let client = server.client(key, proxy.port);
    let there = client.list_parts(upload).unwrap();
    let plan = job.plan();
    let is_there = |number: usize| {
        there.iter().any(|part| usize::from(part.number) == number && part.checksum.is_some())
    };
    let lacking = (1..).zip(plan.parts());
    let lacking = lacking.filter(|(number, part)| part.origin == Origin::New && !is_there(*number));
    let options = CommitOptions { resume: Some(upload), ..in_order() };
    let old = client.head().unwrap();
    job.commit(&client, &old, &options).unwrap();
    let sent = proxy.seen();
    let sent = sent.iter().filter(|seen| {
        seen.method == "PUT" && seen.target.contains("partNumber=") && !seen.is_copy
    });
    assert_eq!(sent.count(), lacking.count(), "{}: {there:?}", job.name);
}

#[test]
#[ignore = "the client that objects_are_old_or_new_after_kills runs and kills"]
fn client_that_is_killed() {
    let variable = |name| std::env::var(name).unwrap();
    let name = variable("BYTESPLICE_JOB");
    let job = jobs().find(|job| job.name == name).unwrap();
    let port = variable("BYTESPLICE_PORT").parse().unwrap();
    let client = client(&format!("killed {name}"), &settings(port));
    let old = client.head().unwrap();
    let threads = variable("BYTESPLICE_THREADS").parse().unwrap();
    job.commit(&client, &old, &CommitOptions { threads, ..CommitOptions::default() }).unwrap();
}
