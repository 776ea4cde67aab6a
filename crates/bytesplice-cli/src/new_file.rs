//! Files that an option asks for beside the one that is changed: never over others, and on disk before it matters.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bytesplice::{Error, Result, ScriptProblem, ScriptWriter};

use crate::failure::Failure;

/// Where a script goes.
pub type Output = BufWriter<Box<dyn Write>>;

fn buffered(writer: impl Write + 'static) -> Output {
    BufWriter::with_capacity(256 << 10, Box::new(writer))
}

/// A script that was written to a new file and is durable.
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

    /// Has a script written to a new file and waits for the disk, for the directory too.
    ///
    /// # Errors
    /// There is something at `path`, or writing failed; then there is no new file.
    pub fn script(
        path: &Path,
        option: &'static str,
        write: impl FnOnce(&mut ScriptWriter<Output>) -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        let failed = |source| Failure::NewFile { path: path.into(), option, source };
        let file = File::create_new(path).map_err(failed)?;
        let new = Self { path: path.into() };
        let handle = file.try_clone().map_err(failed)?;
        let mut script = ScriptWriter::new(path, buffered(handle));
        let outcome = write(&mut script).and_then(|()| {
            script.finish()?;
            file.sync_all().map_err(failed)?;
            let directory = match path.parent() {
                Some(directory) if directory != Path::new("") => directory,
                _ => Path::new("."),
            };
            File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
        });
        match outcome {
            Ok(()) => Ok(new),
            Err(failure) => {
                new.withdraw();
                Err(match failure {
                    Failure::Library(Error::Script {
                        problem: ScriptProblem::Write(source),
                        ..
                    }) => failed(source),
                    other => other,
                })
            }
        }
    }

    /// Deletes the file again, as what it was written for did not happen.
    pub fn withdraw(self) {
        // What failed before is what the user must hear of.
        let _ = fs::remove_file(self.path);
    }
}

/// Has a script written to standard output, or durably to a new file if `--output` names one.
///
/// # Errors
/// Writing failed, or what `write` says.
pub fn write_script(
    output: Option<&Path>,
    write: impl FnOnce(&mut ScriptWriter<Output>) -> Result<()>,
) -> Result<(), Failure> {
    if let Some(path) = output {
        return NewFile::script(path, "--output", |script| Ok(write(script)?)).map(drop);
    }
    let mut script = ScriptWriter::new("standard output", buffered(io::stdout().lock()));
    let outcome = write(&mut script).and_then(|()| script.finish().map(drop));
    outcome.map_err(|error| match error {
        Error::Script { problem: ScriptProblem::Write(source), .. } => Failure::Output(source),
        other => other.into(),
    })
}
