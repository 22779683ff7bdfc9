//! What a request says besides its body: who asks, in which partition, and whether to indent.

use std::borrow::Cow;

use axum::extract::Query;
use http::header::{AUTHORIZATION, HeaderName};
use http::request::Parts;
use peering_core::secret::AclSecret;

use super::error::HttpError;
use crate::listen::http::{Caller, SocketUser};
use crate::service::access::Actor;

/// The parts of a request that every handler looks at.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Who asks.
    pub(crate) actor: Actor,
    /// Whether `?pretty` was given.
    pub(crate) pretty: bool,
    query: Vec<(String, String)>,
    namespace_header: bool,
    partition_query: bool,
    partition_header: bool,
}

impl Asked {
    /// Reads them from the head of a request.
    pub(crate) fn of(parts: &Parts) -> Self {
        let query: Vec<(String, String)> =
            Query::try_from_uri(&parts.uri).map(|Query(pairs)| pairs).unwrap_or_default();
        let source = parts.extensions.get::<Caller>().and_then(|caller| caller.source);
        let user = parts.extensions.get::<SocketUser>().map(|user| user.0);
        let has = |name: &str, empty_counts: bool| {
            query.iter().any(|(key, value)| key == name && (empty_counts || !value.is_empty()))
        };
        Self {
            actor: Actor { source, token: presented(parts, &query), user },
            pretty: has("pretty", true),
            namespace_header: parts.headers.get("x-consul-namespace").is_some_and(|value| !value.is_empty()),
            partition_query: has("partition", false),
            partition_header: parts.headers.get("x-consul-partition").is_some_and(|value| !value.is_empty()),
            query: query.into_iter().filter(|(key, _)| key != "token").collect(),
        }
    }

    /// Returns the first value of a parameter that has one.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        found.filter(|value| !value.is_empty())
    }

    /// Refuses any namespace, as the endpoints of Consul's community edition do that know of them.
    pub(crate) fn refuse_namespace(&self) -> Result<(), HttpError> {
        let refused =
            |what: &str| HttpError::bad_request(format!("Invalid {what} - Namespaces are a Consul Enterprise feature"));
        if self.namespace_header {
            return Err(refused("header: \"X-Consul-Namespace\""));
        }
        if self.query("ns").is_some() {
            return Err(refused("query parameter: \"ns\""));
        }
        Ok(())
    }

    /// Refuses any partition, as Consul's community edition does, even `default`.
    pub(crate) fn refuse_partition(&self) -> Result<(), HttpError> {
        if self.partition_query {
            return Err(HttpError::bad_request(
                "Invalid query parameter: \"partition\" - Partitions are a Consul Enterprise feature",
            ));
        }
        if self.partition_header {
            return Err(HttpError::bad_request(
                "Invalid header: \"X-Consul-Partition\" - Partitions are a Consul Enterprise feature",
            ));
        }
        Ok(())
    }
}

/// Returns the token that a request presents: that of the query, of Consul's header, or of the bearer, the first that is
/// not empty.
fn presented(parts: &Parts, query: &[(String, String)]) -> Option<AclSecret> {
    let in_query = query.iter().find(|(key, _)| key == "token").map(|(_, value)| value.as_str().into());
    let header = |name| parts.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let bearer = || {
        let authorization = header(AUTHORIZATION)?;
        let (scheme, token) = authorization.split_once(' ')?;
        let token = token.split_whitespace().next()?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.to_owned().into())
    };
    let given = |text: &Cow<'_, str>| !text.is_empty();
    in_query
        .filter(given)
        .or_else(|| header(HeaderName::from_static("x-consul-token")).filter(given))
        .or_else(bearer)
        .map(AclSecret::from_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(uri: &str, headers: &[(&'static str, &str)]) -> Option<AclSecret> {
        let mut request = http::Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Asked::of(&request.body(()).unwrap().into_parts().0).actor.token
    }

    #[test]
    fn the_first_token_that_is_not_empty_counts() {
        let (header, bearer) = (("x-consul-token", "header"), ("authorization", "Bearer bearer rest"));
        let is = |text| Some(AclSecret::from_text(text));
        assert_eq!(token("/?token=query", &[header, bearer]), is("query"));
        assert_eq!(token("/?a=b&token=", &[header, bearer]), is("header"));
        assert_eq!(token("/", &[("x-consul-token", ""), bearer]), is("bearer"));
        assert_eq!(token("/", &[("authorization", "bEARER  x")]), is("x"));
        for other in ["Basic x", "Bearer", "Bearer ", "Bearerx", ""] {
            assert_eq!(token("/?token", &[("authorization", other)]), None, "{other}");
        }
    }

    #[test]
    fn a_token_shows_in_no_debug_output() {
        let request = http::Request::get("/").header("x-consul-token", "hunter2").body(()).unwrap();
        let shown = format!("{:?}", Asked::of(&request.into_parts().0));
        assert!(shown.contains("AclSecret") && !shown.contains("hunter2"), "{shown}");
    }

    fn asked(uri: &str) -> Asked {
        Asked::of(&http::Request::get(uri).body(()).unwrap().into_parts().0)
    }

    #[test]
    fn any_partition_is_refused_and_an_empty_one_is_none() {
        assert!(asked("/v1/peerings?partition=default").refuse_partition().is_err());
        assert!(asked("/v1/peerings?%70artition=a&a=b").refuse_partition().is_err());
        assert!(asked("/v1/peerings?x&partition=").refuse_partition().is_ok());
        assert!(asked("/v1/peerings").refuse_partition().is_ok());
    }

    #[test]
    fn pretty_counts_with_and_without_a_value() {
        for uri in ["/?pretty", "/?a=b&pretty=", "/?pretty=false", "/?%70retty"] {
            assert!(asked(uri).pretty);
        }
        assert!(!asked("/?prettyx").pretty);
    }
}
