//! The calls about issued peering tokens, which a server of ours has and a Consul has not.

use std::collections::BTreeMap;

use peering_core::api::issued::PeeringToken;
use peering_core::id::{PeeringId, TokenId};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName};

use super::{Client, form_encoded, from_body};
use crate::client::connection::Answer;
use crate::client::error::ClientError;

const TOKENS: &str = "/v1/peering-tokens";
/// Header of a list that was cut: the index to go on after.
const NEXT_AFTER: HeaderName = HeaderName::from_static("x-peering-next-after");
/// Header of every read: the store's index.
const INDEX: HeaderName = HeaderName::from_static("x-consul-index");

/// Which tokens are asked for; empty texts ask for nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wanted {
    pub peer: String,
    pub states: String,
    pub older_than: String,
}

/// Tokens in the order in which they were issued.
#[derive(Debug, Default)]
pub(crate) struct Issued {
    pub tokens: Vec<PeeringToken>,
    /// The store's index when the list began: whatever was issued later has a greater one.
    pub index: u64,
}

impl Client {
    /// Lists issued tokens, however many answers that takes.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn issued(&self, wanted: &Wanted) -> Result<Issued, ClientError> {
        let Wanted { peer, states, older_than } = wanted;
        let given = [("peer", peer), ("state", states), ("older-than", older_than)];
        let mut query: BTreeMap<&'static str, String> = given
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| (key, form_encoded(value)))
            .collect();
        let mut issued = Issued::default();
        loop {
            let tail = format!("{TOKENS}{}", self.query_with(query.clone()));
            let answer = self.connection.call(Method::GET, &tail, None).await?;
            if issued.index == 0 {
                issued.index = number(&answer.headers, &INDEX).unwrap_or_default();
            }
            issued.tokens.extend(from_body::<Vec<PeeringToken>>(&answer.body)?);
            let last = issued.tokens.last().map_or(0, |token| token.create_index);
            match number(&answer.headers, &NEXT_AFTER) {
                // An answer that goes back would never end.
                Some(after)
                    if after >= last && query.get("after").is_none_or(|before| *before != after.to_string()) =>
                {
                    query.insert("after", after.to_string());
                }
                _ => return Ok(issued),
            }
        }
    }

    /// Reads one issued token, which a server finds sooner by its peering too.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn issued_token(
        &self,
        id: TokenId,
        peering: Option<PeeringId>,
    ) -> Result<PeeringToken, ClientError> {
        from_body(&self.about(Method::GET, id, peering).await?.body)
    }

    /// Takes an issued token back, which a server finds sooner by its peering too.
    ///
    /// # Errors
    /// [`ClientError`] as for every call.
    pub(crate) async fn revoke_issued(&self, id: TokenId, peering: Option<PeeringId>) -> Result<(), ClientError> {
        self.about(Method::DELETE, id, peering).await.map(|_| ())
    }

    async fn about(&self, method: Method, id: TokenId, peering: Option<PeeringId>) -> Result<Answer, ClientError> {
        let query = peering.map(|peering| ("peering", peering.to_string()));
        let tail = format!("{TOKENS}/{id}{}", self.query_with(query));
        self.connection.call(method, &tail, None).await
    }
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}
