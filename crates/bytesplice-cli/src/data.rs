//! DATA: exactly one source of the bytes to put into the file.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use bytesplice::{Content, Error};
use bytesplice_s3::ObjectName;
use clap::Args;

use crate::argument::{ArgumentParser, bytes_from_escaped, bytes_from_hex, range, utf8};
use crate::cli::ArgumentBytes;
use crate::failure::Failure;
use crate::range_argument::RangeArgument;
use crate::size;

/// The heading in the help.
const DATA: &str = "DATA, exactly one of these";

/// DATA and what belongs to it.
#[derive(Debug, Args)]
#[group(skip)]
pub struct DataArguments {
    #[command(flatten)]
    source: DataSource,
    /// With --from: the part of PATH to take
    // `requires` alone is not held against an option that `from` conflicts with.
    #[arg(
        long,
        help_heading = DATA,
        value_name = "RANGE",
        requires = "from",
        conflicts_with_all = ["text", "escaped", "hex", "fill", "standard_input"],
        allow_hyphen_values = true,
        value_parser = ArgumentParser(range)
    )]
    from_range: Option<RangeArgument>,
}

/// Exactly one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct DataSource {
    /// The bytes of S as they are, without escapes
    #[arg(long, help_heading = DATA, value_name = "S", allow_hyphen_values = true)]
    text: Option<OsString>,
    /// S with the escapes \n \r \t \0 \\ \xHH
    #[arg(
        long,
        help_heading = DATA,
        value_name = "S",
        allow_hyphen_values = true,
        value_parser = ArgumentParser(bytes_from_escaped)
    )]
    escaped: Option<ArgumentBytes>,
    /// Pairs of hex digits, spaces allowed
    #[arg(long, help_heading = DATA, value_name = "H", value_parser = ArgumentParser(bytes_from_hex))]
    hex: Option<ArgumentBytes>,
    /// The contents of another file, of a FIFO, or of FILE itself
    #[arg(long, help_heading = DATA, value_name = "PATH", value_hint = clap::ValueHint::FilePath)]
    from: Option<OsString>,
    /// COUNT times one byte, such as 0:1MiB
    #[arg(long, help_heading = DATA, value_name = "BYTE:COUNT", value_parser = ArgumentParser(fill))]
    fill: Option<Fill>,
    /// Standard input
    #[arg(value_name = "-", help_heading = DATA, value_parser = ArgumentParser(standard_input))]
    standard_input: Option<StandardInput>,
}

/// `--fill BYTE:COUNT`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fill {
    byte: u8,
    count: u64,
}

/// A lone `-`.
#[derive(Debug, Clone, Copy)]
struct StandardInput;

impl DataArguments {
    /// Whether there is any.
    pub fn is_given(&self) -> bool {
        let DataSource { text, escaped, hex, from, fill, standard_input } = &self.source;
        text.is_some()
            || escaped.is_some()
            || hex.is_some()
            || from.is_some()
            || fill.is_some()
            || standard_input.is_some()
    }

    /// As if `-` were given.
    pub fn take_standard_input(&mut self) {
        self.source.standard_input = Some(StandardInput);
    }

    /// The bytes as the library takes them: another file is mapped, a stream is read once.
    ///
    /// # Errors
    /// A source that cannot be opened, and `--from-range` outside it.
    pub fn content(&self) -> Result<Content<'_>, Failure> {
        let source = &self.source;
        let bytes = source.escaped.as_ref().or(source.hex.as_ref());
        if let Some(text) = &source.text {
            Ok(Content::bytes(text.as_bytes()))
        } else if let Some(ArgumentBytes(bytes)) = bytes {
            Ok(Content::bytes(bytes))
        } else if let Some(path) = &source.from {
            self.content_of_file(Path::new(path))
        } else if let Some(Fill { byte, count }) = source.fill {
            Ok(Content::fill(byte, count))
        } else {
            Ok(Content::reader(io::stdin().lock()))
        }
    }

    fn content_of_file(&self, path: &Path) -> Result<Content<'static>, Failure> {
        if ObjectName::is_address(path) {
            return Err(Failure::FromObject { address: path.into() });
        }
        let cannot_open = |source| Error::Open { path: path.into(), source };
        let metadata = fs::metadata(path).map_err(cannot_open)?;
        let kind = metadata.file_type();
        if kind.is_file() {
            let range = match self.from_range {
                Some(range) => {
                    let len = metadata.len();
                    range.resolve(len).map_err(|place| Failure::outside(path, place, len))?
                }
                None => 0..metadata.len(),
            };
            return Ok(Content::file_range(path, range)?);
        }
        let kind = match () {
            () if kind.is_dir() => "directory",
            () if kind.is_fifo() => "FIFO",
            () if kind.is_socket() => "socket",
            () if kind.is_block_device() => "block device",
            () => "character device",
        };
        if self.from_range.is_some() {
            return Err(Failure::NoRangeOfStream { path: path.into(), kind });
        }
        if kind != "FIFO" {
            return Err(Failure::NoContents { path: path.into(), kind });
        }
        Ok(Content::reader(File::open(path).map_err(cannot_open)?))
    }
}

fn fill(value: &OsStr) -> Result<Fill, String> {
    let text = utf8(value)?;
    let Some((byte, count)) = text.split_once(':') else {
        return Err(format!("`{text}` has no count: write BYTE:COUNT, such as 0:1MiB"));
    };
    if count.is_empty() {
        return Err(format!("`{text}` has no count: write BYTE:COUNT, such as {byte}:1MiB"));
    }
    let value = if byte.is_empty() { None } else { Some(size::parse(byte)?) };
    let byte = value
        .and_then(|value| u8::try_from(value).ok())
        .ok_or_else(|| format!("`{byte}` is not a byte: write 0 to 255, or 0x00 to 0xff"))?;
    Ok(Fill { byte, count: size::parse(count)? })
}

fn standard_input(value: &OsStr) -> Result<StandardInput, String> {
    if value == "-" {
        return Ok(StandardInput);
    }
    let value = value.to_string_lossy();
    Err(format!("`{value}` is not DATA: write --text '{value}', or `-` for standard input"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills() {
        for (text, byte, count) in
            [("0:0", 0, 0), ("255:1", 255, 1), ("0xff:64KiB", 255, 65536), ("0x00:1_000", 0, 1000)]
        {
            assert_eq!(fill(OsStr::new(text)), Ok(Fill { byte, count }), "{text}");
        }
        for (text, reason) in [
            ("", "no count"),
            ("0", "no count"),
            (":5", "is not a byte"),
            ("256:1", "is not a byte"),
            ("1KiB:1", "is not a byte"),
            ("-1:1", "is not a number"),
            ("0:", "`0:` has no count"),
            ("0:1K", "ambiguous"),
            ("0:1:2", "unknown unit"),
        ] {
            let error = fill(OsStr::new(text)).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
