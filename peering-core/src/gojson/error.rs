//! Why a JSON text is refused, in the words of Go 1.22.

use std::fmt;

use thiserror::Error;

use super::quote::{go_quoted, quoted_byte};

/// Says why a JSON text is refused.
///
/// # Security
/// At most one byte of the text is repeated, and the name of an unknown key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The text is not JSON.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// A value has another type than its field.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// A key is not one of those that the object may have.
    #[error("json: unknown field {}", go_quoted(.0))]
    UnknownField(String),
    /// The text is JSON, and yet the parser below refused it.
    #[error("json: the text is valid but nested or encoded in a way that cannot be read; write it more plainly")]
    Unreadable,
}

impl JsonError {
    /// Says whether the text is no JSON; else it is, and another than was expected.
    #[must_use]
    pub const fn is_syntax(&self) -> bool {
        matches!(self, Self::Syntax(_))
    }
}

/// Says where a text stops being JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SyntaxError {
    /// A text that had to be one value ends within it.
    #[error("unexpected end of JSON input")]
    EndOfInput,
    /// A body holds nothing but white space.
    #[error("EOF")]
    Empty,
    /// A body ends within its first value.
    #[error("unexpected EOF")]
    UnexpectedEof,
    /// A byte cannot stand where it stands.
    #[error("invalid character {} {place}", quoted_byte(*.byte))]
    Unexpected {
        /// The byte; a space stands for the end of the text where white space cannot be.
        byte: u8,
        /// Its offset in bytes, from 0.
        offset: usize,
        /// What was being read.
        place: Place,
    },
}

/// What was being read when a byte was unexpected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// Any value.
    ValueStart,
    /// The key of an object.
    KeyStart,
    /// The colon.
    AfterKey,
    /// A comma or the end of the object.
    AfterPair,
    /// A comma or the end of the array.
    AfterElement,
    /// The end of the text.
    AfterTopLevel,
    /// A string.
    String,
    /// The character after a backslash.
    Escape,
    /// The four digits after `\u`.
    UnicodeEscape,
    /// The first digit of a number.
    Number,
    /// The first digit after the point.
    Fraction,
    /// The first digit of the exponent.
    Exponent,
    /// `true`, `false` or `null`.
    Literal {
        /// The word that had begun.
        word: &'static str,
        /// The letter that had to follow.
        expected: char,
    },
    /// An array or object inside 10,000 others.
    TooDeep,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ValueStart => "looking for beginning of value",
            Self::KeyStart => "looking for beginning of object key string",
            Self::AfterKey => "after object key",
            Self::AfterPair => "after object key:value pair",
            Self::AfterElement => "after array element",
            Self::AfterTopLevel => "after top-level value",
            Self::String => "in string literal",
            Self::Escape => "in string escape code",
            Self::UnicodeEscape => "in \\u hexadecimal character escape",
            Self::Number => "in numeric literal",
            Self::Fraction => "after decimal point in numeric literal",
            Self::Exponent => "in exponent of numeric literal",
            Self::Literal { word, expected } => return write!(f, "in literal {word} (expecting '{expected}')"),
            Self::TooDeep => "exceeded max depth",
        })
    }
}

/// Says that a value has another type than its field.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TypeError {
    /// What was found: `array`, `bool`, `number`, `object` or `string`.
    pub got: &'static str,
    /// Go's name of the type that was expected, such as `[]string`.
    pub expected: &'static str,
    /// Where it was found; nothing if it is the whole value.
    pub field: Option<FieldPath>,
}

/// Names a field as Go does: by the innermost structure, without its package, and by all keys that lead to it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldPath {
    /// Go's name of the structure, such as `PeeringToken`.
    pub structure: &'static str,
    /// The keys, with points between them.
    pub keys: String,
}

impl fmt::Display for TypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { got, expected, field } = self;
        match field {
            Some(FieldPath { structure, keys }) => {
                write!(f, "json: cannot unmarshal {got} into Go struct field {structure}.{keys} of type {expected}")
            }
            None => write!(f, "json: cannot unmarshal {got} into Go value of type {expected}"),
        }
    }
}

impl std::error::Error for TypeError {}
