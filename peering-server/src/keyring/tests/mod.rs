//! What only the right key, label and context open, and what a keyring file must be.

mod file;

use std::collections::HashSet;

use super::*;
use crate::entropy::{SeededEntropy, SystemEntropy};

const LABELS: [Label; 4] =
    [Label::CaKey, Label::DialerStreamSecret, Label::AcceptorRedemption, Label::DialerRedemption];

fn ring() -> Keyring {
    Keyring::ephemeral(Arc::new(SystemEntropy))
}

/// A ring of several keys, as a rotation would leave it; the last is current.
fn ring_of(count: usize) -> Keyring {
    let mut ring = ring();
    ring.keys.extend((1..count).map(|_| RingKey::random(&SystemEntropy)));
    ring.current = ring.keys[count - 1].id.clone();
    ring
}

#[test]
fn what_is_sealed_can_be_unsealed() {
    let ring = ring();
    for plaintext in [&b""[..], b"x", &[0xff; 5_000]] {
        let sealed = ring.seal(Label::CaKey, b"context", plaintext).unwrap();
        assert_eq!(sealed.key_id(), ring.current_id());
        assert_eq!(*ring.unseal(Label::CaKey, b"context", &sealed).unwrap(), plaintext);
    }
}

#[test]
fn sealing_twice_shows_no_likeness() {
    let ring = ring();
    let (one, two) = (ring.seal(Label::CaKey, b"", b"same").unwrap(), ring.seal(Label::CaKey, b"", b"same").unwrap());
    assert_ne!(one.nonce, two.nonce);
    assert_ne!(one.ciphertext, two.ciphertext);
    assert!(!one.ciphertext.windows(4).any(|window| window == b"same"));
}

#[test]
fn every_other_label_is_refused() {
    let ring = ring();
    for sealed_for in LABELS {
        let sealed = ring.seal(sealed_for, b"context", b"secret").unwrap();
        for label in LABELS.into_iter().filter(|label| *label != sealed_for) {
            let refused = ring.unseal(label, b"context", &sealed);
            assert!(matches!(refused, Err(KeyringError::Unsealable { .. })), "{sealed_for:?} as {label:?}");
        }
    }
}

#[test]
fn another_context_is_refused() {
    let ring = ring();
    let sealed = ring.seal(Label::CaKey, b"peerings/a", b"secret").unwrap();
    for context in [&b""[..], b"peerings/b", b"peerings/a/"] {
        assert!(matches!(ring.unseal(Label::CaKey, context, &sealed), Err(KeyringError::Unsealable { .. })));
    }
}

#[test]
fn another_key_of_the_ring_is_refused_and_a_foreign_one_named() {
    let ring = ring_of(2);
    let mut sealed = ring.seal(Label::CaKey, b"", b"secret").unwrap();
    sealed.key_id = ring.keys[0].id.clone();
    assert!(matches!(ring.unseal(Label::CaKey, b"", &sealed), Err(KeyringError::Unsealable { .. })));

    let foreign = KeyId::parse("0123456789abcdef").unwrap();
    sealed.key_id = foreign.clone();
    let error = ring.unseal(Label::CaKey, b"", &sealed).unwrap_err();
    assert!(matches!(&error, KeyringError::ForeignKey { id } if *id == foreign), "{error:?}");
    assert!(error.to_string().contains("0123456789abcdef"));
    assert!(matches!(
        ring.mac(Label::DialerRedemption, Some(&foreign), &[]),
        Err(KeyringError::ForeignKey { id }) if id == foreign
    ));
}

#[test]
fn a_foreign_ring_opens_nothing() {
    let sealed = ring().seal(Label::CaKey, b"", b"secret").unwrap();
    assert!(matches!(ring().unseal(Label::CaKey, b"", &sealed), Err(KeyringError::ForeignKey { .. })));
}

#[test]
fn an_older_key_still_opens_and_computes_what_it_made() {
    let mut ring = ring_of(2);
    let newer = std::mem::replace(&mut ring.current, ring.keys[0].id.clone());
    let sealed = ring.seal(Label::CaKey, b"", b"secret").unwrap();
    let (mac, id) = ring.mac(Label::AcceptorRedemption, None, &[b"x"]).unwrap();
    ring.current = newer.clone();
    assert_eq!(*ring.unseal(Label::CaKey, b"", &sealed).unwrap(), b"secret");
    assert_eq!(ring.mac(Label::AcceptorRedemption, Some(&id), &[b"x"]).unwrap(), (mac.clone(), id));
    let (current, current_id) = ring.mac(Label::AcceptorRedemption, None, &[b"x"]).unwrap();
    assert_ne!(current, mac);
    assert_eq!(current_id, newer);
}

#[test]
fn every_changed_bit_is_refused() {
    let ring = ring();
    let sealed = ring.seal(Label::CaKey, b"context", b"secret").unwrap();
    let refused = |changed: &Sealed| {
        matches!(ring.unseal(Label::CaKey, b"context", changed), Err(KeyringError::Unsealable { .. }))
    };
    for at in 0..sealed.ciphertext.len() {
        for bit in 0..8 {
            let mut changed = sealed.clone();
            changed.ciphertext[at] ^= 1 << bit;
            assert!(refused(&changed), "byte {at}, bit {bit}");
        }
    }
    for at in 0..sealed.nonce.len() {
        let mut changed = sealed.clone();
        changed.nonce[at] ^= 1;
        assert!(refused(&changed), "nonce byte {at}");
    }
    for length in 0..sealed.ciphertext.len() {
        let mut changed = sealed.clone();
        changed.ciphertext.truncate(length);
        assert!(refused(&changed), "cut to {length}");
    }
}

#[test]
fn a_mac_depends_on_label_key_and_every_part() {
    let ring = ring_of(2);
    let lists: [&[&[u8]]; 8] =
        [&[], &[b""], &[b"", b""], &[b"ab"], &[b"a", b"b"], &[b"", b"ab"], &[b"ab", b""], &[b"b", b"a"]];
    let mut seen = HashSet::new();
    for label in LABELS {
        for key in &ring.keys {
            for parts in lists {
                let (mac, id) = ring.mac(label, Some(&key.id), parts).unwrap();
                assert_eq!(id, key.id);
                assert!(seen.insert(*mac), "{label:?} {parts:?} collides");
                assert_eq!(ring.mac(label, Some(&key.id), parts).unwrap().0, mac, "the same again");
            }
        }
    }
}

/// Computed with Python's `hmac` and `hashlib`: HKDF-SHA256 (RFC 5869) of the key, then HMAC-SHA256 of the parts.
#[test]
fn a_mac_never_changes_between_releases() {
    let key = RingKey { id: KeyId::parse("0123456789abcdef").unwrap(), key: Zeroizing::new([7; KEY_BYTES]) };
    let ring = Keyring { current: key.id.clone(), keys: vec![key], entropy: Arc::new(SeededEntropy::new(0)) };
    let (mac, _) = ring.mac(Label::AcceptorRedemption, None, &[b"peering", b"secret"]).unwrap();
    let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, "d0cad01cef027dcda164db02551a6a9a1a4c39ce7b9dc60c9d7cd46640325b05");
}

/// Sealed with Python's `cryptography`, from a key derived as above.
#[test]
fn what_an_earlier_release_sealed_still_opens() {
    let key = RingKey { id: KeyId::parse("0123456789abcdef").unwrap(), key: Zeroizing::new([7; KEY_BYTES]) };
    let ring = Keyring { current: key.id.clone(), keys: vec![key], entropy: Arc::new(SeededEntropy::new(0)) };
    let stored =
        r#"{"key_id":"0123456789abcdef","nonce":"AAECAwQFBgcICQoL","ciphertext":"6142uPc5fhnJ2Tb1sHXZV9otNUuusg=="}"#;
    let sealed: Sealed = serde_json::from_str(stored).unwrap();
    assert_eq!(*ring.unseal(Label::CaKey, b"context", &sealed).unwrap(), b"secret");
    assert_eq!(serde_json::to_string(&sealed).unwrap(), stored);
}

#[test]
fn a_stored_value_that_was_never_sealed_is_refused() {
    for stored in [
        r#"{"key_id":"0123","nonce":"AAAAAAAAAAAAAAAA","ciphertext":""}"#,
        r#"{"key_id":"0123456789abcdef","nonce":"AAAA","ciphertext":""}"#,
        r#"{"key_id":"0123456789abcdef","nonce":"AAAAAAAAAAAAAAAA","ciphertext":"?"}"#,
        r#"{"key_id":"0123456789abcdef","nonce":"AAAAAAAAAAAAAAAA"}"#,
    ] {
        assert!(serde_json::from_str::<Sealed>(stored).is_err(), "{stored}");
    }
}

#[test]
fn debug_shows_nothing_secret() {
    let key = RingKey { id: KeyId::parse("0123456789abcdef").unwrap(), key: Zeroizing::new([0xab; KEY_BYTES]) };
    let ring = Keyring { current: key.id.clone(), keys: vec![key], entropy: Arc::new(SystemEntropy) };
    let sealed = ring.seal(Label::CaKey, b"", b"secret").unwrap();
    assert_eq!(
        format!("{ring:?}"),
        "Keyring { current: KeyId(0123456789abcdef), keys: [KeyId(0123456789abcdef)], .. }"
    );
    assert_eq!(format!("{sealed:?}"), "Sealed { key_id: KeyId(0123456789abcdef), bytes: 22, .. }");
}

#[test]
fn a_key_id_has_one_form() {
    assert!(KeyId::parse("0123456789abcdef").is_ok());
    for bad in ["", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF", "0123456789abcdeg", "0123456789abcdé"]
    {
        assert_eq!(KeyId::parse(bad), Err(KeyIdError { bytes: bad.len() }), "{bad}");
    }
}
