//! `peering establish`: uses a peering token that another cluster made.

use std::path::PathBuf;

use clap::Args;
use peering_core::api::detail::LastError;
use peering_core::api::v1::{EstablishRequest, Peering};
use peering_core::duration::GoDuration;

use crate::args::hidden::HiddenText;
use crate::args::http::HttpFlags;
use crate::args::{Leftovers, duration, pair};
use crate::commands::error::{CommandError, not_reserved, required};
use crate::commands::progress::Progress;
use crate::commands::session::Session;
use crate::commands::{token_source, wait};
use crate::output::escape::line;
use crate::world::World;

/// Flags of `establish`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering establish [options] -name <peer name> -peering-token <token>",
    about = "Establish a peering connection",
    long_about = "  Use a peering token that another cluster made. Its servers are called, the
  secret in the token is spent, and a stream between the clusters is opened.

  Example, with the token in a file and waiting for the stream:

    $ peering establish -name cluster-01 -peering-token-file token.txt -wait 30s",
    args_override_self = true
)]
pub(crate) struct Establish {
    #[command(flatten)]
    http: HttpFlags,
    #[arg(long, value_name = "string", help = "(Required) Our own name for the cluster that made the token.")]
    name: Option<String>,
    #[arg(
        long,
        value_name = "string",
        help = "(Required unless -peering-token-file is given) The peering token. Other users of this machine \
                can see it here; a file is safer."
    )]
    peering_token: Option<HiddenText>,
    #[arg(long, value_name = "string", help = "File that holds the peering token, or - for standard input.")]
    peering_token_file: Option<PathBuf>,
    #[arg(long, value_name = "value", value_parser = pair::parse, action = clap::ArgAction::Append,
            help = "Metadata of the peering, as key=value. May be given several times; it replaces what the peering \
                had.")]
    meta: Vec<(String, String)>,
    #[arg(long, value_name = "value", value_parser = duration::parse,
            help = "Wait at most this `duration`, such as 30s, until the peering is ACTIVE, and fail if it is not.")]
    wait: Option<GoDuration>,
    #[command(flatten)]
    leftovers: Leftovers,
}

impl Establish {
    pub(crate) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        let name = not_reserved(required(self.name, "name")?)?;
        let token = peering_token(self.peering_token, self.peering_token_file, world)?;
        let session = Session::open(&self.http, world).map_err(CommandError::Connecting)?;
        let request = EstablishRequest {
            peer_name: name.clone(),
            peering_token: token.expose().to_owned(),
            partition: session.client.partition().to_owned(),
            meta: self.meta.into_iter().collect(),
        };
        let limit = self.wait.filter(|limit| limit.as_nanos() > 0);
        // A server keeps the last error of a peering that was there before, even if all is well again.
        let old = limit.and_then(|_| session.run(session.client.read(&name)).ok().flatten()).and_then(last_error);
        let mut progress = Progress::new(&name);
        if limit.is_some() {
            progress.begin(&mut world.output);
        }
        let established = session.run(session.client.establish(&request));
        if limit.is_some() {
            progress.end(&mut world.output);
        }
        established.map_err(|source| {
            let doubt = token_source::doubt(token.expose(), &source, (world.clock)());
            CommandError::Establish { name: name.clone(), source, doubt }
        })?;
        let shown = line(&name);
        world.output.result(&format!("Successfully established peering connection with {shown}"))?;
        if let Some(limit) = limit {
            let see = |peering: &Peering, elapsed| progress.see(&mut world.output, peering, elapsed);
            let read = async || {
                let mut found = session.client.read(&name).await;
                if let (Some(old), Ok(Some(peering))) = (&old, &mut found) {
                    forget(old, peering);
                }
                found
            };
            let waited = session.run(wait::until_active(read, limit, see));
            progress.end(&mut world.output);
            waited.map_err(|source| CommandError::Wait { name: name.clone(), source })?;
            world.output.result(&format!("The peering connection with {shown} is ACTIVE"))?;
        }
        Ok(())
    }
}

fn last_error(peering: Peering) -> Option<LastError> {
    peering.detail?.last_error
}

/// Takes an error out of a peering's detail if it is the one that was there before.
fn forget(old: &LastError, peering: &mut Peering) {
    if let Some(detail) = &mut peering.detail {
        detail.last_error.take_if(|error| (error.time, &error.code) == (old.time, &old.code));
    }
}

/// Returns the token from the flag or the file.
fn peering_token(
    flag: Option<HiddenText>,
    file: Option<PathBuf>,
    world: &mut World<'_>,
) -> Result<HiddenText, CommandError> {
    let flag = flag.filter(|token| !token.expose().is_empty());
    match (flag, file.filter(|path| !path.as_os_str().is_empty())) {
        (Some(_), Some(_)) => Err(CommandError::TwoTokens),
        (Some(token), None) => {
            Ok(token_source::meant(token.expose().as_bytes(), "-peering-token", world)?.unwrap_or(token))
        }
        (None, Some(path)) => token_source::read(&path, world),
        (None, None) => Err(CommandError::MissingFlag("peering-token")),
    }
}
