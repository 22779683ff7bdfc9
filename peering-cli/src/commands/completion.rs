//! `peering completion`: a script that makes a shell complete verbs and flags.

use clap::{Args, ValueEnum};
use clap_complete::Shell;

use crate::args::typed;
use crate::commands::error::CommandError;
use crate::world::World;

/// Flags of `completion`: none.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering completion SHELL",
    about = "Print a completion script for a shell",
    long_about = "  Print a script that makes a shell complete verbs and flags: bash, elvish, fish,
  powershell or zsh.

  Example, for bash, in a file that it reads by itself:

    $ peering completion bash > ~/.local/share/bash-completion/completions/peering",
    args_override_self = true
)]
pub(crate) struct Completion {
    #[arg(hide = true)]
    shell: Option<String>,
}

impl Completion {
    pub(crate) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        let shell = self.shell.and_then(|name| Shell::from_str(&name, false).ok());
        let shell = shell.ok_or_else(|| CommandError::NoShell(shell_names()))?;
        Ok(world.output.result(script(shell).trim_end())?)
    }
}

fn shell_names() -> String {
    let names = Shell::value_variants().iter().map(ToString::to_string);
    names.collect::<Vec<_>>().join(", ")
}

/// Makes the script for one shell.
fn script(shell: Shell) -> String {
    let mut described = typed::describe(&crate::root(), &|_| String::new());
    let names = typed::flag_names(&described).into_iter().map(str::to_owned).collect::<Vec<_>>();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut described, "peering", &mut script);
    with_one_dash(shell, &String::from_utf8_lossy(&script), &names)
}

/// Makes flags of two dashes into flags of one.
///
/// fish has an option of its own for them. zsh must be told that a dash and several letters are one flag, and not a
/// letter each.
fn with_one_dash(shell: Shell, script: &str, names: &[String]) -> String {
    let (script, from, to) = match shell {
        Shell::Fish => (script.to_owned(), " -l ", " -o "),
        Shell::Zsh => (script.replace("_arguments_options=(-s -S -C)", "_arguments_options=(-S -C)"), "--", "-"),
        _ => (script.to_owned(), "--", "-"),
    };
    let mut mended = String::with_capacity(script.len());
    let mut rest = script.as_str();
    while let Some(at) = rest.find(from) {
        let after = &rest[at + from.len()..];
        let word = after.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next().unwrap_or_default();
        mended.push_str(&rest[..at]);
        mended.push_str(if names.iter().any(|name| name == word) { to } else { from });
        rest = after;
    }
    mended + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_completes_flags_of_one_dash_and_every_verb() {
        for (shell, flag) in [
            (Shell::Bash, "-ca-file -ca-path"),
            (Shell::Elvish, "cand -ca-file '"),
            (Shell::Fish, " -o ca-file -d '"),
            (Shell::PowerShell, "'-ca-file', '-ca-file'"),
            (Shell::Zsh, "'-ca-file=[File of PEM"),
        ] {
            let script = script(shell);
            assert!(script.contains(flag), "{shell} {script}");
            for two_dashes in ["--ca-file", "-l ca-file", "(-s -S"] {
                assert!(!script.contains(two_dashes), "{shell} has {two_dashes}");
            }
            for verb in ["generate-token", "exported-services", "bootstrap"] {
                assert!(script.contains(verb), "{shell} lacks {verb}");
            }
        }
    }

    #[test]
    fn only_flags_lose_a_dash() {
        let names = ["name".to_owned()];
        let mended = with_one_dash(Shell::Bash, "compgen -- \"--name --nome\" ---", &names);
        assert_eq!(mended, "compgen -- \"-name --nome\" ---");
    }
}
