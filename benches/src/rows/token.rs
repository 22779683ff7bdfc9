//! Decoding and encoding a peering token, beside plain base64 and JSON of the same bytes.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use anyhow::{Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use peering_core::name::TrustDomain;
use peering_core::remote::RemoteInfo;
use peering_core::secret::EstablishmentSecret;
use peering_core::token::{PeeringToken, UnverifiedToken, inspect};
use peering_server::ca::{Authority, Purpose};
use serde::{Deserialize, Serialize};

use super::shown;
use crate::figure::{Aim, Figure, median};
use crate::sizes::Sizes;

/// The keys of a token for a library that knows nothing of tokens.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Plain {
    #[serde(rename = "CA")]
    ca: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    manual_server_addresses: Option<Vec<String>>,
    server_addresses: Option<Vec<String>>,
    server_name: String,
    #[serde(rename = "PeerID")]
    peer_id: String,
    establishment_secret: String,
    remote: PlainRemote,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    peer_name: Option<String>,
    #[serde(default, rename = "TokenID", skip_serializing_if = "Option::is_none")]
    token_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    meta: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PlainRemote {
    partition: String,
    datacenter: String,
    #[serde(default)]
    locality: serde_json::Value,
}

/// Longest that an inspection may take.
const INSPECTION_SECONDS: f64 = 1e-3;

/// Measures decoding and encoding together, each alone in words, and an inspection.
pub(crate) fn measure(sizes: &Sizes) -> Result<Vec<Figure>> {
    let text = sample()?;
    let plain: Plain = serde_json::from_slice(&STANDARD.decode(&text)?)?;
    let again = STANDARD.encode(serde_json::to_vec(&plain)?);
    ensure!(again.len() >= text.len() * 9 / 10, "the plain shape left something out");
    let token = UnverifiedToken::decode(&text)?;

    let ours_decode = || {
        _ = black_box(UnverifiedToken::decode(black_box(&text)));
    };
    let plain_decode = || {
        let json = STANDARD.decode(black_box(&text)).unwrap_or_default();
        _ = black_box(serde_json::from_slice::<Plain>(&json));
    };
    let ours_encode = || {
        _ = black_box(black_box(&token).claims().encode());
    };
    let plain_encode = || {
        _ = black_box(serde_json::to_vec(black_box(&plain)).map(|json| STANDARD.encode(json)));
    };
    let now = jiff::Timestamp::now();
    let inspection = || {
        _ = black_box(inspect(black_box(&text), now));
    };
    let mut samples: [Vec<f64>; 5] = Default::default();
    for _ in 0..sizes.rounds * 5 {
        let works: [&dyn Fn(); 5] = [&ours_decode, &plain_decode, &ours_encode, &plain_encode, &inspection];
        for (samples, work) in samples.iter_mut().zip(works) {
            samples.push(each(sizes.tokens / 5, work));
        }
    }
    let [ours_decode, plain_decode, ours_encode, plain_encode, inspection] = samples.map(median);
    let figure = |what: &str, ours: f64, limit: f64| Figure {
        what: format!("{what} of {} bytes, two CA certificates", text.len()),
        ours: shown(ours),
        limit: format!("{} (plain base64 and serde_json)", shown(limit)),
        ratio: ours / limit,
        aim: Aim::AtMost(1.5),
    };
    Ok(vec![
        figure("decode and encode a token", ours_decode + ours_encode, plain_decode + plain_encode),
        figure("· decode alone", ours_decode, plain_decode),
        figure("· encode alone", ours_encode, plain_encode),
        Figure {
            what: "inspect the same token".to_owned(),
            ours: shown(inspection),
            limit: format!("{} (what people do not notice)", shown(INSPECTION_SECONDS)),
            ratio: inspection / INSPECTION_SECONDS,
            aim: Aim::AtMost(1.0),
        },
    ])
}

fn each(count: usize, work: &dyn Fn()) -> f64 {
    let begun = Instant::now();
    for _ in 0..count {
        work();
    }
    begun.elapsed().as_secs_f64() / count as f64
}

/// Makes a token as a server does while it changes its root: with two certificates.
fn sample() -> Result<String> {
    let now = jiff::Timestamp::now();
    let domain = TrustDomain::parse("11111111-2222-3333-4444-555555555555.consul")?;
    let root = || -> Result<String> { Ok(Authority::create(Purpose::Peering, &domain, now)?.root_pem().to_owned()) };
    let token = PeeringToken {
        ca: vec![root()?, root()?],
        manual_server_addresses: Vec::new(),
        server_addresses: vec!["192.0.2.1:8503".to_owned(), "192.0.2.2:8503".to_owned(), "192.0.2.3:8503".to_owned()],
        server_name: "server.dc1.peering.11111111-2222-3333-4444-555555555555.consul".to_owned(),
        peer_id: "66666666-7777-8888-9999-aaaaaaaaaaaa".to_owned(),
        establishment_secret: EstablishmentSecret::from_text("bbbbbbbb-cccc-dddd-eeee-ffffffffffff".to_owned()),
        remote: RemoteInfo { partition: String::new(), datacenter: "dc1".to_owned(), locality: None },
        peer_name: Some("cluster-02".to_owned()),
        token_id: Some("22222222-3333-4444-5555-666666666666".to_owned()),
        meta: BTreeMap::new(),
        expires_at: None,
    };
    Ok(token.encode())
}
