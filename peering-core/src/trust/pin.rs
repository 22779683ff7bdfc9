//! Three hashes that people compare, two of which vouch for a CA: they are types, so that none is taken for another.
//!
//! | type | SHA-256 of | carried by |
//! |---|---|---|
//! | [`CaDigest`] | the PEM text of a CA bundle, as it is served | a Swarm join token, a k3s token |
//! | [`CaPin`] | a certificate's SubjectPublicKeyInfo in DER | `kubeadm join --discovery-token-ca-cert-hash` |
//!
//! The third, a certificate's fingerprint, is for display only and stays a text.

use std::fmt;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

/// SHA-256 of a CA bundle, over its PEM text to the byte.
///
/// # Shape
/// 64 lower-case hexadecimal digits; inside a join token 50 digits of base 36, `0-9a-z`, padded with `0`.
///
/// # Source
/// moby/swarmkit `ca/config.go` of 2026; k3s 1.33 `pkg/clientaccess/token.go`, which hashes a bundle of one certificate so.
///
/// # Examples
/// ```
/// use peering_core::trust::CaDigest;
/// let digest = CaDigest::of_bundle("abc");
/// assert_eq!(CaDigest::parse_base36("4nb7oofka9ml8nasnokxxc1unhmtpr1wxsuwhpd9km3vt5as31"), Some(digest));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaDigest([u8; 32]);

impl CaDigest {
    /// Hashes a bundle's text.
    #[must_use]
    pub fn of_bundle(pem: &str) -> Self {
        Self(Sha256::digest(pem.as_bytes()).into())
    }

    /// Reads 50 digits of base 36; nothing for another length, another alphabet, or 2²⁵⁶ and more.
    #[must_use]
    pub fn parse_base36(text: &str) -> Option<Self> {
        if text.len() == BASE36_DIGITS { base36(text).map(Self) } else { None }
    }
}

/// Digits of a digest in a join token.
const BASE36_DIGITS: usize = 50;

/// Reads a number of base 36 as big-endian bytes; nothing if it has another digit or does not fit.
pub(crate) fn base36<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    let mut bytes = [0_u8; BYTES];
    for c in text.bytes() {
        let digit = match c {
            b'0'..=b'9' => c - b'0',
            b'a'..=b'z' => c - b'a' + 10,
            _ => return None,
        };
        let mut carry = u16::from(digit);
        for byte in bytes.iter_mut().rev() {
            let [high, low] = (u16::from(*byte) * 36 + carry).to_be_bytes();
            *byte = low;
            carry = high.into();
        }
        if carry != 0 {
            return None;
        }
    }
    Some(bytes)
}

/// SHA-256 of a certificate's public key with its algorithm, in DER: it survives a renewal with the same key.
///
/// # Shape
/// `sha256:` and 64 lower-case hexadecimal digits.
///
/// # Source
/// kubeadm 1.34, `--discovery-token-ca-cert-hash`; RFC 7469, 2.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaPin([u8; 32]);

impl CaPin {
    /// Hashes a SubjectPublicKeyInfo in DER.
    pub(super) fn of_public_key(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }
}

impl fmt::Display for CaDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for CaPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for CaDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for CaPin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_as_swarm_writes_them() {
        for (text, hex) in [
            ("0".repeat(50), "00".repeat(32)),
            (format!("{}1", "0".repeat(49)), format!("{}01", "00".repeat(31))),
            ("6dp5qcb22im238nr3wvp0ic7q99w035jmy2iw7i6n43d37jtof".to_owned(), "ff".repeat(32)),
            ("00lnskv07zwmsk66lvfsspt6gj5974l5mi756amczg556rd1gr".to_owned(), format!("00{}", "ab".repeat(31))),
        ] {
            assert_eq!(CaDigest::parse_base36(&text).unwrap().to_string(), hex, "{text}");
        }
        let empty = CaDigest::parse_base36("5oaq0bjhj6un82wg98mgigso5q7qlhc63je4gw7ivixqqhkd3p");
        assert_eq!(empty, Some(CaDigest::of_bundle("")));
    }

    #[test]
    fn what_is_no_digest_is_none() {
        for text in [
            "6dp5qcb22im238nr3wvp0ic7q99w035jmy2iw7i6n43d37jtog",
            "6DP5QCB22IM238NR3WVP0IC7Q99W035JMY2IW7I6N43D37JTOF",
            "6dp5qcb22im238nr3wvp0ic7q99w035jmy2iw7i6n43d37jto",
            "",
            "é000000000000000000000000000000000000000000000000",
        ] {
            assert_eq!(CaDigest::parse_base36(text), None, "{text}");
        }
        assert_eq!(base36::<16>("f5lxx1zz5pnorynqglhzmsp33"), Some([0xff; 16]));
        assert_eq!(base36::<16>("f5lxx1zz5pnorynqglhzmsp34"), None);
    }
}
