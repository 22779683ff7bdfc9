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
