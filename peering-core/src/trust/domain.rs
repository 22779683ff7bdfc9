//! The trust domain inside a peering server's TLS name.

use crate::name::TrustDomain;

/// Reads the trust domain out of `server.<datacenter>.peering.<trust domain>`.
///
/// Returns nothing for another form, such as the `server.<datacenter>.consul` of Consul 1.13.
///
/// # Examples
/// ```
/// use peering_core::trust::peering_trust_domain;
/// let name = "server.dc1.peering.11111111-2222-3333-4444-555555555555.consul";
/// assert_eq!(peering_trust_domain(name).unwrap().as_str(), "11111111-2222-3333-4444-555555555555.consul");
/// assert_eq!(peering_trust_domain("server.dc1.consul"), None);
/// ```
#[must_use]
pub fn peering_trust_domain(server_name: &str) -> Option<TrustDomain> {
    let (datacenter, domain) = server_name.strip_prefix("server.")?.split_once(".peering.")?;
    if datacenter.is_empty() || datacenter.contains('.') {
        return None;
    }
    TrustDomain::parse(domain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Datacenter;

    #[test]
    fn it_is_the_inverse_of_naming_the_server() {
        let domain = TrustDomain::parse("11111111-2222-3333-4444-555555555555.consul").unwrap();
        for datacenter in ["dc1", "a_b-c", "peering"] {
            let name = domain.peering_server_name(&Datacenter::parse(datacenter).unwrap());
            assert_eq!(peering_trust_domain(&name), Some(domain.clone()));
        }
    }

    #[test]
    fn other_names_have_none() {
        let domain = "11111111-2222-3333-4444-555555555555.consul";
        for name in ["", domain, "server.dc1", "server..peering.", "server.dc1.peering.example.com"] {
            assert_eq!(peering_trust_domain(name), None, "{name}");
        }
        assert_eq!(peering_trust_domain(&format!("server..peering.{domain}")), None);
        assert_eq!(peering_trust_domain(&format!("server.a.b.peering.{domain}")), None);
    }
}
