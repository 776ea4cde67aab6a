//! `bytesplice`: insert, remove and replace bytes in the middle of a file of any size.

use std::process::ExitCode;

fn main() -> ExitCode {
    bytesplice_cli::run(std::env::args_os()).into()
}
