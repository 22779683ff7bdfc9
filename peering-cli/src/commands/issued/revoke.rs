//! `peering issued revoke`: takes tokens back, one by one or all that can still be used.

use std::collections::BTreeSet;

use clap::Args;
use peering_core::api::issued::PeeringToken;
use peering_core::duration::GoDuration;
use peering_core::id::{PeeringId, TokenId};
use serde::Serialize;

use super::error::{IssuedError, explained};
use super::page::{count, lay_out};
use super::token_id;
use crate::args::duration;
use crate::args::go_bool;
use crate::args::hidden::HiddenText;
use crate::args::http::HttpFlags;
use crate::client::error::ClientError;
use crate::client::issued::Wanted;
use crate::commands::error::CommandError;
use crate::commands::format::Format;
use crate::commands::session::Session;
use crate::world::World;

/// States of tokens that may still be of use; the server says which of the redeemed ones are.
const LIVE: &str = "unused,redeemed";

/// Flags of `issued revoke`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering issued revoke [options] ID...\n       peering issued revoke [options] -all",
    about = "Revoke issued tokens",
    long_about = "  Take peering tokens back. A token that was not used becomes void. If it was
  redeemed, its stream secret becomes void, unless the peer has used that already:
  then only 'peering delete' ends the peering. Running peerings are not disturbed.

  Examples:

    $ peering issued revoke 5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d

  See what would be revoked of all tokens that are older than a day:

    $ peering issued revoke -all -older-than 24h -dry-run",
    args_override_self = true
)]
pub(super) struct Revoke {
    #[command(flatten)]
    http: HttpFlags,
    #[arg(hide = true, num_args = 0..)]
    ids: Vec<HiddenText>,
    #[arg(long, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", default_value = "false", hide_default_value = true,
        value_parser = go_bool::parse,
        help = "Revoke every token that can be: the unused ones, and those whose stream secret was not used.")]
    all: bool,
    #[arg(long, value_name = "string", help = "With -all: revoke the tokens for this peer alone.")]
    peer: Option<String>,
    #[arg(long, value_name = "value", value_parser = duration::parse,
        help = "With -all: revoke tokens alone that were issued at least this `duration` ago, such as 24h.")]
    older_than: Option<GoDuration>,
    #[arg(long, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", default_value = "false", hide_default_value = true,
        value_parser = go_bool::parse,
        help = "With -all: show what would be revoked, and revoke nothing.")]
    dry_run: bool,
    #[arg(
        long,
        value_name = "string",
        default_value = "pretty",
        help = "How it is told what was revoked: pretty or json."
    )]
    format: String,
}

/// What became of one token.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Outcome {
    #[serde(rename = "TokenID")]
    token_id: TokenId,
    /// `revoked`; `ended`, if it ended by itself meanwhile; or `failed`.
    outcome: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    error: String,
}

impl Revoke {
    pub(super) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        let needs_all =
            [("peer", self.peer.is_some()), ("older-than", self.older_than.is_some()), ("dry-run", self.dry_run)];
        if let Some((flag, _)) = needs_all.into_iter().find(|(_, is_given)| *is_given && !self.all) {
            return Err(IssuedError::NeedsAll(flag).into());
        }
        if self.all && !self.ids.is_empty() {
            return Err(IssuedError::IdsAndAll.into());
        }
        if !self.all && self.ids.is_empty() {
            return Err(IssuedError::NoId.into());
        }
        let ids: Vec<TokenId> = self.ids.iter().map(token_id).collect::<Result<_, _>>()?;
        let format = Format::parse(&self.format)?;
        let session = Session::open(&self.http, world).map_err(CommandError::Connect)?;
        let mut run = Run { session: &session, format, outcomes: Vec::new() };
        if self.all {
            let wanted = Wanted {
                peer: self.peer.unwrap_or_default(),
                states: LIVE.to_owned(),
                older_than: self.older_than.map(|age| age.to_string()).unwrap_or_default(),
            };
            if self.dry_run { run.show(&wanted, world) } else { run.revoke_all(&wanted, world) }
        } else {
            let tokens: Vec<_> = ids.into_iter().map(|id| (id, None)).collect();
            run.revoke(&tokens, false, world)?;
            run.finish(world)
        }
    }
}

/// Says that nothing is left to revoke, of all tokens or of those that were asked for.
const fn nothing_to_revoke(wanted: &Wanted) -> &'static str {
    if wanted.peer.is_empty() && wanted.older_than.is_empty() {
        "There are no tokens to revoke."
    } else {
        "No token that can be revoked matches what was asked for."
    }
}

/// Revocations in progress.
struct Run<'a> {
    session: &'a Session,
    format: Format,
    outcomes: Vec<Outcome>,
}

impl Run<'_> {
    fn list(&self, wanted: &Wanted) -> Result<(Vec<PeeringToken>, u64), CommandError> {
        let issued = self.session.run(self.session.client.issued(wanted));
        let mut issued = issued.map_err(|error| explained(error, IssuedError::List))?;
        issued.tokens.retain(|token| token.revocable);
        Ok((issued.tokens, issued.index))
    }

    /// Shows what would be revoked.
    fn show(&self, wanted: &Wanted, world: &mut World<'_>) -> Result<(), CommandError> {
        let (tokens, _) = self.list(wanted)?;
        match self.format {
            Format::Json => world.output.json(&tokens)?,
            Format::Pretty if tokens.is_empty() => world.output.result(nothing_to_revoke(wanted))?,
            Format::Pretty => {
                let page = lay_out(&tokens);
                world.output.result(&format!("{page}\n\n{} would be revoked.", count(tokens.len())))?;
            }
        }
        Ok(())
    }

    /// Revokes until nothing is left that was there at the beginning: what was issued meanwhile was asked for by
    /// somebody who may not know why, and is told.
    fn revoke_all(mut self, wanted: &Wanted, world: &mut World<'_>) -> Result<(), CommandError> {
        let (mut tokens, begin) = self.list(wanted)?;
        let mut tried: BTreeSet<TokenId> = BTreeSet::new();
        loop {
            let mut next = Vec::new();
            for token in tokens.iter().filter(|token| token.create_index <= begin) {
                let id = TokenId::parse(&token.token_id).map_err(IssuedError::Id)?;
                if tried.insert(id) {
                    next.push((id, PeeringId::parse(&token.peering_id).ok()));
                }
            }
            if next.is_empty() {
                break;
            }
            self.revoke(&next, true, world)?;
            tokens = self.list(wanted)?.0;
        }
        let newer = tokens.iter().filter(|token| token.create_index > begin).count();
        if newer > 0 {
            let newer = count(newer);
            world.output.message(&format!("Warning: {newer} issued since this began can still be used"));
        }
        if self.outcomes.is_empty() && self.format == Format::Pretty {
            return Ok(world.output.result(nothing_to_revoke(wanted))?);
        }
        self.finish(world)
    }

    /// Revokes these tokens, of peerings that may be known, and tells of each at once. One that ended by itself is no failure if `may_have_ended`.
    fn revoke(
        &mut self,
        tokens: &[(TokenId, Option<PeeringId>)],
        may_have_ended: bool,
        world: &mut World<'_>,
    ) -> Result<(), CommandError> {
        for (place, (token, peering)) in tokens.iter().copied().enumerate() {
            let outcome = match self.session.run(self.session.client.revoke_issued(token, peering)) {
                Ok(()) => Outcome { token_id: token, outcome: "revoked", error: String::new() },
                Err(error @ ClientError::Status { .. }) => {
                    let error = match explained(error, |source| IssuedError::Read { token, source }) {
                        IssuedError::Read { source, .. } => source.to_string(),
                        unsupported => return Err(unsupported.into()),
                    };
                    let has_ended = may_have_ended && self.has_ended(token, peering);
                    Outcome { token_id: token, outcome: if has_ended { "ended" } else { "failed" }, error }
                }
                // Nobody answers, so there is no use in asking for the others.
                Err(source) => {
                    if self.format == Format::Json {
                        world.output.json(&self.outcomes)?;
                    }
                    let untried = tokens.len() - place - 1;
                    let untried = format!("{} revoked before, {} not tried", self.count("revoked"), count(untried));
                    return Err(IssuedError::Broken { token, source, untried }.into());
                }
            };
            match (self.format, outcome.outcome) {
                (Format::Pretty, "revoked") => world.output.result(&format!("Revoked token {token}"))?,
                (Format::Pretty, "ended") => world.output.result(&format!("Token {token} had ended by itself"))?,
                (_, "failed") => world.output.message(&format!("Error revoking token {token}: {}", outcome.error)),
                _ => {}
            }
            self.outcomes.push(outcome);
        }
        Ok(())
    }

    /// Says whether a token that was refused cannot be used any more, so that nothing was left to revoke.
    fn has_ended(&self, token: TokenId, peering: Option<PeeringId>) -> bool {
        let read = self.session.run(self.session.client.issued_token(token, peering));
        read.is_ok_and(|read| matches!(read.state.as_str(), "superseded" | "expired" | "revoked"))
    }

    fn count(&self, what: &str) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.outcome == what).count()
    }

    /// Tells the end, and fails if any token could not be revoked.
    fn finish(self, world: &mut World<'_>) -> Result<(), CommandError> {
        if self.format == Format::Json {
            world.output.json(&self.outcomes)?;
        }
        match self.count("failed") {
            0 => Ok(()),
            failed => Err(IssuedError::Failed { failed, tried: self.outcomes.len() }.into()),
        }
    }
}
