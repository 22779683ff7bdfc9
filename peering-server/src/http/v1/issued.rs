//! `/v1/peering-tokens`: issued peering tokens, listed, read and revoked. Ours; Consul lists none.
//!
//! | parameter of the list | what is listed |
//! |---|---|
//! | `peer=NAME` | tokens for this peer, of deleted peerings of that name too |
//! | `state=unused,redeemed` | tokens in one of these states |
//! | `older-than=24h` | tokens issued at least so long ago, by this server's clock |
//! | `after=INDEX` | tokens with a greater `CreateIndex`: what follows an answer that was cut |
//!
//! Reading and revoking one take `peering=ID`, by which it is found at once.
//!
//! An answer has at most [`LISTED_TOKENS_MAX`](crate::bounds::LISTED_TOKENS_MAX) tokens. If there are more, the header
//! `X-Peering-Next-After` has the index to go on after.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use peering_core::api::issued::PeeringToken;
use peering_core::duration::GoDuration;
use peering_core::foreign;
use peering_core::gojson::go_quoted;
use peering_core::id::{PeeringId, TokenId};
use peering_core::life::TokenState;
use peering_core::secrets::Refusal;

use super::render;
use crate::http::error::HttpError;
use crate::http::extract::Asked;
use crate::http::query::{ReadOptions, blocking, blocking_for_one};
use crate::http::{App, answer, to_its_end};
use crate::service::ServiceError;
use crate::service::access::Action;
use crate::service::issued::TokenFilter;
use crate::store::key;

pub(crate) async fn list(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let parts = request.into_parts().0;
    let asked = Asked::of(&parts);
    asked.refuse_partition()?;
    let options = ReadOptions::of(&parts)?;
    let filter = filter(&asked)?;
    let listed = blocking(&app, options, key::TOKENS, || async {
        // Asked again after a wait, over which an ACL token may have ended.
        app.service.require(&asked.actor, Action::PeeringRead).await?;
        app.service.list_issued(&filter).await
    })
    .await?;
    let tokens: Vec<PeeringToken> = listed.value.tokens.iter().map(render::token).collect();
    let response = answer::with_index(answer::json(&app, &asked, &tokens), listed.index);
    Ok(match tokens.last().filter(|_| listed.value.has_more) {
        Some(last) => answer::with_next(response, last.create_index),
        None => response,
    })
}

pub(crate) async fn read(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, HttpError> {
    let parts = request.into_parts().0;
    let asked = Asked::of(&parts);
    asked.refuse_partition()?;
    let options = ReadOptions::of(&parts)?;
    let (id, peering) = (token_id(&id)?, peering_id(&asked)?);
    let found = blocking_for_one(&app, options, Some(key::TOKENS), || async {
        app.service.require(&asked.actor, Action::PeeringRead).await?;
        app.service.find_issued(id, peering).await
    })
    .await?;
    let found = found.or_not_found(|| ServiceError::Refused(Refusal::NoToken(id)))?;
    let response = answer::json(&app, &asked, &render::token(&found.value));
    Ok(answer::with_index(response, found.index))
}

pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, HttpError> {
    let asked = Asked::of(&request.into_parts().0);
    asked.refuse_partition()?;
    let (id, peering) = (token_id(&id)?, peering_id(&asked)?);
    let origin = app.service.require(&asked.actor, Action::PeeringWrite).await?;
    let service = Arc::clone(&app.service);
    to_its_end(async move { service.revoke_token(id, peering, origin).await }).await?;
    Ok(answer::empty())
}

pub(crate) async fn without_id() -> HttpError {
    HttpError::bad_request("Must specify the id of a token.")
}

/// Reads the id of a token from a path.
fn token_id(given: &str) -> Result<TokenId, HttpError> {
    TokenId::parse(given).map_err(|error| HttpError::bad_request(format!("token id: {error}")))
}

/// Reads in which peering a token is, if that is said.
fn peering_id(asked: &Asked) -> Result<Option<PeeringId>, HttpError> {
    let id = asked.query("peering").map(PeeringId::parse).transpose();
    id.map_err(|error| HttpError::bad_request(format!("peering: {error}")))
}

/// Reads what is asked for.
fn filter(asked: &Asked) -> Result<TokenFilter, HttpError> {
    let states = asked.query("state").map(|given| given.split(',').map(state).collect()).transpose()?;
    let older_than = match asked.query("older-than").map(GoDuration::parse) {
        None => None,
        Some(Ok(age)) => match age.to_std() {
            Some(age) => Some(age),
            None => {
                return Err(HttpError::bad_request(format!("older-than: expected a duration of 0 or more, got {age}")));
            }
        },
        Some(Err(error)) => return Err(HttpError::bad_request(format!("older-than: {error}"))),
    };
    let after = match asked.query("after").map(str::parse) {
        None => 0,
        Some(Ok(after)) => after,
        Some(Err(_)) => return Err(HttpError::bad_request("after: expected the CreateIndex of a token")),
    };
    Ok(TokenFilter {
        peer: asked.query("peer").map(str::to_owned),
        states: states.unwrap_or_default(),
        older_than,
        after,
    })
}

fn state(word: &str) -> Result<TokenState, HttpError> {
    TokenState::from_word(word).ok_or_else(|| {
        let words = TokenState::ALL.map(TokenState::as_str).join(", ");
        HttpError::bad_request(format!("state: expected some of {words}, got {}", go_quoted(foreign::echo(word))))
    })
}
