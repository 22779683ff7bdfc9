//! Certificates for tests: some that OpenSSL made, some that rcgen makes with the times that a test needs.

use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose, SanType};

macro_rules! openssl {
    ($($name:ident = $file:literal;)*) => {
        $(pub(crate) const $name: &str = include_str!(concat!("../../../tests/data/certificates/", $file, ".pem"));)*
    };
}

openssl! {
    RSA_1024 = "rsa-1024";
    RSA_2047 = "rsa-2047";
    RSA_2048 = "rsa-2048";
    RSA_4096 = "rsa-4096";
    P224 = "p224";
    P256 = "p256";
    P384 = "p384";
    P521 = "p521";
    SECP256K1 = "secp256k1";
    ED25519 = "ed25519";
    ED448 = "ed448";
    LEAF = "leaf";
    NO_CONSTRAINTS = "no-constraints";
    NO_CERT_SIGN = "no-cert-sign";
    KUBEADM = "kubeadm";
    SWARM = "swarm";
}

/// Reads a time.
pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Makes a root of a trust domain, valid from one time to another.
pub(crate) fn root(trust_domain: &str, not_before: &str, not_after: &str) -> String {
    let time = |text| time::OffsetDateTime::from_unix_timestamp(at(text).as_second()).unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "root of a test");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.subject_alt_names = vec![SanType::URI(format!("spiffe://{trust_domain}").try_into().unwrap())];
    params.not_before = time(not_before);
    params.not_after = time(not_after);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem().replace("\r\n", "\n")
}
