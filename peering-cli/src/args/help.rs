//! Help pages in Consul's layout, and Go's list of flags after an error, from clap's description of a verb.
//!
//! The placeholder of a flag is the first word in back-quotes of its description, else its value name. Consul's pages
//! leave the back-quotes in, Go's list takes them out.

use std::fmt::{self, Write as _};

use clap::{Arg, Command};

use crate::args::{http, wrap::wrap};

/// Characters of a line of description, after the indent.
const DESCRIPTION_COLUMNS: usize = 67;

/// Blanks before a line of description.
const DESCRIPTION_INDENT: &str = "     ";

/// Renders the help page of one verb, or of the root with its subcommands, without a newline at the end.
pub(crate) fn page(command: &Command) -> String {
    let mut page = command.clone().render_usage().to_string().trim().to_owned();
    page.push_str("\n\n");
    if let Some(text) = command.get_long_about() {
        page.push_str(&format!("{}\n\n", text.to_string().trim_end()));
    }
    let (http, own): (Vec<&Arg>, Vec<&Arg>) =
        shown_flags(command).into_iter().partition(|arg| arg.get_help_heading() == Some(http::HEADING));
    for (title, flags) in [(http::HEADING, http), ("Command Options", own)] {
        if !flags.is_empty() {
            page.push_str(&format!("{title}\n\n"));
        }
        for arg in flags {
            page.push_str(&flag_paragraph(arg));
        }
    }
    page.push_str(&subcommands(command));
    page.truncate(page.trim_end().len());
    page
}

/// Renders what Go's `flag` package prints after an error in a flag, without a newline at the end.
pub(crate) fn flag_list(command: &Command) -> String {
    let mut list = "Usage:".to_owned();
    for arg in sorted_flags(command) {
        let (placeholder, description) = unquote(arg);
        // A `String` takes every write.
        let _ = write_go_flag(&mut list, arg, &placeholder, &description);
    }
    list
}

fn write_go_flag(list: &mut String, arg: &Arg, placeholder: &str, description: &str) -> fmt::Result {
    write!(list, "\n  -{}", flag_name(arg))?;
    if !placeholder.is_empty() {
        write!(list, " {placeholder}")?;
    }
    write!(list, "\n    \t{description}")?;
    match arg.get_default_values().first() {
        // Go says nothing of a default that is the type's zero.
        Some(value) if value.is_empty() || value == "false" => Ok(()),
        Some(value) if placeholder == "string" => write!(list, " (default {:?})", value.to_string_lossy()),
        Some(value) => write!(list, " (default {})", value.to_string_lossy()),
        None => Ok(()),
    }
}

fn flag_paragraph(arg: &Arg) -> String {
    let name = flag_name(arg);
    let (placeholder, _) = unquote(arg);
    let head = if placeholder.is_empty() { format!("  -{name}") } else { format!("  -{name}=<{placeholder}>") };
    let lines: Vec<String> = wrap(&description(arg), DESCRIPTION_COLUMNS)
        .into_iter()
        .map(|line| format!("{DESCRIPTION_INDENT}{line}"))
        .collect();
    format!("{head}\n{}\n\n", lines.join("\n"))
}

fn subcommands(command: &Command) -> String {
    let mut verbs: Vec<(&str, String)> = command
        .get_subcommands()
        .filter(|verb| !verb.is_hide_set())
        .map(|verb| (verb.get_name(), verb.get_about().map(ToString::to_string).unwrap_or_default()))
        .collect();
    if verbs.is_empty() {
        return String::new();
    }
    verbs.sort();
    let width = verbs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let lines: Vec<String> =
        verbs.into_iter().map(|(name, synopsis)| format!("    {name:<width$}    {synopsis}")).collect();
    format!("Subcommands:\n{}\n", lines.join("\n"))
}

/// Returns the flags of a help page, which does not advertise those that are deprecated.
fn shown_flags(command: &Command) -> Vec<&Arg> {
    sorted_flags(command).into_iter().filter(|arg| !arg.is_hide_long_help_set()).collect()
}

/// Returns the flags that there are, in alphabetical order; positionals have no entry of their own.
fn sorted_flags(command: &Command) -> Vec<&Arg> {
    let mut flags: Vec<&Arg> =
        command.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_positional()).collect();
    flags.sort_by_key(|arg| flag_name(arg));
    flags
}

fn flag_name(arg: &Arg) -> String {
    let short = || arg.get_short().map(String::from).unwrap_or_default();
    arg.get_long().map_or_else(short, str::to_owned)
}

fn description(arg: &Arg) -> String {
    arg.get_help().map(ToString::to_string).unwrap_or_default()
}

/// Returns the placeholder of a flag and its description without back-quotes. A boolean has no placeholder.
fn unquote(arg: &Arg) -> (String, String) {
    let description = description(arg);
    let mut parts = description.splitn(3, '`');
    if let (Some(before), Some(word), Some(after)) = (parts.next(), parts.next(), parts.next()) {
        return (word.to_owned(), format!("{before}{word}{after}"));
    }
    let takes_word = arg.get_action().takes_values() && !arg.is_require_equals_set();
    let value_name = || arg.get_value_names().and_then(<[_]>::first).map_or("value".to_owned(), ToString::to_string);
    (if takes_word { value_name() } else { String::new() }, description)
}

#[cfg(test)]
mod tests {
    use clap::ArgAction;

    use super::*;

    fn verb() -> Command {
        Command::new("verb")
            .override_usage("peering verb [options] -name <peer name>")
            .long_about("  Does a thing.\n")
            .disable_help_flag(true)
            .arg(Arg::new("name").long("name").value_name("string").help("(Required) A name."))
            .arg(
                Arg::new("format")
                    .long("format")
                    .value_name("string")
                    .default_value("pretty")
                    .help("How it is printed."),
            )
            .arg(Arg::new("meta").long("meta").value_name("value").help("A pair."))
            .arg(Arg::new("force").long("force").action(ArgAction::SetTrue).help("No question is asked."))
            .arg(
                Arg::new("addr")
                    .long("http-addr")
                    .value_name("value")
                    .help_heading(http::HEADING)
                    .help("The `address` of the server, which is explained here at such length that lines must break."),
            )
            .arg(Arg::new("rest").num_args(0..))
    }

    #[test]
    fn a_page_is_laid_out_as_consul_lays_it_out() {
        assert_eq!(
            page(&verb()),
            "\
Usage: peering verb [options] -name <peer name>

  Does a thing.

HTTP API Options

  -http-addr=<address>
     The `address` of the server, which is explained here at such length
     that lines must break.

Command Options

  -force
     No question is asked.

  -format=<string>
     How it is printed.

  -meta=<value>
     A pair.

  -name=<string>
     (Required) A name."
        );
    }

    #[test]
    fn the_list_after_an_error_is_go_s() {
        assert_eq!(
            flag_list(&verb()),
            "Usage:
  -force
    \tNo question is asked.
  -format string
    \tHow it is printed. (default \"pretty\")
  -http-addr address
    \tThe address of the server, which is explained here at such length that lines must break.
  -meta value
    \tA pair.
  -name string
    \t(Required) A name."
        );
    }

    #[test]
    fn subcommands_are_listed_by_name_with_their_synopses() {
        let root = Command::new("peering")
            .override_usage("peering <subcommand>")
            .disable_help_flag(true)
            .disable_help_subcommand(true)
            .subcommand(Command::new("read").about("Reads"))
            .subcommand(Command::new("delete").about("Deletes"))
            .subcommand(Command::new("secret").hide(true));
        assert_eq!(
            page(&root),
            "Usage: peering <subcommand>\n\nSubcommands:\n    delete    Deletes\n    read      Reads"
        );
    }
}
