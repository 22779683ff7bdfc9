//! Responses that arrived: checked, stored one after the other, answered in the order in which they came.

use std::collections::VecDeque;

use thiserror::Error;

use super::frame::{Content, Frame, Operation, Request, Resource, ResourceUrl, Response, TrustBundle};
use super::session::Action;
use super::status::{Refusal, StatusCode, quoted};
use crate::foreign::echo;

/// Most responses that wait while one is stored. A frame may have 8 MiB, so this bounds the memory of a stream; a peer
/// that sends faster than we store is slowed down by flow control.
pub const IMPORTS_WAITING_MAX: usize = 4;
/// Most services that one peer may export to us.
pub const SERVICES_MAX: usize = 10_000;
/// Most bytes in the name of a service; a DNS name has no more.
pub const SERVICE_NAME_BYTES_MAX: usize = 253;
/// Most addresses of a peer, as in a peering token.
pub const ADDRESSES_MAX: usize = 64;
/// Most bytes in an address: a DNS name, brackets, a colon, a port.
pub const ADDRESS_BYTES_MAX: usize = 261;
/// Most entries in a trust bundle, as in a peering token.
pub const ROOTS_MAX: usize = 16;
/// Most bytes in all entries of a trust bundle, as in a peering token.
pub const ROOTS_BYTES_MAX: usize = 512 * 1024;
/// Most bytes in the name of a trust domain.
pub const TRUST_DOMAIN_BYTES_MAX: usize = 253;

/// A resource that a peer sent, within bounds, for the driver to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Which resource of its type; the name of an exported service.
    pub resource_id: String,
    /// The resource.
    pub resource: Resource,
}

/// Says that a resource breaks a bound of ours.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
enum BoundError {
    #[error("expected at most {max} {what}, got {got}")]
    TooMany { what: &'static str, max: usize, got: usize },
    #[error("expected {what} of 1 to {max} bytes, got {got}")]
    Size { what: &'static str, max: usize, got: usize },
    #[error("expected at least one root certificate in a trust bundle")]
    NoRoots,
}

/// The responses of one running stream.
#[derive(Debug, Default)]
pub(super) struct Imports {
    /// Type, nonce and resource id of the one that the driver is storing.
    storing: Option<(ResourceUrl, String, String)>,
    waiting: VecDeque<Response>,
}

impl Imports {
    /// Says whether another response may come.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < IMPORTS_WAITING_MAX
    }

    /// Takes a response.
    pub(super) fn on_response(&mut self, response: Response, actions: &mut VecDeque<Action>) {
        self.waiting.push_back(response);
        self.advance(actions);
    }

    /// Takes the driver's word on the one that it was storing.
    pub(super) fn done(&mut self, result: Result<(), Refusal>, actions: &mut VecDeque<Action>) {
        let Some((url, nonce, resource_id)) = self.storing.take() else { return };
        let result = result.map_err(|refusal| upsert_error(&url, &resource_id, refusal));
        actions.push_back(reply(url, nonce, result));
        self.advance(actions);
    }

    fn advance(&mut self, actions: &mut VecDeque<Action>) {
        while self.storing.is_none() {
            let Some(response) = self.waiting.pop_front() else { return };
            let (url, nonce) = (response.url.clone(), response.nonce.clone());
            match check(response) {
                Ok(import) => {
                    self.storing = Some((url, nonce, import.resource_id.clone()));
                    actions.push_back(Action::Store(import));
                }
                Err(refusal) => actions.push_back(reply(url, nonce, Err(refusal))),
            }
        }
    }
}

fn reply(url: ResourceUrl, nonce: String, result: Result<(), Refusal>) -> Action {
    Action::Send(Frame::Request(Request::reply(url, nonce, result)))
}

/// Puts the place in front of the cause, as Consul does for whatever fails inside an upsert.
fn upsert_error(url: &ResourceUrl, resource_id: &str, cause: Refusal) -> Refusal {
    let (url, id) = (quoted(url.as_str()), quoted(resource_id));
    Refusal::new(cause.code, format!("upsert error, ResourceURL: {url}, ResourceID: {id}: {}", cause.message))
}

fn check(response: Response) -> Result<Import, Refusal> {
    let Response { nonce, url, resource_id, operation, content } = response;
    if let ResourceUrl::Unknown(text) = &url {
        let text = quoted(text);
        return Err(Refusal::invalid(format!("received response for unknown resource type {text}")));
    }
    if nonce.is_empty() {
        let id = echo(&resource_id);
        return Err(Refusal::invalid(format!("received response without a nonce for: {url}:{id}")));
    }
    match operation {
        Operation::Upsert => {}
        Operation::Unspecified => return Err(Refusal::invalid("unsupported operation: \"OPERATION_UNSPECIFIED\"")),
        Operation::Other(number) => return Err(Refusal::invalid(format!("unsupported operation: {number}"))),
    }
    let internal = |message| Refusal::new(StatusCode::Internal, message);
    let cause = match content {
        Content::Absent => return Err(Refusal::invalid("received upsert response with no content")),
        Content::Resource(resource) if resource.url() == url => match bound(&resource_id, &resource) {
            Ok(()) => return Ok(Import { resource_id, resource }),
            Err(error) => Refusal::invalid(error.to_string()),
        },
        Content::Resource(resource) => internal(mismatch(&url, resource.url().as_str())),
        Content::Mismatched { type_url } => internal(mismatch(&url, &type_url)),
        Content::Undecodable { reason } => internal(echo(&reason).to_owned()),
        Content::Invalid { reason } => Refusal::invalid(echo(&reason)),
    };
    Err(upsert_error(&url, &resource_id, cause))
}

fn mismatch(url: &ResourceUrl, type_url: &str) -> String {
    format!("mismatched resourceURL {} and Any typeUrl {}", quoted(url.as_str()), quoted(type_url))
}

fn bound(resource_id: &str, resource: &Resource) -> Result<(), BoundError> {
    match resource {
        Resource::ExportedService(_) => size("a service name", SERVICE_NAME_BYTES_MAX, resource_id),
        Resource::ExportedServiceList(names) => {
            count("services", SERVICES_MAX, names.len())?;
            names.iter().try_for_each(|name| size("a service name", SERVICE_NAME_BYTES_MAX, name))
        }
        Resource::ServerAddresses(addresses) => {
            count("addresses", ADDRESSES_MAX, addresses.len())?;
            addresses.iter().try_for_each(|address| size("an address", ADDRESS_BYTES_MAX, address))
        }
        Resource::TrustBundle(TrustBundle { trust_domain, root_pems }) => {
            size("a trust domain", TRUST_DOMAIN_BYTES_MAX, trust_domain)?;
            count("roots", ROOTS_MAX, root_pems.len())?;
            count("bytes of roots", ROOTS_BYTES_MAX, root_pems.iter().map(String::len).sum())?;
            // Without roots the next dial could not tell the peer from anyone else.
            if root_pems.iter().all(|pem| pem.trim().is_empty()) { Err(BoundError::NoRoots) } else { Ok(()) }
        }
    }
}

fn count(what: &'static str, max: usize, got: usize) -> Result<(), BoundError> {
    if got > max { Err(BoundError::TooMany { what, max, got }) } else { Ok(()) }
}

fn size(what: &'static str, max: usize, text: &str) -> Result<(), BoundError> {
    let got = text.len();
    if (1..=max).contains(&got) { Ok(()) } else { Err(BoundError::Size { what, max, got }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Resource {
        Resource::ServerAddresses(vec!["10.0.0.1:8503".into()])
    }

    fn refusal_of(response: Response) -> (i32, String) {
        let refusal = check(response).unwrap_err();
        (refusal.code.number(), refusal.message)
    }

    fn with(change: impl FnOnce(&mut Response)) -> (i32, String) {
        let mut response = Response::upsert("00000001".into(), "server-addrs", addresses());
        change(&mut response);
        refusal_of(response)
    }

    const SA: &str = "type.googleapis.com/hashicorp.consul.internal.peering.PeeringServerAddresses";
    const TB: &str = "type.googleapis.com/hashicorp.consul.internal.peering.PeeringTrustBundle";

    #[test]
    fn each_broken_rule_of_a_response_has_its_code_and_text() {
        assert_eq!(
            with(|r| r.url = ResourceUrl::Unknown("a.b/C".into())),
            (3, "received response for unknown resource type \"a.b/C\"".into())
        );
        assert_eq!(with(|r| r.nonce.clear()), (3, format!("received response without a nonce for: {SA}:server-addrs")));
        assert_eq!(with(|r| r.content = Content::Absent), (3, "received upsert response with no content".into()));
        assert_eq!(
            with(|r| r.operation = Operation::Unspecified),
            (3, "unsupported operation: \"OPERATION_UNSPECIFIED\"".into())
        );
        assert_eq!(with(|r| r.operation = Operation::Other(2)), (3, "unsupported operation: 2".into()));
        let prefix = format!("upsert error, ResourceURL: \"{SA}\", ResourceID: \"server-addrs\": ");
        assert_eq!(
            with(|r| r.content = Content::Mismatched { type_url: TB.into() }),
            (13, format!("{prefix}mismatched resourceURL \"{SA}\" and Any typeUrl \"{TB}\""))
        );
        assert_eq!(
            with(|r| r.content = Content::Undecodable { reason: "bad wire type".into() }),
            (13, format!("{prefix}bad wire type"))
        );
        assert_eq!(
            with(|r| r.content = Content::Invalid { reason: "no node".into() }),
            (3, format!("{prefix}no node"))
        );
    }

    #[test]
    fn a_resource_under_another_announced_type_is_a_mismatch() {
        let (code, text) = with(|r| r.url = ResourceUrl::TrustBundle);
        assert_eq!(code, 13);
        assert!(text.ends_with(&format!("mismatched resourceURL \"{TB}\" and Any typeUrl \"{SA}\"")), "{text}");
    }

    #[test]
    fn the_type_is_judged_before_the_nonce_and_the_nonce_before_the_operation() {
        let (_, text) = with(|r| {
            r.nonce.clear();
            r.operation = Operation::Unspecified;
        });
        assert!(text.starts_with("received response without a nonce"), "{text}");
        let (_, text) = with(|r| {
            r.nonce.clear();
            r.url = ResourceUrl::Unknown(String::new());
        });
        assert!(text.starts_with("received response for unknown"), "{text}");
    }

    #[test]
    fn resources_beyond_a_bound_are_refused_with_it() {
        let bundle = |domain: &str, roots: &[&str]| {
            let root_pems = roots.iter().map(|&pem| pem.to_owned()).collect();
            Resource::TrustBundle(TrustBundle { trust_domain: domain.to_owned(), root_pems })
        };
        let large = "x".repeat(ROOTS_BYTES_MAX);
        let name = "n".repeat(SERVICE_NAME_BYTES_MAX + 1);
        for (resource, expected) in [
            (bundle("", &["pem"]), "expected a trust domain of 1 to 253 bytes, got 0"),
            (bundle("d", &[]), "expected at least one root certificate in a trust bundle"),
            (bundle("d", &["", " \n"]), "expected at least one root certificate in a trust bundle"),
            (bundle("d", &["pem"; 17]), "expected at most 16 roots, got 17"),
            (bundle("d", &[large.as_str(), "x"]), "expected at most 524288 bytes of roots, got 524289"),
            (Resource::ServerAddresses(vec!["a:1".into(); 65]), "expected at most 64 addresses, got 65"),
            (Resource::ServerAddresses(vec![String::new()]), "expected an address of 1 to 261 bytes, got 0"),
            (
                Resource::ExportedServiceList(vec!["web".into(); SERVICES_MAX + 1]),
                "expected at most 10000 services, got 10001",
            ),
            (Resource::ExportedServiceList(vec![name]), "expected a service name of 1 to 253 bytes, got 254"),
        ] {
            let (code, text) = refusal_of(Response::upsert("1".into(), "id", resource));
            assert_eq!(code, 3);
            assert!(text.starts_with("upsert error, ") && text.ends_with(expected), "{text}");
        }
    }

    #[test]
    fn resources_at_their_bounds_are_taken() {
        let bundle = |domain: usize, root_pems: Vec<String>| {
            Resource::TrustBundle(TrustBundle { trust_domain: "d".repeat(domain), root_pems })
        };
        let is_taken = |resource: &Resource| bound("id", resource).is_ok();
        assert!(is_taken(&bundle(TRUST_DOMAIN_BYTES_MAX, vec!["x".repeat(ROOTS_BYTES_MAX)])));
        assert!(is_taken(&bundle(1, vec!["x".to_owned(); ROOTS_MAX])));
        assert!(!is_taken(&bundle(TRUST_DOMAIN_BYTES_MAX + 1, vec!["x".to_owned()])));
        let addresses = |bytes, count| Resource::ServerAddresses(vec!["a".repeat(bytes); count]);
        assert!(is_taken(&addresses(ADDRESS_BYTES_MAX, ADDRESSES_MAX)));
        assert!(!is_taken(&addresses(ADDRESS_BYTES_MAX + 1, 1)));
        assert!(is_taken(&Resource::ExportedServiceList(vec!["n".repeat(SERVICE_NAME_BYTES_MAX)])));
    }

    #[test]
    fn an_address_list_may_be_empty_for_the_record_to_judge() {
        assert!(check(Response::upsert("1".into(), "server-addrs", Resource::ServerAddresses(vec![]))).is_ok());
    }

    #[test]
    fn answers_keep_the_order_of_arrival_behind_a_slow_store() {
        let (mut imports, mut actions) = (Imports::default(), VecDeque::new());
        imports.on_response(Response::upsert("a".into(), "server-addrs", addresses()), &mut actions);
        imports.on_response(Response::upsert(String::new(), "b", addresses()), &mut actions);
        imports.on_response(Response::upsert("c".into(), "server-addrs", addresses()), &mut actions);
        assert_eq!(actions.len(), 1, "only the first is being stored: {actions:?}");
        actions.clear();
        imports.done(Ok(()), &mut actions);
        let sent: Vec<_> = actions.drain(..).collect();
        let [Action::Send(Frame::Request(first)), Action::Send(Frame::Request(second)), Action::Store(_)] = &sent[..]
        else {
            panic!("{sent:?}");
        };
        assert_eq!((first.nonce.as_str(), first.error.is_none()), ("a", true));
        assert_eq!((second.nonce.as_str(), second.error.is_some()), ("", true));
    }

    #[test]
    fn a_refusal_of_the_store_is_sent_with_its_place() {
        let (mut imports, mut actions) = (Imports::default(), VecDeque::new());
        imports.on_response(Response::upsert("7".into(), "server-addrs", addresses()), &mut actions);
        actions.clear();
        imports.done(Err(Refusal::new(StatusCode::Internal, "disk full")), &mut actions);
        let text = format!("upsert error, ResourceURL: \"{SA}\", ResourceID: \"server-addrs\": disk full");
        let refused = Err(Refusal::new(StatusCode::Internal, text));
        assert_eq!(actions, [reply(ResourceUrl::ServerAddresses, "7".into(), refused)]);
    }

    #[test]
    fn a_full_queue_says_so() {
        let (mut imports, mut actions) = (Imports::default(), VecDeque::new());
        for _ in 0..=IMPORTS_WAITING_MAX {
            assert!(imports.has_room());
            imports.on_response(Response::upsert("1".into(), "server-addrs", addresses()), &mut actions);
        }
        assert!(!imports.has_room());
        imports.done(Ok(()), &mut actions);
        assert!(imports.has_room());
    }
}
