//! The command line as people type it, described to the makers of completion scripts and man pages.
//!
//! Those know flags with two dashes alone, while ours are typed with one: what they make is mended afterwards.

use clap::{Arg, Command};

/// Describes a command anew, without what nobody types: words that are ignored, and flags that will go.
///
/// # Shape
/// Flags stand in alphabetical order, as on the help pages; `description` makes the long text of each command.
pub(crate) fn describe(command: &Command, description: &dyn Fn(&Command) -> String) -> Command {
    let mut flags: Vec<Arg> =
        command.get_arguments().filter(|arg| !arg.is_hide_set() && !arg.is_hide_long_help_set()).cloned().collect();
    flags.sort_by_key(|arg| arg.get_id().as_str().to_owned());
    let flags = flags.into_iter().enumerate().map(|(place, arg)| {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default().replace('`', "");
        let is_boolean = arg.is_require_equals_set();
        let arg = arg.display_order(place).help(help);
        if is_boolean { arg.value_name("true|false") } else { arg }
    });
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set()).map(|verb| describe(verb, description));
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut described = Command::new(command.get_name().to_owned())
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .disable_version_flag(true)
        .about(about)
        .long_about(description(command))
        .args(flags)
        .subcommands(verbs);
    if let Some(usage) = command.get_overridden_usage() {
        described = described.override_usage(usage.to_string());
    }
    described
}

/// Returns the names of all flags of a command and those below it.
pub(crate) fn flag_names(command: &Command) -> Vec<&str> {
    let mut names: Vec<&str> = command.get_arguments().filter_map(Arg::get_long).collect();
    names.extend(command.get_subcommands().flat_map(flag_names));
    names.sort_unstable();
    names.dedup();
    names
}
