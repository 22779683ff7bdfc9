//! `peering man`: one man page for each verb, written into a directory.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man as Page;
use clap_mangen::roff::{Roff, roman};
use thiserror::Error;

use crate::args::typed;
use crate::client::go_io;
use crate::commands::error::CommandError;
use crate::output::escape::line;
use crate::world::World;

/// The first line of every page, by which one of ours is known again.
const FIRST_LINE: &str = ".\\\" Made by `peering man`; an edited page is replaced by the next run.\n";

/// Stands for the description until that is laid out.
const PLACE_OF_DESCRIPTION: &str = "THE-DESCRIPTION";

/// Blanks before a line of prose on a help page; a line that has more is an example.
const PROSE_INDENT: &str = "  ";

/// Flags of `man`: none.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering man DIR",
    about = "Write man pages into a directory",
    long_about = "  Write one man page for each verb into a directory that exists. Pages that an
  earlier run has written there are replaced; any other file of the same name is
  left alone, and then nothing is written.

  Example:

    $ peering man /usr/local/share/man/man1",
    args_override_self = true
)]
pub(crate) struct Man {
    #[arg(hide = true)]
    directory: Option<PathBuf>,
}

/// Says why the pages were not written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum ManError {
    /// A file of that name is there, and not one of ours.
    #[error("{} is there and was not made by peering man: remove it, or name another directory", line(&.0.display().to_string()))]
    InTheWay(PathBuf),
    /// A file cannot be read or written.
    #[error("Error writing {}: {}", line(&path.display().to_string()), go_io::reason(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Man {
    pub(crate) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        let directory = self.directory.filter(|path| !path.as_os_str().is_empty());
        let directory = directory.ok_or(CommandError::NoManDirectory)?;
        let pages = pages().map_err(|source| ManError::Write { path: directory.clone(), source })?;
        for (name, _) in &pages {
            check_place(directory.join(name))?;
        }
        for (name, page) in &pages {
            let path = directory.join(name);
            replace(&path, page).map_err(|source| ManError::Write { path, source })?;
        }
        Ok(world.output.result(&format!(
            "{} pages written to {}",
            pages.len(),
            line(&directory.display().to_string())
        ))?)
    }
}

/// Refuses a place where anything but a page of ours is.
fn check_place(path: PathBuf) -> Result<(), ManError> {
    let is_file = match fs::symlink_metadata(&path) {
        Ok(found) => found.is_file(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(ManError::Write { path, source }),
    };
    if !is_file {
        return Err(ManError::InTheWay(path));
    }
    match fs::read(&path) {
        Ok(text) if text.starts_with(FIRST_LINE.as_bytes()) => Ok(()),
        Ok(_) => Err(ManError::InTheWay(path)),
        Err(source) => Err(ManError::Write { path, source }),
    }
}

/// Writes a page beside its place and moves it there, so that no reader finds half of one.
fn replace(path: &Path, page: &str) -> io::Result<()> {
    let beside = path.with_extension(format!("1.{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&beside)
        .and_then(|mut file| file.write_all(page.as_bytes()))
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // What is half written is of no use; the error that counts is the first one.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Makes all pages: the name of the file and the text.
fn pages() -> io::Result<Vec<(String, String)>> {
    let root = crate::root();
    let mut described = typed::describe(&root, &|_| PLACE_OF_DESCRIPTION.to_owned());
    described.build();
    let mut pages = Vec::new();
    add_pages(&root, &described, &mut pages)?;
    Ok(pages)
}

fn add_pages(command: &Command, described: &Command, pages: &mut Vec<(String, String)>) -> io::Result<()> {
    let page = Page::new(described.clone()).source(concat!("peering ", env!("CARGO_PKG_VERSION"))).manual("peering");
    let mut roff = Vec::new();
    page.render(&mut roff)?;
    let long = command.get_long_about().map(ToString::to_string).unwrap_or_default();
    let text = String::from_utf8_lossy(&roff)
        // The text of a flag's name, which roff writes with escaped dashes.
        .replace("\\fB\\-\\-", "\\fB\\-")
        .replace(&format!("{}\n", PLACE_OF_DESCRIPTION.replace('-', "\\-")), &description(&long));
    pages.push((page.get_filename(), format!("{FIRST_LINE}{text}")));
    for described in described.get_subcommands() {
        if let Some(command) = command.find_subcommand(described.get_name()) {
            add_pages(command, described, pages)?;
        }
    }
    Ok(())
}

/// Lays out the text of a help page: prose is filled, examples keep their lines.
fn description(text: &str) -> String {
    let mut roff = Roff::new();
    let mut is_example = false;
    for line in text.lines() {
        let prose = line.strip_prefix(PROSE_INDENT).unwrap_or(line);
        if prose.is_empty() {
            roff.control("PP", []);
        } else if prose.starts_with(' ') != is_example {
            is_example = !is_example;
            roff.control(if is_example { "nf" } else { "fi" }, []);
        }
        if !prose.is_empty() {
            roff.text([roman(prose)]);
        }
    }
    if is_example {
        roff.control("fi", []);
    }
    roff.to_roff()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_each_verb_with_flags_of_one_dash_and_its_examples() {
        let pages = pages().unwrap();
        let page = |name: &str| &pages.iter().find(|(file, _)| file == name).unwrap_or_else(|| panic!("{name}")).1;
        for name in ["peering.1", "peering-list.1", "peering-acl.1", "peering-acl-token-create.1", "peering-man.1"] {
            let text = page(name);
            assert!(text.starts_with(FIRST_LINE), "{name}");
            assert!(!text.contains("\\-\\-") && !text.contains("THE"), "{name} {text}");
        }
        let read = page("peering-read.1");
        assert!(read.contains("\\fB\\-name\\fR \\fI<string>\\fR\n(Required) Our own name for the peer."), "{read}");
        assert!(read.contains(".nf\n  $ peering read \\-name cluster\\-02\n.fi\n"), "{read}");
        assert!(
            read.contains(".SH SYNOPSIS\n\\fBpeering\\fR read [options]") || read.contains("peering read"),
            "{read}"
        );
    }
}
