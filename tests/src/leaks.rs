//! Looks for secrets where none may be: in files, logs and arguments.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

/// A secret, or anything else that is looked for, in the forms in which it could stand somewhere.
#[derive(Clone)]
pub struct Wanted {
    name: String,
    forms: Vec<(&'static str, Vec<u8>)>,
}

impl Wanted {
    /// Looks for a UUID as text in either case, without hyphens, as bytes, and as base64 of the text.
    ///
    /// # Panics
    /// If it is no UUID.
    #[must_use]
    pub fn uuid(name: &str, text: &str) -> Self {
        let id = Uuid::parse_str(text).unwrap();
        let simple = id.as_simple().to_string();
        let mut forms = vec![
            ("as text", text.as_bytes().to_vec()),
            ("in capitals", text.to_uppercase().into_bytes()),
            ("without hyphens", simple.clone().into_bytes()),
            ("in capitals without hyphens", simple.to_uppercase().into_bytes()),
            ("as bytes", id.as_bytes().to_vec()),
        ];
        forms.extend((0..3).map(|shift| ("as base64", base64_inside(text, shift))));
        Self { name: name.to_owned(), forms }
    }

    /// Looks for a text as it is.
    #[must_use]
    pub fn text(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), forms: vec![("as text", text.as_bytes().to_vec())] }
    }
}

/// Returns the base64 digits that a text gives wherever it begins at such a distance, in bytes, from a group of three.
fn base64_inside(text: &str, shift: usize) -> Vec<u8> {
    let digits = STANDARD.encode(["\0".repeat(shift).as_bytes(), text.as_bytes()].concat());
    // The first digits depend on what stands before, the last one on what stands behind.
    let (first, end) = ((shift * 8).div_ceil(6), (shift + text.len()) * 8 / 6);
    digits.as_bytes()[first..end].to_vec()
}

/// Returns a sentence for each form of each wanted thing that stands in `content`.
#[must_use]
pub fn found_in(place: &str, content: &[u8], wanted: &[Wanted]) -> Vec<String> {
    let has = |form: &[u8]| content.windows(form.len()).any(|window| window == form);
    wanted
        .iter()
        .flat_map(|wanted| wanted.forms.iter().map(move |form| (wanted, form)))
        .filter(|(_, (_, form))| has(form))
        .map(|(wanted, (shape, _))| format!("{place} holds {} {shape}", wanted.name))
        .collect()
}

/// Returns the same for every file below a directory.
///
/// # Panics
/// If a file cannot be read.
#[must_use]
pub fn found_below(directory: &Path, wanted: &[Wanted]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            found.extend(found_below(&path, wanted));
        } else if kind.is_file() {
            found.extend(found_in(&path.display().to_string(), &fs::read(&path).unwrap(), wanted));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_secret_is_found() {
        let text = "c0ffee00-1111-2222-3333-44445555aaaa";
        let id = Uuid::parse_str(text).unwrap();
        let wanted = [Wanted::uuid("the secret", text)];
        let contents: [Vec<u8>; 8] = [
            format!("x{text}y").into_bytes(),
            text.to_uppercase().into_bytes(),
            id.as_simple().to_string().into_bytes(),
            id.as_simple().to_string().to_uppercase().into_bytes(),
            [b"x".as_slice(), id.as_bytes(), b"y"].concat(),
            STANDARD.encode(format!("{text}\"}}")).into_bytes(),
            STANDARD.encode(format!("{{{text}\"}}")).into_bytes(),
            STANDARD.encode(format!("{{\"{text}\"}}")).into_bytes(),
        ];
        for content in contents {
            assert_eq!(found_in("it", &content, &wanted).len(), 1, "{content:?}");
        }
        assert!(found_in("it", b"c0ffee00-1111-2222", &wanted).is_empty());
    }

    #[test]
    fn files_are_read_in_every_directory() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("deep")).unwrap();
        fs::write(directory.path().join("deep/file"), "a word inside").unwrap();
        let found = found_below(directory.path(), &[Wanted::text("the word", "word")]);
        assert!(matches!(found.as_slice(), [only] if only.ends_with("file holds the word as text")), "{found:?}");
    }
}
