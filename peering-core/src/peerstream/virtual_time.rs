//! Where the virtual time of tests begins.

use std::time::Instant;

/// Returns an instant to count from; what it is does not matter, but the type has no other constructor.
#[expect(clippy::disallowed_methods, reason = "virtual time needs some instant to count from")]
pub(super) fn start_of_time() -> Instant {
    Instant::now()
}
