//! Resources ⇄ `Any`: the type URL compared byte for byte, lists counted before they are decoded.

use peering_core::peerstream::{Content, ExportedService, Resource, ResourceUrl, SERVICES_MAX, TrustBundle};
use prost::{DecodeError, Message};
use prost_types::Any;

use super::entries::{EntriesError, entries};
use super::proto::peering::{PeeringServerAddresses, PeeringTrustBundle};
use super::proto::peerstream::ExportedServiceList;
use super::proto::service::CheckServiceNode;

/// Most entries of a list that are decoded at all, to bound memory. Above every bound of core, which refuses with a text
/// of its own.
const ENTRIES_MAX: usize = 4 * SERVICES_MAX;
/// Most bytes in one instance of a service: metadata of a node and of a service at their bounds take a third of it.
const INSTANCE_BYTES_MAX: usize = 256 * 1024;

/// Field numbers of the repeated fields.
const NODES: usize = 1;
const SERVICES: usize = 1;
const ROOT_PEMS: usize = 4;
const ADDRESSES: usize = 1;

/// Packs a resource under its full type URL, which `Any::from_msg` would shorten.
pub(super) fn encode(resource: Resource) -> Option<Any> {
    let type_url = resource.url().as_str().to_owned();
    let value = match resource {
        Resource::ExportedService(service) => service.encoded,
        Resource::ExportedServiceList(services) => ExportedServiceList { services }.encode_to_vec(),
        Resource::TrustBundle(TrustBundle { trust_domain, root_pems }) => {
            PeeringTrustBundle { trust_domain, root_pems, ..PeeringTrustBundle::default() }.encode_to_vec()
        }
        Resource::ServerAddresses(addresses) => PeeringServerAddresses { addresses }.encode_to_vec(),
        // A resource that core learns to send must be taught to this edge too.
        _ => return None,
    };
    Some(Any { type_url, value })
}

/// Unpacks what a response announces under `url`.
pub(super) fn decode(url: &ResourceUrl, any: Option<Any>) -> Content {
    let Some(any) = any else { return Content::Absent };
    if any.type_url != url.as_str() {
        return Content::Mismatched { type_url: any.type_url };
    }
    let decoded = match url {
        ResourceUrl::ExportedService => decode_service(any.value),
        ResourceUrl::ExportedServiceList => {
            decode_list(&any.value, SERVICES, |list: ExportedServiceList| Resource::ExportedServiceList(list.services))
        }
        ResourceUrl::TrustBundle => decode_list(&any.value, ROOT_PEMS, |bundle: PeeringTrustBundle| {
            let PeeringTrustBundle { trust_domain, root_pems, .. } = bundle;
            Resource::TrustBundle(TrustBundle { trust_domain, root_pems })
        }),
        ResourceUrl::ServerAddresses => {
            decode_list(&any.value, ADDRESSES, |list: PeeringServerAddresses| Resource::ServerAddresses(list.addresses))
        }
        ResourceUrl::Unknown(_) => Err(Content::Undecodable { reason: "unknown type".to_owned() }),
    };
    decoded.map_or_else(|content| content, Content::Resource)
}

fn decode_list<M: Message + Default>(
    value: &[u8],
    field: usize,
    resource: impl FnOnce(M) -> Resource,
) -> Result<Resource, Content> {
    entries(value, field, ENTRIES_MAX).map_err(of_entries)?;
    M::decode(value).map(resource).map_err(undecodable)
}

/// Checks the instances one by one, so that never more than one of them is in memory.
fn decode_service(encoded: Vec<u8>) -> Result<Resource, Content> {
    let nodes = entries(&encoded, NODES, ENTRIES_MAX).map_err(of_entries)?;
    for node in &nodes {
        check_instance(node)?;
    }
    let instances = nodes.len();
    Ok(Resource::ExportedService(ExportedService { instances, encoded }))
}

fn check_instance(encoded: &[u8]) -> Result<(), Content> {
    let invalid = |reason: &str| Content::Invalid { reason: reason.to_owned() };
    if encoded.len() > INSTANCE_BYTES_MAX {
        let reason = format!("expected at most {INSTANCE_BYTES_MAX} bytes in an instance, got {}", encoded.len());
        return Err(Content::Invalid { reason });
    }
    let CheckServiceNode { node, service, checks } = CheckServiceNode::decode(encoded).map_err(undecodable)?;
    if node.is_none_or(|node| node.node.is_empty()) {
        Err(invalid("expected a node with a name in every instance"))
    } else if service.is_none_or(|service| service.id.is_empty()) {
        Err(invalid("expected a service with an id in every instance"))
    } else if checks.iter().any(|check| check.check_id.is_empty()) {
        Err(invalid("expected an id in every check"))
    } else {
        Ok(())
    }
}

fn undecodable(error: DecodeError) -> Content {
    Content::Undecodable { reason: error.to_string() }
}

fn of_entries(error: EntriesError) -> Content {
    let reason = error.to_string();
    match error {
        EntriesError::Malformed => Content::Undecodable { reason },
        EntriesError::TooMany { .. } => Content::Invalid { reason },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peerstream::proto::peerstream::ExportedService as WireService;
    use crate::peerstream::proto::service::{HealthCheck, Node, NodeService};

    fn any(url: &ResourceUrl, value: Vec<u8>) -> Option<Any> {
        Some(Any { type_url: url.as_str().to_owned(), value })
    }

    fn instance() -> CheckServiceNode {
        let node = Node { node: "n1".into(), ..Node::default() };
        let service = NodeService { id: "web-1".into(), service: "web".into(), ..NodeService::default() };
        let check = HealthCheck { check_id: "web-1:overall-check".into(), ..HealthCheck::default() };
        CheckServiceNode { node: Some(node), service: Some(service), checks: vec![check] }
    }

    fn decode_instances(nodes: Vec<CheckServiceNode>) -> Content {
        let url = ResourceUrl::ExportedService;
        decode(&url, any(&url, WireService { nodes }.encode_to_vec()))
    }

    #[test]
    fn every_kind_of_resource_round_trips() {
        let bundle = TrustBundle { trust_domain: "d.consul".into(), root_pems: vec!["a\n".into(), "b\n".into()] };
        let encoded = WireService { nodes: vec![instance(), instance()] }.encode_to_vec();
        for resource in [
            Resource::ExportedServiceList(vec!["web".into(), "api".into()]),
            Resource::ExportedServiceList(vec![]),
            Resource::TrustBundle(bundle),
            Resource::ServerAddresses(vec!["10.0.0.1:8503".into()]),
            Resource::ExportedService(ExportedService { instances: 2, encoded }),
            Resource::ExportedService(ExportedService::default()),
        ] {
            let url = resource.url();
            assert_eq!(decode(&url, encode(resource.clone())), Content::Resource(resource));
        }
    }

    #[test]
    fn a_list_of_services_has_the_bytes_of_consul() {
        let list = Resource::ExportedServiceList(vec!["web".into(), "api".into()]);
        let any = encode(list).unwrap();
        assert_eq!(any.value, b"\x0a\x03web\x0a\x03api");
        assert_eq!(any.type_url, "type.googleapis.com/hashicorp.consul.internal.peerstream.ExportedServiceList");
    }

    #[test]
    fn the_type_url_must_be_the_announced_one_to_the_byte() {
        for type_url in [
            "/hashicorp.consul.internal.peering.PeeringServerAddresses",
            "hashicorp.consul.internal.peering.PeeringServerAddresses",
            "type.googleapis.com/hashicorp.consul.internal.peering.PeeringTrustBundle",
            "",
        ] {
            let type_url = type_url.to_owned();
            let any = Any { type_url: type_url.clone(), value: vec![] };
            assert_eq!(decode(&ResourceUrl::ServerAddresses, Some(any)), Content::Mismatched { type_url });
        }
        assert_eq!(decode(&ResourceUrl::TrustBundle, None), Content::Absent);
    }

    #[test]
    fn bytes_of_another_type_are_undecodable() {
        for url in ResourceUrl::KNOWN {
            let content = decode(&url, any(&url, b"\x0a\x7fshort".to_vec()));
            assert!(matches!(content, Content::Undecodable { .. }), "{content:?}");
        }
        let content = decode(&ResourceUrl::TrustBundle, any(&ResourceUrl::TrustBundle, b"\x0a\x01\xff".to_vec()));
        assert!(matches!(content, Content::Undecodable { .. }), "not UTF-8: {content:?}");
        let content =
            decode(&ResourceUrl::ExportedService, any(&ResourceUrl::ExportedService, b"\x0a\x01\xff".to_vec()));
        assert!(matches!(content, Content::Undecodable { .. }), "not an instance: {content:?}");
    }

    #[test]
    fn instances_that_nobody_could_register_are_invalid() {
        let unnamed_node = CheckServiceNode { node: Some(Node::default()), ..instance() };
        let unnamed_service = CheckServiceNode { service: Some(NodeService::default()), ..instance() };
        let unnamed_check = CheckServiceNode { checks: vec![HealthCheck::default()], ..instance() };
        let long = NodeService { tags: vec!["t".repeat(INSTANCE_BYTES_MAX)], ..NodeService::default() };
        for (broken, expected) in [
            (CheckServiceNode { node: None, ..instance() }, "expected a node with a name"),
            (unnamed_node, "expected a node with a name"),
            (CheckServiceNode { service: None, ..instance() }, "expected a service with an id"),
            (unnamed_service, "expected a service with an id"),
            (unnamed_check, "expected an id in every check"),
            (CheckServiceNode { service: Some(long), ..instance() }, "expected at most 262144 bytes in an instance"),
        ] {
            let content = decode_instances(vec![instance(), broken]);
            assert!(matches!(&content, Content::Invalid { reason } if reason.starts_with(expected)), "{content:?}");
        }
    }

    #[test]
    fn a_list_that_would_swell_in_memory_is_refused_before_it_is_decoded() {
        for (url, entry) in [
            (ResourceUrl::ExportedService, b"\x0a\x00"),
            (ResourceUrl::ExportedServiceList, b"\x0a\x00"),
            (ResourceUrl::TrustBundle, b"\x22\x00"),
            (ResourceUrl::ServerAddresses, b"\x0a\x00"),
        ] {
            let content = decode(&url, any(&url, entry.repeat(ENTRIES_MAX + 1)));
            let reason = "expected at most 40000 entries, got more".to_owned();
            assert_eq!(content, Content::Invalid { reason });
        }
    }
}
