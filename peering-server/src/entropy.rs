//! Randomness: the only place that draws it.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// A source of random bytes.
///
/// Ids, secrets, nonces and jitter are drawn through an `Arc<dyn Entropy>` and passed to core, which draws nothing.
pub trait Entropy: Send + Sync {
    /// Fills a buffer with random bytes.
    ///
    /// # Panics
    /// If the operating system has none to give. AWS-LC itself aborts then; going on with predictable secrets would be
    /// worse than stopping.
    fn fill(&self, buffer: &mut [u8]);

    /// Draws sixteen bytes: the 128 bits of a secret.
    fn bytes16(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        bytes
    }

    /// Draws a random UUID (version 4).
    fn uuid(&self) -> Uuid {
        Builder::from_random_bytes(self.bytes16()).into_uuid()
    }
}

/// Draws a number from 0 up to, and not including, 1: for jitter, not for secrets.
#[must_use]
pub fn fraction(entropy: &dyn Entropy) -> f64 {
    let mut bytes = [0; 4];
    entropy.fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0)
}

/// The generator of AWS-LC, seeded by the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that draws from the system")]
    fn fill(&self, buffer: &mut [u8]) {
        assert!(aws_lc_rs::rand::fill(buffer).is_ok(), "the operating system has no randomness to give");
    }
}

/// Bytes that follow from a seed, for tests that can be repeated.
///
/// # Shape
/// The stream SHA-256(seed ‖ 0), SHA-256(seed ‖ 1) …, seed and counter as eight bytes, most significant first. How the
/// stream is cut into draws does not change it.
///
/// # Security
/// Anyone who knows the seed knows the bytes: never give this to a server that is meant to last.
///
/// # Examples
/// ```
/// use peering_server::entropy::{Entropy, SeededEntropy};
///
/// assert_eq!(SeededEntropy::new(7).uuid(), SeededEntropy::new(7).uuid());
/// assert_ne!(SeededEntropy::new(7).uuid(), SeededEntropy::new(8).uuid());
/// ```
pub struct SeededEntropy {
    seed: u64,
    stream: Mutex<Stream>,
}

struct Stream {
    counter: u64,
    block: [u8; 32],
    used: usize,
}

impl SeededEntropy {
    /// Starts the stream of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, stream: Mutex::new(Stream { counter: 0, block: [0; 32], used: 32 }) }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        for byte in buffer {
            if stream.used == stream.block.len() {
                let hash = Sha256::new().chain_update(self.seed.to_be_bytes());
                stream.block = hash.chain_update(stream.counter.to_be_bytes()).finalize().into();
                stream.counter = stream.counter.wrapping_add(1);
                stream.used = 0;
            }
            *byte = stream.block[stream.used];
            stream.used += 1;
        }
    }
}

impl fmt::Debug for SeededEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeededEntropy").field("seed", &self.seed).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_does_not_repeat_itself() {
        let drawn = SystemEntropy.bytes16();
        assert_ne!(drawn, SystemEntropy.bytes16());
        assert_ne!(drawn, [0; 16]);
    }

    #[test]
    fn a_drawn_uuid_is_of_version_four() {
        let uuid = SystemEntropy.uuid();
        assert_eq!(uuid.get_version_num(), 4);
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
    }

    #[test]
    fn a_seed_decides_the_stream_however_it_is_cut() {
        let (whole, cut) = (SeededEntropy::new(42), SeededEntropy::new(42));
        let mut expected = [0; 100];
        whole.fill(&mut expected);
        let mut got = [0; 100];
        for piece in got.chunks_mut(7) {
            cut.fill(piece);
        }
        assert_eq!(got, expected);
        let first: [u8; 32] = Sha256::digest([0, 0, 0, 0, 0, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 0]).into();
        assert_eq!(got[..32], first);
    }
}
