//! Runs the commands of a document, in order, in one directory: those in blocks marked `console`, on lines that begin
//! with `$ `. Lines below a command are what it prints.
//!
//! | command | what is done |
//! |---|---|
//! | `peering …` | run; must exit with 0, and print what stands below it, if anything does |
//! | `peering … > file` | the same, into a file |
//! | `peering … &` | started; goes on once it has printed a line, and is ended, in good order, with the document |
//! | `export NAME=value …` | set for the commands after it |
//! | `install …` | the system's, which makes directories and copies files with a mode |
//! | `kill %1`, `kill -HUP %1` | what runs in the background is ended, in good order, or told to reload; `%1` is the first |
//! | `cargo …` | left to `.ci/run` |
//!
//! Double quotes and `$NAME` mean what they mean in a shell, and `$PWD` is the directory. Everything else is refused, so
//! that no document can have a command that nobody runs.

use std::collections::BTreeMap;
use std::fs;

use tempfile::TempDir;

use crate::process::{Process, Signal};
use crate::program::Program;
use crate::redact::redact;
use crate::site::private_directory;

/// Blocks that hold no command.
const OTHER_BLOCKS: [&str; 5] = ["", "json", "rust", "text", "toml"];
/// Characters with which a shell does more than we do.
const REFUSED: &str = "'\\`|;<(){}*?~#!";

/// One command of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Where it stands.
    pub line: usize,
    /// What follows the prompt.
    pub command: String,
    /// What stands below it.
    pub output: String,
}

/// Returns the commands of a document in Markdown.
///
/// # Errors
/// A sentence about a block that is not understood.
pub fn examples(document: &str) -> Result<Vec<Example>, String> {
    let mut found: Vec<Example> = Vec::new();
    let mut block: Option<&str> = None;
    let mut is_first = false;
    for (line, text) in (1..).zip(document.lines()) {
        if let Some(mark) = text.trim_start().strip_prefix("```") {
            block = if block.is_some() { None } else { Some(mark.trim()) };
            is_first = true;
            if let Some(kind) = block.filter(|kind| *kind != "console" && !OTHER_BLOCKS.contains(kind)) {
                return Err(format!("line {line}: a block of {kind:?}; commands stand in blocks of console"));
            }
            continue;
        }
        let command = text.trim_start().strip_prefix("$ ");
        match (block, command) {
            (Some("console"), Some(command)) => {
                found.push(Example { line, command: command.to_owned(), output: String::new() });
            }
            (Some("console"), None) => match found.last_mut().filter(|_| !is_first) {
                Some(example) => example.output += &format!("{text}\n"),
                None => return Err(format!("line {line}: output of no command")),
            },
            (Some(_), Some(_)) => return Err(format!("line {line}: a command outside a block of console")),
            _ => {}
        }
        is_first = false;
    }
    Ok(found)
}

/// Where a document's commands run.
pub struct Console {
    program: Program,
    directory: TempDir,
    exported: BTreeMap<String, String>,
    /// What was started, in order; none where that was ended.
    background: Vec<Option<Process>>,
}

/// A command, read.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parsed {
    words: Vec<String>,
    into_file: Option<String>,
    in_background: bool,
}

impl Console {
    /// Opens a console in an empty directory of its own, in which `peering` is this program.
    #[must_use]
    pub fn open(program: &Program) -> Self {
        Self {
            program: program.clone(),
            directory: private_directory(),
            exported: BTreeMap::new(),
            background: Vec::new(),
        }
    }

    /// Does what a command says.
    ///
    /// # Errors
    /// A sentence, if the command cannot be run, fails, or prints something else than what stands below it.
    pub async fn run(&mut self, example: &Example) -> Result<(), String> {
        let problem = |what: &str| format!("line {}: `{}` {what}", example.line, example.command);
        let parsed = parse(&example.command, |name| self.variable(name)).map_err(|what| problem(&what))?;
        let (first, words) = parsed.words.split_first().ok_or_else(|| problem("is empty"))?;
        let printed = match first.as_str() {
            "cargo" => return Ok(()),
            "export" => {
                for word in words {
                    let (name, value) = word.split_once('=').ok_or_else(|| problem("exports no value"))?;
                    self.exported.insert(name.to_owned(), value.to_owned());
                }
                String::new()
            }
            "install" => {
                let mut install = tokio::process::Command::new("install");
                let ended = install.args(words).current_dir(self.directory.path()).output().await;
                match ended {
                    Ok(output) if output.status.success() => String::new(),
                    other => return Err(problem(&format!("fails\n{other:?}"))),
                }
            }
            "kill" => {
                self.kill(words).await.map_err(|what| problem(&what))?;
                String::new()
            }
            "peering" => self.peering(&parsed, words).await.map_err(|what| problem(&what))?,
            _ => return Err(problem("is not a command that is run here")),
        };
        let (expected, printed) = (comparable(&example.output), comparable(&printed));
        if !expected.is_empty() && printed != expected {
            return Err(problem(&format!("prints\n{printed}\ninstead of\n{expected}")));
        }
        Ok(())
    }

    async fn peering(&mut self, parsed: &Parsed, words: &[String]) -> Result<String, String> {
        let mut call = self.program.call(words).directory(self.directory.path());
        for (name, value) in &self.exported {
            call = call.variable(name, value);
        }
        if parsed.in_background {
            let mut process = call.start();
            let line = process.line_with("").await;
            self.background.push(Some(process));
            return Ok(line);
        }
        let finished = call.finish().await;
        // On one machine, `inspect` rightly warns of loopback addresses.
        let is_warning = words.first().is_some_and(|verb| verb == "inspect") && finished.code == Some(2);
        if finished.code != Some(0) && !is_warning {
            return Err(format!("fails\n{finished:?}"));
        }
        let Some(file) = &parsed.into_file else { return Ok(finished.stdout) };
        let written = fs::write(self.directory.path().join(file), finished.stdout);
        written.map(|()| String::new()).map_err(|error| format!("cannot write {file}: {error}"))
    }

    async fn kill(&mut self, words: &[String]) -> Result<(), String> {
        let (job, is_hang_up) = match words {
            [job] => (job, false),
            [signal, job] if signal == "-HUP" => (job, true),
            _ => return Err("is a signal that is not sent here".to_owned()),
        };
        let place = job.strip_prefix('%').and_then(|number| number.parse::<usize>().ok()?.checked_sub(1));
        let process = place.and_then(|place| self.background.get_mut(place));
        let process = process.filter(|process| process.is_some()).ok_or("names nothing that runs")?;
        if is_hang_up {
            process.iter().for_each(|process| process.signal(Signal::HUP));
            return Ok(());
        }
        match process.take() {
            Some(process) => end(process).await,
            None => Ok(()),
        }
    }

    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "PWD" => Some(self.directory.path().display().to_string()),
            _ => self.exported.get(name).cloned(),
        }
    }

    /// Ends what still runs in the background.
    ///
    /// # Errors
    /// A sentence, if that fails.
    pub async fn close(self) -> Result<(), String> {
        for process in self.background.into_iter().flatten() {
            end(process).await?;
        }
        Ok(())
    }
}

async fn end(process: Process) -> Result<(), String> {
    let ended = process.end(Signal::TERM).await;
    if ended.status.code() == Some(0) { Ok(()) } else { Err(format!("what ran in the background failed\n{ended:?}")) }
}

/// Blanks at the ends of lines are lost in documents, and ids and times differ.
fn comparable(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    redact(lines.join("\n").trim_end())
}

/// Reads a command as a shell would, as far as it is understood.
fn parse(command: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Parsed, String> {
    let mut parsed = Parsed::default();
    let mut rest = command.trim();
    if let Some(before) = rest.strip_suffix(" &") {
        (parsed.in_background, rest) = (true, before);
    }
    if let Some((before, file)) = rest.split_once(" > ") {
        (parsed.into_file, rest) = (Some(file.trim().to_owned()), before);
    }
    let file = parsed.into_file.as_deref().unwrap_or_default();
    if let Some(refused) = format!("{rest}{file}").chars().find(|&char| REFUSED.contains(char) || "&>".contains(char)) {
        return Err(format!("has {refused:?}, which is not understood here"));
    }
    if file.contains([' ', '"', '$', '/']) {
        return Err("writes into more than a file of this directory".to_owned());
    }
    let (mut word, mut is_word, mut is_quoted) = (String::new(), false, false);
    let mut chars = rest.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' => (is_quoted, is_word) = (!is_quoted, true),
            ' ' if !is_quoted => {
                if std::mem::take(&mut is_word) {
                    parsed.words.push(std::mem::take(&mut word));
                }
            }
            '$' => {
                let mut name = String::new();
                while let Some(next) = chars.next_if(|next| next.is_ascii_alphanumeric() || *next == '_') {
                    name.push(next);
                }
                word += &variable(&name).ok_or_else(|| format!("uses ${name}, which is not set"))?;
                is_word = true;
            }
            _ => {
                word.push(char);
                is_word = true;
            }
        }
    }
    if is_quoted {
        return Err("has a quote without an end".to_owned());
    }
    if is_word {
        parsed.words.push(word);
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_what_they_print_are_found_in_console_blocks() {
        let document =
            "text\n$ not a command\n```toml\na = 1\n```\n```console\n$ peering list\nnone\n\nat all\n$ x\n```\nmore\n";
        let example =
            |line, command: &str, output: &str| Example { line, command: command.into(), output: output.into() };
        let expected = [example(7, "peering list", "none\n\nat all\n"), example(11, "x", "")];
        assert_eq!(examples(document).unwrap(), expected);
    }

    #[test]
    fn a_command_that_would_not_be_run_is_a_mistake() {
        for document in
            ["```sh\npeering list\n```\n", "```text\n$ peering list\n```\n", "```console\npeering list\n```\n"]
        {
            assert!(examples(document).is_err(), "{document}");
        }
        // Output cannot belong to a command of another block either.
        assert!(examples("```console\n$ a\n```\n```console\nb\n```\n").is_err());
    }

    #[test]
    fn words_are_read_as_a_shell_reads_them() {
        let variable = |name: &str| (name == "PWD").then(|| "/a dir".to_owned());
        let parsed = parse(r#"peering  x "$PWD/east" "" y=$PWD > token"#, variable).unwrap();
        assert_eq!(parsed.words, ["peering", "x", "/a dir/east", "", "y=/a dir"]);
        assert_eq!((parsed.into_file.as_deref(), parsed.in_background), (Some("token"), false));
        assert!(parse("peering server &", variable).unwrap().in_background);
    }

    #[test]
    fn what_only_a_shell_understands_is_refused() {
        for command in [
            "peering list | head",
            "peering list; peering list",
            "peering list && peering list",
            "peering inspect < token",
            "peering read -name 'x'",
            "peering list $NOPE",
            "peering list > /tmp/x",
            "peering list >> x",
            "peering list \"open",
            "peering list 2> x",
            "peering list $(x)",
            "peering inspect *",
        ] {
            assert!(parse(command, |_| None).is_err(), "{command}");
        }
    }
}
