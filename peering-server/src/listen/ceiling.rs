//! A bound on connections that may be moved while a listener runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most connections at a time. Copies share one number; connections that are open when it falls stay.
#[derive(Debug, Clone)]
pub struct Ceiling(Arc<AtomicUsize>);

impl Ceiling {
    /// Starts with a number.
    #[must_use]
    pub fn new(connections: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(connections)))
    }

    /// Returns the number.
    #[must_use]
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Moves it, for every copy.
    pub fn set(&self, connections: usize) {
        self.0.store(connections, Ordering::Relaxed);
    }
}

impl From<usize> for Ceiling {
    fn from(connections: usize) -> Self {
        Self::new(connections)
    }
}
