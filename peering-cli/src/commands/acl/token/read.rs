//! `peering acl token read`: one token in detail, with its secret.

use clap::{ArgAction, Args};

use super::{ADVICE, AccessorFlags};
use crate::args::http::TenantHttpFlags;
use crate::args::{Leftovers, go_bool};
use crate::commands::acl::error::AclError;
use crate::commands::acl::flags::{FormatFlag, MetaFlag};
use crate::commands::acl::{ids, page};
use crate::commands::session::Session;
use crate::world::World;

/// What stands in the place of an accessor id for the token of the call.
const SELF: &str = "self";

/// Flags of `acl token read`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering acl token read [options] -accessor-id TOKENID",
    about = "Read a token",
    long_about = "  Show one token with its secret, which takes the right to change access control.

  Example:

    $ peering acl token read -accessor-id 986193",
    args_override_self = true
)]
pub(crate) struct Read {
    #[command(flatten)]
    http: TenantHttpFlags,
    #[command(flatten)]
    format: FormatFlag,
    #[command(flatten)]
    meta: MetaFlag,
    #[command(flatten)]
    accessor: AccessorFlags,
    #[arg(long = "self", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", value_parser = go_bool::parse,
        help = "Show the token that is presented with the request.")]
    own: Option<bool>,
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true",
        value_parser = go_bool::parse, help = "Show the contents of the token's policies and roles too.")]
    expanded: Option<bool>,
    #[command(flatten)]
    leftovers: Leftovers,
}

impl Read {
    pub(super) fn run(self, world: &mut World<'_>) -> Result<(), AclError> {
        let (format, meta) = (self.format.read()?, self.meta.is_set());
        let is_expanded = self.expanded.unwrap_or_default();
        let session = Session::open(&self.http, world)?;
        let client = &session.client;
        if self.own.unwrap_or_default() {
            if is_expanded {
                return Err(AclError::ExpandedSelf);
            }
            let token = session.run(client.token(SELF)).map_err(AclError::ReadSelf)?;
            return page::print_token(&token, format, meta, world);
        }
        let given = self.accessor.given(ADVICE, world).ok_or(AclError::NoToken)?;
        let id = session.run(ids::token(client, &given)).map_err(AclError::WhichToken)?;
        let unread = |source| AclError::ReadToken { accessor_id: id.clone(), source };
        if is_expanded {
            let token = session.run(client.expanded_token(&id)).map_err(unread)?;
            page::print_expanded_token(&token, format, meta, world)
        } else {
            let token = session.run(client.token(&id)).map_err(unread)?;
            page::print_token(&token, format, meta, world)
        }
    }
}
