//! JSON and base64 as Go means them: what a Consul agent writes, reads and says when it cannot read.
//!
//! serde_json does the parsing and the printing. This room adds what differs:
//!
//! | matter | Go |
//! |---|---|
//! | printing | `<`, `>`, `&`, U+2028 and U+2029 as `\u003c` …; 4 spaces of indent when asked for |
//! | keys | match in any case; a repeated key overrides, objects merge |
//! | `null` | empties a list, a map or a pointer, and leaves anything else as it is |
//! | broken UTF-8, lone surrogates | become U+FFFD |
//! | errors | syntax first, over the whole text; then the first wrong type or unknown key |
//!
//! Reading is private to this crate, since it serves three texts only: the peering token, the request body, and the
//! config entry, whose fields are read from a value (`first_value`).

pub(crate) mod base64;
mod error;
mod fold;
mod quote;
mod read;
mod scan;
mod tame;
#[cfg(test)]
pub(crate) mod vectors;
mod write;

pub use error::{JsonError, Place, SyntaxError, TypeError};
pub use quote::go_quoted;
pub(crate) use read::{Scalar, Slot, Struct, decode_first, decode_first_list, first_value, unmarshal};
pub(crate) use write::to_vec;
pub use write::{to_string, to_string_pretty};

/// How much of a text is read, and how its end is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// The text is one value, as for Go's `Unmarshal`.
    Whole,
    /// The text begins with a value and the rest is nobody's business, as for Go's `Decoder`.
    First,
}
