//! `peering audit show`: the story of one token, or of one peer.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use peering_core::audit::{Entry, Line, Outcome};
use peering_core::id::{PeeringId, TokenId};

use crate::commands::audit::error::AuditError;
use crate::commands::audit::files::{self, Event};
use crate::commands::format::Format;
use crate::gotime::rfc3339_seconds;
use crate::output::escape;
use crate::world::World;

/// Flags of `audit show`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering audit show [options] FILE...",
    about = "Tell the story of one token or one peer",
    long_about = "  Tell what the audit trail has about one peering token, or about one peer: who
  did what, when and from where. Refusals of streams name the peering, and are in
  the story of the peer, not of the token. Whether all that can be believed is
  another question: `peering audit verify` answers it.

  Example:

    $ peering audit show -token 5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d audit.log",
    args_override_self = true
)]
pub(crate) struct Show {
    #[arg(long, value_name = "id", help = "The `id` of a peering token, which is no secret.")]
    token: Option<String>,
    #[arg(long, value_name = "name", help = "Our own `name` for a peer.")]
    peer: Option<String>,
    #[arg(
        long,
        value_name = "string",
        default_value = "pretty",
        help = "How the story is printed: pretty, or json for the lines themselves."
    )]
    format: String,
    #[arg(hide = true)]
    files: Vec<PathBuf>,
}

/// Whose story is told.
enum Whose {
    Token(TokenId),
    Peer(String),
}

/// Collects a story.
struct Story {
    whose: Whose,
    /// Lines that are part of it, or may be: those that name a peering and no peer.
    lines: Vec<(Line, String)>,
    /// Peerings that have, or had, the peer's name.
    peerings: HashSet<PeeringId>,
}

impl Story {
    fn of(whose: Whose) -> Self {
        Self { whose, lines: Vec::new(), peerings: HashSet::new() }
    }

    fn read(&mut self, line: Line, text: &[u8]) {
        let entry = &line.entry;
        let is_kept = match &self.whose {
            Whose::Token(token) => entry.concerns(*token),
            Whose::Peer(name) if entry.peer.as_deref() == Some(name) => {
                self.peerings.extend(entry.peering);
                true
            }
            Whose::Peer(_) => entry.peer.is_none() && entry.peering.is_some(),
        };
        if is_kept {
            self.lines.push((line, String::from_utf8_lossy(text).into_owned()));
        }
    }

    /// Leaves out the lines of other peerings. The line that tells a peering's name may come after the one that lacks it.
    fn end(&mut self) {
        let Self { whose, lines, peerings } = self;
        if matches!(whose, Whose::Peer(_)) {
            let is_named =
                |entry: &Entry| entry.peer.is_some() || entry.peering.is_some_and(|id| peerings.contains(&id));
            lines.retain(|(line, _)| is_named(&line.entry));
        }
    }
}

impl Show {
    pub(super) fn run(self, world: &mut World<'_>) -> Result<(), AuditError> {
        let format = Format::parse(&self.format).map_err(|_| AuditError::Format)?;
        let whose = match (&self.token, &self.peer) {
            (Some(token), None) => {
                Whose::Token(TokenId::parse(token.trim()).map_err(|_| AuditError::TokenId(token.clone()))?)
            }
            (None, Some(peer)) => Whose::Peer(peer.clone()),
            _ => return Err(AuditError::Whose),
        };
        let (mut story, mut unread) = (Story::of(whose), 0_u64);
        files::each_line(&self.files, world, |event| {
            let Event::Line(bytes, _) = event else { return };
            match Line::parse(bytes) {
                Ok(line) => story.read(line, bytes),
                Err(_) => unread += 1,
            }
        })?;
        story.end();
        let Story { whose, lines: story, .. } = story;
        if story.is_empty() {
            return Err(match whose {
                Whose::Token(token) => AuditError::TokenAbsent(token.to_string()),
                Whose::Peer(name) => AuditError::PeerAbsent(name),
            });
        }
        if unread > 0 {
            let (lines, are) = if unread == 1 { ("line", "is") } else { ("lines", "are") };
            world.output.message(&format!("{unread} {lines} could not be read and {are} passed over."));
        }
        match format {
            Format::Json => {
                let lines: Vec<_> = story.iter().map(|(_, text)| escape::json(text)).collect();
                world.output.result(&lines.join("\n"))?;
            }
            Format::Pretty => world.output.result(&tell(&whose, &story))?,
        }
        Ok(())
    }
}

fn tell(whose: &Whose, story: &[(Line, String)]) -> String {
    let mut page = match whose {
        Whose::Token(token) => format!("Token:  {token}\n"),
        Whose::Peer(name) => format!("Peer:   {}\n", escape::line(name)),
    };
    let about = story.iter().find_map(|(line, _)| Some((line.entry.peering?, line.entry.peer.clone()?)));
    // A `String` takes every write.
    if let (Some((peering, peer)), Whose::Token(_)) = (about, whose) {
        let _ = writeln!(page, "Peer:   {} (peering {peering})", escape::line(&peer));
    }
    for (line, _) in story {
        let what = escape::line(&sentence(whose, &line.entry)).into_owned();
        let _ = write!(page, "\n{:>6}  {}  {what}", line.seq, rfc3339_seconds(line.entry.time));
    }
    page
}

/// Tells one line in words.
fn sentence(whose: &Whose, entry: &Entry) -> String {
    let is_token = matches!(whose, Whose::Token(_));
    let mut text = match entry.event.as_ref() {
        "token_generated" => "generated".to_owned(),
        "token_superseded" if matches!(whose, Whose::Token(token) if entry.superseded_by == Some(*token)) => {
            let older = entry.token.map(|token| token.to_string()).unwrap_or_default();
            format!("took the place of {older}")
        }
        "token_superseded" => {
            let newer = entry.superseded_by.map(|token| token.to_string()).unwrap_or_default();
            format!("superseded by {newer}")
        }
        "token_redeemed" => "redeemed".to_owned(),
        "token_revoked" => "revoked".to_owned(),
        "stream_secret_promoted" => "its stream secret was used for the first time".to_owned(),
        "refused" => "refused".to_owned(),
        other => other.replace('_', " "),
    };
    if let (false, Some(token)) = (is_token, entry.token) {
        let _ = write!(text, ", token {token}");
    }
    if let Some(cause) = &entry.cause {
        let _ = write!(text, " ({})", cause.replace('_', " "));
    }
    if let Some(count) = entry.count.filter(|count| *count > 1) {
        let _ = write!(text, " {count} times");
    }
    if let (Some(before), Some(now)) = (&entry.trust_domain_before, &entry.trust_domain) {
        let _ = write!(text, " from {before} to {now}");
    }
    if let Some(actor) = entry.actor {
        let _ = write!(text, " by {actor}");
    }
    match (entry.source, entry.user) {
        (Some(source), _) => {
            let _ = write!(text, " from {source}");
        }
        (None, Some(user)) => {
            let _ = write!(text, " from this machine, user {user}");
        }
        (None, None) => {}
    }
    if let Some(expires) = entry.expires {
        let _ = write!(text, ", expires {}", rfc3339_seconds(expires));
    }
    if let (Some(first), Some(last), Outcome::Refused | Outcome::Failed) = (entry.first, entry.last, entry.outcome) {
        let _ = write!(text, ", {}", rfc3339_seconds(first));
        if first != last {
            let _ = write!(text, " to {}", rfc3339_seconds(last));
        }
    }
    text
}
