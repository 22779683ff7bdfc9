//! What is read of a Kubernetes document, within narrow bounds and without telling any of it in an error.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use thiserror::Error;

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

    /// Returns the text under a key.
    pub(super) fn text(&self, key: &str) -> Option<String> {
        let text: String = self.0.as_ref()?.get(key)?.split_ascii_whitespace().collect();
        String::from_utf8(STANDARD.decode(text).ok()?).ok()
    }
}

/// Says where a text stops being a document. Nothing of the text is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
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
        let lines = u64::try_from(text.lines().count()).unwrap_or(u64::MAX);
        Unreadable { place, is_cut: place.is_some_and(|(line, _)| line >= lines) }
    })
}
