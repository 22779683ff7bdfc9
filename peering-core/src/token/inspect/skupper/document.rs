//! What is read of a Kubernetes document, within narrow bounds and without telling any of it in an error.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_saphyr::Error;
use serde_saphyr::ExternalMessageSource;
use serde_saphyr::granit_parser::ErrorKind;

use crate::wiped::WipedText;

/// Deepest nesting: a Secret as a cluster shows it has six levels.
const DEPTH_MAX: usize = 16;
/// Most documents in a text: a link is two.
const DOCUMENTS_MAX: usize = 8;
/// Most scalars, lists and objects in a text: a Secret as a cluster shows it has some fifty.
const NODES_MAX: usize = 2_000;

/// A document of Kubernetes, of which only what a token may have is read.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Document {
    api_version: String,
    pub(super) kind: String,
    pub(super) metadata: Metadata,
    pub(super) data: Secret,
    pub(super) spec: Spec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    pub(super) name: String,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
}

/// The base64 texts of a Secret.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Secret(Option<BTreeMap<String, WipedText>>);

/// What an access token or a link is.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Spec {
    pub(super) url: Option<String>,
    #[serde(deserialize_with = "presence")]
    pub(super) code: Option<()>,
    pub(super) ca: Option<String>,
    pub(super) endpoints: Option<Vec<Endpoint>>,
    pub(super) tls_credentials: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Endpoint {
    pub(super) host: Option<String>,
    pub(super) port: Option<String>,
}

/// Keeps of a secret only that it is there.
fn presence<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<()>, D::Error> {
    let text: Option<WipedText> = Deserialize::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()).map(|_| ()))
}

impl Document {
    pub(super) fn is_of_skupper(&self) -> bool {
        self.api_version.starts_with("skupper.io/")
    }

    /// Returns what kind of token a Secret is, by its label or else by what it holds, as Skupper itself decides.
    pub(super) fn skupper_type(&self) -> Option<&str> {
        let labels = self.metadata.labels.as_ref();
        let deduced = if self.annotation("skupper.io/url").is_some() {
            Some("token-claim")
        } else if self.annotation("inter-router-host").is_some() && self.data.has("tls.crt") {
            Some("connection-token")
        } else {
            None
        };
        labels.and_then(|labels| labels.get("skupper.io/type")).map(String::as_str).or(deduced)
    }

    pub(super) fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(key).map(String::as_str)
    }
}

impl Secret {
    /// Says whether there is anything under a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.as_ref().and_then(|data| data.get(key)).is_some_and(|text| !text.is_empty())
    }

    /// Says whether there is a key.
    pub(super) fn has_key(&self, key: &str) -> bool {
        self.0.as_ref().is_some_and(|data| data.contains_key(key))
    }

    /// Returns the text under a key.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        let text: String = self.0.as_ref()?.get(key)?.split_ascii_whitespace().collect();
        String::from_utf8(STANDARD.decode(text).ok()?).ok()
    }
}

/// Says where a text stops being a document. Nothing of the text is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) struct Unreadable {
    /// Line and column, from 1.
    place: Option<(u64, u64)>,
    /// Whether the text ends there.
    pub(super) is_cut: bool,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what =
            if self.is_cut { "it looks cut off: the document ends within" } else { "the document cannot be read" };
        match self.place {
            Some((line, column)) if self.is_cut => write!(f, "{what} what begins at line {line}, column {column}"),
            Some((line, column)) => write!(f, "{what}, at line {line}, column {column}"),
            None => f.write_str(what),
        }
    }
}

/// Reads every document of a text in YAML or JSON. Anchors are refused: no token has them.
pub(super) fn read(text: &str) -> Result<Vec<Document>, Unreadable> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_anchors: 0, max_aliases: 0, max_merge_keys: 0,
            max_depth: DEPTH_MAX, flow_nesting_limit: DEPTH_MAX,
            max_documents: DOCUMENTS_MAX, max_nodes: NODES_MAX, max_events: 2 * NODES_MAX,
        },
        with_snippet: false,
    };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let place = error.location().map(|place| (place.line(), place.column()));
        Unreadable { place, is_cut: is_cut(&error, text) }
    })
}

/// Says whether an error is that of a text whose end is missing.
fn is_cut(error: &Error, text: &str) -> bool {
    match error {
        Error::Eof { .. } => true,
        Error::ExternalMessage { source, .. } => match &**source {
            ExternalMessageSource::Parser(error) => match error.kind() {
                ErrorKind::UnclosedQuotedScalar
                | ErrorKind::UnclosedFlowCollection { .. }
                | ErrorKind::UnexpectedEof
                | ErrorKind::UnexpectedEofFlowSequence
                | ErrorKind::UnexpectedEofFlowMapping
                | ErrorKind::UnexpectedEofImplicitFlowMapping
                | ErrorKind::UnexpectedEofBlockSequence
                | ErrorKind::UnexpectedEofBlockMapping => true,
                // The text ends after a backslash, which with the end of the text is no escape.
                ErrorKind::UnknownQuotedScalarEscape => text.ends_with('\\'),
                ErrorKind::SimpleKeyExpected => ends_in_a_key(text, error.marker().line()),
                _ => false,
            },
            _ => false,
        },
        // Where an object should come, there is nothing yet, or the beginning of its first key.
        Error::Unexpected { location, .. } => {
            usize::try_from(location.line()).is_ok_and(|line| ends_in_a_key(text, line))
        }
        _ => false,
    }
}

/// Says whether a line is the last, and has a key at most.
fn ends_in_a_key(text: &str, line: usize) -> bool {
    let last = text.lines().last().unwrap_or_default().trim_start_matches([' ', '-']);
    line >= text.lines().count() && last.split_once(':').is_none_or(|(_, value)| value.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_text_that_ends_too_early_is_called_cut() {
        let head = "apiVersion: v1\nkind: Secret\n";
        let is_cut = |text: &str| read(text).err().map(|unreadable| unreadable.is_cut);
        for tail in [
            "metadata:\n  name: \"west",
            "metadata:\n  name: 'west",
            "x: 'it''",
            "x: \"a\\",
            "metadata: {name: x",
            "metadata: {name: \"we",
            "x: [1,2",
            "x: [1,",
            "metad",
            "metadata:",
            "metadata: {",
            "data:\n  a",
            "spec:\n  endpoints:\n  - ",
            "spec:\n  endpoints:\n  - host",
        ] {
            assert_eq!(is_cut(&format!("{head}{tail}")), Some(true), "{tail}");
        }
        for tail in [
            "}",
            "a: b: c",
            "kind: Secret",
            "metadata: 5",
            "data: x",
            "data:\n  a: [b]",
            "x: \"a\\q\"",
            "x: *a",
            "- a",
            " x: 1",
            "x: \"a\" b",
            "x: @a",
            "metadata: {name: ]",
            "spec:\n  endpoints: x",
            "metad\nx: 1",
        ] {
            assert_eq!(is_cut(&format!("{head}{tail}")), Some(false), "{tail}");
        }
        let json = "{\n \"apiVersion\": \"v1\",\n \"kind\": \"Secret\",\n \"data\": {\n  \"pass\": \"x\"\n }\n}";
        for end in 1..json.len() {
            assert_eq!(is_cut(&json[..end]), Some(true), "{}", &json[..end]);
        }
        assert_eq!((is_cut(json), is_cut(&format!("{json}}}"))), (None, Some(false)));
    }
}
