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
    /// Print the help page of the verb that these words name.
    Help(Vec<String>),
    /// There is no verb, or none of that name.
    NoVerb,
    /// These words name verbs, and none of those follows.
    NoVerbOf(Vec<String>),
    /// Flags stand before the verb that these words name, where they mean nothing.
    MisplacedFlags(Vec<String>),
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
    let (verb, path) = follow(root, &words[first..]);
    if path.is_empty() {
        Route::NoVerb
    } else if is_help {
        Route::Help(path)
    } else if first > 0 {
        Route::MisplacedFlags(path)
    } else if verb.has_subcommands() {
        Route::NoVerbOf(path)
    } else {
        Route::Run(words)
    }
}

/// Returns the verb that the first words name, and those words. A flag ends them, wherever it stands.
fn follow<'a>(root: &'a Command, words: &[OsString]) -> (&'a Command, Vec<String>) {
    let (mut verb, mut path) = (root, Vec::new());
    for word in words {
        let Some(next) = word.to_str().and_then(|name| verb.find_subcommand(name)) else { break };
        verb = next;
        path.push(next.get_name().to_owned());
    }
    (verb, path)
}

/// Says whether this is neither a flag nor empty.
fn is_word(word: &OsString) -> bool {
    word.as_encoded_bytes().first().is_some_and(|byte| *byte != b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(words: &[&str]) -> Route {
        let acl = Command::new("acl").subcommand(Command::new("token").subcommand(Command::new("list")));
        let root = Command::new("root").subcommands([Command::new("list"), Command::new("read"), acl]);
        decide(&root, words.iter().map(OsString::from).collect())
    }

    #[test]
    fn help_wins_wherever_it_stands_before_two_dashes() {
        for words in [["list", "-h"], ["list", "-help"], ["-h", "list"], ["list", "--help"]] {
            assert_eq!(route(&words), Route::Help(path(&["list"])));
        }
        assert_eq!(route(&["read", "-name", "-h"]), Route::Help(path(&["read"])));
        assert_eq!(route(&["-h"]), Route::RootHelp);
        assert!(matches!(route(&["list", "--", "-h"]), Route::Run(_)));
    }

    fn path(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn verbs_of_verbs_are_followed_until_a_flag_or_a_word_that_is_none() {
        assert!(matches!(route(&["acl", "token", "list", "list"]), Route::Run(words) if words.len() == 4));
        for words in [["acl"].as_slice(), &["acl", "bogus"], &["acl", "-x", "token", "list"]] {
            assert_eq!(route(words), Route::NoVerbOf(path(&["acl"])), "{words:?}");
        }
        assert_eq!(route(&["acl", "token", "-x", "list"]), Route::NoVerbOf(path(&["acl", "token"])));
        assert_eq!(route(&["acl", "-h", "token"]), Route::Help(path(&["acl"])));
        assert_eq!(route(&["acl", "token", "list", "-h"]), Route::Help(path(&["acl", "token", "list"])));
        assert_eq!(route(&["-x", "acl", "token"]), Route::MisplacedFlags(path(&["acl", "token"])));
    }

    #[test]
    fn no_verb_and_an_unknown_one_are_the_same_mistake() {
        for words in [[].as_slice(), &["bogus"], &["bogus", "-h"], &["-x"], &[""], &["--", "list"]] {
            assert_eq!(route(words), Route::NoVerb, "{words:?}");
        }
    }

    #[test]
    fn flags_before_the_verb_are_a_mistake_unless_they_ask_for_the_version() {
        assert_eq!(route(&["-x", "list"]), Route::MisplacedFlags(path(&["list"])));
        for words in [["-v"].as_slice(), &["--version"], &["-version", "list"]] {
            assert_eq!(route(words), Route::Version);
        }
        assert!(matches!(route(&["list", "-v"]), Route::Run(_)));
    }
}
