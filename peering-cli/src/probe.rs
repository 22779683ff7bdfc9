//! The command line for tests outside of this crate: words are read as always, and no verb is run.

use std::ffi::OsString;
use std::sync::LazyLock;

use clap::Command;

use crate::args::rewrite;
use crate::{Exit, World};

/// Made once, since it takes longer to make than to use.
static ROOT: LazyLock<Command> = LazyLock::new(crate::root);

/// Reads the words after the program's name as [`run`](crate::run) does, and describes the verb that it would run.
///
/// # Errors
/// The exit of a run that prints something instead.
pub fn read(words: impl IntoIterator<Item = OsString>, world: &mut World<'_>) -> Result<String, Exit> {
    crate::read(&ROOT, words, world).map(|verb| format!("{verb:?}"))
}

/// Rewrites words from Go's way of writing flags; `None` if one is a flag without a name.
#[must_use]
pub fn rewrite(words: impl IntoIterator<Item = OsString>) -> Option<Vec<OsString>> {
    rewrite::rewrite(&ROOT, words).ok()
}
