use std::path::Path;

use bytesplice::{Checks, Difference, VcdiffWriter, WorkOptions};

use crate::cli::{DiffArguments, FormatArgument};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::opened::open_to_read;
use crate::progress::WorkProgress;
use crate::written::{Written, script, write_told};

/// `diff OLD NEW`
pub fn run(arguments: &DiffArguments) -> Result<(), Failure> {
    let old = open_to_read(&arguments.old, &arguments.store)?;
    let new = open_to_read(&arguments.new, &arguments.store)?;
    // On standard output there is nothing to take back: a signal ends the process as usual.
    let interrupt = arguments.options.output.is_some().then(Interrupt::watch).transpose()?;
    let path = Path::new(&arguments.new);
    let checks = if arguments.reversible { Checks::Whole } else { Checks::Checksum };
    let stopped = || interrupt.as_ref().map_or(Ok(()), |interrupt| interrupt.check(path));
    write_told("diff", Path::new(&arguments.old), &arguments.options, |name, out| {
        let mut progress = WorkProgress::new(path, arguments.progress, arguments.options.quiet);
        let bar = progress.bar();
        let mut advance = |now| progress.advance(now);
        let mut options = WorkOptions::new().progress(&mut advance);
        if let Some(interrupt) = &interrupt {
            interrupt.work_begins(bar);
            options = options.cancel(interrupt.cancel());
        }
        let found = Difference::find_with(&old, &new, options);
        progress.finish();
        stopped()?;
        let found = found?;
        let written = match arguments.format {
            FormatArgument::Script => {
                script(name, out, |script| Ok(found.write_script(checks, script)?))?
            }
            FormatArgument::Vcdiff => {
                let mut delta = VcdiffWriter::new(name, out);
                found.write_vcdiff(&mut delta)?;
                let (format, count, length) = ("vcdiff", delta.windows(), delta.bytes());
                Written {
                    format,
                    count,
                    length,
                    old_len: Some(old.len()),
                    new_len: Some(new.len()),
                }
            }
        };
        // So that a signal leaves nothing behind, however late it came.
        stopped()?;
        Ok(written)
    })
}
