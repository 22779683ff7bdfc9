//! Records of the store: read as every kind that there is, and written again.

use std::fmt::Debug;
use std::sync::{Arc, LazyLock};

use peering_core::name::PeerName;
use peering_core::peering::Peering;
use peering_core::secrets::{IssuedToken, PeeringSecrets};
use peering_core::transition::Event;
use peering_server::ca::{Authority, Purpose};
use peering_server::entropy::SeededEntropy;
use peering_server::keyring::{Keyring, Label, Sealed};
use peering_server::store::record::{
    ClusterIdentity, Cursor, Kept, StoredAuthority, TokenPointer, Tombstone, decode, encode, written_by,
};
use uuid::Uuid;

use super::is_fit_to_show;

/// A key that is as long as keys get.
const KEY: &str = "tokens/5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d/0b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d";
/// Longest text about a record: it names the key and repeats nothing of the value.
const TEXT_BYTES_MAX: usize = 512;
/// Who writes again.
const WRITER: Uuid = Uuid::from_u128(7);

/// A keyring that has sealed nothing of what is read here.
static KEYRING: LazyLock<Keyring> = LazyLock::new(|| Keyring::ephemeral(Arc::new(SeededEntropy::new(7))));

/// Keys and pieces of records.
pub(super) const WORDS: [&str; 20] = [
    "{\"v\":1,\"txn\":\"00000000-0000-0000-0000-000000000007\",\"data\":",
    "\"local_id\":\"5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d\"",
    "\"state\":\"pending\"",
    "\"side\":\"acceptor\"",
    "\"side\":\"dialer\"",
    "\"deleted_at\":\"2026-01-01T00:00:00Z\"",
    "\"domain\":{\"current\":null",
    "\"end\":{\"end\":\"redeemed\"",
    "\"superseded\"",
    "\"revoked\"",
    "\"what\":{\"event\":\"token_generated\"",
    "\"stream_secret_promoted\"",
    "\"key_id\":\"0123456789abcdef\"",
    "\"nonce\":\"AAAAAAAAAAAAAAAA\"",
    "\"ciphertext\":\"\"",
    "\"expires\":null",
    "-009999-12-31T23:59:59.999999999Z",
    "18446744073709551615",
    "\"v\":2",
    "{\"lat\":1}",
];

/// Checks bytes as every kind of record.
pub fn check(data: &[u8]) {
    if let Some(peering) = read_again::<Peering>(data) {
        assert!(peering.roots.iter().map(String::len).sum::<usize>() <= data.len());
    }
    if let Some(secrets) = read_again::<PeeringSecrets>(data)
        && let Some(own) = secrets.own
        && let Ok(sealed) = serde_json::from_value::<Sealed>(own.0)
    {
        is_not_opened(&sealed, Label::DialerStreamSecret);
    }
    if let Some(authority) = read_again::<StoredAuthority>(data) {
        is_not_opened(&authority.sealed_key, Label::CaKey);
        let loaded = Authority::load(Purpose::Peering, &authority.root_pem, "no key");
        assert!(loaded.is_err(), "an authority was loaded without its key");
    }
    read_again::<IssuedToken>(data);
    read_again::<TokenPointer>(data);
    read_again::<ClusterIdentity>(data);
    read_again::<PeerName>(data);
    read_again::<Event>(data);
    read_again::<Tombstone>(data);
    read_again::<Cursor>(data);
}

/// Reads a record of this kind; what can be read is written and read again as the same.
fn read_again<T: Kept + PartialEq + Debug>(data: &[u8]) -> Option<T> {
    match decode::<T>(KEY, data) {
        Ok(value) => {
            let written = encode(KEY, &value, WRITER).unwrap();
            assert_eq!(written_by(&written), Some(WRITER));
            assert_eq!(decode::<T>(KEY, &written).unwrap(), value);
            Some(value)
        }
        Err(error) => {
            is_fit_to_show(&error.to_string(), TEXT_BYTES_MAX);
            None
        }
    }
}

fn is_not_opened(sealed: &Sealed, label: Label) {
    assert!(KEYRING.unseal(label, b"context", sealed).is_err(), "what was never sealed was opened");
}
