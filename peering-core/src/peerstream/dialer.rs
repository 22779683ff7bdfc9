//! The dialing session: it opens, subscribes and beats at once, without waiting for an answer.

use std::time::Instant;

use super::frame::{Frame, Open, ResourceUrl};
use super::outbox::Offer;
use super::session::{Action, Phase, Role, Session};

impl Session {
    /// Opens a stream. The first actions send `Open`, four subscriptions and a heartbeat: a driver puts them on the
    /// way before it waits for the call to be answered, because an acceptor answers only with its own first frame.
    ///
    /// [`Action::Connected`] comes with the first frame of the acceptor that shows acceptance.
    #[must_use]
    pub fn dial(open: Open, offer: Offer, now: Instant) -> Self {
        let mut session = Self::new(Role::Dialer, Phase::Ended);
        session.peer_id.clone_from(&open.peer_id);
        session.actions.push_back(Action::Send(Frame::Open(open)));
        session.run(offer, &ResourceUrl::KNOWN, now);
        session
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::peerstream::frame::{Request, Resource, TrustBundle};
    use crate::peerstream::session::tests::{drain, nothing, open, subscription};
    use crate::peerstream::virtual_time::start_of_time;
    use crate::peerstream::{FAREWELL_TIMEOUT, Refusal, StatusCode};

    fn dialed(now: Instant) -> Session {
        let mut session = Session::dial(open(), Offer::default(), now);
        drain(&mut session);
        session
    }

    #[test]
    fn it_opens_subscribes_to_all_four_types_and_beats_without_waiting() {
        let mut session = Session::dial(open(), Offer::default(), start_of_time());
        let mut expected = vec![Action::Send(Frame::Open(open()))];
        for url in ResourceUrl::KNOWN {
            expected.push(Action::Send(Frame::Request(Request::subscribe("a-id", url))));
        }
        expected.push(Action::Send(Frame::Heartbeat));
        assert_eq!(drain(&mut session), expected);
    }

    #[test]
    fn any_frame_of_an_acceptor_that_accepted_connects_it_once() {
        let now = start_of_time();
        let mut session = dialed(now);
        session.on_frame(Frame::Unknown, now);
        assert_eq!(drain(&mut session), nothing());
        session.on_frame(subscription(ResourceUrl::ExportedServiceList), now);
        assert_eq!(drain(&mut session), [Action::Connected]);
        session.on_frame(Frame::Heartbeat, now);
        assert_eq!(drain(&mut session), nothing());
    }

    #[test]
    fn a_refusal_after_open_ends_it_without_ever_connecting() {
        let now = start_of_time();
        let mut session = dialed(now);
        let refusal = Refusal::invalid_stream_secret();
        session.on_end(Err(refusal.clone()));
        assert_eq!(drain(&mut session), [Action::End(Err(refusal))]);
        assert_eq!(session.next_deadline(), None);
    }

    #[test]
    fn terminated_is_stored_then_half_closed_and_whatever_ends_the_call_is_well() {
        for ending in [Ok(()), Err(Refusal::peering_deleted("a-id"))] {
            let now = start_of_time();
            let mut session = dialed(now);
            session.on_frame(Frame::Terminated, now);
            assert_eq!(drain(&mut session), [Action::PeerTerminated, Action::HalfClose]);
            session.on_frame(Frame::Heartbeat, now);
            session.on_end(ending);
            assert_eq!(drain(&mut session), [Action::End(Ok(()))]);
        }
    }

    #[test]
    fn an_acceptor_that_never_ends_the_call_after_terminated_is_left() {
        let now = start_of_time();
        let mut session = dialed(now);
        session.on_frame(Frame::Terminated, now);
        drain(&mut session);
        assert_eq!(session.next_deadline(), Some(now + FAREWELL_TIMEOUT));
        session.on_deadline(now + FAREWELL_TIMEOUT - Duration::from_millis(1));
        assert_eq!(drain(&mut session), nothing());
        session.on_deadline(now + FAREWELL_TIMEOUT);
        assert_eq!(drain(&mut session), [Action::End(Ok(()))]);
    }

    #[test]
    fn a_deletion_is_told_then_half_closed_and_read_to_the_end() {
        let now = start_of_time();
        let mut session = dialed(now);
        session.delete(now);
        assert_eq!(drain(&mut session), [Action::Send(Frame::Terminated), Action::HalfClose]);
        session.on_frame(subscription(ResourceUrl::TrustBundle), now);
        session.delete(now);
        assert_eq!(drain(&mut session), nothing());
        session.on_end(Ok(()));
        assert_eq!(drain(&mut session), [Action::End(Ok(()))]);
    }

    #[test]
    fn an_end_without_terminated_is_a_failure_even_if_it_says_ok() {
        let now = start_of_time();
        let mut session = dialed(now);
        session.on_end(Ok(()));
        let refusal = Refusal::new(StatusCode::Unknown, "stream ended unexpectedly");
        assert_eq!(drain(&mut session), [Action::End(Err(refusal))]);
    }

    #[test]
    fn a_subscription_for_another_peering_ends_it() {
        let now = start_of_time();
        let mut session = dialed(now);
        session.on_frame(Frame::Request(Request::subscribe("a-id", ResourceUrl::ExportedService)), now);
        drain(&mut session);
        session.on_frame(Frame::Request(Request::subscribe("other", ResourceUrl::TrustBundle)), now);
        let text = "initial subscription requests for a resource type must have consistent PeerID values: \
                    got=\"other\" expected=\"a-id\"";
        assert_eq!(drain(&mut session), [Action::End(Err(Refusal::new(StatusCode::InvalidArgument, text)))]);
    }

    #[test]
    fn it_tells_its_roots_but_never_addresses() {
        let now = start_of_time();
        let bundle = TrustBundle { trust_domain: "d".into(), root_pems: vec!["pem\n".into()] };
        let offer = Offer {
            trust_bundle: Some(bundle.clone()),
            server_addresses: vec!["a:1".into()],
            exported_services: Some(vec![]),
        };
        let mut session = Session::dial(open(), offer, now);
        drain(&mut session);
        session.on_frame(subscription(ResourceUrl::ServerAddresses), now);
        assert_eq!(drain(&mut session), [Action::Connected]);
        session.on_frame(subscription(ResourceUrl::TrustBundle), now);
        let sent = drain(&mut session);
        assert!(
            matches!(&sent[..], [Action::Send(Frame::Response(response))]
                if response.content == crate::peerstream::Content::Resource(Resource::TrustBundle(bundle))),
            "{sent:?}"
        );
    }
}
