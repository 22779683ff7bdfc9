//! What was computed before. Records are few and states are many, and the same question to the same record has the same
//! answer: both `apply` and the derivation of secrets are pure.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

/// Answers by the digest of their question.
pub(super) struct Memory<T>(Mutex<HashMap<u64, T>>);

impl<T: Clone> Memory<T> {
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    /// Returns what was computed for this question, or computes it.
    pub(super) fn recall(&self, question: impl Hash, compute: impl FnOnce() -> T) -> T {
        let mut hasher = DefaultHasher::new();
        question.hash(&mut hasher);
        let digest = hasher.finish();
        if let Some(known) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&digest) {
            return known.clone();
        }
        let computed = compute();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, computed.clone());
        computed
    }
}
