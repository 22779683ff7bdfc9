//! Peering tokens: decoded, verified, inspected and written again.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use peering_core::secret::EstablishmentSecret;
use peering_core::token::inspect::Contents;
use peering_core::token::paste::{clean, clean_peering};
use peering_core::token::{
    ADDRESSES_MAX, CA_ENTRIES_MAX, PeeringToken, Report, TOKEN_BYTES_MAX, UnverifiedToken, inspect,
};

use super::{is_fit_to_show, now};

/// Longest text about a token: the quoted part of it is cut.
const TEXT_BYTES_MAX: usize = 2_048;
/// Most findings: a few for each entry that is looked at.
const FINDINGS_MAX: usize = 4 * (2 * ADDRESSES_MAX + CA_ENTRIES_MAX) + 8;

/// Keys and pieces of a token.
pub(super) const WORDS: [&str; 29] = [
    "{\"CA\":[\"",
    "\"ManualServerAddresses\":[\"",
    "\"ServerAddresses\":[\"h:1\"]",
    "\"ServerName\":\"",
    "\"PeerID\":\"",
    "\"EstablishmentSecret\":\"",
    "\"Remote\":{\"Partition\":\"",
    "\"Datacenter\":\"",
    "\"Locality\":{\"Region\":\"",
    "\"PeerName\":\"",
    "\"TokenID\":\"",
    "\"Meta\":{\"a\":\"b\"}",
    "\"ExpiresAt\":\"2030-01-02T03:04:05Z\"",
    "\"ExpiresAt\":\"soon\"",
    "-----BEGIN CERTIFICATE-----\\n",
    "-----END CERTIFICATE-----\\n",
    "null",
    "\\ud83d\\ude00",
    "\u{202e}",
    "[::1]:8503",
    "65536",
    "SWMTKN-1-",
    "K10",
    "abcdef.0123456789abcdef",
    "{\"ver\":\"8\",\"adr\":[\"h:1\"],\"fgr\":\"\",\"key\":\"a:b\"}",
    "apiVersion: v1\nkind: Secret\nmetadata:\n  labels:\n    skupper.io/type: token-claim\n",
    "{\"PeeringToken\":\"",
    "token='",
    "\u{feff}",
];

/// Checks bytes as the text of a token, as what was pasted, and as the JSON inside one.
pub fn check(data: &[u8]) {
    check_report(&inspect(data, now()));
    if let Ok(pasted) = clean(data) {
        let again = clean(pasted.text().as_bytes()).unwrap();
        assert!(pasted.text().len() <= 2 * data.len() + 2, "cleaning adds to a text");
        assert!(again.text().len() <= pasted.text().len() + 2, "cleaning twice adds to a text");
        let peering = clean_peering(data).unwrap();
        assert!(peering.text().len() <= 2 * data.len() + 2, "cleaning adds to a text");
    }
    if let Ok(text) = std::str::from_utf8(data) {
        check_text(text);
    }
    check_text(&STANDARD.encode(data));
}

fn check_text(text: &str) {
    let report = inspect(text, now());
    check_report(&report);
    let token = match UnverifiedToken::decode(text) {
        Ok(token) => token,
        Err(error) => {
            is_fit_to_show(&error.to_string(), TEXT_BYTES_MAX);
            let meant = clean(text.as_bytes()).unwrap();
            let is_mended = UnverifiedToken::decode(meant.text()).is_ok();
            assert!(is_mended || !(report.kind.is_peering() && report.is_usable), "nothing is called usable");
            return;
        }
    };
    let claims = token.claims();
    let meant = clean_peering(text.as_bytes()).unwrap();
    assert_eq!(UnverifiedToken::decode(meant.text()).as_ref(), Ok(&token), "what is sent is another token");
    // A byte that is no UTF-8 is read as a character of three.
    assert!(bytes(claims) <= 3 * text.len(), "{} bytes were read out of {}", bytes(claims), text.len());
    check_again(claims);
    check_secret(claims, &report);
    match token.verify(now()) {
        Ok(verified) => {
            assert_eq!(report.refusal, None, "inspection refuses what would be used");
            assert!(!verified.dial_addresses().is_empty() && !verified.remote_id.is_empty());
            assert!(verified.manual_server_addresses.len() <= ADDRESSES_MAX);
            assert!(verified.server_addresses.len() <= ADDRESSES_MAX);
            let roots = verified.trust.as_ref().map(|trust| trust.pems().len());
            assert!(roots.is_none_or(|roots| (1..=CA_ENTRIES_MAX).contains(&roots)), "{roots:?} roots are trusted");
            for warning in &verified.warnings {
                is_fit_to_show(&warning.to_string(), TEXT_BYTES_MAX);
            }
        }
        Err(error) => {
            // An object without anything of a peering token is none, and what is in it is not quoted.
            let refusal = report.kind.is_peering().then(|| error.to_string());
            assert_eq!(report.refusal, refusal, "inspection says something else than verification");
            assert!(!(report.kind.is_peering() && report.is_usable), "what is refused is called usable");
        }
    }
}

fn check_report(report: &Report) {
    assert!(report.findings.len() <= FINDINGS_MAX, "{} findings", report.findings.len());
    for finding in &report.findings {
        is_fit_to_show(&finding.cause, TEXT_BYTES_MAX);
    }
    if let Some(Contents::Peering(contents)) = &report.contents {
        assert!(contents.certificates.len() <= CA_ENTRIES_MAX);
    }
}

/// What was read is written, and read again as the same.
fn check_again(claims: &PeeringToken) {
    let written = claims.encode();
    if written.len() > TOKEN_BYTES_MAX {
        return;
    }
    let again = UnverifiedToken::decode(&written).unwrap();
    // The end is written in whole seconds.
    let expires_at = again.claims().expires_at;
    assert_eq!(expires_at.map(|at| at.as_second()), claims.expires_at.map(|at| at.as_second()));
    assert_eq!(again.claims(), &PeeringToken { expires_at, ..claims.clone() });
    assert_eq!(again.claims().encode(), written);
}

/// Neither `Debug` nor an inspection depends on the secret.
fn check_secret(claims: &PeeringToken, report: &Report) {
    if claims.establishment_secret.is_empty() || !report.kind.is_peering() {
        return;
    }
    let other = PeeringToken { establishment_secret: EstablishmentSecret::from_text("another"), ..claims.clone() };
    assert_eq!(format!("{other:?}"), format!("{claims:?}"), "Debug depends on the secret");
    let written = other.encode();
    if written.len() <= TOKEN_BYTES_MAX && claims.expires_at.is_none_or(|at| at.subsec_nanosecond() == 0) {
        let mut report = report.clone();
        // An end that cannot be read is not written again.
        let is_kept = |code: &str| !code.starts_with("pasted-") && code != "expires-at";
        report.findings.retain(|finding| is_kept(finding.code.as_str()));
        assert_eq!(inspect(&written, now()), report, "an inspection depends on the secret");
    }
}

/// Returns how many bytes the texts of a token have.
fn bytes(claims: &PeeringToken) -> usize {
    let PeeringToken { ca, manual_server_addresses, server_addresses, meta, .. } = claims;
    let lists = [ca, manual_server_addresses, server_addresses].into_iter().flatten().map(String::len).sum::<usize>();
    let pairs =
        |meta: &BTreeMap<String, String>| meta.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>();
    let texts = [&claims.server_name, &claims.peer_id, &claims.remote.partition, &claims.remote.datacenter];
    let more = [claims.peer_name.as_ref(), claims.token_id.as_ref()].into_iter().flatten();
    lists + pairs(meta) + texts.into_iter().chain(more).map(String::len).sum::<usize>()
}
