//! Real handshakes between our server settings and our dialer settings, in memory.

use std::io;
use std::sync::Arc;

use jiff::SignedDuration;
use peering_core::name::Datacenter;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error as RustlsError, HandshakeKind, NamedGroup, ProtocolVersion,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_rustls::{TlsConnector, client, server};

use super::fixture::{Cluster, NAME, name};
use super::{ALPN_H2, ALPN_HTTP_1_1, HandshakeError, RootsError, ServerTls, client_config, provider};
use crate::ca::LeafKeeper;

type Ends = (io::Result<client::TlsStream<DuplexStream>>, Result<server::TlsStream<DuplexStream>, HandshakeError>);

async fn shake(config: ClientConfig, server_name: &str, server: &ServerTls) -> Ends {
    let (near, far) = tokio::io::duplex(1 << 16);
    let connector = TlsConnector::from(Arc::new(config));
    tokio::join!(connector.connect(name(server_name), near), server.accept(far))
}

fn cause(error: &io::Error) -> &RustlsError {
    error.get_ref().and_then(|cause| cause.downcast_ref()).unwrap()
}

#[tokio::test]
async fn a_dialer_with_the_token_s_name_and_root_gets_http2_and_a_hybrid_key_exchange() {
    let cluster = Cluster::new();
    let (client, server) = shake(cluster.client(), NAME, &cluster.server()).await;
    let (client, _server) = (client.unwrap(), server.unwrap());
    let session = client.get_ref().1;
    assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(session.alpn_protocol(), Some(ALPN_H2));
    let group = session.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, NamedGroup::X25519MLKEM768);
    assert_eq!(session.peer_certificates().unwrap(), cluster.keeper.slot().load().cert);
}

#[tokio::test]
async fn the_server_name_matches_in_any_case() {
    let cluster = Cluster::new();
    let (client, server) = shake(cluster.client(), &NAME.to_uppercase(), &cluster.server()).await;
    assert!(client.is_ok() && server.is_ok());
}

#[tokio::test]
async fn a_datacenter_with_an_underscore_makes_a_server_name_that_verifies() {
    let cluster = Cluster::new();
    let datacenter = Datacenter::parse("dc_1").unwrap();
    let server_name = cluster.authority.trust_domain().peering_server_name(&datacenter);
    let keeper = LeafKeeper::start(Arc::clone(&cluster.authority), datacenter, cluster.clock.now()).unwrap();
    let server = ServerTls::new([(server_name.clone(), keeper.slot())], &[ALPN_H2]).unwrap();
    let (client, served) = shake(cluster.client(), &server_name, &server).await;
    assert!(client.is_ok() && served.is_ok(), "{client:?}");
}

#[tokio::test]
async fn another_server_name_is_refused_with_unrecognized_name() {
    let cluster = Cluster::new();
    for other in ["example.com", "dc1.peering.11111111-2222-3333-4444-555555555555.consul"] {
        let (client, server) = shake(cluster.client(), other, &cluster.server()).await;
        let refused = client.unwrap_err();
        assert_eq!(cause(&refused), &RustlsError::AlertReceived(AlertDescription::UnrecognisedName));
        assert!(matches!(server, Err(HandshakeError::UnknownServerName)));
    }
}

#[tokio::test]
async fn no_server_name_is_refused_with_unrecognized_name() {
    let cluster = Cluster::new();
    let (client, server) = shake(cluster.client(), "127.0.0.1", &cluster.server()).await;
    assert_eq!(cause(&client.unwrap_err()), &RustlsError::AlertReceived(AlertDescription::UnrecognisedName));
    assert!(matches!(server, Err(HandshakeError::NoServerName)));
}

#[tokio::test]
async fn a_root_of_another_cluster_is_not_believed_even_with_the_same_names() {
    let (cluster, other) = (Cluster::new(), Cluster::new());
    let (client, server) = shake(other.client(), NAME, &cluster.server()).await;
    let refused = client.unwrap_err();
    let RustlsError::InvalidCertificate(fault) = cause(&refused) else { panic!("{refused:?}") };
    assert!(matches!(fault, CertificateError::BadSignature | CertificateError::UnknownIssuer), "{fault:?}");
    assert!(matches!(server, Err(HandshakeError::Failed(_))));
}

#[tokio::test]
async fn tls_1_2_and_plain_x25519_are_served() {
    let cluster = Cluster::new();
    let mut plain = (**provider()).clone();
    plain.kx_groups.retain(|group| group.name() == NamedGroup::X25519);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(cluster.authority.root_der().clone()).unwrap();
    let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider()));
    let verifier = verifier.build().unwrap();
    for (version, expected) in
        [(&rustls::version::TLS12, ProtocolVersion::TLSv1_2), (&rustls::version::TLS13, ProtocolVersion::TLSv1_3)]
    {
        let clock = Arc::clone(&cluster.client().time_provider);
        let config = ClientConfig::builder_with_details(Arc::new(plain.clone()), clock)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_webpki_verifier(Arc::clone(&verifier))
            .with_no_client_auth();
        let (client, server) = shake(config, NAME, &cluster.server()).await;
        let (client, _server) = (client.unwrap(), server.unwrap());
        assert_eq!(client.get_ref().1.protocol_version(), Some(expected));
        assert_eq!(client.get_ref().1.alpn_protocol(), None, "a client that offers no protocol is served");
    }
}

#[tokio::test]
async fn an_acceptor_that_answers_no_alpn_is_tolerated() {
    let cluster = Cluster::new();
    let (client, server) = shake(cluster.client(), NAME, &cluster.server_with_alpn(&[])).await;
    assert_eq!(client.unwrap().get_ref().1.alpn_protocol(), None);
    assert!(server.is_ok());
}

#[tokio::test]
async fn a_client_that_speaks_only_http_1_1_is_refused() {
    let cluster = Cluster::new();
    let mut config = cluster.client();
    config.alpn_protocols = vec![ALPN_HTTP_1_1.to_vec()];
    let (client, _) = shake(config, NAME, &cluster.server()).await;
    assert_eq!(cause(&client.unwrap_err()), &RustlsError::AlertReceived(AlertDescription::NoApplicationProtocol));
}

#[tokio::test]
async fn every_connection_shows_its_certificate_anew() {
    let cluster = Cluster::new();
    let (config, server) = (cluster.client(), cluster.server());
    for _ in 0..2 {
        let (client, served) = shake(config.clone(), NAME, &server).await;
        let (mut client, mut served) = (client.unwrap(), served.unwrap());
        // Tickets would arrive with the first data.
        served.write_all(b"x").await.unwrap();
        client.read_u8().await.unwrap();
        assert_ne!(client.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed));
    }
}

#[tokio::test]
async fn a_clock_past_the_leaf_and_back_an_hour_needs_no_restart_and_touches_no_stream() {
    let mut cluster = Cluster::new();
    let server = cluster.server();
    let (client, served) = shake(cluster.client(), NAME, &server).await;
    let (mut old_client, mut old_served) = (client.unwrap(), served.unwrap());

    cluster.clock.step(SignedDuration::from_hours(73));
    let (client, _) = shake(cluster.client(), NAME, &server).await;
    let refused = client.unwrap_err();
    let expired = matches!(cause(&refused), RustlsError::InvalidCertificate(CertificateError::ExpiredContext { .. }));
    assert!(expired, "the dialer follows the clock: {refused:?}");

    for step in [SignedDuration::ZERO, SignedDuration::from_hours(-1)] {
        cluster.clock.step(step);
        let _ = cluster.keeper.tick(cluster.clock.now()).unwrap();
        let (client, served) = shake(cluster.client(), NAME, &server).await;
        assert!(client.is_ok() && served.is_ok(), "{step}");
        old_served.write_all(b"still here").await.unwrap();
        let mut heard = [0; 10];
        old_client.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"still here");
    }
}

#[test]
fn only_roots_that_are_valid_now_count() {
    let cluster = Cluster::new();
    let root = cluster.authority.root_pem();
    let at = |by: SignedDuration| {
        let now = cluster.clock.now() + by;
        client_config([root], move || now)
    };
    assert!(at(SignedDuration::ZERO).is_ok());
    assert!(at(SignedDuration::from_mins(-1)).is_ok());
    assert!(matches!(at(SignedDuration::from_secs(-61)), Err(RootsError::NoneUsable { given: 1 })));
    let ten_years = SignedDuration::from_hours(10 * 365 * 24);
    assert!(at(ten_years - SignedDuration::from_mins(1)).is_ok());
    assert!(matches!(at(ten_years), Err(RootsError::NoneUsable { given: 1 })));
}

#[tokio::test]
async fn a_leaf_among_the_roots_is_no_root_and_bad_entries_do_not_spoil_the_good_one() {
    let (cluster, other) = (Cluster::new(), Cluster::new());
    let leaf = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap().cert.pem();
    let refused = client_config([leaf.as_str(), "", "hunter2"], cluster.clock.read()).unwrap_err();
    assert!(matches!(refused, RootsError::NoneUsable { given: 1 }), "{refused:?}");

    let both = format!("{}{}", other.authority.root_pem(), cluster.authority.root_pem());
    let config = client_config([leaf.as_str(), "hunter2", both.as_str()], cluster.clock.read()).unwrap();
    let (client, _server) = shake(config, NAME, &cluster.server()).await;
    client.unwrap();
}

#[tokio::test]
async fn bytes_that_are_no_tls_are_refused() {
    let cluster = Cluster::new();
    let (mut near, far) = tokio::io::duplex(1 << 16);
    near.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert!(matches!(cluster.server().accept(far).await, Err(HandshakeError::Failed(_))));
}
