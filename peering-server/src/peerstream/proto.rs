//! Messages and service stubs generated from `proto/`, one module a package; only this edge sees them.

use std::fmt;

macro_rules! package {
    ($name:ident, $package:literal) => {
        #[allow(
            dead_code,
            missing_docs,
            unreachable_pub,
            clippy::all,
            clippy::allow_attributes_without_reason,
            clippy::must_use_candidate,
            reason = "generated; the contract is documented in proto/, and covers more than we send"
        )]
        pub(crate) mod $name {
            tonic::include_proto!($package);
        }
    };
}

package!(common, "hashicorp.consul.internal.common");
package!(peering, "hashicorp.consul.internal.peering");
package!(peerstream, "hashicorp.consul.internal.peerstream");
package!(service, "hashicorp.consul.internal.service");
package!(status, "hashicorp.consul.internal.status");

/// Messages with a secret say their name and no more.
macro_rules! redacted {
    ($($message:ty),*) => {
        $(impl fmt::Debug for $message {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($message))
            }
        })*
    };
}

use peerstream::replication_message::Open;
use peerstream::{ExchangeSecretRequest, ExchangeSecretResponse};

redacted!(Open, ExchangeSecretRequest, ExchangeSecretResponse);

#[cfg(test)]
mod tests {
    use super::*;
    use peerstream::ReplicationMessage;
    use peerstream::replication_message::Payload;

    #[test]
    fn debug_shows_no_secret_at_any_depth() {
        let secret = "hunter2".to_owned();
        let open = Open { stream_secret_id: secret.clone(), ..Open::default() };
        let frame = ReplicationMessage { payload: Some(Payload::Open(open)) };
        let request = ExchangeSecretRequest { establishment_secret: secret.clone(), ..Default::default() };
        let response = ExchangeSecretResponse { stream_secret: secret };
        let shown = format!("{frame:?} {request:?} {response:?}");
        assert!(shown.contains("Open") && !shown.contains("hunter2"), "{shown}");
    }
}
