//! A proxy that breaks requests. One request a connection; what it does to each is decided by its number.

#[path = "signature.rs"]
mod signature;

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The server never sees it.
    DropRequest,
    /// Half of its body reaches the server.
    CutRequest,
    /// One bit of its body is another one at the server.
    FlipRequest,
    /// The server never sees it and is said to be busy.
    SlowDown,
    /// The server never sees it and is said to have failed.
    FailRequest,
    /// The server sees it once the client has given up: after this many milliseconds.
    LateRequest(u64),
    /// The server never sees it and is said to forbid it.
    Forbid,
    /// The server sees it without these headers, as if it did not know them.
    Ignore(&'static [&'static str]),
    /// The answer comes without this header.
    Hide(&'static str),
    /// The server does it, and its answer is lost.
    DropAnswer,
    /// Half of the answer arrives.
    CutAnswer,
    /// The server does it, and is said to have failed.
    FailAnswer,
    /// The server does it, and its answer comes once the client has given up.
    LateAnswer(u64),
    /// The client is killed before the server sees it,
    KillBefore,
    /// while the server is at it,
    KillDuring,
    /// or after that, before it has the answer.
    KillAfter,
}

/// A request as the decision sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// From 0 on.
    pub number: usize,
    pub method: String,
    pub target: String,
    pub is_copy: bool,
}

impl Seen {
    /// Whether it is answered with bytes of the object.
    fn reads_contents(&self) -> bool {
        let others = ["uploadId=", "uploads=", "tagging="];
        self.method == "GET" && !others.iter().any(|query| self.target.contains(query))
    }

    /// Whether it swaps the object: a put of all of it, or the completion of an upload.
    pub fn swaps(&self) -> bool {
        match self.method.as_str() {
            "PUT" => !self.target.contains("partNumber="),
            "POST" => self.target.contains("uploadId="),
            _ => false,
        }
    }
}

type Decide = dyn Fn(&Seen) -> Fault + Send + Sync;

/// A connection to a client.
pub trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

pub struct Proxy {
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    server: u16,
    decide: Box<Decide>,
    seen: Mutex<Vec<Seen>>,
    numbers: AtomicUsize,
    /// Connections that are not done.
    open: AtomicUsize,
    ended: AtomicBool,
    /// The process to kill, once it is known.
    victim: AtomicU32,
    up: AtomicU64,
    down: AtomicU64,
}

impl Proxy {
    pub fn start(server: u16, decide: impl Fn(&Seen) -> Fault + Send + Sync + 'static) -> Self {
        Self::start_over(server, |client| Box::new(client), decide)
    }

    /// One that talks to its clients by what `wrap` makes of a connection.
    pub fn start_over(
        server: u16,
        wrap: impl Fn(TcpStream) -> Box<dyn Stream> + Send + Sync + 'static,
        decide: impl Fn(&Seen) -> Fault + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            server,
            decide: Box::new(decide),
            seen: Mutex::default(),
            numbers: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
            victim: AtomicU32::new(0),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
        });
        let (all, wrap) = (Arc::clone(&shared), Arc::new(wrap));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if all.ended.load(Ordering::SeqCst) {
                    return;
                }
                let (shared, wrap) = (Arc::clone(&all), Arc::clone(&wrap));
                shared.open.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    // A connection that breaks is what this is about.
                    let _ = client.and_then(|client| shared.pass(&mut *wrap(client)));
                    shared.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, shared }
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Names the process that is to be killed.
    pub fn aim_at(&self, process: u32) {
        self.shared.victim.store(process, Ordering::SeqCst);
    }

    /// Waits until the server has done with whatever it got.
    pub fn settle(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.shared.open.load(Ordering::SeqCst) > 0 {
            assert!(Instant::now() < deadline, "requests that do not end: {:?}", self.seen());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Bytes of bodies down and up since the last call: those of requests, and of answers that have bytes of the object.
    pub fn traffic(&self) -> (u64, u64) {
        let (down, up) = (&self.shared.down, &self.shared.up);
        (down.swap(0, Ordering::SeqCst), up.swap(0, Ordering::SeqCst))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn pass(&self, client: &mut dyn Stream) -> io::Result<()> {
        let Some(raw) = read_head(client)? else { return Ok(()) };
        let head = String::from_utf8_lossy(&raw).into_owned();
        let mut words = head.split_whitespace().map(str::to_owned);
        let seen = Seen {
            number: self.numbers.fetch_add(1, Ordering::SeqCst),
            method: words.next().unwrap_or_default(),
            target: words.next().unwrap_or_default(),
            is_copy: head.to_ascii_lowercase().contains("\r\nx-amz-copy-source:"),
        };
        let mut body = vec![0; content_length(&head).unwrap_or(0)];
        client.read_exact(&mut body)?;
        self.seen.lock().unwrap().push(seen.clone());
        let fault = (self.decide)(&seen);
        match fault {
            Fault::DropRequest => return Ok(()),
            Fault::SlowDown => return tell(client, "503 Slow Down", "SlowDown"),
            Fault::FailRequest => return fail(client),
            Fault::Forbid => return tell(client, "403 Forbidden", "AccessDenied"),
            Fault::KillBefore => return self.kill(),
            Fault::LateRequest(milliseconds) => {
                std::thread::sleep(Duration::from_millis(milliseconds));
            }
            Fault::FlipRequest => {
                let half = body.len() / 2;
                body.get_mut(half).into_iter().for_each(|byte| *byte ^= 1);
            }
            _ => {}
        }
        // What a completion says is not of the object.
        if seen.method == "PUT" {
            self.up.fetch_add(body.len() as u64, Ordering::SeqCst);
        }
        let mut server = TcpStream::connect(("127.0.0.1", self.server))?;
        let head = match fault {
            Fault::Ignore(names) => signature::without(&head, names, self.server).into_bytes(),
            _ => raw,
        };
        let request = without_header(head.strip_suffix(b"\r\n").unwrap_or(&head), "connection");
        server.write_all(&[&request[..], b"Connection: close\r\n\r\n"].concat())?;
        if fault == Fault::CutRequest {
            server.write_all(&body[..body.len() / 2])?;
            return server.shutdown(Shutdown::Both);
        }
        server.write_all(&body)?;
        if fault == Fault::KillDuring {
            self.kill()?;
        }
        let mut answer = Vec::new();
        server.read_to_end(&mut answer)?;
        if seen.reads_contents() {
            let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(0);
            self.down.fetch_add((answer.len() - head - 4) as u64, Ordering::SeqCst);
        }
        match fault {
            Fault::DropAnswer => Ok(()),
            Fault::FailAnswer => fail(client),
            Fault::KillAfter => self.kill(),
            Fault::Hide(name) => client.write_all(&without_header(&answer, name)),
            Fault::CutAnswer => client.write_all(&answer[..answer.len() / 2]),
            Fault::LateAnswer(milliseconds) => {
                std::thread::sleep(Duration::from_millis(milliseconds));
                client.write_all(&answer)
            }
            _ => client.write_all(&answer),
        }
    }

    fn kill(&self) -> io::Result<()> {
        let victim = loop {
            match self.victim.load(Ordering::SeqCst) {
                0 => std::thread::yield_now(),
                victim => break victim.to_string(),
            }
        };
        let status = std::process::Command::new("kill").args(["-KILL", &victim]).status()?;
        assert!(status.success());
        Ok(())
    }
}

/// The head of a request, with the empty line; none if the other side only looked.
fn read_head(client: &mut dyn Stream) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte)? == 0 {
            return Ok(None);
        }
        head.push(byte[0]);
    }
    Ok(Some(head))
}

/// A request or an answer without the header of this name.
fn without_header(message: &[u8], name: &str) -> Vec<u8> {
    let end = message.windows(4).position(|four| four == b"\r\n\r\n");
    let (head, rest) = message.split_at(end.map_or(message.len(), |end| end + 2));
    let is_other = |line: &&[u8]| {
        let start = line.split(|&byte| byte == b':').next().unwrap_or(line);
        !start.eq_ignore_ascii_case(name.as_bytes())
    };
    let kept: Vec<&[u8]> =
        head.split_inclusive(|&byte| byte == b'\n').filter(is_other).chain([rest]).collect();
    kept.concat()
}

fn content_length(head: &str) -> Option<usize> {
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    })
}

fn fail(client: &mut dyn Stream) -> io::Result<()> {
    tell(client, "500 Internal Server Error", "InternalError")
}

fn tell(client: &mut dyn Stream, status: &str, code: &str) -> io::Result<()> {
    let error = format!("<Error><Code>{code}</Code><Message>By the proxy.</Message></Error>");
    let len = error.len();
    write!(client, "HTTP/1.1 {status}\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n{error}")
}
