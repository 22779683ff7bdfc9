//! `peering completion`: the script works in a real bash, where there is one.

use std::process::Command;

use super::{failed, peering};
use crate::Exit;

/// Completes a line in bash, the last word of which is being typed.
fn complete(line: &[&str]) -> Option<Vec<String>> {
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(script.path(), peering(&["completion", "bash"], &[]).stdout).unwrap();
    let bash = |code: &str| {
        let mut command = Command::new("bash");
        command.args(["--norc", "-c", code, "bash"]).arg(script.path()).args(line);
        command.output().ok()
    };
    assert!(bash("bash -n \"$1\"")?.status.success());
    let code = "source \"$1\"; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
        words=($(complete -p peering)); for i in \"${!words[@]}\"; do \
        if [ \"${words[i]}\" = -F ]; then f=${words[i+1]}; fi; done; \
        \"$f\" peering \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let output = bash(code)?;
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

#[test]
fn bash_completes_verbs_and_flags_of_one_dash() {
    for (line, expected) in [
        (["peering", "exp"].as_slice(), ["exported-services"].as_slice()),
        (&["peering", "acl", "b"], &["bootstrap"]),
        (&["peering", "acl", "token", "re"], &["read"]),
        (&["peering", "establish", "-pe"], &["-peering-token", "-peering-token-file"]),
        (&["peering", "generate-token", "-name", "x", "-serv"], &["-server-external-addresses"]),
        (&["peering", "acl", "policy", "create", "-ru"], &["-rules"]),
        (&["peering", "list", "-xyz"], &[""]),
    ] {
        let Some(completed) = complete(line) else { return };
        assert_eq!(completed, expected, "{line:?}");
    }
}

#[test]
fn an_unknown_shell_is_refused_with_those_that_there_are() {
    let message = "Missing the shell: expected one of bash, elvish, fish, powershell, zsh";
    for words in [["completion"].as_slice(), &["completion", "tcsh"]] {
        assert_eq!(peering(words, &[]), failed(message));
    }
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = peering(&["completion", shell], &[]);
        assert!(ran.exit == Exit::Success && ran.stdout.contains("exported-services"), "{shell}");
    }
}
