//! Tokens for tests: of a real Consul, and written by hand in its layout.

/// A token and the JSON inside it.
pub(crate) struct Sample {
    pub(crate) text: &'static str,
    pub(crate) json: &'static str,
}

macro_rules! sample {
    ($file:literal) => {
        Sample {
            text: include_str!(concat!("../../../tests/data/tokens/consul/", $file, ".token")),
            json: include_str!(concat!("../../../tests/data/tokens/consul/", $file, ".json")),
        }
    };
}

/// No CA, one manual address.
pub(crate) const PLAINTEXT: Sample = sample!("plaintext");
/// One root, two servers.
pub(crate) const ONE_ROOT: Sample = sample!("one-root");
/// Consul's own.
pub(crate) const REAL: Sample = sample!("real");
/// Consul's own, with external addresses.
pub(crate) const REAL_EXTERNAL: Sample = sample!("real-external-addresses");
/// All of them.
pub(crate) const ALL: [Sample; 4] = [PLAINTEXT, ONE_ROOT, REAL, REAL_EXTERNAL];

macro_rules! other {
    ($($name:ident = $file:literal;)*) => {
        $(pub(crate) const $name: &str = include_str!(concat!("../../../tests/data/tokens/others/", $file));)*
        /// Tokens of other programs.
        pub(crate) const OTHERS: &[&str] = &[$($name),*];
    };
}

other! {
    SWARM = "swarm.token";
    SWARM_FIPS = "swarm-fips.token";
    KUBEADM = "kubeadm.token";
    K3S = "k3s.token";
    K3S_BOOTSTRAP = "k3s-bootstrap.token";
    K3S_SHORT = "k3s-short.token";
    ELASTICSEARCH = "elasticsearch.token";
    SKUPPER_CLAIM = "skupper-claim.yaml";
    SKUPPER_CONNECTION = "skupper-connection.yaml";
    SKUPPER_ACCESS_TOKEN = "skupper-access-token.yaml";
    SKUPPER_LINK = "skupper-link.yaml";
}

/// Every secret in the tokens of other programs, as it stands there and as it is meant.
pub(crate) const SECRETS: &[&str] = &[
    "000avh9he7dy896m08s18udxr",
    "0123456789abcdef",
    "5f2a9b1c0d3e4f6789aabbccddeeff00",
    "2gVWDryjRRGGEzWc-4lj6A",
    "aHVzaC1vcGVucy1ub3RoaW5n",
    "hush-opens-nothing",
    "bm90LWEtcmVhbC1rZXk",
    "Ym05MExXRXRjbVZoYkMxclpYaz",
    "gbPUSTKZAqRUSoOgqaOIn6YZ",
];
