//! Usage errors in one line, in our own words where clap's are many.

use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// How clap names the group of options that are DATA.
const DATA_GROUP: &str = "<--text <S>|--escaped <S>|--hex <H>|--from <PATH>|--fill <BYTE:COUNT>|->";
const DATA: &str = "DATA, one of --text S, --escaped S, --hex H, --from PATH, --fill BYTE:COUNT, -";

/// What clap found wrong, and the command whose help says more.
pub fn message(error: &Error, arguments: impl Iterator<Item = String>) -> String {
    let problem = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            "a command is missing".into()
        }
        _ => unknown_option(error).unwrap_or_else(|| in_one_line(&error.render().to_string())),
    };
    format!("{problem} (see `{} --help`)", command(error, arguments))
}

/// The same words for every unknown option, whoever found it.
fn unknown_option(error: &Error) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let option = text(ContextKind::InvalidArg).filter(|name| name.starts_with('-'))?;
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let guess = text(ContextKind::SuggestedArg);
    let guess = guess.map_or(String::new(), |known| format!(", did you mean `{known}`?"));
    Some(format!("unknown option `{option}`{guess}"))
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
    parts.join("; ").replace(DATA_GROUP, DATA).replace("'[-]'", "'-'")
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
