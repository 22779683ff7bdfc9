//! Exit codes, on which scripts may rely.

use std::process::ExitCode;

/// How a run of the program ended.
///
/// # Shape
/// The codes are those of Consul's command line, and more that single verbs have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// 0: done, or help was asked for.
    Success,
    /// 1: refused, failed, or the flags were wrong; an inspected token cannot be used; the reader of standard output went
    /// away.
    Failure,
    /// 2: the inspected token may fail where it is used.
    Warning,
    /// 3: what was inspected is no token.
    NoToken,
    /// 4: nothing is wrong with an audit trail, and it is in doubt: no key vouches for it, a key that signed was not given,
    /// lines wait too long for a signature, or its beginning is not there or after the head that was given.
    Unvouched,
    /// 5: an audit trail is not as it was written.
    Changed,
    /// 127: no command was named, or the first word is none.
    UnknownCommand,
}

impl Exit {
    /// Returns the number that the shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Warning => 2,
            Self::NoToken => 3,
            Self::Unvouched => 4,
            Self::Changed => 5,
            Self::UnknownCommand => 127,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
