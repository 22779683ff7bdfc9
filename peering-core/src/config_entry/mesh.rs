//! `mesh`: settings of the mesh, kept and shown as Consul does. Peering looks at one of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::EntryError;
use crate::foreign::echo;

/// Versions that may be asked for, from the lowest.
const TLS_VERSIONS: [&str; 5] = ["TLS_AUTO", "TLSv1_0", "TLSv1_1", "TLSv1_2", "TLSv1_3"];
/// Cipher suites that Envoy knows, for TLS 1.2 and earlier.
const CIPHER_SUITES: [&str; 14] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
];
/// What may be done with escaped slashes in a path.
const SLASH_ACTIONS: [&str; 5] = [
    "IMPLEMENTATION_SPECIFIC_DEFAULT",
    "KEEP_UNCHANGED",
    "REJECT_REQUEST",
    "UNESCAPE_AND_REDIRECT",
    "UNESCAPE_AND_FORWARD",
];
/// What may be done with underscores in the name of a header.
const UNDERSCORE_ACTIONS: [&str; 3] = ["ALLOW", "REJECT_REQUEST", "DROP_HEADER"];

/// The one `mesh` entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Mesh {
    /// Transparent proxies.
    pub transparent_proxy: TransparentProxy,
    /// Whether services may accept connections without mTLS.
    #[serde(rename = "AllowEnablingPermissiveMutualTLS", skip_serializing_if = "std::ops::Not::not")]
    pub allow_enabling_permissive_mutual_tls: bool,
    /// Whether Envoy checks that its clusters exist.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub validate_clusters: bool,
    /// TLS between proxies.
    #[serde(rename = "TLS", skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// HTTP through proxies.
    #[serde(rename = "HTTP", skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
    /// How peers are reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peering: Option<Peering>,
    /// Metadata, kept as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<BTreeMap<String, String>>,
}

/// Settings of transparent proxies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TransparentProxy {
    /// Whether destinations outside of the mesh are refused.
    pub mesh_destinations_only: bool,
}

/// Settings of TLS between proxies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Tls {
    /// For connections to a proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incoming: Option<TlsDirection>,
    /// For connections from a proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outgoing: Option<TlsDirection>,
}

/// TLS in one direction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TlsDirection {
    /// The lowest version.
    #[serde(rename = "TLSMinVersion", skip_serializing_if = "String::is_empty")]
    pub min_version: String,
    /// The highest version.
    #[serde(rename = "TLSMaxVersion", skip_serializing_if = "String::is_empty")]
    pub max_version: String,
    /// Cipher suites for TLS 1.2 and earlier.
    #[serde(rename = "CipherSuites", skip_serializing_if = "Vec::is_empty")]
    pub cipher_suites: Vec<String>,
}

/// Settings of HTTP through proxies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Http {
    /// Whether a header about the client's certificate is taken out.
    pub sanitize_x_forwarded_client_cert: bool,
    /// For requests to a proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incoming: Option<Incoming>,
}

/// Settings of requests to a proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Incoming {
    /// How paths and headers are made regular.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_normalization: Option<RequestNormalization>,
}

/// How paths and headers are made regular.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RequestNormalization {
    /// Whether paths are left as they are.
    pub insecure_disable_path_normalization: bool,
    /// Whether doubled slashes become one.
    pub merge_slashes: bool,
    /// What is done with escaped slashes.
    pub path_with_escaped_slashes_action: String,
    /// What is done with underscores.
    pub headers_with_underscores_action: String,
}

/// How peers are reached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Peering {
    /// Whether tokens lead to mesh gateways instead of servers.
    pub peer_through_mesh_gateways: bool,
}

impl Mesh {
    /// Says whether tokens are to lead to mesh gateways.
    #[must_use]
    pub fn peers_through_gateways(&self) -> bool {
        self.peering.as_ref().is_some_and(|peering| peering.peer_through_mesh_gateways)
    }

    /// Checks the settings, in Consul's order.
    pub(super) fn check(&self) -> Result<(), EntryError> {
        if let Some(Tls { incoming, outgoing }) = &self.tls {
            for (room, direction) in [("incoming TLS", incoming), ("outgoing TLS", outgoing)] {
                let checked = direction.as_ref().map_or(Ok(()), TlsDirection::check);
                checked.map_err(|reason| EntryError::Mesh { room, reason })?;
            }
        }
        let incoming = self.http.as_ref().and_then(|http| http.incoming.as_ref());
        if let Some(rules) = incoming.and_then(|incoming| incoming.request_normalization.as_ref()) {
            let room = "HTTP incoming request normalization";
            rules.check().map_err(|reason| EntryError::Mesh { room, reason })?;
        }
        Ok(())
    }
}

impl TlsDirection {
    fn check(&self) -> Result<(), String> {
        let Self { min_version: min, max_version: max, cipher_suites } = self;
        let no_version = |given: &str| {
            format!(
                "no matching TLS version found for {}, please specify one of [{}]",
                echo(given),
                TLS_VERSIONS.join(", ")
            )
        };
        let level = |version: &str| match TLS_VERSIONS.iter().position(|known| *known == version) {
            None if version.is_empty() => Ok(0),
            None => Err(no_version(version)),
            Some(level) => Ok(level),
        };
        let (lowest, highest) = (level(min)?, level(max)?);
        // The first stands for no bound.
        if highest != 0 && highest < lowest {
            return Err(format!("configuring max version {max} less than the configured min version {min} is invalid"));
        }
        if cipher_suites.is_empty() {
            return Ok(());
        }
        if min == "TLSv1_3" {
            return Err(format!(
                "configuring CipherSuites is only applicable to connections negotiated with TLS 1.2 or earlier, \
                 TLSMinVersion is set to {min}"
            ));
        }
        let unknown = cipher_suites.iter().map(String::as_str).filter(|suite| !CIPHER_SUITES.contains(suite));
        let unknown = unknown.collect::<Vec<_>>().join(",");
        if unknown.is_empty() {
            Ok(())
        } else {
            Err(format!("no matching Envoy TLS cipher suite found for {}", echo(&unknown)))
        }
    }
}

impl RequestNormalization {
    fn check(&self) -> Result<(), String> {
        for (field, value, known) in [
            ("PathWithEscapedSlashesAction", &self.path_with_escaped_slashes_action, &SLASH_ACTIONS[..]),
            ("HeadersWithUnderscoresAction", &self.headers_with_underscores_action, &UNDERSCORE_ACTIONS[..]),
        ] {
            if !value.is_empty() && !known.contains(&value.as_str()) {
                let (value, known) = (echo(value), known.join(", "));
                return Err(format!("no matching {field} value found for {value}, please specify one of [{known}]"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::config_entry::{ConfigEntry, decode};

    fn mesh(rest: &str) -> ConfigEntry {
        decode(format!(r#"{{"Kind":"mesh",{rest}}}"#).as_bytes()).unwrap()
    }

    #[test]
    fn each_fault_has_consuls_text() {
        let versions = "please specify one of [TLS_AUTO, TLSv1_0, TLSv1_1, TLSv1_2, TLSv1_3]";
        for (rest, text) in [
            (
                r#""TLS":{"Incoming":{"TLSMinVersion":"bad","TLSMaxVersion":"b","CipherSuites":["x"]}}"#,
                format!("error in incoming TLS configuration: no matching TLS version found for bad, {versions}"),
            ),
            (
                r#""TLS":{"Outgoing":{"TLSMaxVersion":"tls_auto"}}"#,
                format!("error in outgoing TLS configuration: no matching TLS version found for tls_auto, {versions}"),
            ),
            (
                r#""TLS":{"Incoming":{"TLSMinVersion":"TLSv1_3","TLSMaxVersion":"TLSv1_2","CipherSuites":["x"]}}"#,
                "error in incoming TLS configuration: configuring max version TLSv1_2 less than the configured min version TLSv1_3 is invalid".to_owned(),
            ),
            (
                r#""TLS":{"Incoming":{"TLSMinVersion":"TLSv1_3","CipherSuites":["x"]}}"#,
                "error in incoming TLS configuration: configuring CipherSuites is only applicable to connections negotiated with TLS 1.2 or earlier, TLSMinVersion is set to TLSv1_3".to_owned(),
            ),
            (
                r#""TLS":{"Incoming":{"CipherSuites":["x","TLS_RSA_WITH_AES_128_CBC_SHA","y"]}}"#,
                "error in incoming TLS configuration: no matching Envoy TLS cipher suite found for x,y".to_owned(),
            ),
            (
                r#""HTTP":{"Incoming":{"RequestNormalization":{"PathWithEscapedSlashesAction":"x"}}}"#,
                "error in HTTP incoming request normalization configuration: no matching PathWithEscapedSlashesAction value found for x, please specify one of [IMPLEMENTATION_SPECIFIC_DEFAULT, KEEP_UNCHANGED, REJECT_REQUEST, UNESCAPE_AND_REDIRECT, UNESCAPE_AND_FORWARD]".to_owned(),
            ),
            (
                r#""HTTP":{"Incoming":{"RequestNormalization":{"HeadersWithUnderscoresAction":"x"}}}"#,
                "error in HTTP incoming request normalization configuration: no matching HeadersWithUnderscoresAction value found for x, please specify one of [ALLOW, REJECT_REQUEST, DROP_HEADER]".to_owned(),
            ),
        ] {
            assert_eq!(mesh(rest).check().unwrap_err().to_string(), text);
        }
        for rest in [
            r#""TLS":{"Incoming":{"TLSMinVersion":"TLSv1_2","TLSMaxVersion":"TLS_AUTO"},"Outgoing":{"TLSMinVersion":"TLSv1_3"}}"#,
            r#""TLS":{"Incoming":{"TLSMinVersion":"TLSv1_2","CipherSuites":["TLS_RSA_WITH_AES_128_CBC_SHA"]}}"#,
        ] {
            assert_eq!(mesh(rest).check(), Ok(()), "{rest}");
        }
    }

    #[test]
    fn it_prints_as_consul_prints_it() {
        for (given, printed) in [
            (r#""Meta":{}"#, r#""TransparentProxy":{"MeshDestinationsOnly":false}"#),
            (
                r#""tls":{"incoming":{"tls_min_version":"TLSv1_3","cipher_suites":[]}},"HTTP":[{"Incoming":{}}],"Peering":{}"#,
                r#""TransparentProxy":{"MeshDestinationsOnly":false},"TLS":{"Incoming":{"TLSMinVersion":"TLSv1_3"}},"HTTP":{"SanitizeXForwardedClientCert":false,"Incoming":{}},"Peering":{"PeerThroughMeshGateways":false}"#,
            ),
            (
                r#""ALLOW_enabling_permissive_mutual_tls":1,"validate_clusters":"true","http":{"incoming":{"request_normalization":{}}}"#,
                r#""TransparentProxy":{"MeshDestinationsOnly":false},"AllowEnablingPermissiveMutualTLS":true,"ValidateClusters":true,"HTTP":{"SanitizeXForwardedClientCert":false,"Incoming":{"RequestNormalization":{"InsecureDisablePathNormalization":false,"MergeSlashes":false,"PathWithEscapedSlashesAction":"","HeadersWithUnderscoresAction":""}}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&mesh(given)).unwrap(), format!(r#"{{"Kind":"mesh",{printed}}}"#));
        }
    }
}
