//! A token without CA is used only where the operator allows it.

use std::sync::Mutex;

use async_trait::async_trait;
use peering_core::secret::StreamSecret;

use super::bench::{Bench, Operate};
use crate::service::ServiceError;
use crate::service::establish::{CallError, ExchangeAsk, ExchangeClient};

/// Remembers whether it was asked in clear.
#[derive(Default)]
struct Spy {
    asked: Mutex<Vec<bool>>,
}

#[async_trait]
impl ExchangeClient for Spy {
    async fn exchange(&self, ask: ExchangeAsk<'_>) -> Result<StreamSecret, CallError> {
        self.asked.lock().unwrap().push(ask.dialed.plaintext);
        Ok(StreamSecret::from_text("22222222-3333-4444-5555-666666666666"))
    }
}

#[tokio::test]
async fn a_token_without_ca_is_refused_unless_plaintext_is_allowed() {
    let mut token = Bench::new("dc1").service().await.token("dialer").await.unwrap();
    for (allow_plaintext, has_ca) in [(false, false), (true, false), (true, true)] {
        let spy = std::sync::Arc::new(Spy::default());
        let mut bench = Bench::new("dc2");
        (bench.allow_plaintext, bench.exchange) = (allow_plaintext, spy.clone());
        let dialer = bench.service().await;
        let ca = if has_ca { token.ca.clone() } else { vec![] };
        let given = peering_core::token::PeeringToken { ca, ..token.clone() };
        let outcome = dialer.use_token("acceptor", &given).await;
        if allow_plaintext {
            outcome.unwrap();
            assert_eq!(*spy.asked.lock().unwrap(), [!has_ca]);
        } else {
            let refused = outcome.unwrap_err();
            assert!(matches!(refused, ServiceError::PlaintextToken), "{refused}");
            assert!(spy.asked.lock().unwrap().is_empty(), "the secret stays here");
            let absent = dialer.read_peering("acceptor").await;
            assert!(matches!(absent, Err(ServiceError::NotFound(_))), "and no record is made");
        }
    }
    token.ca = vec![String::new()];
    let refused = Bench::new("dc2").service().await.use_token("acceptor", &token).await.unwrap_err();
    assert!(refused.to_string().starts_with("peering token invalid CA"), "an empty entry is no plaintext: {refused}");
}
