//! Policies and roles as Consul's Go client sends, reads and prints them.
//!
//! The order of the keys is that client's, which differs from the server's: JSON output of the verbs has it.

use serde::{Deserialize, Serialize};

/// A policy with its rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Policy {
    #[serde(rename = "ID")]
    pub id: String,
    pub name: String,
    pub description: String,
    pub rules: String,
    pub datacenters: Option<Vec<String>>,
    /// Base64 of a hash of the contents.
    pub hash: Option<String>,
    pub create_index: u64,
    pub modify_index: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub partition: String,
}

/// A policy in a list, without its rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct PolicyListEntry {
    #[serde(rename = "ID")]
    pub id: String,
    pub name: String,
    pub description: String,
    pub datacenters: Option<Vec<String>>,
    pub hash: Option<String>,
    pub create_index: u64,
    pub modify_index: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub partition: String,
}

/// As much of a role in a list as it takes to find it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct RoleListEntry {
    #[serde(rename = "ID")]
    pub id: String,
}
