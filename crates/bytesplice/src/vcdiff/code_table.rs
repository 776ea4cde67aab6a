//! The default code table of RFC 3284 (section 5.6), and the cache of addresses (section 5.3).

use super::integer;

/// What an instruction does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing.
    Noop,
    /// Takes bytes of the data section.
    Add,
    /// Repeats one byte of it.
    Run,
    /// Copies from an address, which is written in this mode.
    Copy(u8),
}

/// An instruction of the table. A size of 0 means that it follows the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instruction {
    pub kind: Kind,
    pub size: u8,
}

const NOOP: Instruction = Instruction { kind: Kind::Noop, size: 0 };

/// The modes of an address: itself, back from here, near ones, same ones.
const MODES: u8 = 9;
const HERE: u8 = 1;
const NEAR: usize = 4;
const SAME: usize = 3;

/// What each code means: two instructions, of which the second is mostly [`Kind::Noop`].
pub(super) static CODES: [[Instruction; 2]; 256] = codes();

const fn codes() -> [[Instruction; 2]; 256] {
    const fn add(size: u8) -> Instruction {
        Instruction { kind: Kind::Add, size }
    }
    const fn copy(mode: u8, size: u8) -> Instruction {
        Instruction { kind: Kind::Copy(mode), size }
    }
    let mut codes = [[NOOP; 2]; 256];
    codes[0][0] = Instruction { kind: Kind::Run, size: 0 };
    let mut at = 1;
    let mut size = 0;
    while size <= 17 {
        codes[at][0] = add(size);
        (at, size) = (at + 1, size + 1);
    }
    let mut mode = 0;
    while mode < MODES {
        codes[at][0] = copy(mode, 0);
        at += 1;
        size = 4;
        while size <= 18 {
            codes[at][0] = copy(mode, size);
            (at, size) = (at + 1, size + 1);
        }
        mode += 1;
    }
    mode = 0;
    while mode < MODES {
        let most = if mode < 6 { 6 } else { 4 };
        let mut added = 1;
        while added <= 4 {
            size = 4;
            while size <= most {
                codes[at] = [add(added), copy(mode, size)];
                (at, size) = (at + 1, size + 1);
            }
            added += 1;
        }
        mode += 1;
    }
    mode = 0;
    while mode < MODES {
        codes[at] = [copy(mode, 4), add(1)];
        (at, mode) = (at + 1, mode + 1);
    }
    codes
}

/// Appends the code of one instruction, and its size where that is not in the code.
pub(super) fn write(kind: Kind, size: u64, out: &mut Vec<u8>) {
    let (code, follows) = match (kind, size) {
        (Kind::Noop, _) => return,
        (Kind::Run, _) => (0, true),
        (Kind::Add, 1..=17) => (1 + size as u8, false),
        (Kind::Add, _) => (1, true),
        (Kind::Copy(mode), 4..=18) => (19 + 16 * mode + (size - 3) as u8, false),
        (Kind::Copy(mode), _) => (19 + 16 * mode, true),
    };
    out.push(code);
    if follows {
        integer::write(size, out);
    }
}

/// The addresses used last in a window, by which the next ones are written short.
pub(super) struct Cache {
    near: [u64; NEAR],
    next: usize,
    same: Box<[u64; SAME * 256]>,
}

/// How an address is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// As an integer.
    Integer(u64),
    /// As one byte.
    Byte(u8),
}

impl Cache {
    /// As it is at the beginning of a window.
    pub fn new() -> Self {
        Self { near: [0; NEAR], next: 0, same: Box::new([0; SAME * 256]) }
    }

    /// Whether an address of this mode is one byte, not an integer.
    pub fn is_byte(mode: u8) -> bool {
        usize::from(mode) >= 2 + NEAR
    }

    /// The address that was written so in this mode, with `here` the address of the next byte that is made; `None`
    /// if it is not below that.
    pub fn address(&mut self, mode: u8, written: Written, here: u64) -> Option<u64> {
        let slot = usize::from(mode);
        let address = match written {
            Written::Byte(byte) => *self.same.get((slot - 2 - NEAR) * 256 + usize::from(byte))?,
            Written::Integer(value) => match slot {
                0 => value,
                1 => here.checked_sub(value)?,
                _ => self.near.get(slot - 2)?.checked_add(value)?,
            },
        };
        if address >= here {
            return None;
        }
        self.update(address);
        Some(address)
    }

    /// The shortest way to write an address.
    pub fn write(&mut self, address: u64, here: u64) -> (u8, Written) {
        let slot = (address % (SAME as u64 * 256)) as usize;
        let same = self.same[slot] == address;
        let mut best = (0, address);
        let near = self.near.iter().enumerate();
        let near = near.filter_map(|(at, &near)| Some((at as u8 + 2, address.checked_sub(near)?)));
        for (mode, value) in near.chain([(HERE, here - address)]) {
            if value < best.1 {
                best = (mode, value);
            }
        }
        self.update(address);
        if same && best.1 > 127 {
            return ((2 + NEAR + slot / 256) as u8, Written::Byte((slot % 256) as u8));
        }
        (best.0, Written::Integer(best.1))
    }

    fn update(&mut self, address: u64) {
        self.near[self.next] = address;
        self.next = (self.next + 1) % NEAR;
        self.same[(address % (SAME as u64 * 256)) as usize] = address;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_table_in_the_standard() {
        let one = |kind, size| [Instruction { kind, size }, NOOP];
        let two = |first: (Kind, u8), second: (Kind, u8)| {
            [first, second].map(|(kind, size)| Instruction { kind, size })
        };
        for (code, meaning) in [
            (0, one(Kind::Run, 0)),
            (1, one(Kind::Add, 0)),
            (18, one(Kind::Add, 17)),
            (19, one(Kind::Copy(0), 0)),
            (20, one(Kind::Copy(0), 4)),
            (34, one(Kind::Copy(0), 18)),
            (35, one(Kind::Copy(1), 0)),
            (162, one(Kind::Copy(8), 18)),
            (163, two((Kind::Add, 1), (Kind::Copy(0), 4))),
            (174, two((Kind::Add, 4), (Kind::Copy(0), 6))),
            (234, two((Kind::Add, 4), (Kind::Copy(5), 6))),
            (235, two((Kind::Add, 1), (Kind::Copy(6), 4))),
            (246, two((Kind::Add, 4), (Kind::Copy(8), 4))),
            (247, two((Kind::Copy(0), 4), (Kind::Add, 1))),
            (255, two((Kind::Copy(8), 4), (Kind::Add, 1))),
        ] {
            assert_eq!(CODES[code], meaning, "{code}");
        }
    }

    #[test]
    fn instructions_are_written_as_they_are_read() {
        for size in 0..40_u64 {
            for kind in (0..MODES).map(Kind::Copy).chain([Kind::Add, Kind::Run]) {
                let mut out = Vec::new();
                write(kind, size, &mut out);
                let [first, second] = CODES[usize::from(out[0])];
                assert_eq!((first.kind, second), (kind, NOOP));
                let follows = out.get(1).copied().unwrap_or(0);
                assert_eq!(u64::from(first.size + follows), size);
            }
        }
    }

    #[test]
    fn addresses_are_written_as_they_are_read() {
        let (mut one, mut other) = (Cache::new(), Cache::new());
        let mut modes = [0; MODES as usize];
        for n in 0..20_000_u64 {
            let address = match n % 4 {
                0 => n * 7919 % 100_003,
                1 => n.saturating_sub(n % 40),
                2 => 5_000 + n % 3,
                _ => n % 1_000 * 37,
            };
            let here = address.max(n) + 1 + n % 5;
            let (mode, written) = one.write(address, here);
            assert_eq!(Cache::is_byte(mode), matches!(written, Written::Byte(_)));
            assert_eq!(other.address(mode, written, here), Some(address));
            modes[usize::from(mode)] += 1;
        }
        assert!(modes.iter().all(|&count| count > 0), "{modes:?}");
    }
}
