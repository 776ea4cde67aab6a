//! Every request of several plans fails in every way, alone and in pairs, and others write in between: the object is wholly
//! old or new at any time, the error says which as far as it can be known, and no upload is left.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytesplice_s3::{Head, ObjectState, Result, Store, recover};

use crate::jobs::{Job, jobs, usual};
use crate::proxy::{Fault, Proxy, Seen};
use crate::servers::{Kind, Server, client, settings};
use crate::{contents, environment, in_order, make, nothing_is_left, numbers};

/// Milliseconds that clients wait where an answer is to come late, and when it comes.
const PATIENCE: u64 = 150;
const LATE: u64 = 250;

/// What is done to a request; `None` is a writer in between.
type Blow = Option<Fault>;

const BLOWS: [Blow; 11] = [
    None,
    Some(Fault::DropRequest),
    Some(Fault::CutRequest),
    Some(Fault::FlipRequest),
    Some(Fault::SlowDown),
    Some(Fault::FailRequest),
    Some(Fault::DropAnswer),
    Some(Fault::CutAnswer),
    Some(Fault::FailAnswer),
    Some(Fault::LateRequest(LATE)),
    Some(Fault::LateAnswer(LATE)),
];

/// Requests by their numbers, and what is done to them.
type Blows = Vec<(usize, Blow)>;

#[derive(Default)]
struct Counts {
    trials: AtomicUsize,
    injected: AtomicUsize,
    mended: AtomicUsize,
    unchanged: AtomicUsize,
    unknown: AtomicUsize,
}

pub fn objects_are_old_or_new_after_faults(server: &Server) {
    let (most_jobs, usual) = usual(server.kind, 500);
    let wanted = environment("BYTESPLICE_FAULTS", usual) as usize;
    let seed = environment("BYTESPLICE_SEED", 1);
    let jobs: Vec<Job> = jobs().take(most_jobs).collect();
    let trials = trials(&requests(server, &jobs), wanted, seed);
    let (next, counts) = (AtomicUsize::new(0), Counts::default());
    // Few at a time: each holds an object or two.
    std::thread::scope(|scope| {
        for number in 0..3 {
            let mut worker = Worker {
                server,
                number,
                jobs: &jobs,
                olds: jobs.iter().map(|_| None).collect(),
                counts: &counts,
            };
            let (trials, next) = (&trials, &next);
            scope.spawn(move || {
                while let Some((job, blows)) = trials.get(next.fetch_add(1, Ordering::SeqCst)) {
                    worker.try_one(*job, blows);
                }
            });
        }
    });
    let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
    println!(
        "{:?}: {} faults in {} commits: {} got through, {} changed nothing, {} did not know; seed {seed}",
        server.kind,
        count(&counts.injected),
        count(&counts.trials),
        count(&counts.mended),
        count(&counts.unchanged),
        count(&counts.unknown),
    );
    assert!(count(&counts.injected) >= wanted, "{}", count(&counts.injected));
}

/// How many requests each job takes that nothing happens to.
fn requests(server: &Server, jobs: &[Job]) -> Vec<usize> {
    let requests = jobs.iter().map(|job| {
        let direct = server.client(job.name, server.port);
        let head = make(&direct, &job.old);
        let proxy = Proxy::start(server.port, |_| Fault::None);
        job.commit(&server.client(job.name, proxy.port), &head, &in_order()).unwrap();
        assert!(contents(&direct) == job.new, "{}", job.name);
        proxy.seen().len()
    });
    requests.collect()
}

/// Every fault at every request, and then pairs of them, with the number of the job.
fn trials(requests: &[usize], wanted: usize, seed: u64) -> Vec<(usize, Blows)> {
    let mut trials: Vec<(usize, Blows)> = Vec::new();
    for (job, &requests) in requests.iter().enumerate() {
        for blow in BLOWS {
            trials.extend((0..requests).map(|at| (job, vec![(at, blow)])));
        }
    }
    let mut chance = numbers(seed);
    // Some second faults are not reached.
    let mut injected = trials.len() as f64;
    while injected < 1.05 * wanted as f64 {
        // More of those that are quick.
        let job = chance(2 + requests.len() as u64).saturating_sub(2) as usize;
        let blow = |number: u64| BLOWS[number as usize];
        let (first, second) = (chance(requests[job] as u64) as usize, 1 + chance(2) as usize);
        let (one, other) = (blow(chance(BLOWS.len() as u64)), blow(chance(BLOWS.len() as u64)));
        trials.push((job, vec![(first, one), (first + second, other)]));
        injected += 1.7;
    }
    trials
}

/// Has an object of its own for each job.
struct Worker<'a> {
    server: &'a Server,
    number: usize,
    jobs: &'a [Job],
    /// Those that have their old contents.
    olds: Vec<Option<Head>>,
    counts: &'a Counts,
}

impl Worker<'_> {
    fn try_one(&mut self, number: usize, blows: &Blows) {
        let (server, job) = (self.server, &self.jobs[number]);
        let key = format!("{} {}", job.name, self.number);
        let direct = server.client(&key, server.port);
        let old = self.olds[number].take().unwrap_or_else(|| make(&direct, &job.old));
        let struck = Arc::new(AtomicUsize::new(0));
        // What the writer in between found.
        let found: Arc<Mutex<Option<Vec<u8>>>> = Arc::default();
        let server_kind = server.kind;
        let decide = {
            let (writer, blows) = (server.client(&key, server.port), blows.clone());
            let (others, struck, found) =
                (job.others.clone(), Arc::clone(&struck), Arc::clone(&found));
            move |seen: &Seen| {
                let blow = blows.iter().find(|(at, _)| *at == seen.number);
                let Some((_, blow)) = blow else { return Fault::None };
                // s3s-fs 0.14 looks at no checksum of a part.
                let is_part = seen.target.contains("partNumber=");
                if (server_kind, *blow, is_part) == (Kind::S3sFs, Some(Fault::FlipRequest), true) {
                    return Fault::None;
                }
                struck.fetch_add(1, Ordering::SeqCst);
                blow.unwrap_or_else(|| {
                    found.lock().unwrap().get_or_insert(contents(&writer));
                    make(&writer, &others);
                    Fault::None
                })
            }
        };
        let proxy = Proxy::start(server.port, decide);
        let mut settings = settings(proxy.port);
        if blows.iter().any(is_late) {
            settings.timeout = Duration::from_millis(PATIENCE);
        }
        let result = job.commit(&client(&key, &settings), &old, &in_order());
        proxy.settle();
        let case = format!("{:?}: {} with {blows:?}: {result:?}", server.kind, job.name);
        let after = contents(&direct);
        let found = found.lock().unwrap().take();
        check(job, blows, &result, found.as_deref(), &after, &case);
        // A lost answer to the first request leaves an upload that nobody knows.
        if server.kind == Kind::SeaweedFs {
            let etag = direct.head().unwrap().etag;
            recover(&direct, Duration::ZERO).unwrap();
            assert_eq!(direct.head().unwrap().etag, etag, "{case}: changed by the recovery");
        }
        nothing_is_left(server, &direct);
        if after == job.old {
            self.olds[number] = Some(direct.head().unwrap());
        }
        self.counts.trials.fetch_add(1, Ordering::SeqCst);
        self.counts.injected.fetch_add(struck.load(Ordering::SeqCst), Ordering::SeqCst);
        let counter = match result {
            Ok(_) => &self.counts.mended,
            Err(error) if error.object_state() == ObjectState::Unchanged => &self.counts.unchanged,
            Err(_) => &self.counts.unknown,
        };
        counter.fetch_add(1, Ordering::SeqCst);
    }
}

/// Whether the object holds `after` rightly, and the result tells the truth of it. `found` is what others wrote over.
fn check(
    job: &Job,
    blows: &Blows,
    result: &Result<String>,
    found: Option<&[u8]>,
    after: &[u8],
    case: &str,
) {
    let says_unchanged =
        result.as_ref().is_err_and(|error| error.object_state() == ObjectState::Unchanged);
    if let Some(found) = found {
        assert!(after == job.others, "{case}");
        assert!(found == job.old || found == job.new, "{case}");
        // Whoever repeats the edits must not make them twice.
        assert!(!says_unchanged || found == job.old, "{case}");
        assert!(result.is_err() || found == job.new, "{case}");
    } else {
        assert!(after == job.old || after == job.new, "{case}: neither old nor new");
        assert!(!says_unchanged || after == job.old, "{case}");
        assert!(result.is_err() || after == job.new, "{case}");
    }
    // Bytes that the store refuses or that come when time is up are not always made up for, others' objects never.
    let is_mended =
        |blow: &(usize, Blow)| !is_late(blow) && !matches!(blow.1, None | Some(Fault::FlipRequest));
    assert!(result.is_ok() || !blows.iter().all(is_mended), "{case}");
}

fn is_late((_, blow): &(usize, Blow)) -> bool {
    matches!(blow, Some(Fault::LateRequest(_) | Fault::LateAnswer(_)))
}
