use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::{Cli, GenerateArguments, Generated};
use crate::failure::Failure;
use crate::man_page::man_page;
use crate::output::print;

const NAME: &str = "bytesplice";

/// `generate WHAT [DIRECTORY]`
pub fn run(arguments: &GenerateArguments) -> Result<(), Failure> {
    let files = generated(arguments.what).map_err(Failure::Output)?;
    let Some(directory) = arguments.directory.as_deref().map(Path::new) else {
        // The first is the whole program's.
        return files.first().map_or(Ok(()), |(_, text)| print(text));
    };
    fs::create_dir_all(directory).map_err(|source| failed(directory, source))?;
    for (name, text) in files {
        let path = directory.join(name);
        fs::write(&path, text).map_err(|source| failed(&path, source))?;
    }
    Ok(())
}

fn failed(path: &Path, source: io::Error) -> Failure {
    Failure::Generated { path: path.into(), source }
}

/// Files with their names.
fn generated(what: Generated) -> io::Result<Vec<(PathBuf, String)>> {
    let (shell, name) = match what {
        Generated::Bash => (Shell::Bash, NAME),
        Generated::Zsh => (Shell::Zsh, "_bytesplice"),
        Generated::Fish => (Shell::Fish, "bytesplice.fish"),
        Generated::Man => return man_pages(),
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    Ok(vec![(name.into(), String::from_utf8_lossy(&script).into_owned())])
}

fn man_pages() -> io::Result<Vec<(PathBuf, String)>> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let mut pages = vec![(format!("{NAME}.1").into(), man_page(program.clone(), NAME)?)];
    for command in program.get_subcommands() {
        let name = format!("{NAME}-{}", command.get_name());
        pages.push((format!("{name}.1").into(), man_page(command.clone(), &name)?));
    }
    Ok(pages)
}
