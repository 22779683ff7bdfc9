//! Tokens and policies: made, read, changed and removed, by those who may.
//!
//! | file | holds |
//! |---|---|
//! | `error` | why something cannot be done with them, in Consul's words |
//! | `lookup` | finds tokens by secret and reads the rules of policies |
//! | `commit` | changes records together with their events |
//! | `bootstrap` | the first management token: made at a start, handed out once |
//! | `policies`, `tokens` | what an operator does with them |
//! | `draft` | what a request says of a token, checked |

mod bootstrap;
mod commit;
mod draft;
mod error;
mod lookup;
mod policies;
mod tokens;

pub use bootstrap::ManagementTokenError;
pub use error::AclError;
pub(crate) use lookup::CompiledPolicies;
pub(super) use lookup::Found;
pub use policies::PolicyView;
pub use tokens::{ShownSecret, TokenView};
