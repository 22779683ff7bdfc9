//! What a request says of a token, checked in Consul's order.

use jiff::Timestamp;
use peering_core::acl::{EXPIRATION_MIN, POLICIES_MAX, is_reserved};
use peering_core::api::acl::{AclLink, AclTokenRequest};
use peering_core::duration::GoDuration;
use peering_core::foreign::echo;
use uuid::Uuid;

use super::AclError;
use super::policies::parse_id;
use crate::service::{Service, ServiceError};

/// Reads an id that a caller wants a new token to have; none if the server is to choose.
pub(super) fn given_id(field: &'static str, text: &str) -> Result<Option<Uuid>, AclError> {
    if text.is_empty() {
        return Ok(None);
    }
    let id = parse_id(text).ok_or(AclError::GivenId { field })?;
    if is_reserved(id) { Err(AclError::ReservedId { field }) } else { Ok(Some(id)) }
}

/// Works out when a token is to end.
pub(super) fn end(request: &AclTokenRequest, now: Timestamp) -> Result<Option<Timestamp>, AclError> {
    let ttl = request.expiration_ttl.filter(|ttl| ttl.to_std() != Some(std::time::Duration::ZERO));
    let end = match (ttl, request.expiration_time) {
        (None, None) => return Ok(None),
        (Some(ttl), time) => {
            let length = ttl.to_std().ok_or(AclError::NegativeTtl(ttl))?;
            if time.is_some() {
                return Err(AclError::TwoEnds);
            }
            now.checked_add(length).map_err(|_| AclError::EndTooFar(ttl))?
        }
        (None, Some(time)) => time,
    };
    if end < now {
        return Err(AclError::EndBeforeBegin);
    }
    let left = end.duration_since(now).unsigned_abs();
    if left < EXPIRATION_MIN {
        let was = GoDuration::from_nanos(i64::try_from(left.as_nanos()).unwrap_or(i64::MAX));
        return Err(AclError::EndTooNear { was });
    }
    Ok(Some(end))
}

/// Refuses what tokens of this server cannot have.
pub(super) fn check_kinds(request: &AclTokenRequest) -> Result<(), AclError> {
    if let Some(role) = request.roles.first() {
        if !role.id.is_empty() && parse_id(&role.id).is_none() {
            return Err(AclError::RoleNotAnId(echo(&role.id).to_owned()));
        }
        let (by, value) = if role.id.is_empty() { ("name", &role.name) } else { ("ID", &role.id) };
        return Err(AclError::Role { by, value: echo(value).to_owned() });
    }
    if request.identities > 0 {
        return Err(AclError::Identities);
    }
    Ok(())
}

impl Service {
    /// Looks up the policies of links: by id, else by name; each once, in the order in which they were given.
    pub(super) async fn linked_policies(&self, links: &[AclLink]) -> Result<Vec<Uuid>, ServiceError> {
        if links.len() > POLICIES_MAX {
            let got = links.len();
            return Err(AclError::TooLong { what: "Policies", max: POLICIES_MAX, unit: "policies", got }.into());
        }
        let mut policies = Vec::with_capacity(links.len());
        for link in links {
            let shown = |text: &str| echo(text).to_owned();
            let found = if link.id.is_empty() {
                let found = self.policy_by_name(&link.name).await?;
                found.ok_or_else(|| AclError::LinkedName(shown(&link.name)))?
            } else {
                let id = parse_id(&link.id).ok_or_else(|| AclError::LinkedNotAnId(shown(&link.id)))?;
                self.policy_by_id(id).await?.ok_or_else(|| AclError::LinkedId(shown(&link.id)))?
            };
            if !policies.contains(&found.stored.id) {
                policies.push(found.stored.id);
            }
        }
        Ok(policies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(ttl: Option<&str>, time: Option<&str>) -> Result<Option<String>, String> {
        let request = AclTokenRequest {
            expiration_ttl: ttl.map(|text| GoDuration::parse(text).unwrap()),
            expiration_time: time.map(|text| text.parse().unwrap()),
            ..AclTokenRequest::default()
        };
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        end(&request, now).map(|end| end.map(|end| end.to_string())).map_err(|error| error.to_string())
    }

    #[test]
    fn an_end_is_given_once_and_lies_a_minute_ahead() {
        let at = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(ends(None, None), Ok(None));
        assert_eq!(ends(Some("0s"), None), Ok(None));
        assert_eq!(ends(Some("1h"), None), at("2026-01-01T01:00:00Z"));
        assert_eq!(ends(None, Some("2027-01-01T00:00:00Z")), at("2027-01-01T00:00:00Z"));
        let error = |text: &str| Err(text.to_owned());
        assert_eq!(ends(Some("1s"), None), error("ExpirationTime cannot be less than 1m0s in the future (was 1s)"));
        assert_eq!(ends(Some("-1h"), None), error("Token Expiration TTL '-1h0m0s' should be > 0"));
        assert_eq!(ends(None, Some("2020-01-01T00:00:00Z")), error("ExpirationTime cannot be before CreateTime"));
        let both = ends(Some("1h"), Some("2027-01-01T00:00:00Z"));
        assert_eq!(both, error("Token Expiration TTL and Expiration Time cannot both be set"));
    }

    #[test]
    fn a_given_id_is_a_uuid_that_is_not_reserved() {
        let id = |text: &str| given_id("AccessorID", text).map_err(|error| error.to_string());
        assert_eq!(id(""), Ok(None));
        assert!(id("22222222-2222-3333-4444-555555555555").unwrap().is_some());
        assert_eq!(id("nope"), Err("Invalid Token: AccessorID - not a valid UUID".to_owned()));
        let reserved =
            "Invalid Token: AccessorID - UUIDs with the prefix \"00000000-0000-0000-0000-0000000000\" are reserved";
        assert_eq!(id("00000000-0000-0000-0000-000000000009"), Err(reserved.to_owned()));
    }
}
