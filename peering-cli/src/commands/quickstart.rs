//! `peering quickstart`: two clusters on this machine become peers, every step explained.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use peering_core::name::Datacenter;
use peering_core::peering::Reported;
use peering_core::transition::Origin;
use peering_server::config::{Config, StoreChoice};
use peering_server::server::Server;
use peering_server::service::ServiceError;
use peering_server::service::establish::EstablishRequest;
use peering_server::service::peerings::TokenRequest;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep};

use crate::args::go_bool;
use crate::commands::error::CommandError;
use crate::world::World;

/// How long both sides have to become active.
const ACTIVE_WITHIN: Duration = Duration::from_secs(30);
/// Pause between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// The two clusters: datacenter, and the name under which each knows the other.
const CLUSTERS: [(&str, &str); 2] = [("dc1", "cluster-02"), ("dc2", "cluster-01")];

/// Flags of `quickstart`.
#[derive(Debug, Args)]
#[command(
    override_usage = "peering quickstart [options]",
    about = "Watch two clusters become peers on this machine",
    long_about = "  Start two clusters on loopback, in temporary directories, and make them peers:
  generate a token on one, establish it on the other, wait until both are ACTIVE.

  Example:

    $ peering quickstart -exit",
    args_override_self = true
)]
pub(crate) struct Quickstart {
    /// Stop once both clusters are ACTIVE, instead of staying up to be tried.
    #[arg(long, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true,
        default_missing_value = "true", default_value = "false", hide_default_value = true,
        value_parser = go_bool::parse)]
    exit: bool,
}

/// Why the demonstration failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum QuickstartError {
    /// A directory or file cannot be made.
    #[error("Error preparing {}: {source}", path.display())]
    Prepare {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A step was refused.
    #[error("Error in step {step}: {source}")]
    Step {
        /// Which.
        step: &'static str,
        /// Why.
        source: ServiceError,
    },
    /// The clusters did not become active in time.
    #[error("After {} s the clusters are {first} and {second}, expected ACTIVE and ACTIVE", ACTIVE_WITHIN.as_secs())]
    NotActive {
        /// State on the first cluster.
        first: String,
        /// State on the second.
        second: String,
    },
}

impl Quickstart {
    pub(crate) fn run(self, world: &mut World<'_>) -> Result<(), CommandError> {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CommandError::Runtime)?;
        runtime.block_on(self.demonstrate(world))
    }

    async fn demonstrate(self, world: &mut World<'_>) -> Result<(), CommandError> {
        let mut terminate = signal(SignalKind::terminate()).map_err(CommandError::Runtime)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(CommandError::Runtime)?;
        let home = tempfile::Builder::new()
            .prefix("peering-quickstart-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()
            .map_err(|source| QuickstartError::Prepare { path: std::env::temp_dir(), source })?;
        let mut clusters = Vec::new();
        for (datacenter, _) in CLUSTERS {
            clusters.push(start(home.path(), datacenter).await?);
        }
        let outcome = tokio::select! {
            outcome = self.show(world, &clusters) => outcome,
            _ = terminate.recv() => self.told_to_stop(),
            _ = interrupt.recv() => self.told_to_stop(),
        };
        let stopped = async {
            for cluster in clusters {
                cluster.shutdown().await;
            }
        };
        tokio::select! {
            () = stopped => outcome,
            _ = terminate.recv() => Err(CommandError::Interrupted),
            _ = interrupt.recv() => Err(CommandError::Interrupted),
        }
    }

    /// With `-exit` success means ACTIVE on both sides, and a signal came before that.
    fn told_to_stop(&self) -> Result<(), CommandError> {
        if self.exit { Err(CommandError::Interrupted) } else { Ok(()) }
    }

    async fn show(&self, world: &mut World<'_>, clusters: &[Server]) -> Result<(), CommandError> {
        let [(first_dc, first_peer), (second_dc, second_peer)] = CLUSTERS;
        let [first, second] = clusters else { return Ok(()) };
        let mut say = |text: String| world.output.result(&text);
        say("1. Two clusters run on this machine, each with a certificate authority of its own:".to_owned())?;
        for (cluster, (datacenter, _)) in clusters.iter().zip(CLUSTERS) {
            say(format!("     {datacenter}  HTTP API {}  peers {}", http_url(cluster), cluster.peer_address()))?;
        }

        let request = TokenRequest { name: first_peer.to_owned(), ..TokenRequest::default() };
        let step = |step: &'static str| move |source| QuickstartError::Step { step, source };
        let checked = first.service().check_token_request(request).map_err(step("2"))?;
        let token = first.service().generate_token(checked, Origin::default()).await.map_err(step("2"))?;
        say(format!(
            "2. {first_dc} generates a peering token for \"{first_peer}\": {} characters, a one-time secret inside.\n     \
             The same by hand: peering generate-token -name {first_peer} -http-addr {}",
            token.len(),
            http_url(first)
        ))?;

        let request = EstablishRequest { name: second_peer.to_owned(), token, ..EstablishRequest::default() };
        let checked = second.service().check_establish(request).map_err(step("3"))?;
        second.service().establish(checked, Origin::default()).await.map_err(step("3"))?;
        say(format!(
            "3. {second_dc} uses the token as \"{second_peer}\": it exchanged the one-time secret over TLS and dials.\n     \
             The same by hand: peering establish -name {second_peer} -peering-token-file FILE -http-addr {}",
            http_url(second)
        ))?;

        wait_until_active(first, second).await?;
        say(format!(
            "4. Both clusters see the other:\n     {first_dc}  {first_peer}  ACTIVE\n     {second_dc}  {second_peer}  ACTIVE"
        ))?;
        if self.exit {
            return Ok(());
        }
        say(format!(
            "\nThey stay up until Ctrl-C. Try:\n     peering list -http-addr {}\n     peering read -name {second_peer} -http-addr {}\n     \
             peering delete -name {first_peer} -http-addr {}",
            http_url(first),
            http_url(second),
            http_url(first)
        ))?;
        std::future::pending().await
    }
}

async fn start(home: &Path, datacenter: &str) -> Result<Server, CommandError> {
    let data_dir = home.join(datacenter);
    DirBuilder::new()
        .mode(0o700)
        .create(&data_dir)
        .map_err(|source| QuickstartError::Prepare { path: data_dir.clone(), source })?;
    let datacenter = Datacenter::parse(datacenter).unwrap_or_else(|_| Datacenter::first());
    let keyring = data_dir.join("keyring");
    let config = Config { store: StoreChoice::Sqlite { data_dir, keyring }, ..Config::ephemeral(datacenter) };
    Server::start(config).await.map_err(|error| CommandError::Start(Box::new(error)))
}

fn http_url(server: &Server) -> String {
    server.http_addresses().first().map(|address| format!("http://{address}")).unwrap_or_default()
}

async fn wait_until_active(first: &Server, second: &Server) -> Result<(), QuickstartError> {
    let deadline = Instant::now() + ACTIVE_WITHIN;
    loop {
        let states = [state(first, CLUSTERS[0].1).await?, state(second, CLUSTERS[1].1).await?];
        if states == [Reported::Active; 2] {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let [first, second] = states.map(|state| state.to_string());
            return Err(QuickstartError::NotActive { first, second });
        }
        sleep(LOOK_INTERVAL).await;
    }
}

async fn state(server: &Server, peer: &str) -> Result<Reported, QuickstartError> {
    let read = server.service().read_peering(peer).await;
    read.map(|found| found.value.state).map_err(|source| QuickstartError::Step { step: "4", source })
}
