//! What we tell the peer, each thing once it was asked for and again only when it changed.

use super::frame::{Nonce, Resource, ResourceUrl, Response, TrustBundle};

/// Resource id of the one service list.
const SERVICE_LIST_ID: &str = "exported-service-list";
/// Resource id of the one trust bundle.
const TRUST_BUNDLE_ID: &str = "roots";
/// Resource id of the one list of addresses.
const SERVER_ADDRESSES_ID: &str = "server-addrs";

/// What one side has to tell the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// Our roots; none in plaintext, where a bundle would make the peer expect TLS. An empty one is never sent.
    pub trust_bundle: Option<TrustBundle>,
    /// Where to dial us next time; sent by an acceptor only. An empty list is never sent.
    pub server_addresses: Vec<String>,
    /// Names of the services exported to this peer, sorted. An empty list is sent, since it takes back what was exported
    /// before; `None` says that it is not known yet, and nothing is sent.
    pub exported_services: Option<Vec<String>>,
}

/// The responses of one running stream.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    offer: Offer,
    nonce: Nonce,
    subscribed: Vec<ResourceUrl>,
    sent_bundle: Option<TrustBundle>,
    sent_addresses: Vec<String>,
    sent_services: Option<Vec<String>>,
}

impl Outbox {
    pub(super) fn new(offer: Offer) -> Self {
        Self { offer, ..Self::default() }
    }

    /// Says whether the peer asked for this type.
    pub(super) fn is_subscribed(&self, url: &ResourceUrl) -> bool {
        self.subscribed.contains(url)
    }

    /// Notes that the peer asks for a known type.
    pub(super) fn subscribe(&mut self, url: ResourceUrl) {
        if !self.is_subscribed(&url) {
            self.subscribed.push(url);
        }
    }

    /// Replaces what there is to tell.
    pub(super) fn set(&mut self, offer: Offer) {
        self.offer = offer;
    }

    /// Returns the next response that is due, if any.
    pub(super) fn next(&mut self) -> Option<Response> {
        if self.is_subscribed(&ResourceUrl::ServerAddresses)
            && !self.offer.server_addresses.is_empty()
            && self.offer.server_addresses != self.sent_addresses
        {
            self.sent_addresses.clone_from(&self.offer.server_addresses);
            let resource = Resource::ServerAddresses(self.sent_addresses.clone());
            return Some(self.upsert(SERVER_ADDRESSES_ID, resource));
        }
        if self.is_subscribed(&ResourceUrl::TrustBundle)
            && self.offer.trust_bundle != self.sent_bundle
            && let Some(bundle) = self.offer.trust_bundle.clone().filter(|bundle| !bundle.root_pems.is_empty())
        {
            self.sent_bundle = Some(bundle.clone());
            return Some(self.upsert(TRUST_BUNDLE_ID, Resource::TrustBundle(bundle)));
        }
        // The subscription to services asks for the list too; the one to the list only allows to acknowledge it.
        if self.is_subscribed(&ResourceUrl::ExportedService)
            && self.offer.exported_services != self.sent_services
            && let Some(names) = self.offer.exported_services.clone()
        {
            self.sent_services = Some(names.clone());
            return Some(self.upsert(SERVICE_LIST_ID, Resource::ExportedServiceList(names)));
        }
        None
    }

    fn upsert(&mut self, id: &str, resource: Resource) -> Response {
        Response::upsert(self.nonce.advance(), id, resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peerstream::frame::Content;

    fn offer() -> Offer {
        let bundle = TrustBundle { trust_domain: "d".into(), root_pems: vec!["pem\n".into()] };
        Offer { trust_bundle: Some(bundle), server_addresses: vec!["a:1".into()], exported_services: None }
    }

    fn exporting(names: &[&str]) -> Offer {
        Offer { exported_services: Some(names.iter().map(|name| (*name).to_owned()).collect()), ..Offer::default() }
    }

    fn drain(outbox: &mut Outbox) -> Vec<(String, String)> {
        std::iter::from_fn(|| outbox.next()).map(|response| (response.nonce, response.resource_id)).collect()
    }

    fn pair(nonce: &str, id: &str) -> (String, String) {
        (nonce.to_owned(), id.to_owned())
    }

    #[test]
    fn nothing_is_told_before_it_is_asked_for() {
        let mut outbox = Outbox::new(offer());
        assert_eq!(drain(&mut outbox), []);
        outbox.subscribe(ResourceUrl::TrustBundle);
        assert_eq!(drain(&mut outbox), [pair("00000001", "roots")]);
        outbox.subscribe(ResourceUrl::ServerAddresses);
        assert_eq!(drain(&mut outbox), [pair("00000002", "server-addrs")]);
    }

    #[test]
    fn the_service_list_hangs_on_the_subscription_to_services() {
        let mut outbox = Outbox::new(exporting(&[]));
        outbox.subscribe(ResourceUrl::ExportedServiceList);
        assert_eq!(drain(&mut outbox), []);
        outbox.subscribe(ResourceUrl::ExportedService);
        assert_eq!(drain(&mut outbox), [pair("00000001", "exported-service-list")]);
        outbox.subscribe(ResourceUrl::ExportedService);
        assert_eq!(drain(&mut outbox), []);
    }

    #[test]
    fn a_list_is_sent_once_it_is_known_and_whenever_it_changes_down_to_an_empty_one() {
        let mut outbox = Outbox::new(Offer::default());
        outbox.subscribe(ResourceUrl::ExportedService);
        let mut sent = |offer: Offer| {
            outbox.set(offer);
            std::iter::from_fn(|| outbox.next()).map(|response| response.content).collect::<Vec<_>>()
        };
        let list = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            Content::Resource(Resource::ExportedServiceList(names))
        };
        assert_eq!(sent(Offer::default()), []);
        assert_eq!(sent(exporting(&["web"])), [list(&["web"])]);
        assert_eq!(sent(exporting(&["web"])), []);
        assert_eq!(sent(exporting(&["api", "web"])), [list(&["api", "web"])]);
        assert_eq!(sent(Offer::default()), []);
        assert_eq!(sent(exporting(&[])), [list(&[])]);
    }

    #[test]
    fn only_a_change_is_told_again() {
        let mut outbox = Outbox::new(offer());
        outbox.subscribe(ResourceUrl::TrustBundle);
        outbox.subscribe(ResourceUrl::ServerAddresses);
        assert_eq!(drain(&mut outbox).len(), 2);
        outbox.set(offer());
        assert_eq!(drain(&mut outbox), []);
        outbox.set(Offer { server_addresses: vec!["b:2".into()], ..offer() });
        assert_eq!(drain(&mut outbox), [pair("00000003", "server-addrs")]);
    }

    #[test]
    fn an_empty_bundle_or_list_is_never_sent() {
        let empty = TrustBundle { trust_domain: "d".into(), root_pems: vec![] };
        let mut outbox = Outbox::new(Offer { trust_bundle: Some(empty), ..Offer::default() });
        outbox.subscribe(ResourceUrl::TrustBundle);
        outbox.subscribe(ResourceUrl::ServerAddresses);
        assert_eq!(drain(&mut outbox), []);
    }
}
