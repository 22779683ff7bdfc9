//! `exported-services`: which services are exported to which peers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{EntryError, ServiceError};
use crate::peerstream::{SERVICE_NAME_BYTES_MAX, SERVICES_MAX};

/// Most services in one entry: as many as a peer of ours takes from us.
pub const EXPORTED_SERVICES_MAX: usize = SERVICES_MAX;
/// Most consumers of one service: more peers than any cluster has.
pub const CONSUMERS_MAX: usize = 10_000;

/// Stands for every service but Consul's own. There is no catalogue here that would say which those are.
const EVERY_SERVICE: &str = "*";
/// Would stand for every consumer; refused, as in Consul.
const EVERY_CONSUMER: &str = "*";
/// Consul's own service, which is never exported.
const OWN_SERVICE: &str = "consul";

/// The one `exported-services` entry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ExportedServices {
    /// Always `default`.
    pub name: String,
    /// The services, in the order in which they were given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ExportedService>,
    /// Metadata, kept as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meta: Option<BTreeMap<String, String>>,
}

/// A service and who may use it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ExportedService {
    /// Its name, or `*`.
    pub name: String,
    /// Who may use it.
    pub consumers: Vec<Consumer>,
}

/// Who may use a service; at most one field is filled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Consumer {
    /// A partition, which the community edition keeps and does not use.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub partition: String,
    /// A peer, by our name for it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub peer: String,
    /// A group of the enterprise edition.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sameness_group: String,
}

/// A service with the peers that it is exported to: `GET /v1/exported-services`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceConsumers {
    /// The service.
    pub service: String,
    /// Our names of the peers, sorted.
    pub peers: Vec<String>,
}

impl ExportedServices {
    /// Checks services and consumers, in Consul's order.
    pub(super) fn check(&self) -> Result<(), EntryError> {
        count("services", EXPORTED_SERVICES_MAX, self.services.len())
            .map_err(|reason| at("Services".into(), reason))?;
        for (s, service) in self.services.iter().enumerate() {
            if let Some(c) = service.consumers.iter().position(|who| !who.sameness_group.is_empty()) {
                return Err(at(format!("Services[{s}].Consumers[{c}]"), ServiceError::SamenessGroup));
            }
        }
        for (s, service) in self.services.iter().enumerate() {
            service.check().map_err(|reason| at(format!("Services[{s}]"), reason))?;
            for (c, consumer) in service.consumers.iter().enumerate() {
                consumer.check().map_err(|reason| at(format!("Services[{s}].Consumers[{c}]"), reason))?;
            }
        }
        Ok(())
    }

    /// Returns the names of the services exported to a peer, sorted, each once.
    ///
    /// # Examples
    /// ```
    /// use peering_core::config_entry::{ConfigEntry, decode};
    ///
    /// let body = br#"{"Kind":"exported-services","Name":"default","Services":[
    ///     {"Name":"web","Consumers":[{"Peer":"west"}]}, {"Name":"*","Consumers":[{"Peer":"west"}]}]}"#;
    /// let ConfigEntry::ExportedServices(exports) = decode(body)? else { panic!("another kind") };
    /// assert_eq!(exports.exported_to("west"), ["web"]);
    /// assert!(exports.exported_to("east").is_empty());
    /// # Ok::<(), peering_core::config_entry::DecodeError>(())
    /// ```
    #[must_use]
    pub fn exported_to(&self, peer: &str) -> Vec<String> {
        let is_for = |service: &&ExportedService| service.consumers.iter().any(|consumer| consumer.peer == peer);
        let names: BTreeSet<&str> = self.named().filter(is_for).map(|service| service.name.as_str()).collect();
        names.into_iter().map(str::to_owned).collect()
    }

    /// Returns every exported service with its peers, sorted.
    #[must_use]
    pub fn by_service(&self) -> Vec<ServiceConsumers> {
        let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for service in self.named() {
            let peers = service.consumers.iter().map(|consumer| consumer.peer.as_str()).filter(|peer| !peer.is_empty());
            all.entry(&service.name).or_default().extend(peers);
        }
        let owned = |(service, peers): (&str, BTreeSet<&str>)| ServiceConsumers {
            service: service.to_owned(),
            peers: peers.into_iter().map(str::to_owned).collect(),
        };
        all.into_iter().map(owned).collect()
    }

    /// The services that the entry names itself.
    fn named(&self) -> impl Iterator<Item = &ExportedService> {
        self.services.iter().filter(|service| ![EVERY_SERVICE, OWN_SERVICE].contains(&service.name.as_str()))
    }
}

impl ExportedService {
    fn check(&self) -> Result<(), ServiceError> {
        let got = self.name.len();
        if got == 0 {
            return Err(ServiceError::NoName);
        }
        if self.consumers.is_empty() {
            return Err(ServiceError::NoConsumer);
        }
        if got > SERVICE_NAME_BYTES_MAX {
            return Err(ServiceError::NameTooLong { max: SERVICE_NAME_BYTES_MAX, got });
        }
        count("consumers", CONSUMERS_MAX, self.consumers.len())
    }
}

impl Consumer {
    fn check(&self) -> Result<(), ServiceError> {
        match (self.peer.as_str(), self.partition.as_str()) {
            (peer, partition) if !peer.is_empty() && !partition.is_empty() => Err(ServiceError::Several),
            (_, EVERY_CONSUMER) => Err(ServiceError::AllPartitions),
            (EVERY_CONSUMER, _) => Err(ServiceError::AllPeers),
            _ => Ok(()),
        }
    }
}

fn count(what: &'static str, max: usize, got: usize) -> Result<(), ServiceError> {
    if got > max { Err(ServiceError::TooMany { what, max }) } else { Ok(()) }
}

fn at(place: String, reason: ServiceError) -> EntryError {
    EntryError::Service { place, reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config_entry::{ConfigEntry, decode};

    fn exports(services: &str) -> ConfigEntry {
        let body = format!(r#"{{"Kind":"exported-services","Name":"default","Services":{services}}}"#);
        decode(body.as_bytes()).unwrap()
    }

    fn refusal(services: &str) -> String {
        exports(services).check().unwrap_err().to_string()
    }

    #[test]
    fn each_fault_has_consuls_text() {
        let with = |consumers: &str| format!(r#"[{{"Name":"web","Consumers":[{consumers}]}}]"#);
        for (services, text) in [
            ("[{}]".to_owned(), "Services[0]: service name cannot be empty"),
            (r#"[{"Name":"web"}]"#.to_owned(), "Services[0]: must have at least one consumer"),
            (with(""), "Services[0]: must have at least one consumer"),
            (with(r#"{"Peer":"*"}"#), "Services[0].Consumers[0]: exporting to all peers (wildcard) is not supported"),
            (
                with(r#"{},{"Partition":"*"}"#),
                "Services[0].Consumers[1]: exporting to all partitions (wildcard) is not supported",
            ),
            (
                with(r#"{"Peer":"a","Partition":"b"}"#),
                "Services[0].Consumers[0]: must define at most one of Peer, Partition, or SamenessGroup",
            ),
            (
                with(r#"{"Peer":"*"},{"Peer":"a","SamenessGroup":"b"}"#),
                "Services[0].Consumers[1]: sameness-groups are an enterprise-only feature",
            ),
        ] {
            assert_eq!(refusal(&services), text);
        }
        for services in ["[]", r#"[{"Name":"*","Consumers":[{"Partition":"b"},{},{"Peer":"Bad Name"}]}]"#] {
            assert_eq!(exports(services).check(), Ok(()), "{services}");
        }
        let other = decode(br#"{"Kind":"exported-services","Name":"x","Services":[{}]}"#).unwrap();
        assert_eq!(other.check().unwrap_err().to_string(), r#"exported-services Name must be "default""#);
    }

    #[test]
    fn an_entry_has_as_many_services_and_consumers_as_a_peer_takes() {
        let service = |bytes: usize| format!(r#"{{"Name":"{}","Consumers":{{}}}}"#, "a".repeat(bytes));
        let many = |count: usize| format!("[{}]", vec![service(1); count].join(","));
        let consumers = |count: usize| format!(r#"[{{"Name":"a","Consumers":[{}]}}]"#, vec!["{}"; count].join(","));
        let refused = |text: &str, services: &str| assert_eq!(refusal(services), text);
        refused("Services: there must be at most 10000 services", &many(EXPORTED_SERVICES_MAX + 1));
        refused("Services[0]: there must be at most 10000 consumers", &consumers(CONSUMERS_MAX + 1));
        assert_eq!(exports(&consumers(CONSUMERS_MAX)).check(), Ok(()));
        let longest = |bytes: usize| format!(r#"[{{"Name":"{}","Consumers":[{{}}]}}]"#, "a".repeat(bytes));
        assert_eq!(exports(&longest(SERVICE_NAME_BYTES_MAX)).check(), Ok(()));
        refused("Services[0]: service name must have at most 253 bytes, got 254", &longest(SERVICE_NAME_BYTES_MAX + 1));
    }

    #[test]
    fn what_is_exported_is_sorted_and_never_everything_or_consul_itself() {
        let ConfigEntry::ExportedServices(exports) = exports(
            r#"[{"Name":"web","Consumers":[{"Peer":"b"},{"Peer":"a"}]},{"Name":"api","Consumers":[{"Peer":"b"}]},
                {"Name":"web","Consumers":[{"Peer":"c"}]},{"Name":"*","Consumers":[{"Peer":"b"}]},
                {"Name":"consul","Consumers":[{"Peer":"b"}]},{"Name":"p","Consumers":[{"Partition":"x"}]}]"#,
        ) else {
            panic!("another kind")
        };
        assert_eq!(exports.exported_to("b"), ["api", "web"]);
        assert_eq!(exports.exported_to("c"), ["web"]);
        assert!(exports.exported_to("B").is_empty());
        let listed: Vec<(String, Vec<String>)> =
            exports.by_service().into_iter().map(|listed| (listed.service, listed.peers)).collect();
        let expected = [("api", vec!["b"]), ("p", vec![]), ("web", vec!["a", "b", "c"])];
        let expected = expected.map(|(name, peers)| (name.to_owned(), peers.into_iter().map(str::to_owned).collect()));
        assert_eq!(listed, expected);
    }
}
