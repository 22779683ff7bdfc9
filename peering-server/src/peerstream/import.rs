//! Stores what a peer sent: checked by core, kept by the service, refused with a code that the peer understands.

use peering_core::address::ServerAddress;
use peering_core::id::PeeringId;
use peering_core::peerstream::{Import, Refusal, Resource, StatusCode};
use peering_core::secret::SecretHash;
use peering_core::secrets;
use peering_core::trust::TrustBundle;
use tracing::error;

use crate::causes::chain;
use crate::service::status::{StreamBoard, StreamTicket};
use crate::service::{Service, ServiceError};

pub(super) async fn store(
    service: &Service,
    board: &StreamBoard,
    ticket: Option<StreamTicket>,
    (id, admitted_by): (PeeringId, Option<SecretHash>),
    import: Import,
) -> Result<(), Refusal> {
    let invalid = |message: String| Refusal::new(StatusCode::InvalidArgument, message);
    match import.resource {
        Resource::TrustBundle(bundle) => {
            let bundle = TrustBundle::check(&bundle.trust_domain, &bundle.root_pems, None)
                .map_err(|error| invalid(error.to_string()))?;
            service.import_trust_bundle(id, admitted_by, &bundle).await.map_err(|error| refusal_of(id, &error))
        }
        Resource::ServerAddresses(texts) => {
            let addresses: Vec<ServerAddress> = texts
                .iter()
                .map(|text| bracketed(text))
                .collect::<Result<_, _>>()
                .map_err(|error| invalid(error.to_string()))?;
            service.import_server_addresses(id, &addresses).await.map_err(|error| refusal_of(id, &error))
        }
        Resource::ExportedServiceList(names) => {
            if let Some(ticket) = ticket {
                board.imported(ticket, names);
            }
            Ok(())
        }
        // There is no catalogue here that instances could be put into; the list above tells what is offered.
        Resource::ExportedService(_) => Ok(()),
        _ => Err(invalid("this release does not import resources of this type".to_owned())),
    }
}

/// Reads an address as Consul sends it: an IPv6 host comes without brackets, so the last colon parts host and port.
fn bracketed(text: &str) -> Result<ServerAddress, peering_core::address::AddressError> {
    ServerAddress::parse(text).or_else(|error| {
        let (host, port) = text.rsplit_once(':').ok_or(error.clone())?;
        match host.parse::<std::net::Ipv6Addr>() {
            Ok(host) => ServerAddress::parse(&format!("[{host}]:{port}")),
            Err(_) => Err(error),
        }
    })
}

fn refusal_of(id: PeeringId, error: &ServiceError) -> Refusal {
    match error {
        ServiceError::Refused(refused @ secrets::Refusal::ForeignTrustDomain { .. }) => {
            Refusal::new(StatusCode::InvalidArgument, refused.to_string())
        }
        ServiceError::Refused(refused) => Refusal::new(StatusCode::Internal, refused.to_string()),
        other => {
            error!(peer_id = %id, error = chain(other), "a resource of the peer could not be stored");
            Refusal::new(StatusCode::Internal, other.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consuls_unbracketed_ipv6_addresses_are_understood() {
        assert_eq!(bracketed("2001:db8::1:8503").unwrap().as_str(), "[2001:db8::1]:8503");
        assert_eq!(bracketed("10.0.0.1:8503").unwrap().as_str(), "10.0.0.1:8503");
        assert!(bracketed("nonsense").is_err());
        assert!(bracketed("a:b:c").is_err());
    }
}
