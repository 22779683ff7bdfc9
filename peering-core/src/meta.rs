//! Metadata of a peering: a small map of strings, bounded as Consul bounds it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::foreign::echo;

/// Most pairs in one map.
pub const META_PAIRS_MAX: usize = 64;
/// Most bytes in a key.
pub const META_KEY_BYTES_MAX: usize = 128;
/// Most bytes in a value.
pub const META_VALUE_BYTES_MAX: usize = 512;

/// Says why a map is refused. The texts are Consul's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MetaError {
    /// More than [`META_PAIRS_MAX`] pairs.
    #[error("Node metadata cannot contain more than 64 key/value pairs")]
    TooMany,
    /// One pair is refused.
    #[error("Couldn't load metadata pair ('{key}', '{value}'): {reason}")]
    Pair {
        /// The pair's key.
        key: String,
        /// The pair's value.
        value: String,
        /// What is wrong with it.
        reason: PairError,
    },
}

/// Says what is wrong with one pair; checked in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PairError {
    /// The key is empty.
    #[error("Key cannot be blank")]
    KeyBlank,
    /// The key has a character other than `a-z A-Z 0-9 - _`.
    #[error("Key contains invalid characters")]
    KeyCharacters,
    /// The key is longer than [`META_KEY_BYTES_MAX`].
    #[error("Key is too long (limit: 128 characters)")]
    KeyLength,
    /// The key begins with `consul-`.
    #[error("Key prefix 'consul-' is reserved for internal use")]
    KeyReserved,
    /// The value is longer than [`META_VALUE_BYTES_MAX`].
    #[error("Value is too long (limit: 512 characters)")]
    ValueLength,
}

/// Metadata that an operator attached to a peering; keys are sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Meta(BTreeMap<String, String>);

impl Meta {
    /// Checks a map of metadata.
    ///
    /// # Errors
    /// [`MetaError`], naming the first refused pair in key order.
    pub fn parse(pairs: BTreeMap<String, String>) -> Result<Self, MetaError> {
        if pairs.len() > META_PAIRS_MAX {
            return Err(MetaError::TooMany);
        }
        for (key, value) in &pairs {
            if let Some(reason) = pair_error(key, value) {
                return Err(MetaError::Pair { key: echo(key).to_owned(), value: echo(value).to_owned(), reason });
            }
        }
        Ok(Self(pairs))
    }

    /// Returns the pairs.
    #[must_use]
    pub const fn pairs(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

fn pair_error(key: &str, value: &str) -> Option<PairError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if key.is_empty() {
        Some(PairError::KeyBlank)
    } else if !key.bytes().all(allowed) {
        Some(PairError::KeyCharacters)
    } else if key.len() > META_KEY_BYTES_MAX {
        Some(PairError::KeyLength)
    } else if key.starts_with("consul-") {
        Some(PairError::KeyReserved)
    } else if value.len() > META_VALUE_BYTES_MAX {
        Some(PairError::ValueLength)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(key: &str, value: &str) -> Result<Meta, MetaError> {
        Meta::parse(BTreeMap::from([(key.to_owned(), value.to_owned())]))
    }

    #[test]
    fn each_pair_rule_has_its_text() {
        for (key, value, text) in [
            (String::new(), String::new(), "Key cannot be blank"),
            ("a b".to_owned(), String::new(), "Key contains invalid characters"),
            ("k".repeat(129), String::new(), "Key is too long (limit: 128 characters)"),
            ("consul-x".to_owned(), String::new(), "Key prefix 'consul-' is reserved for internal use"),
            ("k".to_owned(), "v".repeat(513), "Value is too long (limit: 512 characters)"),
        ] {
            let error = one(&key, &value).unwrap_err();
            assert_eq!(error.to_string(), format!("Couldn't load metadata pair ('{key}', '{value}'): {text}"));
        }
    }

    #[test]
    fn the_bounds_themselves_are_accepted() {
        assert!(one(&"k".repeat(128), &"v".repeat(512)).is_ok());
        let pairs = |count: usize| (0..count).map(|i| (format!("k{i}"), String::new())).collect();
        assert!(Meta::parse(pairs(64)).is_ok());
        assert_eq!(Meta::parse(pairs(65)), Err(MetaError::TooMany));
    }
}
