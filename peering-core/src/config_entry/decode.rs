//! The body of `PUT /v1/config`, read as Consul's agent reads it and refused in its words.

use serde_json::Value;
use thiserror::Error;

use super::weak::{Faults, Field, Shape, expected_map};
use super::{ConfigEntry, Kind, KindError, errors_occurred};
use crate::gojson::{self, JsonError};

/// Says why the body of a config entry cannot be read. Consul answers each with status 400.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// It is no JSON.
    #[error("Request decoding failed: {0}")]
    Json(#[from] JsonError),
    /// It is no object.
    #[error("Request decoding failed: {0}")]
    NoObject(String),
    /// It does not say what it is.
    #[error("Request decoding failed: Payload does not contain a kind/Kind key at the top level")]
    NoKind,
    /// What it says is no text.
    #[error("Request decoding failed: Kind value in payload is not a string")]
    KindType,
    /// There is no such kind, or none that is kept here.
    #[error("Request decoding failed: {0}")]
    Kind(#[from] KindError),
    /// Values have another type than their fields.
    #[error("Request decoding failed: {} error(s) decoding:\n{}", .0.len(), .0.iter().map(|fault| format!("\n* {fault}")).collect::<String>())]
    Types(Vec<String>),
    /// Keys are none of this kind.
    #[error("Request decoding failed: {}", errors_occurred(.0))]
    Keys(Vec<String>),
}

/// Reads one entry. It is not checked yet: see [`ConfigEntry::check`].
///
/// # Errors
/// [`DecodeError`]. Of a body with several faults, all of the first kind are told.
///
/// # Source
/// What Consul 1.21 accepts and says, tried out; see the tests.
pub fn decode(body: &[u8]) -> Result<ConfigEntry, DecodeError> {
    let given = match gojson::first_value(body)? {
        Value::Object(given) => given,
        Value::Null => return Err(DecodeError::NoKind),
        other => return Err(DecodeError::NoObject(expected_map("", &other))),
    };
    let kind = match given.get("Kind").or_else(|| given.get("kind")) {
        None => return Err(DecodeError::NoKind),
        Some(Value::String(kind)) => Kind::parse(kind)?,
        Some(_) => return Err(DecodeError::KindType),
    };
    let fields = match kind {
        Kind::ExportedServices => EXPORTED_SERVICES,
        Kind::Mesh => MESH,
        Kind::Elsewhere(name) => return Err(KindError { given: name.to_owned() }.into()),
    };
    let mut faults = Faults::default();
    let read = faults.object(fields, Value::Object(given), "");
    if !faults.types.is_empty() {
        faults.types.sort_unstable();
        return Err(DecodeError::Types(faults.types));
    }
    if !faults.keys.is_empty() {
        return Err(DecodeError::Keys(faults.keys.iter().map(|key| unknown_key(key)).collect()));
    }
    let mut read = read.unwrap_or_default();
    read["Kind"] = Value::String(kind.as_str().to_owned());
    // Every field was made for its type just now.
    serde_json::from_value(read).map_err(|_| JsonError::Unreadable.into())
}

fn unknown_key(key: &str) -> String {
    let enterprise = if key == "Namespace" { ", namespaces are a consul enterprise feature" } else { "" };
    format!("invalid config key \"{key}\"{enterprise}")
}

const fn field(name: &'static str, alias: &'static str, shape: Shape) -> Field {
    Field { name, alias, shape }
}

const KIND: Field = field("Kind", "kind", Shape::Ignored);
const META: Field = field("Meta", "meta", Shape::TextMap);
const HASH: Field = field("Hash", "hash", Shape::Ignored);
const CREATE_INDEX: Field = field("CreateIndex", "create_index", Shape::Ignored);
const MODIFY_INDEX: Field = field("ModifyIndex", "modify_index", Shape::Ignored);

const EXPORTED_SERVICES: &[Field] = &[
    KIND,
    field("Name", "name", Shape::Text),
    field(
        "Services",
        "services",
        Shape::List(&[
            field("Name", "name", Shape::Text),
            field("Namespace", "namespace", Shape::Ignored),
            field(
                "Consumers",
                "consumers",
                Shape::List(&[
                    field("Partition", "partition", Shape::Text),
                    field("Peer", "peer_name", Shape::Text),
                    field("SamenessGroup", "sameness_group", Shape::Text),
                ]),
            ),
        ]),
    ),
    META,
    HASH,
    CREATE_INDEX,
    MODIFY_INDEX,
];

const DIRECTION: Shape = Shape::Object(&[
    field("TLSMinVersion", "tls_min_version", Shape::Text),
    field("TLSMaxVersion", "tls_max_version", Shape::Text),
    field("CipherSuites", "cipher_suites", Shape::Texts),
]);

const NORMALIZATION: Shape = Shape::Object(&[
    field("InsecureDisablePathNormalization", "insecure_disable_path_normalization", Shape::Flag),
    field("MergeSlashes", "merge_slashes", Shape::Flag),
    field("PathWithEscapedSlashesAction", "path_with_escaped_slashes_action", Shape::Text),
    field("HeadersWithUnderscoresAction", "headers_with_underscores_action", Shape::Text),
]);

const MESH: &[Field] = &[
    KIND,
    field(
        "TransparentProxy",
        "transparent_proxy",
        Shape::Object(&[field("MeshDestinationsOnly", "mesh_destinations_only", Shape::Flag)]),
    ),
    field("AllowEnablingPermissiveMutualTLS", "allow_enabling_permissive_mutual_tls", Shape::Flag),
    field("ValidateClusters", "validate_clusters", Shape::Flag),
    field(
        "TLS",
        "tls",
        Shape::Object(&[field("Incoming", "incoming", DIRECTION), field("Outgoing", "outgoing", DIRECTION)]),
    ),
    field(
        "HTTP",
        "http",
        Shape::Object(&[
            field("SanitizeXForwardedClientCert", "sanitize_x_forwarded_client_cert", Shape::Flag),
            field(
                "Incoming",
                "incoming",
                Shape::Object(&[field("RequestNormalization", "request_normalization", NORMALIZATION)]),
            ),
        ]),
    ),
    field(
        "Peering",
        "peering",
        Shape::Object(&[field("PeerThroughMeshGateways", "peer_through_mesh_gateways", Shape::Flag)]),
    ),
    META,
    HASH,
    CREATE_INDEX,
    MODIFY_INDEX,
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(body: &str) -> String {
        let text = decode(body.as_bytes()).unwrap_err().to_string();
        text.strip_prefix("Request decoding failed: ").unwrap().to_owned()
    }

    fn printed(rest: &str) -> String {
        let body = format!(r#"{{"Kind":"exported-services",{rest}}}"#);
        let text = serde_json::to_string(&decode(body.as_bytes()).unwrap()).unwrap();
        text.strip_prefix(r#"{"Kind":"exported-services","Name":"#).unwrap().to_owned()
    }

    #[test]
    fn what_is_no_entry_is_refused_in_consuls_words() {
        let no_kind = "Payload does not contain a kind/Kind key at the top level";
        for (body, text) in [
            ("", "EOF"),
            ("abc", "invalid character 'a' looking for beginning of value"),
            ("[]", "'' expected a map, got 'slice'"),
            (r#""x""#, "'' expected a map, got 'string'"),
            ("null", no_kind),
            ("{}", no_kind),
            (r#"{"KIND":"mesh"}"#, no_kind),
            (r#"{"Kind":3}"#, "Kind value in payload is not a string"),
            (r#"{"Kind":""}"#, "invalid config entry kind: "),
            (r#"{"Kind":"Mesh"}"#, "invalid config entry kind: Mesh"),
            (r#"{"Kind":"service-defaults","Name":"web"}"#, "invalid config entry kind: service-defaults"),
            (
                r#"{"kind":"exported-services","Kind":"mesh","Name":"default"}"#,
                "1 error occurred:\n\t* invalid config key \"Name\"\n\n",
            ),
        ] {
            assert_eq!(refusal(body), text, "{body}");
        }
    }

    #[test]
    fn a_wrong_type_is_told_with_its_place() {
        for (rest, text) in [
            (r#""Services":"x""#, "1 error(s) decoding:\n\n* 'Services[0]' expected a map, got 'string'"),
            (r#""Services":[[3]]"#, "1 error(s) decoding:\n\n* 'Services[0]' expected a map, got 'float64'"),
            (
                r#""Name":{"b":[1,"x",null,1.5e30,true],"a":{}}"#,
                "1 error(s) decoding:\n\n* 'Name' expected type 'string', got unconvertible type 'map[string]interface {}', value: 'map[a:map[] b:[1 x <nil> 1.5e+30 true]]'",
            ),
            (
                r#""Name":["a","b"]"#,
                "1 error(s) decoding:\n\n* 'Name' expected type 'string', got unconvertible type '[]interface {}', value: '[a b]'",
            ),
            (
                r#""Zoo":1,"Services":[{"Name":["a"]},{"Name":{}}]"#,
                "1 error(s) decoding:\n\n* 'Services[1].Name' expected type 'string', got unconvertible type 'map[string]interface {}', value: 'map[]'",
            ),
            (
                r#""Meta":{"b":[],"a":{}}"#,
                "2 error(s) decoding:\n\n* 'Meta[a]' expected type 'string', got unconvertible type 'map[string]interface {}', value: 'map[]'\n* 'Meta[b]' expected type 'string', got unconvertible type '[]interface {}', value: '[]'",
            ),
            (r#""Meta":"x""#, "1 error(s) decoding:\n\n* 'Meta' expected a map, got 'string'"),
        ] {
            assert_eq!(refusal(&format!(r#"{{"Kind":"exported-services",{rest}}}"#)), text);
        }
        for (rest, text) in [
            (
                r#""TLS":3,"Peering":{"PeerThroughMeshGateways":{}}"#,
                "2 error(s) decoding:\n\n* 'Peering.PeerThroughMeshGateways' expected type 'bool', got unconvertible type 'map[string]interface {}', value: 'map[]'\n* 'TLS' expected a map, got 'float64'",
            ),
            (r#""Peering":[]"#, "1 error(s) decoding:\n\n* 'Peering' expected a map, got 'slice'"),
            (
                r#""Peering":{"PeerThroughMeshGateways":"yes"}"#,
                "1 error(s) decoding:\n\n* cannot parse 'Peering.PeerThroughMeshGateways' as bool: strconv.ParseBool: parsing \"yes\": invalid syntax",
            ),
        ] {
            assert_eq!(refusal(&format!(r#"{{"Kind":"mesh",{rest}}}"#)), text);
        }
    }

    #[test]
    fn an_unknown_key_is_told_with_its_place() {
        for (rest, keys) in [
            (r#""Foo":1,"Bar":{"Baz":2}"#, vec!["\"Bar\"", "\"Foo\""]),
            (
                r#""Services":[{"Foo":1,"Consumers":[{"X":1,"PeerName":"a"}]}]"#,
                vec!["\"Services[0].Consumers[0].PeerName\"", "\"Services[0].Consumers[0].X\"", "\"Services[0].Foo\""],
            ),
            (
                r#""Namespace":"x","Partition":"default""#,
                vec!["\"Namespace\", namespaces are a consul enterprise feature", "\"Partition\""],
            ),
        ] {
            let faults: Vec<String> = keys.iter().map(|key| format!("invalid config key {key}")).collect();
            assert_eq!(refusal(&format!(r#"{{"Kind":"exported-services",{rest}}}"#)), errors_occurred(&faults));
        }
    }

    #[test]
    fn values_of_another_type_are_taken_as_consul_takes_them() {
        for (rest, expected) in [
            (r#""NAME":["default"],"Meta":[],"Services":{}"#, r#""default"}"#),
            (r#""name":"default","Services":null,"Hash":9,"CreateIndex":"abc""#, r#""default"}"#),
            (
                r#""Name":"d","SERVICES":{"NAME":"web","consumers":{"PEER":"c"}}"#,
                r#""d","Services":[{"Name":"web","Consumers":[{"Peer":"c"}]}]}"#,
            ),
            (
                r#""Name":null,"Services":[{"Name":3.5,"Namespace":"x","Consumers":[{"Peer":true},{"peer_name":1e21},{"Peer":12345678901234567890},{"Peer":1.0}]}]"#,
                r#""","Services":[{"Name":"3.5","Consumers":[{"Peer":"1"},{"Peer":"1000000000000000000000"},{"Peer":"12345678901234567000"},{"Peer":"1"}]}]}"#,
            ),
            (r#""Meta":[{"a":true,"b":null,"c":3}]"#, r#""","Meta":{"a":"1","b":"","c":"3"}}"#),
        ] {
            assert_eq!(printed(rest), expected, "{rest}");
        }
    }

    #[test]
    fn an_answer_to_a_hostile_body_stays_short() {
        let elements = vec!["1"; 200_000].join(",");
        let text = refusal(&format!(r#"{{"Kind":"exported-services","Services":[{elements}]}}"#));
        assert!(text.len() < 8 << 10, "{} bytes", text.len());
        let text = refusal(&format!(r#"{{"Kind":"exported-services","Name":[{elements}]}}"#));
        assert!(text.len() < 2 << 10, "{} bytes", text.len());
        let deep = format!(r#"{{"Kind":"mesh","Meta":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
        assert_eq!(refusal(&deep), JsonError::Unreadable.to_string());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(body: Vec<u8>) {
            let _ = decode(&body);
        }

        #[test]
        fn what_is_printed_reads_as_the_same(name in ".*", services in prop::collection::vec((".*", ".*"), 0..4)) {
            let services: Vec<Value> = services.into_iter()
                .map(|(name, peer)| serde_json::json!({ "Name": name, "Consumers": [{ "Peer": peer }] }))
                .collect();
            let body = serde_json::json!({ "Kind": "exported-services", "Name": name, "Services": services });
            let entry = decode(body.to_string().as_bytes()).unwrap();
            let again = decode(&serde_json::to_vec(&entry).unwrap()).unwrap();
            prop_assert_eq!(&entry, &again);
        }
    }
}
