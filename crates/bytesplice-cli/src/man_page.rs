//! Man pages, made of what the help is made of.

use std::io;

use clap::Command;
use clap_mangen::Man;

/// The page of a command, which is called `name`.
///
/// # Errors
/// None, in memory.
pub fn man_page(command: Command, name: &str) -> io::Result<String> {
    let examples = command.get_after_long_help().or(command.get_after_help());
    let examples = examples.map(ToString::to_string).unwrap_or_default();
    let has_commands = command.get_subcommands().next().is_some();
    let man = Man::new(command).title(name.to_uppercase()).manual("bytesplice");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if has_commands {
        man.render_subcommands_section(&mut page)?;
    }
    let mut page = String::from_utf8_lossy(&page).into_owned();
    page += &verbatim(&examples);
    if name != "bytesplice" {
        page += ".SH \"SEE ALSO\"\n\\fBbytesplice\\fR(1) has the grammar of RANGE and DATA, and the exit codes.\n";
    }
    Ok(page)
}

/// Text under the option lists of the help: its lines as they are, under headings where a line is one.
fn verbatim(text: &str) -> String {
    let mut page = String::new();
    let mut inside = false;
    for line in text.lines() {
        let heading = match line.trim_end() {
            "Examples" => Some("EXAMPLES"),
            "Exit codes" => Some("EXIT STATUS"),
            _ if !inside => Some("ARGUMENTS"),
            _ => None,
        };
        if let Some(heading) = heading {
            page += if inside { ".fi\n" } else { "" };
            page += &format!(".SH \"{heading}\"\n.nf\n");
        }
        inside = true;
        if heading.is_none_or(|heading| heading == "ARGUMENTS") {
            page += &escaped(line);
            page.push('\n');
        }
    }
    if inside { page + ".fi\n" } else { page }
}

/// A line that roff prints as it is: no macro at its beginning, no escape in it, and hyphens and quotes that can be copied.
fn escaped(line: &str) -> String {
    let text = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    let text = text.replace('`', "\\(ga").replace('^', "\\(ha").replace('~', "\\(ti");
    if text.starts_with('.') { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::{escaped, verbatim};

    #[test]
    fn lines_are_printed_as_they_are() {
        assert_eq!(escaped(r"a -10.. '\n'"), r"a \-10.. \(aq\en\(aq");
        assert_eq!(escaped("..x"), "\\&..x");
    }

    #[test]
    fn headings() {
        let page = verbatim("RANGE is\n  A..B\nExamples\n  x");
        assert_eq!(
            page,
            ".SH \"ARGUMENTS\"\n.nf\nRANGE is\n  A..B\n.fi\n.SH \"EXAMPLES\"\n.nf\n  x\n.fi\n"
        );
    }
}
