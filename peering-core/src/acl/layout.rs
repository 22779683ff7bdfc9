//! Rules as people write them, laid out as HCL's second version wants them.
//!
//! Consul reads the first version, in which line breaks mean nothing, a comma may end an entry and a key may stand in
//! quotes. This puts every entry on a line of its own and remembers where it came from; it looks at no meaning.

/// A place in a text, counted from 1; columns are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A text that cannot be laid out, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Misplaced {
    pub(super) at: Place,
    pub(super) what: &'static str,
}

/// The text with every entry on a line of its own.
#[derive(Debug, Clone)]
pub(super) struct Laid {
    pub(super) text: String,
    /// Where each line of the text begins in the original.
    starts: Vec<Place>,
}

impl Laid {
    /// Returns the place in the original that a place in the text came from.
    pub(super) fn origin(&self, line: usize, column: usize) -> Place {
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(Place { line, column: 1 });
        Place { line: start.line, column: start.column + column.saturating_sub(1) }
    }
}

/// What of an entry has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    /// Nothing.
    Begin,
    /// Its key, perhaps with labels.
    Key,
    /// Its equals sign.
    Value,
}

struct Layout<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    line_begins: usize,
    entry: Entry,
    brackets: usize,
    laid: Laid,
}

/// Lays out rules.
pub(super) fn lay_out(text: &str) -> Result<Laid, Misplaced> {
    let first = Place { line: 1, column: 1 };
    let laid = Laid { text: String::with_capacity(text.len() * 2), starts: vec![first] };
    let mut layout = Layout { text, at: 0, line: 1, line_begins: 0, entry: Entry::Begin, brackets: 0, laid };
    while layout.at < text.len() {
        layout.step()?;
    }
    match layout.entry {
        Entry::Begin => Ok(layout.laid),
        Entry::Key => Err(layout.misplaced("expected start of object ('{') or assignment ('=') after the key")),
        Entry::Value => Err(layout.misplaced("expected a value after the assignment ('=')")),
    }
}

impl Layout<'_> {
    fn place(&self) -> Place {
        Place { line: self.line, column: self.at - self.line_begins + 1 }
    }

    fn misplaced(&self, what: &'static str) -> Misplaced {
        Misplaced { at: self.place(), what }
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// Takes what is at hand, which holds no line break.
    fn take(&mut self, bytes: usize) {
        self.laid.text.push_str(&self.text[self.at..self.at + bytes]);
        self.at += bytes;
    }

    fn take_line_break(&mut self) {
        self.at += 1;
        self.line += 1;
        self.line_begins = self.at;
    }

    /// Ends a line of the text; what comes next begins another.
    fn end_line(&mut self) {
        self.laid.text.push('\n');
        self.laid.starts.push(self.place());
    }

    fn step(&mut self) -> Result<(), Misplaced> {
        let rest = self.rest();
        match rest.as_bytes()[0] {
            b'\n' => {
                self.take_line_break();
                // Within an entry a line break means nothing.
                if self.entry == Entry::Begin { self.end_line() } else { self.laid.text.push(' ') }
            }
            b' ' | b'\t' | b'\r' => self.take(1),
            b'#' => self.skip_line(),
            b'/' if rest.starts_with("//") => self.skip_line(),
            b'/' if rest.starts_with("/*") => self.skip_comment()?,
            b'"' => self.string()?,
            b'=' if self.entry == Entry::Key => {
                self.entry = Entry::Value;
                self.take(1);
            }
            b'[' if self.entry == Entry::Value => {
                self.brackets += 1;
                self.take(1);
            }
            b']' if self.brackets > 0 => {
                self.take(1);
                self.brackets -= 1;
                self.end_value();
            }
            b',' if self.brackets > 0 => self.take(1),
            b',' if self.entry == Entry::Begin => {
                self.at += 1;
                self.end_line();
            }
            // An object within a list holds no rule that we know; HCL reads it as it stands.
            b'{' | b'}' if self.brackets > 0 => return Err(self.misplaced("expected no object within a list")),
            b'{' if self.entry != Entry::Begin => {
                self.take(1);
                self.entry = Entry::Begin;
                self.end_line();
            }
            b'}' if self.entry == Entry::Begin => {
                self.end_line();
                self.take(1);
                self.end_line();
            }
            byte if is_of_word(byte) => {
                let bytes = rest.bytes().take_while(|byte| is_of_word(*byte)).count();
                self.take(bytes);
                self.end_word();
            }
            _ => return Err(self.misplaced("illegal char")),
        }
        Ok(())
    }

    fn end_word(&mut self) {
        match self.entry {
            Entry::Begin => self.entry = Entry::Key,
            Entry::Key => {}
            Entry::Value => self.end_value(),
        }
    }

    fn end_value(&mut self) {
        if self.brackets == 0 {
            self.entry = Entry::Begin;
            self.end_line();
        }
    }

    fn skip_line(&mut self) {
        self.at += self.rest().find('\n').unwrap_or(self.rest().len());
    }

    fn skip_comment(&mut self) -> Result<(), Misplaced> {
        let Some(end) = self.rest()[2..].find("*/") else { return Err(self.misplaced("comment not terminated")) };
        let end = self.at + 2 + end + 2;
        while self.at < end {
            // By bytes, since a comment may hold any character.
            if self.text.as_bytes()[self.at] == b'\n' { self.take_line_break() } else { self.at += 1 }
        }
        self.laid.text.push(' ');
        Ok(())
    }

    fn string(&mut self) -> Result<(), Misplaced> {
        let bytes = self.rest().as_bytes();
        let mut length = 1;
        loop {
            match bytes.get(length) {
                None | Some(b'\n') => return Err(self.misplaced("literal not terminated")),
                Some(b'"') => break,
                Some(b'\\') => length += 2,
                Some(_) => length += 1,
            }
        }
        let inner = &self.text[self.at + 1..self.at + length];
        if self.entry == Entry::Begin && !inner.is_empty() && inner.bytes().all(is_of_word) {
            self.laid.text.push_str(inner);
        } else {
            // The first version knows no templates here.
            let plain = inner.replace("${", "$${").replace("%{", "%%{");
            self.laid.text.push('"');
            self.laid.text.push_str(&plain);
            self.laid.text.push('"');
        }
        self.at += length + 1;
        self.end_word();
        Ok(())
    }
}

const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_gets_a_line_and_keeps_its_place() {
        let laid = lay_out("a = 1 b \"x\"\n{ p = \"r\", i = \"w\" }\n# c\n\"k\" = [\"}\", /* d\n */ 2] e=3").unwrap();
        let lines: Vec<&str> = laid.text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert_eq!(lines, ["a = 1", "b \"x\" {", "p = \"r\"", "i = \"w\"", "}", "k = [\"}\",   2]", "e=3"]);
        let line = laid.text.lines().position(|line| line.contains("e=3")).unwrap() + 1;
        assert_eq!(laid.origin(line, 2), Place { line: 5, column: 8 });
    }

    #[test]
    fn what_cannot_be_laid_out_is_refused_at_its_place() {
        for (text, line, column, what) in [
            ("a", 1, 2, "assignment"),
            ("a = ", 1, 5, "value"),
            ("\n  a: 1", 2, 4, "illegal char"),
            ("a = \"x\n\"", 1, 5, "literal"),
            ("/* x", 1, 1, "comment"),
            ("é = 1", 1, 1, "illegal char"),
            ("= 1", 1, 1, "illegal char"),
        ] {
            let refused = lay_out(text).unwrap_err();
            assert_eq!(refused.at, Place { line, column }, "{text}");
            assert!(refused.what.contains(what), "{text}: {refused:?}");
        }
    }
}
