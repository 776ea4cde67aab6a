//! What an edit sends and fetches, counted by a proxy, and many edits at once. The object has 40 MiB, or as many as
//! `BYTESPLICE_OBJECT_MIB` says.

use std::ops::Range;
use std::sync::Arc;

use bytesplice_s3::{
    Client, CommitOptions, ObjectFile, ObjectOptions, Piece, Plan, Profile, Store, commit,
};

use crate::proxy::{Fault, Proxy};
use crate::servers::Server;
use crate::{MIB, environment, noise, nothing_is_left, numbers};

const CHUNK: usize = 1 << 20;

/// Bytes in short vectors, so that a splice of a GiB does not move half of it.
struct Model {
    chunks: Vec<Vec<u8>>,
    len: u64,
}

impl Model {
    fn new(bytes: &[u8]) -> Self {
        let chunks = bytes.chunks(CHUNK).map(<[u8]>::to_vec).collect();
        Self { chunks, len: bytes.len() as u64 }
    }

    /// The chunk that has byte `offset`, or the last one, and where in it.
    fn find(&self, offset: u64) -> (usize, usize) {
        let mut rest = offset as usize;
        for (number, chunk) in self.chunks.iter().enumerate() {
            if rest < chunk.len() || number + 1 == self.chunks.len() {
                return (number, rest);
            }
            rest -= chunk.len();
        }
        panic!("a model is never empty");
    }

    fn read(&self, range: Range<u64>) -> Vec<u8> {
        let (mut number, mut at) = self.find(range.start);
        let len = (range.end - range.start) as usize;
        let mut bytes = Vec::with_capacity(len);
        while bytes.len() < len {
            let chunk = &self.chunks[number][at..];
            bytes.extend_from_slice(&chunk[..chunk.len().min(len - bytes.len())]);
            (number, at) = (number + 1, 0);
        }
        bytes
    }

    fn splice(&mut self, range: Range<u64>, bytes: &[u8]) {
        let (first, at) = self.find(range.start);
        let (mut number, mut from) = (first, at);
        let mut lacking = (range.end - range.start) as usize;
        while lacking > 0 {
            let chunk = &mut self.chunks[number];
            let removed = lacking.min(chunk.len() - from);
            chunk.drain(from..from + removed);
            lacking -= removed;
            (number, from) = (number + 1, 0);
        }
        self.chunks[first].splice(at..at, bytes.iter().copied());
        self.len = self.len - (range.end - range.start) + bytes.len() as u64;
    }

    /// The object has these bytes and no others.
    fn check(&self, client: &Client, case: &str) {
        let head = client.head().unwrap();
        assert_eq!(head.len, self.len, "{case}");
        for start in (0..head.len).step_by(32 * CHUNK) {
            let range = start..(start + 32 * CHUNK as u64).min(head.len);
            let found = client.get(range.clone(), &head.etag).unwrap();
            assert!(found == self.read(range.clone()), "{case}: {range:?}");
        }
    }
}

/// Makes the object of the length asked for, and the client that commits through a proxy.
fn prepare(server: &Server, key: &str) -> (Client, Model, Proxy, ObjectFile) {
    let len = environment("BYTESPLICE_OBJECT_MIB", 40) * MIB;
    let bytes = noise(len, 5);
    let direct = server.client(key, server.port);
    let plan = Plan::new([Piece::New { len }], 0, &Profile::AWS).unwrap();
    let read = |offset: u64, buffer: &mut [u8]| {
        buffer.copy_from_slice(&bytes[offset as usize..][..buffer.len()]);
        Ok(())
    };
    commit(&direct, None, &plan, &read, &CommitOptions::default()).unwrap();
    let model = Model::new(&bytes);
    let proxy = Proxy::start(server.port, |_| Fault::None);
    let store = Arc::new(server.client(key, proxy.port));
    let options = ObjectOptions { profile: Some(Profile::COMPATIBLE), ..ObjectOptions::default() };
    let object = ObjectFile::of_store(store, options).unwrap();
    (direct, model, proxy, object)
}

/// An edit, and the same one of a model.
type Edit = fn(&mut ObjectFile, &mut Model);

pub fn little_is_sent(server: &Server) {
    let (direct, mut model, proxy, mut object) = prepare(server, "little");
    let least = 5 * MIB;
    let edits: [(&str, Edit, u64, u64); 8] = [
        ("insert at the start", |object, model| both(object, model, 0..0, b"x"), least, least + 1),
        (
            "insert in the middle",
            |object, model| both(object, model, model.len / 2..model.len / 2, b"x"),
            least,
            least + 1,
        ),
        ("replace at the start", |object, model| both(object, model, 0..1, b"y"), least, least),
        (
            "replace in the middle",
            |object, model| both(object, model, model.len / 2..model.len / 2 + 1, b"y"),
            least,
            least,
        ),
        ("append", |object, model| both(object, model, model.len..model.len, b"x"), 0, 1),
        ("remove at the start", |object, model| both(object, model, 0..1000, b""), 0, 0),
        (
            "remove in the middle",
            |object, model| both(object, model, model.len / 2..model.len / 2 + 1000, b""),
            0,
            0,
        ),
        (
            "remove at the end",
            |object, model| both(object, model, model.len - 1000..model.len, b""),
            0,
            0,
        ),
    ];
    for (name, edit, down, up) in edits {
        edit(&mut object, &mut model);
        assert_eq!(proxy.traffic(), (0, 0), "{name}: edits fetch nothing");
        let cost = *object.plan().unwrap().cost();
        object.commit().unwrap();
        let traffic = proxy.traffic();
        println!(
            "{:?}: {name} of {} MiB: {} bytes down, {} up",
            server.kind,
            model.len / MIB,
            traffic.0,
            traffic.1
        );
        assert_eq!(traffic, (cost.bytes_down, cost.bytes_up), "{name}: as planned");
        assert!(traffic.0 <= down && traffic.1 <= up, "{name}: {traffic:?}");
        model.check(&direct, name);
        nothing_is_left(server, &direct);
    }
}

fn both(object: &mut ObjectFile, model: &mut Model, range: Range<u64>, bytes: &[u8]) {
    model.splice(range.clone(), bytes);
    object.replace(range, bytes).unwrap();
}

pub fn a_thousand_edits_are_one_commit(server: &Server) {
    let (direct, mut model, proxy, mut object) = prepare(server, "thousand");
    let mut chance = numbers(environment("BYTESPLICE_SEED", 1));
    for _ in 0..1000 {
        let (start, len) = (chance(model.len), chance(5000));
        let range = start..(start + len).min(model.len);
        let bytes = noise(1 + chance(5000), start);
        match chance(5) {
            0 => both(&mut object, &mut model, start..start, &bytes),
            1 => both(&mut object, &mut model, range, &bytes),
            2 => both(&mut object, &mut model, range, b""),
            copies => {
                let to = chance(model.len + 1);
                let copied = model.read(range.clone());
                if copies == 3 {
                    object.copy_range(range, to).unwrap();
                    model.splice(to..to, &copied);
                } else if !(range.start < to && to < range.end) {
                    object.move_range(range.clone(), to).unwrap();
                    let (first, last) = if to <= range.start {
                        ((range.clone(), &b""[..]), (to..to, &copied[..]))
                    } else {
                        ((to..to, &copied[..]), (range.clone(), &b""[..]))
                    };
                    model.splice(first.0, first.1);
                    model.splice(last.0, last.1);
                }
            }
        }
    }
    let cost = *object.plan().unwrap().cost();
    proxy.traffic();
    object.commit().unwrap();
    let (down, up) = proxy.traffic();
    println!(
        "{:?}: a thousand edits of {} MiB: {down} bytes down, {up} up",
        server.kind,
        model.len / MIB
    );
    assert_eq!((down, up), (cost.bytes_down, cost.bytes_up), "as planned");
    model.check(&direct, "a thousand edits");
    nothing_is_left(server, &direct);
}
