//! Files that an option asks for beside the one that is changed: never over others, and on disk before it matters.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bytesplice::{Error, ScriptProblem, VcdiffProblem};

use crate::failure::Failure;
use crate::output::{shown, warn};

/// Where a script or a delta goes.
pub type Output = BufWriter<Box<dyn Write>>;

fn buffered(writer: impl Write + 'static) -> Output {
    BufWriter::with_capacity(256 << 10, Box::new(writer))
}

/// A new file that is written and durable.
pub struct NewFile {
    path: PathBuf,
}

impl NewFile {
    /// Refuses a path that exists, and says so in its own words if it is the file to be changed.
    ///
    /// # Errors
    /// There is something at `path`.
    pub fn check(path: &Path, option: &'static str, target: &Path) -> Result<(), Failure> {
        let Ok(found) = fs::symlink_metadata(path) else {
            return Ok(());
        };
        // Through links as well.
        let found = fs::metadata(path).unwrap_or(found);
        let is_target = fs::metadata(target)
            .is_ok_and(|target| (target.dev(), target.ino()) == (found.dev(), found.ino()));
        let path = path.into();
        Err(match is_target {
            true => Failure::NewFileIsTarget { path, option },
            false => Failure::NewFile { path, option, source: io::ErrorKind::AlreadyExists.into() },
        })
    }

    /// Has a new file written and waits for the disk, for the directory too.
    ///
    /// # Errors
    /// There is something at `path`, or writing failed; then there is no new file.
    pub fn write<T>(
        path: &Path,
        option: &'static str,
        write: impl FnOnce(&mut Output) -> Result<T, Failure>,
    ) -> Result<(Self, T), Failure> {
        let failed = |source| Self::failed(path, option, source);
        let file = File::create_new(path).map_err(failed)?;
        let new = Self { path: path.into() };
        let outcome = file.try_clone().map_err(failed).and_then(|handle| {
            let mut output = buffered(handle);
            let told = write(&mut output)?;
            output.flush().map_err(failed)?;
            file.sync_all().map_err(failed)?;
            let directory = match path.parent() {
                Some(directory) if directory != Path::new("") => directory,
                _ => Path::new("."),
            };
            File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
            Ok(told)
        });
        match outcome {
            Ok(told) => Ok((new, told)),
            Err(failure) => {
                new.withdraw();
                Err(unwritten(failure, failed))
            }
        }
    }

    /// The failure to write the file that `option` asks for.
    pub fn failed(path: &Path, option: &'static str, source: io::Error) -> Failure {
        Failure::NewFile { path: path.into(), option, source }
    }

    /// Deletes the file again, as what it was written for did not happen.
    pub fn withdraw(self) {
        withdraw(&self.path);
    }
}

/// Deletes a file that was made for something that did not happen. What failed before is the error of the command; a file
/// that cannot be deleted is a warning.
pub fn withdraw(path: &Path) {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => warn(&format!("{}: is left and cannot be removed: {error}", shown(path))),
    }
}

/// Has standard output written, or durably a new file if `--output` names one. `write` is told what errors call it.
///
/// # Errors
/// Writing failed, or what `write` says.
pub fn write_output<T>(
    output: Option<&Path>,
    write: impl FnOnce(&Path, &mut Output) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if let Some(path) = output {
        return NewFile::write(path, "--output", |out| write(path, out)).map(|(_, told)| told);
    }
    let mut out = buffered(io::stdout().lock());
    let outcome = write(Path::new("standard output"), &mut out);
    let told = outcome.map_err(|failure| unwritten(failure, Failure::Output))?;
    out.flush().map_err(Failure::Output)?;
    Ok(told)
}

/// A failure to write as the failure of an output, whatever it was that was written.
fn unwritten(failure: Failure, failed: impl FnOnce(io::Error) -> Failure) -> Failure {
    match failure {
        Failure::Library(
            Error::Script { problem: ScriptProblem::Write(source), .. }
            | Error::Vcdiff { problem: VcdiffProblem::Write(source), .. },
        ) => failed(source),
        other => other,
    }
}
