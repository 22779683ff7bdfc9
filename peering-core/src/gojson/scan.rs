//! Finds where a text stops being JSON.
//!
//! serde_json decides whether a text is JSON, but neither its codes nor its columns say what Go says. So a text that it
//! refused, or that is long enough to be nested too deeply, is walked once more, for the place alone. A random test
//! holds the two to the same verdict.

use super::Extent;
use super::error::{Place, SyntaxError};

/// Most arrays and objects inside each other: Go's limit. Nothing here recurses, so it is Consul's verdict that it
/// protects, not our stack.
pub(super) const DEPTH_MAX: usize = 10_000;

/// Returns the end of the first value in the text.
pub(super) fn scan(json: &[u8], extent: Extent) -> Result<usize, SyntaxError> {
    let mut cursor = Cursor { json, at: 0, extent };
    let mut open: Vec<Container> = Vec::new();
    loop {
        if let Some(container) = cursor.value()? {
            open.push(container);
            if open.len() > DEPTH_MAX {
                cursor.at -= 1;
                return Err(cursor.unexpected(Place::TooDeep));
            }
            match (container, cursor.peek_after_space()) {
                (Container::Array, Some(b']')) | (Container::Object, Some(b'}')) => {
                    cursor.at += 1;
                    open.pop();
                }
                (Container::Array, _) => continue,
                (Container::Object, _) => {
                    cursor.key()?;
                    continue;
                }
            }
        }
        // A value has ended: close what ends with it, up to the next comma.
        loop {
            match (open.last(), cursor.peek_after_space_unless(open.is_empty() && extent == Extent::First)) {
                (None, None) => return Ok(cursor.at),
                (None, Some(_)) => return Err(cursor.unexpected(Place::AfterTopLevel)),
                (Some(Container::Array), Some(b']')) | (Some(Container::Object), Some(b'}')) => {
                    cursor.at += 1;
                    open.pop();
                }
                (Some(Container::Array), Some(b',')) => {
                    cursor.at += 1;
                    break;
                }
                (Some(Container::Object), Some(b',')) => {
                    cursor.at += 1;
                    cursor.key()?;
                    break;
                }
                (Some(Container::Array), _) => return Err(cursor.unexpected_after_space(Place::AfterElement)),
                (Some(Container::Object), _) => return Err(cursor.unexpected_after_space(Place::AfterPair)),
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    Array,
    Object,
}

struct Cursor<'a> {
    json: &'a [u8],
    at: usize,
    extent: Extent,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.json.get(self.at).copied()
    }

    fn peek_after_space(&mut self) -> Option<u8> {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
        self.peek()
    }

    fn peek_after_space_unless(&mut self, is_done: bool) -> Option<u8> {
        if is_done { None } else { self.peek_after_space() }
    }

    /// Refuses the next byte. At the end of the text Go tries a space, which is as wrong here as any other byte.
    fn unexpected(&self, place: Place) -> SyntaxError {
        match (self.peek(), self.extent) {
            (Some(byte), _) => SyntaxError::Unexpected { byte, offset: self.at, place },
            (None, Extent::Whole) => SyntaxError::Unexpected { byte: b' ', offset: self.at, place },
            (None, Extent::First) => self.ended(),
        }
    }

    /// Refuses the next byte where white space could have stood.
    fn unexpected_after_space(&self, place: Place) -> SyntaxError {
        if self.peek().is_some() { self.unexpected(place) } else { self.ended() }
    }

    fn ended(&self) -> SyntaxError {
        match self.extent {
            Extent::Whole => SyntaxError::EndOfInput,
            Extent::First if self.json.iter().copied().all(is_space) => SyntaxError::Empty,
            Extent::First => SyntaxError::UnexpectedEof,
        }
    }

    /// Passes a value without parts, or the bracket that opens one with parts.
    fn value(&mut self) -> Result<Option<Container>, SyntaxError> {
        match self.peek_after_space() {
            Some(b'{') => {
                self.at += 1;
                return Ok(Some(Container::Object));
            }
            Some(b'[') => {
                self.at += 1;
                return Ok(Some(Container::Array));
            }
            Some(b'"') => self.string()?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.literal("true")?,
            Some(b'f') => self.literal("false")?,
            Some(b'n') => self.literal("null")?,
            _ => return Err(self.unexpected_after_space(Place::ValueStart)),
        }
        Ok(None)
    }

    fn key(&mut self) -> Result<(), SyntaxError> {
        if self.peek_after_space() != Some(b'"') {
            return Err(self.unexpected_after_space(Place::KeyStart));
        }
        self.string()?;
        if self.peek_after_space() != Some(b':') {
            return Err(self.unexpected_after_space(Place::AfterKey));
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<(), SyntaxError> {
        self.at += 1;
        loop {
            match self.peek() {
                None => return Err(self.ended()),
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    self.escape()?;
                }
                Some(0..0x20) => return Err(self.unexpected(Place::String)),
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        Ok(())
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        let kind = self.peek();
        if !matches!(kind, Some(b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' | b'u')) {
            return Err(self.unexpected(Place::Escape));
        }
        self.at += 1;
        for _ in 0..if kind == Some(b'u') { 4 } else { 0 } {
            self.one(|byte| byte.is_ascii_hexdigit(), Place::UnicodeEscape)?;
        }
        Ok(())
    }

    fn literal(&mut self, word: &'static str) -> Result<(), SyntaxError> {
        for expected in word.chars() {
            self.one(|byte| char::from(byte) == expected, Place::Literal { word, expected })?;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
        self.at += usize::from(self.peek() == Some(b'-'));
        // A zero is a whole number; what follows it is another matter.
        let has_more = self.peek() != Some(b'0');
        self.one(|byte| byte.is_ascii_digit(), Place::Number)?;
        if has_more {
            self.digits();
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.one(|byte| byte.is_ascii_digit(), Place::Fraction)?;
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.one(|byte| byte.is_ascii_digit(), Place::Exponent)?;
            self.digits();
        }
        Ok(())
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
    }

    fn one(&mut self, allowed: impl Fn(u8) -> bool, place: Place) -> Result<(), SyntaxError> {
        if self.peek().is_some_and(allowed) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.unexpected(place))
        }
    }
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
