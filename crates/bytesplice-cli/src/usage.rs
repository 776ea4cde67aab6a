//! Usage errors in one line, in our own words where clap's are many.

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What to say for the options that are DATA, of which clap names all.
pub const DATA: &str = "DATA (one of --text S, --escaped S, --hex H, --from PATH, --fill BYTE:COUNT, or - for standard input)";

/// What clap found wrong, and the command whose help says more.
pub fn message(error: &Error, arguments: impl Iterator<Item = String>) -> String {
    let arguments: Vec<String> = arguments.collect();
    let problem = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            "a command is missing".into()
        }
        _ => command_elsewhere(error)
            .or_else(|| missing_arguments(error))
            .or_else(|| unknown_option(error))
            .or_else(|| spaced_range(error))
            .unwrap_or_else(|| in_one_line(&error.render().to_string())),
    };
    let hint = hint(error, &arguments).map_or(String::new(), |hint| format!("; {hint}"));
    format!("{problem}{hint} (see `{} --help`)", command(error, arguments.into_iter()))
}

/// What may have been meant instead of what was read.
fn hint(error: &Error, arguments: &[String]) -> Option<&'static str> {
    if !matches!(error.kind(), ErrorKind::ValueValidation | ErrorKind::UnknownArgument) {
        return None;
    }
    let follows = |pair: &[String]| pair[0] == "--backup" && !pair[1].starts_with('-');
    if arguments.windows(2).any(follows) {
        return Some("a suffix is given as --backup=SUFFIX");
    }
    let is_replace = arguments.get(1).is_some_and(|command| command == "replace");
    // DATA is always an option; two words are a text and another one.
    let words = arguments.iter().skip(2).take_while(|argument| !argument.starts_with('-')).count();
    (is_replace && words == 3)
        .then_some("to replace a text wherever it is: replace-all FILE PATTERN REPLACEMENT")
}

/// What a command is called here that has another name elsewhere.
fn command_elsewhere(error: &Error) -> Option<String> {
    let name = text(error, ContextKind::InvalidSubcommand)?;
    let here = match name {
        "delete" | "del" | "rm" => "remove",
        "cut" => "remove --save",
        "prepend" => "insert FILE 0",
        "overwrite" | "patch" => "replace",
        "sed" | "substitute" => "replace-all",
        "extract" | "cat" | "dump" => "read",
        "hexdump" | "xxd" => "show",
        "grep" | "search" => "find",
        "undo" | "revert" => "apply FILE SCRIPT, with what --undo-script wrote",
        _ => return None,
    };
    Some(format!("there is no command `{name}`: see {here}"))
}

/// The arguments that are missing, in the order in which they are written.
fn missing_arguments(error: &Error) -> Option<String> {
    let Some(ContextValue::Strings(names)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    if error.kind() != ErrorKind::MissingRequiredArgument {
        return None;
    }
    let (data, others): (Vec<_>, Vec<_>) = names.iter().partition(|name| name.contains("--text"));
    // A group comes first to clap, wherever its members are written.
    let (places, others): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|name| name.contains("--lines"));
    let others = others.iter().map(|name| {
        // Not the value of an option.
        name.strip_prefix('<').and_then(|name| name.strip_suffix('>')).unwrap_or(name)
    });
    let others = others.chain(places.iter().map(|_| "RANGE or --lines A..B"));
    let names: Vec<_> = others.chain(data.iter().map(|_| DATA)).collect();
    Some(match names.split_last() {
        Some((last, [])) => format!("{last} is missing"),
        Some((last, others)) => format!("{} and {last} are missing", others.join(", ")),
        None => return None,
    })
}

/// A range in several arguments, `4 .. 8`.
fn spaced_range(error: &Error) -> Option<String> {
    let text = text(error, ContextKind::InvalidArg)?;
    (error.kind() == ErrorKind::UnknownArgument && text.starts_with("..")).then(|| {
        format!(
            "unexpected argument `{text}`: a range is one argument without spaces, such as 4..8"
        )
    })
}

/// The same words for every unknown option, whoever found it.
fn unknown_option(error: &Error) -> Option<String> {
    let option = text(error, ContextKind::InvalidArg).filter(|name| name.starts_with('-'))?;
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let guess = text(error, ContextKind::SuggestedArg);
    let guess = guess.map_or(String::new(), |known| format!(", did you mean `{known}`?"));
    Some(format!("unknown option `{option}`{guess}"))
}

fn text(error: &Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    }
}

fn in_one_line(text: &str) -> String {
    let mut parts = Vec::new();
    for paragraph in text.split("\n\n").map(str::trim) {
        if paragraph.starts_with("Usage:") || paragraph.starts_with("For more information") {
            continue;
        }
        let paragraph = paragraph.strip_prefix("error: ").unwrap_or(paragraph);
        let paragraph = paragraph.strip_prefix("tip: ").unwrap_or(paragraph);
        parts.push(paragraph.lines().map(str::trim).collect::<Vec<_>>().join(" "));
    }
    parts.join("; ").replace("'[-]'", "'-'")
}

/// `bytesplice COMMAND`, if there is such a command among the arguments.
fn command(error: &Error, mut arguments: impl Iterator<Item = String>) -> String {
    // `bytesplice frobnicate` must not send the reader to the help of what does not exist.
    let unknown =
        matches!(error.get(ContextKind::InvalidSubcommand), Some(ContextValue::String(_)));
    match arguments.nth(1) {
        Some(name) if !unknown && !name.starts_with('-') => format!("bytesplice {name}"),
        _ => "bytesplice".into(),
    }
}
