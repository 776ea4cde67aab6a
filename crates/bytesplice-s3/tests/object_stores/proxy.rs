//! A proxy that breaks requests. One request a connection; what it does to each is decided by its number.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// The server never sees it.
    DropRequest,
    /// The server does it, and its answer is lost.
    DropAnswer,
    /// Half of the answer arrives.
    CutAnswer,
    /// The server never sees it and is said to be busy.
    SlowDown,
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

pub struct Proxy {
    pub port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
    ended: Arc<AtomicBool>,
}

impl Proxy {
    pub fn start(server: u16, decide: impl Fn(&Seen) -> Fault + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let ended = Arc::new(AtomicBool::new(false));
        let decide: Arc<Decide> = Arc::new(decide);
        let numbers = Arc::new(AtomicUsize::new(0));
        let (all, end) = (Arc::clone(&seen), Arc::clone(&ended));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let (decide, numbers, all) = (decide.clone(), numbers.clone(), all.clone());
                std::thread::spawn(move || {
                    // A connection that breaks is what this is about.
                    let _ =
                        client.and_then(|client| pass(client, server, &*decide, &numbers, &all));
                });
            }
        });
        Self { port, seen, ended }
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn pass(
    mut client: TcpStream,
    server: u16,
    decide: &Decide,
    numbers: &AtomicUsize,
    all: &Mutex<Vec<Seen>>,
) -> io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if client.read(&mut byte)? == 0 {
            return Ok(());
        }
        head.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut words = text.split_whitespace().map(str::to_owned);
    let seen = Seen {
        number: numbers.fetch_add(1, Ordering::SeqCst),
        method: words.next().unwrap_or_default(),
        target: words.next().unwrap_or_default(),
        is_copy: text.to_ascii_lowercase().contains("\r\nx-amz-copy-source:"),
    };
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    client.read_exact(&mut body)?;
    all.lock().unwrap().push(seen.clone());
    let fault = decide(&seen);
    match fault {
        Fault::DropRequest => return Ok(()),
        Fault::SlowDown => {
            let error =
                "<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>";
            let len = error.len();
            return write!(
                client,
                "HTTP/1.1 503 Slow Down\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n{error}"
            );
        }
        _ => {}
    }
    let mut server = TcpStream::connect(("127.0.0.1", server))?;
    let mut lines = text.trim_end().lines();
    let mut request = lines.next().unwrap_or_default().to_owned() + "\r\n";
    for line in lines.filter(|line| !line.to_ascii_lowercase().starts_with("connection:")) {
        request += line;
        request += "\r\n";
    }
    server.write_all(format!("{request}Connection: close\r\n\r\n").as_bytes())?;
    server.write_all(&body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    match fault {
        Fault::DropAnswer => Ok(()),
        Fault::CutAnswer => {
            client.write_all(&answer[..answer.len() / 2])?;
            client.shutdown(Shutdown::Both)
        }
        _ => client.write_all(&answer),
    }
}
