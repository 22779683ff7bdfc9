//! What a request says besides its body: who asks, in which partition, and whether to indent.

use axum::extract::Query;
use http::request::Parts;

use super::error::HttpError;
use crate::listen::http::Caller;
use crate::service::access::Actor;

/// The parts of a request that every handler looks at.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Who asks.
    pub(crate) actor: Actor,
    /// Whether `?pretty` was given.
    pub(crate) pretty: bool,
    query: Vec<(String, String)>,
    partition_query: bool,
    partition_header: bool,
}

impl Asked {
    /// Reads them from the head of a request.
    pub(crate) fn of(parts: &Parts) -> Self {
        let query: Vec<(String, String)> =
            Query::try_from_uri(&parts.uri).map(|Query(pairs)| pairs).unwrap_or_default();
        let source = parts.extensions.get::<Caller>().and_then(|caller| caller.source);
        let has = |name: &str, empty_counts: bool| {
            query.iter().any(|(key, value)| key == name && (empty_counts || !value.is_empty()))
        };
        Self {
            actor: Actor { source },
            pretty: has("pretty", true),
            partition_query: has("partition", false),
            partition_header: parts.headers.get("x-consul-partition").is_some_and(|value| !value.is_empty()),
            query,
        }
    }

    /// Returns the first value of a query parameter that is given and not empty.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        let is_it = |(key, value): &&(String, String)| key == name && !value.is_empty();
        self.query.iter().find(is_it).map(|(_, value)| value.as_str())
    }

    /// Refuses any namespace, as Consul's community edition does.
    pub(crate) fn refuse_namespace(&self) -> Result<(), HttpError> {
        match self.query("ns") {
            None => Ok(()),
            Some(_) => Err(HttpError::bad_request(
                "Invalid query parameter: \"ns\" - Namespaces are a Consul Enterprise feature",
            )),
        }
    }

    /// Refuses to speak for another datacenter, to which there is no way from here.
    pub(crate) fn refuse_datacenter(&self, ours: &str) -> Result<(), HttpError> {
        match self.query("dc") {
            Some(given) if given != ours => Err(HttpError::as_consul("No path to datacenter")),
            _ => Ok(()),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

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
