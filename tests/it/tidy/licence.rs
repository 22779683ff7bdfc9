//! Licences that this program may be built from, and the expressions in which crates state theirs.

/// What the crates of the program need, all permissive: a crate that offers a choice is taken under one of these.
const ALLOWED: [&str; 6] = ["Apache-2.0", "BSD-3-Clause", "ISC", "MIT", "Unicode-3.0", "Zlib"];

/// Says whether a licence expression can be met with allowed licences alone.
///
/// # Source
/// SPDX 2.3, annex D, and the `/` that older crates write for OR.
pub(super) fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    any(&mut rest) == Some(true) && rest.is_empty()
}

/// Reads alternatives; nothing if the expression is malformed.
fn any(rest: &mut &[&str]) -> Option<bool> {
    let mut is_met = all(rest)?;
    while take(rest, "OR") {
        is_met |= all(rest)?;
    }
    Some(is_met)
}

/// Reads what must be met together.
fn all(rest: &mut &[&str]) -> Option<bool> {
    let mut is_met = one(rest)?;
    while take(rest, "AND") {
        is_met &= one(rest)?;
    }
    Some(is_met)
}

/// Reads one licence or a group. An exception, which only adds permissions, is read over.
fn one(rest: &mut &[&str]) -> Option<bool> {
    if take(rest, "(") {
        let is_met = any(rest)?;
        return take(rest, ")").then_some(is_met);
    }
    let (licence, behind) = rest.split_first()?;
    *rest = behind;
    if take(rest, "WITH") {
        *rest = rest.get(1..)?;
    }
    Some(ALLOWED.contains(licence))
}

fn take(rest: &mut &[&str], word: &str) -> bool {
    let is_next = rest.first() == Some(&word);
    if is_next {
        *rest = &rest[1..];
    }
    is_next
}

#[test]
fn expressions_are_read_with_their_choices() {
    for allowed in [
        "MIT",
        "MIT/Apache-2.0",
        "GPL-3.0 OR MIT",
        "(MIT OR GPL-2.0) AND Unicode-3.0",
        "GPL-2.0 AND X OR MIT",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert!(is_allowed(allowed), "{allowed}");
    }
    for refused in
        ["", "GPL-3.0", "MIT AND GPL-3.0", "MIT AND (GPL-3.0 OR X)", "MIT GPL-3.0", "(MIT", "MIT OR", "OR MIT"]
    {
        assert!(!is_allowed(refused), "{refused}");
    }
}
