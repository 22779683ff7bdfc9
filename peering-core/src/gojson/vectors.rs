//! Reads what Go said about many texts, for the tests of this room and of the token's base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// One text and Go's answer: an error's text, or the value that Go read, printed by Go.
pub(crate) struct Vector {
    pub(crate) input: Vec<u8>,
    pub(crate) error: Option<String>,
    pub(crate) value: Option<String>,
}

/// Reads a file of one JSON object a line.
pub(crate) fn read(lines: &str) -> Vec<Vector> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        #[serde(default)]
        input: String,
        input_base64: Option<String>,
        error: Option<String>,
        value: Option<String>,
    }
    let vectors: Vec<Vector> = lines
        .lines()
        .map(|line| {
            let Line { input, input_base64, error, value } = serde_json::from_str(line).unwrap();
            let input = input_base64.map_or(input.into_bytes(), |bytes| STANDARD.decode(bytes).unwrap());
            Vector { input, error, value }
        })
        .collect();
    assert!(vectors.len() > 200, "the file of vectors is cut");
    vectors
}
