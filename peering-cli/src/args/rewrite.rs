//! Turns flags written the way Go reads them into flags that clap reads, from clap's own description of the command.
//!
//! | given | becomes |
//! |---|---|
//! | `-name x`, `-name=x`, `--name x` | `--name=x` |
//! | `-name -dashed`, `-name ""`, `-name --` | `--name=-dashed`, `--name=`, `--name=--` |
//! | `-o json`, a flag with one letter | `-o=json` |
//! | `-qa`, `-5` | unchanged: a cluster of letters, a number |
//! | `-unknown` | `--unknown`, so that the error names the whole word |
//!
//! `--` ends the rewriting. Unlike Go, flags after a positional are flags still.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};

/// Names a word such as `-=x` or `---x`, which is a flag without a name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NamelessFlag {
    /// The words before it, rewritten: an error in one of them comes first.
    pub before: Vec<OsString>,
    /// The word.
    pub word: String,
}

/// Rewrites the words after the program's name. `root` must have been built, so that global flags are known everywhere.
///
/// # Errors
/// [`NamelessFlag`] for the first word that is a flag without a name.
pub(crate) fn rewrite(
    root: &Command,
    words: impl IntoIterator<Item = OsString>,
) -> Result<Vec<OsString>, NamelessFlag> {
    let mut command = root;
    let mut out = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let Some(text) = word.to_str() else {
            out.push(word);
            continue;
        };
        if text == "--" {
            out.push(word);
            out.extend(words);
            break;
        }
        let Some(body) = text.strip_prefix('-').filter(|body| !body.is_empty()) else {
            command = command.find_subcommand(text).unwrap_or(command);
            out.push(word);
            continue;
        };
        let (has_one_dash, body) = match body.strip_prefix('-') {
            Some(body) => (false, body),
            None => (true, body),
        };
        if body.starts_with(['-', '=']) {
            return Err(NamelessFlag { before: out, word: text.to_owned() });
        }
        let (name, value) = match body.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (body, None),
        };
        let rewritten = if let Some(arg) = find_long(command, name) {
            join(format!("--{name}"), value, takes_next_word(arg), &mut words)
        } else if has_one_dash && find_short(command, name).is_some_and(takes_next_word) {
            join(format!("-{name}"), value, true, &mut words)
        } else if has_one_dash && (is_number(body) || starts_with_short(command, body)) {
            word
        } else {
            format!("--{body}").into()
        };
        out.push(rewritten);
    }
    Ok(out)
}

/// Joins a flag to its value; without one, the next word is the value whatever it looks like.
fn join(flag: String, value: Option<&str>, takes_next: bool, words: &mut impl Iterator<Item = OsString>) -> OsString {
    let value = match value {
        Some(value) => Some(value.into()),
        None if takes_next => words.next(),
        None => None,
    };
    let mut joined = OsString::from(flag);
    if let Some(value) = value {
        joined.push(OsStr::new("="));
        joined.push(value);
    }
    joined
}

/// Says whether a flag written without `=` is followed by its value. A Go boolean is not.
fn takes_next_word(arg: &Arg) -> bool {
    arg.get_action().takes_values() && !arg.is_require_equals_set()
}

fn is_number(body: &str) -> bool {
    body.starts_with(|c: char| c == '.' || c.is_ascii_digit()) && body.parse::<f64>().is_ok()
}

fn find_long<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| {
        arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|aliases| aliases.contains(&name))
    })
}

fn find_short<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    let mut letters = name.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) => command.get_arguments().find(|arg| arg.get_short() == Some(letter)),
        _ => None,
    }
}

fn starts_with_short(command: &Command, body: &str) -> bool {
    body.chars().next().is_some_and(|letter| command.get_arguments().any(|arg| arg.get_short() == Some(letter)))
}

#[cfg(test)]
mod tests {
    use clap::ArgAction;

    use super::*;
    use crate::args::go_bool;

    fn command() -> Command {
        let verb = Command::new("verb")
            .args_override_self(true)
            .arg(Arg::new("name").long("name").alias("alias"))
            .arg(Arg::new("quiet").short('q').action(ArgAction::SetTrue))
            .arg(Arg::new("all").short('a').action(ArgAction::SetTrue))
            .arg(Arg::new("output").short('o').long("output"))
            .arg(go_bool::flag("stale"))
            .arg(Arg::new("rest").num_args(0..));
        let mut root = Command::new("root")
            .arg(Arg::new("token").long("token").global(true))
            .subcommand(verb)
            .subcommand(Command::new("group").subcommand(Command::new("leaf").arg(Arg::new("deep").long("deep"))));
        root.build();
        root
    }

    fn rewritten(words: &[&str]) -> Vec<String> {
        let words = rewrite(&command(), words.iter().map(OsString::from)).unwrap();
        words.into_iter().map(|word| word.into_string().unwrap()).collect()
    }

    #[test]
    fn one_dash_and_two_with_or_without_equals_are_the_same_flag() {
        for words in [["-name", "x"].as_slice(), &["--name", "x"], &["-name=x"], &["--name=x"]] {
            let words = [["verb"].as_slice(), words].concat();
            assert_eq!(rewritten(&words), ["verb", "--name=x"], "{words:?}");
        }
        assert_eq!(rewritten(&["verb", "-alias", "x"]), ["verb", "--alias=x"]);
        assert_eq!(rewritten(&["verb", "-name=a=b"]), ["verb", "--name=a=b"]);
    }

    #[test]
    fn the_next_word_is_the_value_whatever_it_looks_like() {
        for value in ["-dashed", "--name", "-5", "", "--", "-", "-h", "=", "verb"] {
            assert_eq!(rewritten(&["verb", "-name", value]), ["verb".to_owned(), format!("--name={value}")]);
            assert_eq!(rewritten(&["verb", "-o", value]), ["verb".to_owned(), format!("-o={value}")]);
        }
        assert_eq!(rewritten(&["verb", "-name"]), ["verb", "--name"]);
    }

    #[test]
    fn a_go_boolean_takes_its_value_only_after_equals() {
        assert_eq!(rewritten(&["verb", "-stale", "false"]), ["verb", "--stale", "false"]);
        assert_eq!(rewritten(&["verb", "-stale=false"]), ["verb", "--stale=false"]);
    }

    #[test]
    fn letters_numbers_and_a_lone_dash_stay_as_they_are() {
        for word in ["-qa", "-ojson", "-o=json", "-5", "-1.5", "-", "word"] {
            assert_eq!(rewritten(&["verb", word]), ["verb", word]);
        }
    }

    #[test]
    fn an_unknown_flag_is_named_whole() {
        assert_eq!(rewritten(&["verb", "-nome", "x"]), ["verb", "--nome", "x"]);
        assert_eq!(rewritten(&["verb", "-nome=x"]), ["verb", "--nome=x"]);
        assert_eq!(rewritten(&["verb", "-inf"]), ["verb", "--inf"]);
    }

    #[test]
    fn flags_are_known_after_positionals_in_nested_commands_and_when_global() {
        assert_eq!(rewritten(&["verb", "x", "-name", "y"]), ["verb", "x", "--name=y"]);
        assert_eq!(rewritten(&["group", "leaf", "-deep", "y"]), ["group", "leaf", "--deep=y"]);
        assert_eq!(rewritten(&["group", "leaf", "-token", "y"]), ["group", "leaf", "--token=y"]);
    }

    #[test]
    fn two_dashes_end_the_rewriting() {
        assert_eq!(rewritten(&["verb", "--", "-name", "-=x"]), ["verb", "--", "-name", "-=x"]);
    }

    #[test]
    fn a_flag_without_a_name_is_reported_with_what_stood_before() {
        for word in ["-=x", "--=x", "---x", "---"] {
            let words = ["verb", "-name", "y", word].map(OsString::from);
            let error = NamelessFlag { before: vec!["verb".into(), "--name=y".into()], word: word.to_owned() };
            assert_eq!(rewrite(&command(), words), Err(error));
        }
    }

    #[test]
    fn clap_reads_what_was_rewritten_as_go_would() {
        let words = ["verb", "-stale", "-name", "-a", "-name", "", "-stale=F", "-qa", "-o", "-x", "pos"];
        let words = rewrite(&command(), words.map(OsString::from)).unwrap();
        let matches = command().no_binary_name(true).try_get_matches_from(words).unwrap();
        let (_, verb) = matches.subcommand().unwrap();
        assert_eq!(verb.get_one::<String>("name").unwrap(), "");
        assert_eq!(verb.get_one::<String>("output").unwrap(), "-x");
        assert_eq!(verb.get_one::<bool>("stale"), Some(&false));
        assert!(verb.get_flag("quiet") && verb.get_flag("all"));
        assert_eq!(verb.get_many::<String>("rest").unwrap().collect::<Vec<_>>(), ["pos"]);
    }

    #[cfg(unix)]
    #[test]
    fn words_that_are_not_text_pass_through_and_may_be_values() {
        use std::os::unix::ffi::OsStringExt;

        let odd = OsString::from_vec(vec![0xff]);
        let words = rewrite(&command(), ["verb".into(), odd.clone(), "-name".into(), odd.clone()]).unwrap();
        let mut joined = OsString::from("--name=");
        joined.push(&odd);
        assert_eq!(words, [OsString::from("verb"), odd, joined]);
    }
}
