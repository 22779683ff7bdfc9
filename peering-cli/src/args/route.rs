//! Decides from the bare words what a run is: a verb, a help page, the version, or a mistake before any verb.
//!
//! Consul's framework looks at words before it looks at flags, and so must we: `-h` asks for help even where the value
//! of a flag would stand.

use std::ffi::OsString;

use clap::Command;

/// What a run is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Print the version.
    Version,
    /// Print the help page of the root.
    RootHelp,
    /// Print the help page of this verb.
    Help(String),
    /// There is no verb, or none of that name.
    NoVerb,
    /// Flags stand before this verb, where they mean nothing.
    MisplacedFlags(String),
    /// Run the verb, which is the first of these words.
    Run(Vec<OsString>),
}

/// Decides on the words after the program's name.
///
/// # Source
/// The command-line framework of Consul 1.21.
pub(crate) fn decide(root: &Command, words: Vec<OsString>) -> Route {
    let before_end = || words.iter().take_while(|word| *word != "--");
    let is_help = before_end().any(|word| word == "-h" || word == "-help" || word == "--help");
    let first = before_end().position(is_word);
    let is_version = before_end()
        .take(first.unwrap_or(words.len()))
        .any(|word| word == "-v" || word == "-version" || word == "--version");
    if is_version {
        return Route::Version;
    }
    let Some(first) = first else {
        return if is_help { Route::RootHelp } else { Route::NoVerb };
    };
    let Some(verb) = words[first].to_str().and_then(|name| root.find_subcommand(name)) else {
        return Route::NoVerb;
    };
    let name = verb.get_name().to_owned();
    if is_help {
        Route::Help(name)
    } else if first > 0 {
        Route::MisplacedFlags(name)
    } else {
        Route::Run(words)
    }
}

/// Says whether this is neither a flag nor empty.
fn is_word(word: &OsString) -> bool {
    word.as_encoded_bytes().first().is_some_and(|byte| *byte != b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(words: &[&str]) -> Route {
        let root = Command::new("root").subcommand(Command::new("list")).subcommand(Command::new("read"));
        decide(&root, words.iter().map(OsString::from).collect())
    }

    #[test]
    fn help_wins_wherever_it_stands_before_two_dashes() {
        for words in [["list", "-h"], ["list", "-help"], ["-h", "list"], ["list", "--help"]] {
            assert_eq!(route(&words), Route::Help("list".to_owned()));
        }
        assert_eq!(route(&["read", "-name", "-h"]), Route::Help("read".to_owned()));
        assert_eq!(route(&["-h"]), Route::RootHelp);
        assert!(matches!(route(&["list", "--", "-h"]), Route::Run(_)));
    }

    #[test]
    fn no_verb_and_an_unknown_one_are_the_same_mistake() {
        for words in [[].as_slice(), &["bogus"], &["bogus", "-h"], &["-x"], &[""], &["--", "list"]] {
            assert_eq!(route(words), Route::NoVerb, "{words:?}");
        }
    }

    #[test]
    fn flags_before_the_verb_are_a_mistake_unless_they_ask_for_the_version() {
        assert_eq!(route(&["-x", "list"]), Route::MisplacedFlags("list".to_owned()));
        for words in [["-v"].as_slice(), &["--version"], &["-version", "list"]] {
            assert_eq!(route(words), Route::Version);
        }
        assert!(matches!(route(&["list", "-v"]), Route::Run(_)));
    }
}
