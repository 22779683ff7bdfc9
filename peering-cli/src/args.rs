//! The command line: which verbs there are, and how their flags are read.

pub(crate) mod duration;
pub(crate) mod flag_error;
pub(crate) mod go_bool;
pub(crate) mod help;
pub(crate) mod hidden;
pub(crate) mod http;
pub(crate) mod pair;
pub(crate) mod rewrite;
pub(crate) mod route;
pub(crate) mod typed;
mod wrap;

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand};

use crate::commands::{
    acl, audit, completion, delete, establish, exported_services, generate_token, inspect, issued, list, man, read,
    version,
};
#[cfg(feature = "server")]
use crate::commands::{backup, keyring, quickstart, server};

/// The root of the command line.
#[derive(Debug, Parser)]
#[command(
    name = "peering",
    override_usage = "peering <subcommand> [options] [args]",
    about = "Create and manage peering connections between clusters",
    long_about = "  Create and manage peering connections between clusters, with peering tokens
  that HashiCorp Consul understands.

  Make a token here and hand it to the other cluster:

      $ peering generate-token -name cluster-02

  Use a token that the other cluster made:

      $ peering establish -name cluster-01 -peering-token-file token.txt -wait 30s

  See what is in a token before using it:

      $ peering inspect token.txt

  See which peers there are, and one in detail:

      $ peering list
      $ peering read -name cluster-02

  See which tokens were issued and what became of them, and take one back:

      $ peering issued list
      $ peering issued revoke 5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d

  For more about a subcommand, run it with -h.",
    disable_help_flag = true,
    disable_help_subcommand = true,
    disable_version_flag = true
)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs; each has a file of its own in `commands/`.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    #[command(name = "generate-token")]
    GenerateToken(generate_token::GenerateToken),
    Establish(Box<establish::Establish>),
    List(list::List),
    Read(read::Read),
    Delete(delete::Delete),
    #[command(name = "exported-services")]
    ExportedServices(exported_services::ExportedServices),
    Acl(acl::Acl),
    Audit(audit::AuditGroup),
    Issued(issued::IssuedGroup),
    Completion(completion::Completion),
    Man(man::Man),
    Inspect(inspect::Inspect),
    Version(version::Version),
    #[cfg(feature = "server")]
    Backup(backup::Backup),
    #[cfg(feature = "server")]
    Keyring(keyring::KeyringGroup),
    #[cfg(feature = "server")]
    Server(Box<server::Server>),
    #[cfg(feature = "server")]
    Quickstart(quickstart::Quickstart),
}

/// Words after the flags, which Consul's commands ignore and so do ours of the same name; those that Consul has not refuse
/// them.
#[derive(Debug, Clone, Args)]
pub(crate) struct Leftovers {
    #[arg(value_name = "args", hide = true, num_args = 0..)]
    leftovers: Vec<OsString>,
}
