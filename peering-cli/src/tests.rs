//! The whole program against canned servers: what it sends, what it prints, how it exits.

mod acl;
mod audit;
#[cfg(feature = "server")]
mod backup;
mod completion;
mod flags;
mod inspect;
mod issued;
#[cfg(feature = "server")]
mod keyring;
mod man;
mod mock;
mod pasting;
mod redirects;
#[cfg(feature = "server")]
mod server;
mod tls;
mod transport;
mod verbs;
mod waiting;
mod watching;

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::Read;

use crate::{Exit, Output, World, run};

/// When every run takes place.
const NOW: &str = "2030-06-01T00:00:00Z";

/// What a run left behind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub exit: Exit,
    pub stdout: String,
    pub stderr: String,
}

/// Runs the program with these words and variables and an empty standard input.
pub(crate) fn peering(words: &[&str], variables: &[(&str, &str)]) -> Ran {
    peering_with(words, variables, &mut std::io::empty())
}

/// Runs the program with these words, variables and standard input.
pub(crate) fn peering_with(words: &[&str], variables: &[(&str, &str)], stdin: &mut dyn Read) -> Ran {
    let variables: HashMap<String, OsString> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), value.into())).collect();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let exit = run(
        words.iter().map(OsString::from),
        &mut World {
            environment: &|name| variables.get(name).cloned(),
            variable_names: &|| variables.keys().map(OsString::from).collect(),
            clock: &|| NOW.parse().unwrap(),
            stdin,
            output: Output::new(&mut stdout, &mut stderr),
        },
    );
    Ran { exit, stdout: String::from_utf8(stdout).unwrap(), stderr: String::from_utf8(stderr).unwrap() }
}

/// A run that succeeded and printed this and nothing else.
pub(crate) fn succeeded(stdout: &str) -> Ran {
    Ran { exit: Exit::Success, stdout: stdout.to_owned(), stderr: String::new() }
}

/// A run that failed with this message and printed nothing else.
pub(crate) fn failed(message: &str) -> Ran {
    Ran { exit: Exit::Failure, stdout: String::new(), stderr: format!("{message}\n") }
}
