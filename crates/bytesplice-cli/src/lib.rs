//! The command line of bytesplice as a function: the program `bytesplice`, and `python -m bytesplice`.

mod argument;
mod backup;
mod bytes_argument;
mod cli;
mod commands;
mod data;
mod edit;
mod edit_plan;
mod exit_code;
mod failure;
mod hexdump;
mod interrupt;
mod journal_report;
mod layout;
mod lines_argument;
mod lock_holders;
mod man_page;
mod new_file;
mod object_commit;
mod object_plan;
mod object_status;
mod opened;
mod output;
mod pattern_argument;
mod place;
mod plan_picture;
mod plan_table;
mod progress;
mod progress_bar;
mod range_argument;
mod size;
mod typed_path;
mod usage;
mod written;

use std::ffi::OsString;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::exit_code::ExitCode;
use crate::failure::Failure;
use crate::output::print_error;
use crate::typed_path::TypedPath;

/// Runs the program with `arguments`, of which the first is its own name, and returns its exit code.
///
/// It prints, handles signals of the process from a commit on, and a signal may end the process.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let cli = match Cli::try_parse_from(&arguments).and_then(Cli::settled) {
        Ok(cli) => cli,
        Err(help) if !help.use_stderr() => return conclude(print_help(&help), false, false),
        Err(error) => {
            let arguments = || arguments.iter().map(|it| it.to_string_lossy().into_owned());
            let json = arguments().take_while(|argument| argument != "--").any(|it| it == "--json");
            print_error(&usage::message(&error, arguments()), ExitCode::Usage as u8, json);
            return ExitCode::Usage as u8;
        }
    };
    let command = &cli.command;
    let file = TypedPath::new(command.file().unwrap_or_default());
    let result = carry_out(command).map_err(|failure| failure.with_typed_paths(&file));
    conclude(result, command.changes_files(), command.wants_json())
}

/// Help and version. Clap's own way of ending would not notice that they cannot be written.
fn print_help(help: &clap::Error) -> Result<ExitCode, Failure> {
    help.print().and_then(|()| io::stdout().flush()).map_err(Failure::Output)?;
    Ok(ExitCode::Done)
}

fn conclude(result: Result<ExitCode, Failure>, changes_files: bool, json: bool) -> u8 {
    match result {
        Ok(code) => code as u8,
        Err(failure) if failure.is_broken_pipe() => ExitCode::Done as u8,
        Err(failure) => {
            let code = failure.exit_code() as u8;
            print_error(&failure.message(changes_files), code, json);
            code
        }
    }
}

fn carry_out(command: &Command) -> Result<ExitCode, Failure> {
    // Caught, a write over the file size limit is an error that can be told; by default it kills.
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false)))
        .map_err(Failure::Signal)?;
    match command {
        Command::Insert(arguments) => commands::insert::run(arguments)?,
        Command::Remove(arguments) => commands::remove::run(arguments)?,
        Command::Replace(arguments) => commands::replace::run(arguments)?,
        Command::Append(arguments) => commands::append::run(arguments)?,
        Command::Truncate(arguments) => commands::truncate::run(arguments)?,
        Command::Copy(arguments) => commands::copy::run(arguments)?,
        Command::Move(arguments) => commands::r#move::run(arguments)?,
        Command::Apply(arguments) => commands::apply::run(arguments)?,
        Command::Diff(arguments) => commands::diff::run(arguments)?,
        Command::Invert(arguments) => commands::invert::run(arguments)?,
        Command::Compose(arguments) => commands::compose::run(arguments)?,
        Command::Read(arguments) => commands::read::run(arguments)?,
        Command::Show(arguments) => commands::show::run(arguments)?,
        Command::Find(arguments) => return commands::find::run(arguments),
        Command::ReplaceAll(arguments) => return commands::replace_all::run(arguments),
        Command::Generate(arguments) => commands::generate::run(arguments)?,
        Command::Abort(arguments) => commands::abort::run(arguments)?,
        Command::Forget(arguments) => return commands::forget::run(arguments),
        Command::Recover(arguments) => commands::recover::run(arguments)?,
        Command::Status(arguments) => return commands::status::run(arguments),
    }
    Ok(ExitCode::Done)
}
