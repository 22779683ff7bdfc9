//! The `peering` program as a library: reads a command line, calls a server, prints the answer.
//!
//! [`main`] is the program; [`run`] is the same with everything outside put in as arguments, for tests.
//!
//! ```
//! use peering_cli::{Exit, Output, World, run};
//!
//! let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
//! let exit = run(
//!     ["version".into()],
//!     &mut World {
//!         environment: &|_| None,
//!         variable_names: &Vec::new,
//!         clock: &|| jiff::Timestamp::UNIX_EPOCH,
//!         stdin: &mut std::io::empty(),
//!         output: Output::new(&mut stdout, &mut stderr),
//!     },
//! );
//! assert_eq!(exit, Exit::Success);
//! assert!(stdout.starts_with(b"peering v"));
//! ```

mod args;
mod bounded;
mod client;
mod commands;
mod data_dir;
mod exit;
mod gotime;
mod output;
#[cfg(feature = "testing")]
pub mod probe;
mod world;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Command, CommandFactory, FromArgMatches};

use self::args::flag_error::FlagError;
use self::args::route::{self, Route};
use self::args::{Cli, Verb, help, rewrite};
use self::commands::error::CommandError;
pub use self::data_dir::{current_uid, default_data_dir, own_socket};
pub use self::exit::Exit;
pub use self::output::{Output, OutputError, Terminals};
pub use self::world::{Clock, Environment, VariableNames, World};

/// Runs the program on the arguments, environment and standard streams of this process.
#[must_use]
pub fn main() -> ExitCode {
    // Not locked: the server inside writes its log from other threads.
    let (mut stdout, mut stderr) = (std::io::stdout(), std::io::stderr());
    let terminals = Terminals { stdout: stdout.is_terminal(), stderr: stderr.is_terminal() };
    let mut world = World {
        environment: &|name| std::env::var_os(name),
        variable_names: &|| std::env::vars_os().map(|(name, _)| name).collect(),
        clock: &jiff::Timestamp::now,
        stdin: &mut std::io::stdin(),
        output: Output::new(&mut stdout, &mut stderr).on(terminals),
    };
    run(std::env::args_os().skip(1), &mut world).into()
}

/// Runs one verb on the words after the program's name.
pub fn run(words: impl IntoIterator<Item = OsString>, world: &mut World<'_>) -> Exit {
    match read(&root(), words, world) {
        Ok(verb) => finish(dispatch(verb, world), world),
        Err(exit) => exit,
    }
}

/// Describes the command line.
fn root() -> Command {
    let mut root = Cli::command();
    root.build();
    root
}

/// Reads the words after the program's name. What is no verb to run is answered here.
fn read(root: &Command, words: impl IntoIterator<Item = OsString>, world: &mut World<'_>) -> Result<Verb, Exit> {
    let page = |path: &[String]| help::page(verb_at(root, path.iter().map(String::as_str)));
    Err(match route::decide(root, words.into_iter().collect()) {
        Route::Version => finish(commands::version::print(world), world),
        Route::RootHelp => finish(print_help(world, &help::page(root)), world),
        Route::Help(path) => finish(print_help(world, &page(&path)), world),
        Route::NoVerb => {
            world.output.message(&help::page(root));
            Exit::UnknownCommand
        }
        Route::NoVerbOf(path) => {
            world.output.message(&page(&path));
            Exit::Failure
        }
        Route::MisplacedFlags(path) => {
            world.output.message("Invalid flags before the subcommand. If these flags are for");
            world.output.message("the subcommand, please put them after the subcommand.\n");
            world.output.message(&page(&path));
            Exit::Failure
        }
        Route::Run(words) => match parse(root, words.clone()) {
            Ok(verb) => return Ok(verb),
            Err(error) => {
                world.output.message(&error.to_string());
                let verb = verb_at(root, words.iter().map_while(|word| word.to_str()));
                world.output.message(&help::flag_list(verb));
                Exit::Failure
            }
        },
    })
}

/// Finds the verb that the first words name.
fn verb_at<'a>(root: &'a Command, words: impl IntoIterator<Item = &'a str>) -> &'a Command {
    let mut verb = root;
    for word in words {
        match verb.find_subcommand(word) {
            Some(next) => verb = next,
            None => break,
        }
    }
    verb
}

/// Renders the help page of the verb that these words name.
fn help_page(path: &[&str]) -> String {
    let root = root();
    help::page(verb_at(&root, path.iter().copied()))
}

/// Reads a verb and its flags.
fn parse(root: &Command, words: Vec<OsString>) -> Result<Verb, FlagError> {
    let read = |words: Vec<OsString>| {
        let matches = root.clone().no_binary_name(true).try_get_matches_from(words)?;
        Ok(Cli::from_arg_matches(&matches)?.verb)
    };
    match rewrite::rewrite(root, words) {
        Ok(words) => read(words),
        // Go reads from left to right, so that a mistake before the flag without a name is the one to report.
        Err(nameless) => Err(read(nameless.before.clone()).err().unwrap_or_else(|| nameless.into())),
    }
}

fn dispatch(verb: Verb, world: &mut World<'_>) -> Result<(), CommandError> {
    match verb {
        Verb::GenerateToken(verb) => verb.run(world),
        Verb::Establish(verb) => verb.run(world),
        Verb::List(verb) => verb.run(world),
        Verb::Read(verb) => verb.run(world),
        Verb::Delete(verb) => verb.run(world),
        Verb::ExportedServices(verb) => verb.run(world),
        Verb::Acl(group) => group.run(world),
        Verb::Audit(group) => group.run(world),
        Verb::Issued(group) => group.run(world),
        Verb::Inspect(verb) => verb.run(world),
        Verb::Completion(verb) => verb.run(world),
        Verb::Man(verb) => verb.run(world),
        Verb::Version(verb) => verb.run(world),
        #[cfg(feature = "server")]
        Verb::Backup(verb) => verb.run(world),
        #[cfg(feature = "server")]
        Verb::Keyring(group) => group.run(world),
        #[cfg(feature = "server")]
        Verb::Server(verb) => verb.run(world),
        #[cfg(feature = "server")]
        Verb::Quickstart(verb) => verb.run(world),
    }
}

fn print_help(world: &mut World<'_>, page: &str) -> Result<(), CommandError> {
    Ok(world.output.result(page)?)
}

/// Prints why a verb failed, if anybody is left to read it, and turns the outcome into an exit code.
fn finish(outcome: Result<(), CommandError>, world: &mut World<'_>) -> Exit {
    match outcome {
        Ok(()) => Exit::Success,
        Err(CommandError::Output(OutputError::Closed)) => Exit::Failure,
        Err(error) => {
            world.output.message(&error.to_string());
            error.exit()
        }
    }
}

#[cfg(test)]
mod tests;
