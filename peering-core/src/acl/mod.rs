//! Access control: what a policy's rules say, and what a token may do by them.
//!
//! | file | holds |
//! |---|---|
//! | `level` | `deny`, `read`, `list`, `write`, and which of two counts |
//! | `resource` | what rights are asked on |
//! | `layout` | rules as people write them, laid out as HCL wants them |
//! | `parse` | the text of rules, HCL or JSON, to [`Rules`] |
//! | `rules` | [`Rules`]: the levels that one policy gives |
//! | `authorizer` | [`Authorizer`]: several policies and a default, asked one right at a time |
//! | `policy`, `token` | the records |
//! | `denial` | Consul's words for a right that is lacking |
//! | `event` | what happened to tokens and policies |
//!
//! The rule for peerings: a `peering` rule decides; without one the `operator` rule does; without either the default.
//! Of several policies of one token, `deny` beats `write`, and `write` beats `read`.

mod authorizer;
mod denial;
mod event;
mod layout;
mod level;
mod parse;
mod policy;
mod resource;
mod rules;
#[cfg(test)]
mod tests;
mod token;

pub use authorizer::{Authorizer, DefaultPolicy};
pub use denial::{Denial, Subject};
pub use event::{AclChange, AclEvent};
pub use level::{Access, Level};
pub use parse::{RULES_BYTES_MAX, RulesError};
pub use policy::{
    Builtin, DESCRIPTION_BYTES_MAX, GLOBAL_MANAGEMENT_ID, GLOBAL_READ_ONLY_ID, Policy, PolicyError, check_policy_name,
};
pub use resource::Resource;
pub use rules::Rules;
pub use token::{
    ANONYMOUS_ACCESSOR, ANONYMOUS_SECRET, EXPIRATION_MIN, POLICIES_MAX, RESERVED_PREFIX, Token, is_reserved,
};
