//! Where a line stands.

use std::fmt;
use std::sync::Arc;

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Name of the file.
    pub file: Arc<str>,
    /// Which of its lines, from 1.
    pub line: u64,
    /// The number that it has in the trail, if it could be read.
    pub seq: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} line {}", crate::foreign::escaped(&self.file, FILE_NAME_CHARACTERS_SHOWN), self.line)?;
        match self.seq {
            Some(seq) => write!(f, " (seq {seq})"),
            None => Ok(()),
        }
    }
}

/// Names of files are our own user's, and paths are long.
const FILE_NAME_CHARACTERS_SHOWN: usize = 4_096;
