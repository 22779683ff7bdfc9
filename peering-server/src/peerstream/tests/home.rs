//! A whole server in this process, and what its operator does.

use std::sync::Arc;
use std::time::Duration;

use peering_core::name::Datacenter;
use peering_core::peering::state::Reported;
use peering_core::secrets;
use peering_core::token::{PeeringToken, UnverifiedToken};
use peering_core::transition::Origin;

use super::clock::until;
use crate::config::Config;
use crate::server::{Server, Sources};
use crate::service::establish::EstablishRequest;
use crate::service::peerings::{PeeringView, TokenRequest};
use crate::service::status::Explanation;
use crate::service::{Service, ServiceError};

/// One cluster of ours.
pub(super) struct Home {
    pub(super) server: Server,
}

impl Home {
    pub(super) async fn start(datacenter: &str) -> Self {
        Self::start_with(datacenter, Sources::default(), |_| {}).await
    }

    pub(super) async fn start_with(datacenter: &str, sources: Sources, adjust: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::ephemeral(Datacenter::parse(datacenter).unwrap());
        adjust(&mut config);
        Self { server: Server::start_with(config, sources).await.unwrap() }
    }

    pub(super) fn service(&self) -> &Arc<Service> {
        self.server.service()
    }

    pub(super) async fn token_text(&self, name: &str) -> String {
        let request = TokenRequest { name: name.to_owned(), ..TokenRequest::default() };
        let checked = self.service().check_token_request(request).unwrap();
        self.service().generate_token(checked, Origin::default()).await.unwrap()
    }

    pub(super) async fn token(&self, name: &str) -> PeeringToken {
        UnverifiedToken::decode(&self.token_text(name).await).unwrap().claims().clone()
    }

    pub(super) async fn establish(&self, name: &str, token: &str) -> Result<(), ServiceError> {
        let request =
            EstablishRequest { name: name.to_owned(), token: token.to_owned(), ..EstablishRequest::default() };
        let checked = self.service().check_establish(request)?;
        self.service().establish(checked, Origin::default()).await
    }

    pub(super) async fn delete(&self, name: &str) {
        self.service().delete_peering(name, Origin::default()).await.unwrap();
    }

    pub(super) async fn view(&self, name: &str) -> Option<PeeringView> {
        match self.service().read_peering(name).await {
            Ok(found) => Some(found.value),
            Err(ServiceError::NotFound(_)) => None,
            Err(error) => panic!("{error}"),
        }
    }

    pub(super) async fn state(&self, name: &str) -> Option<Reported> {
        self.view(name).await.map(|view| view.state)
    }

    /// Returns what explains a state, as an operator reads it.
    pub(super) async fn explanation(&self, name: &str) -> Explanation {
        self.view(name).await.and_then(|view| view.explanation).unwrap_or_default()
    }

    /// Returns what went wrong last.
    pub(super) async fn last_error(&self, name: &str) -> Option<String> {
        self.explanation(name).await.last_error.map(|error| error.text.into())
    }

    /// Returns the code of what went wrong last.
    pub(super) async fn last_code(&self, name: &str) -> Option<String> {
        self.explanation(name).await.last_error.map(|error| error.trouble.code().into_owned())
    }

    /// Waits until this is the code of what went wrong last.
    pub(super) async fn fails_by(&self, name: &str, code: &str) {
        for _ in 0..10_000 {
            if self.last_code(name).await.as_deref() == Some(code) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("{name} should have failed by {code}: {:?}", self.explanation(name).await);
    }

    pub(super) async fn reads(&self, name: &str, expected: Reported) {
        until(&format!("{name} reads {expected:?}"), async || self.state(name).await == Some(expected)).await;
    }

    pub(super) async fn is_gone(&self, name: &str) {
        until(&format!("{name} is gone"), async || self.state(name).await.is_none()).await;
    }
}

/// The refusal in an error of the service.
pub(super) fn refusal(outcome: Result<(), ServiceError>) -> secrets::Refusal {
    match outcome {
        Err(ServiceError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}
