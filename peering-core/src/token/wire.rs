//! The token's JSON: Consul's seven keys in Consul's order, then ours.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use zeroize::Zeroize;

use super::consul::PeeringToken;
use crate::gojson::{Scalar, Slot, Struct};
use crate::remote::{self, RemoteInfo};
use crate::secret::EstablishmentSecret;

/// What is written.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Written<'a> {
    #[serde(rename = "CA")]
    ca: Option<&'a [String]>,
    manual_server_addresses: Option<&'a [String]>,
    server_addresses: Option<&'a [String]>,
    server_name: &'a str,
    #[serde(rename = "PeerID")]
    peer_id: &'a str,
    establishment_secret: &'a str,
    remote: WrittenRemote<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peer_name: Option<&'a str>,
    #[serde(rename = "TokenID", skip_serializing_if = "Option::is_none")]
    token_id: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    meta: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenRemote<'a> {
    partition: &'a str,
    datacenter: &'a str,
    locality: Option<WrittenLocality<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WrittenLocality<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    region: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    zone: &'a str,
}

impl<'a> Written<'a> {
    pub(super) fn of(token: &'a PeeringToken) -> Self {
        let list = |list: &'a Vec<String>| (!list.is_empty()).then_some(list.as_slice());
        let locality = token.remote.locality.as_ref();
        Self {
            ca: list(&token.ca),
            manual_server_addresses: list(&token.manual_server_addresses),
            server_addresses: list(&token.server_addresses),
            server_name: &token.server_name,
            peer_id: &token.peer_id,
            establishment_secret: token.establishment_secret.expose(),
            remote: WrittenRemote {
                partition: &token.remote.partition,
                datacenter: &token.remote.datacenter,
                locality: locality.map(|it| WrittenLocality { region: &it.region, zone: &it.zone }),
            },
            peer_name: token.peer_name.as_deref(),
            token_id: token.token_id.as_deref(),
            meta: &token.meta,
            expires_at: token.expires_at.map(whole_seconds),
        }
    }
}

/// Drops the fraction of a second, since the token has none.
fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// What is read.
#[derive(Default)]
pub(super) struct Read {
    ca: Vec<String>,
    manual_server_addresses: Vec<String>,
    server_addresses: Vec<String>,
    server_name: String,
    peer_id: String,
    establishment_secret: String,
    remote: ReadRemote,
    peer_name: Option<String>,
    token_id: Option<String>,
    meta: BTreeMap<String, String>,
    expires_at: Option<Scalar>,
}

impl Read {
    /// Says whether there is an end, and no time.
    pub(super) fn has_unreadable_end(&self) -> bool {
        self.expires_at.is_some() && self.end().is_none()
    }

    fn end(&self) -> Option<Timestamp> {
        match &self.expires_at {
            Some(Scalar::Text(text)) => text.parse().ok(),
            _ => None,
        }
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        self.establishment_secret.zeroize();
    }
}

impl Struct for Read {
    const GO_TYPE: &'static str = "structs.PeeringToken";
    const FIELDS: &'static [&'static str] = &[
        "CA",
        "ManualServerAddresses",
        "ServerAddresses",
        "ServerName",
        "PeerID",
        "EstablishmentSecret",
        "Remote",
        "PeerName",
        "TokenID",
        "Meta",
        "ExpiresAt",
    ];

    fn slot(&mut self, field: &'static str) -> Slot<'_> {
        match field {
            "CA" => Slot::Texts(&mut self.ca),
            "ManualServerAddresses" => Slot::Texts(&mut self.manual_server_addresses),
            "ServerAddresses" => Slot::Texts(&mut self.server_addresses),
            "ServerName" => Slot::Text(&mut self.server_name),
            "PeerID" => Slot::Text(&mut self.peer_id),
            "EstablishmentSecret" => Slot::Text(&mut self.establishment_secret),
            "Remote" => Slot::Struct(&mut self.remote),
            "PeerName" => Slot::ExtraText(&mut self.peer_name),
            "TokenID" => Slot::ExtraText(&mut self.token_id),
            "Meta" => Slot::ExtraMap(&mut self.meta),
            "ExpiresAt" => Slot::Scalar(&mut self.expires_at),
            _ => Slot::Ignored,
        }
    }
}

#[derive(Default)]
struct ReadRemote {
    partition: String,
    datacenter: String,
    locality: Option<ReadLocality>,
}

impl Struct for ReadRemote {
    const GO_TYPE: &'static str = "structs.PeeringTokenRemote";
    const FIELDS: &'static [&'static str] = &["Partition", "Datacenter", "Locality"];

    fn slot(&mut self, field: &'static str) -> Slot<'_> {
        match field {
            "Partition" => Slot::Text(&mut self.partition),
            "Datacenter" => Slot::Text(&mut self.datacenter),
            "Locality" => Slot::Pointer(&mut self.locality),
            _ => Slot::Ignored,
        }
    }
}

#[derive(Default)]
struct ReadLocality {
    region: String,
    zone: String,
}

impl Struct for ReadLocality {
    const GO_TYPE: &'static str = "structs.Locality";
    const FIELDS: &'static [&'static str] = &["Region", "Zone"];

    fn slot(&mut self, field: &'static str) -> Slot<'_> {
        match field {
            "Region" => Slot::Text(&mut self.region),
            "Zone" => Slot::Text(&mut self.zone),
            _ => Slot::Ignored,
        }
    }
}

impl From<Read> for PeeringToken {
    fn from(mut read: Read) -> Self {
        use std::mem::take;
        let remote = take(&mut read.remote);
        // What is not a time is not ours, and Consul would not look at it either.
        let expires_at = read.end();
        Self {
            ca: take(&mut read.ca),
            manual_server_addresses: take(&mut read.manual_server_addresses),
            server_addresses: take(&mut read.server_addresses),
            server_name: take(&mut read.server_name),
            peer_id: take(&mut read.peer_id),
            establishment_secret: EstablishmentSecret::from_text(take(&mut read.establishment_secret)),
            remote: RemoteInfo {
                partition: remote.partition,
                datacenter: remote.datacenter,
                locality: remote.locality.map(|it| remote::Locality { region: it.region, zone: it.zone }),
            },
            peer_name: read.peer_name.take(),
            token_id: read.token_id.take(),
            meta: take(&mut read.meta),
            expires_at,
        }
    }
}
