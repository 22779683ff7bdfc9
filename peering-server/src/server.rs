//! The composition root: the only file that wires store, authority, services and listeners, and shuts them down.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use peering_core::address::ServerAddress;
use thiserror::Error;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{error, warn};

use crate::audit::{self, AuditError, Auditor, Means, Trail};
use crate::bounds::DRAIN_MAX;
use crate::ca::{CaError, LeafKeeper, renew};
use crate::causes::chain;
use crate::clock::{Clock, SystemClock};
use crate::config::{AclMode, Advertise, Config, StoreChoice};
use crate::dial::{DialPolicy, Dialer, Resolve, SystemResolver};
use crate::entropy::{Entropy, SystemEntropy};
use crate::http::{self, App};
use crate::keyring::{Keyring, KeyringError};
use crate::listen::{self, BindError, Ceiling, ListenAddress, Listener, ListenerEntry};
use crate::peerstream::{self, GrpcExchange, PeerStreams};
use crate::service::access::Access;
use crate::service::acl::ManagementTokenError;
use crate::service::cluster::{Cluster, ClusterError};
use crate::service::keys_in_use::{MissingKeys, missing_keys};
use crate::service::outbox::Outbox;
use crate::service::status::StreamBoard;
use crate::service::{Parts, Service, ServiceError};
use crate::store::memory::MemoryStore;
use crate::store::sqlite::{self, DATABASE_FILE, OpenError, SqliteStore};
use crate::store::{Store, StoreError};
use crate::tls::{ALPN_H2, ALPN_HTTP_1_1, CertificateFiles, CertificateFilesError, KeySlot, ServerTls};

/// Pause between two sweeps of old tombstones and tokens.
const SWEEP_INTERVAL: Duration = Duration::from_secs(3_600);
/// Pause between two looks at the buffers of timers: a busy server fills some 100 KiB meanwhile.
const METRICS_TIDY_INTERVAL: Duration = Duration::from_secs(5);
/// Pause before events are followed again after the store failed.
const EVENTS_PAUSE: Duration = Duration::from_secs(1);

/// Says why a server could not start. Nothing is left open then.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The HTTP API would be open to others than the settings let in.
    #[error("the HTTP API cannot listen there: {0}")]
    Exposed(String),
    /// The store cannot be opened.
    #[error("the store in {} cannot be opened", data_dir.display())]
    Open {
        /// The data directory.
        data_dir: PathBuf,
        /// Why.
        #[source]
        source: OpenError,
    },
    /// The store cannot be read.
    #[error("the store cannot be read")]
    Store(#[from] StoreError),
    /// The keyring cannot be opened or made.
    #[error("the keyring cannot be used")]
    Keyring(#[from] KeyringError),
    /// The store has content and its keyring is not there.
    #[error(
        "the keyring {} is missing and the store is not empty: put back the keyring that the store was made with, a new one could not open it",
        path.display()
    )]
    KeyringLost {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The keyring is there and is not the one of this store.
    #[error(
        "the keyring {} is not the one that this store was made with: put that one back, or name it with -keyring",
        path.display()
    )]
    KeyringForeign {
        /// The keyring that was opened.
        path: PathBuf,
        /// Which key is not on it.
        #[source]
        source: KeyringError,
    },
    /// The keyring is that of this store, and lacks keys that sealed something in it.
    #[error(
        "the keyring {} lacks {missing}, with which this store was sealed: put back the keyring as it was after its last rotation",
        path.display()
    )]
    KeyringIncomplete {
        /// The keyring that was opened.
        path: PathBuf,
        /// Which keys are not on it.
        missing: MissingKeys,
    },
    /// The cluster's identity cannot be read or made.
    #[error("the cluster's identity cannot be used")]
    Cluster(#[from] ClusterError),
    /// A certificate cannot be issued.
    #[error("the peer listener's certificate cannot be issued")]
    Ca(#[from] CaError),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    /// The certificate of the HTTP API cannot be used.
    #[error("the certificate of the HTTP API cannot be used")]
    Certificate(#[from] CertificateFilesError),
    /// A memory store would write its management token over that of a store on the disk.
    #[error(
        "{} holds a store, and a server with -store memory would write its management token over the one that belongs to it: give -data-dir another directory",
        data_dir.display()
    )]
    DirectoryInUse {
        /// The directory.
        data_dir: PathBuf,
    },
    /// The head of the audit trail cannot be read.
    #[error("the head of the audit trail cannot be read")]
    AuditHead(#[source] crate::service::ServiceError),
    /// The first management token cannot be made.
    #[error(transparent)]
    ManagementToken(#[from] ManagementTokenError),
    /// Not every unredeemed token of a restored store was voided; nobody was served.
    #[error("the unredeemed tokens of the restored store could not all be voided; start again with -after-restore")]
    AfterRestore(#[source] ServiceError),
    /// The audit trail cannot be opened.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A listener cannot be opened.
    #[error(transparent)]
    Bind(#[from] BindError),
}

/// A running server.
///
/// # Examples
/// See the crate's documentation, and `examples/embedded.rs`.
pub struct Server {
    service: Arc<Service>,
    streams: Arc<PeerStreams>,
    addresses: Vec<ListenAddress>,
    peer_address: SocketAddr,
    config: Config,
    certificate: Option<ServedCertificate>,
    connections: Ceiling,
    dialer: Dialer,
    stop_accepting: CancellationToken,
    stop_events: CancellationToken,
    tasks: JoinSet<()>,
    /// Those who read events: the log and the audit trail.
    events: JoinSet<()>,
    /// Has the audit trail look whether its file was moved away.
    look: Arc<Notify>,
    store: OpenStore,
    voided: Option<usize>,
    /// A server that is dropped instead of being shut down stops all the same.
    _stops: [DropGuard; 2],
}

#[derive(Clone)]
enum OpenStore {
    Memory(Arc<MemoryStore>),
    Sqlite(Arc<SqliteStore>),
}

impl OpenStore {
    fn shared(&self) -> Arc<dyn Store> {
        match self {
            Self::Memory(store) => Arc::clone(store) as Arc<dyn Store>,
            Self::Sqlite(store) => Arc::clone(store) as Arc<dyn Store>,
        }
    }

    async fn close(&self) {
        match self {
            Self::Memory(_) => {}
            Self::Sqlite(store) => store.close().await,
        }
    }
}

/// Where a server asks for time, randomness and the addresses of host names; tests put in their own.
#[derive(Clone)]
pub struct Sources {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Draws ids and secrets.
    pub entropy: Arc<dyn Entropy>,
    /// Looks up the hosts of peers.
    pub resolver: Arc<dyn Resolve>,
    /// Standard output, for an audit trail that goes there.
    pub stdout: Arc<Mutex<dyn Write + Send>>,
}

impl Default for Sources {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            resolver: Arc::new(SystemResolver),
            stdout: Arc::new(Mutex::new(std::io::stdout())),
        }
    }
}

impl Server {
    /// Looks on the disk for what a start with these settings would refuse: owners and modes of the data directory and of
    /// the store in it, and the place of the audit log. Makes and locks nothing.
    ///
    /// # Errors
    /// [`StartError`], as the start would have it.
    pub fn check(config: &Config) -> Result<(), Box<StartError>> {
        let will_be = match &config.store {
            StoreChoice::Memory => None,
            StoreChoice::Sqlite { data_dir, .. } => {
                let refused = |source| StartError::Open { data_dir: data_dir.clone(), source };
                sqlite::check(data_dir).map_err(refused)?;
                Some(data_dir.as_path())
            }
        };
        let audit_log = config.audit.file.as_deref();
        Ok(audit_log.map_or(Ok(()), |path| audit::check_place(path, will_be)).map_err(StartError::Audit)?)
    }

    /// Starts a server with the machine's clock and randomness.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::start_with(config, Sources::default()).await
    }

    /// Starts a server with these sources.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start_with(config: Config, sources: Sources) -> Result<Self, StartError> {
        // A program that fills in the settings by itself is held to what the command line is held to.
        config.check_http_addresses().map_err(StartError::Exposed)?;
        let store = match &config.store {
            StoreChoice::Memory => OpenStore::Memory(Arc::new(MemoryStore::default())),
            StoreChoice::Sqlite { data_dir, .. } => {
                let opened = SqliteStore::open(data_dir);
                let opened = opened.map_err(|source| StartError::Open { data_dir: data_dir.clone(), source })?;
                OpenStore::Sqlite(Arc::new(opened))
            }
        };
        let started = Self::start_over(store.clone(), config, sources).await;
        if started.is_err() {
            // A program that ends next would leave SQLite's files behind.
            store.close().await;
        }
        started
    }

    async fn start_over(store: OpenStore, config: Config, sources: Sources) -> Result<Self, StartError> {
        let Sources { clock, entropy, resolver, stdout } = sources;
        let keyring = open_keyring(&config.store, &store, &entropy).await?;
        let shared_store = store.shared();
        let cluster =
            Cluster::open(shared_store.as_ref(), &keyring, clock.as_ref(), entropy.as_ref(), &config.datacenter)
                .await
                .map_err(|error| of_cluster(error, &config.store))?;
        if let StoreChoice::Sqlite { keyring: path, .. } = &config.store
            && let Some(missing) = missing_keys(shared_store.as_ref(), &keyring).await?
        {
            return Err(StartError::KeyringIncomplete { path: path.clone(), missing });
        }

        let authority = Arc::clone(cluster.authority());
        let leaf = LeafKeeper::start(authority, cluster.datacenter().clone(), clock.now())?;
        let names = [(cluster.server_name().to_owned(), leaf.slot())];
        let board = StreamBoard::new(config.node_name.clone()).with_clock(Arc::clone(&clock));
        let board = Arc::new(board.with_own_certificate(leaf.end()));
        let dialer = Dialer::with_resolver(DialPolicy::new(config.dial_deny.clone()), resolver);
        let service = Service::new(Parts {
            store: shared_store,
            keyring: Arc::new(keyring),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            cluster,
            advertised: Vec::new(),
            allow_plaintext: config.allow_plaintext,
            streams: Arc::clone(&board) as Arc<dyn crate::service::status::StreamStatus>,
            exchange: Arc::new(GrpcExchange { dialer: dialer.clone(), clock: Arc::clone(&clock) }),
            outbox: Arc::new(if config.audit.is_on() { Outbox::audited() } else { Outbox::default() }),
        });
        service.set_token_policy(config.tokens);
        let voided = match config.after_restore {
            // Before anybody can ask for anything: tokens of a restored store may have been used since it was copied.
            true => Some(service.void_unredeemed().await.map_err(StartError::AfterRestore)?),
            false => None,
        };
        if let Some(voided) = voided {
            warn!(voided, "-after-restore: every token that was unredeemed in the store is void");
        }
        let tls = ServerTls::new(names, &[ALPN_H2])?;
        let peer_listener = ListenerEntry::peer(config.peer_addr, tls).bind().await?;
        let peer_address = peer_listener.tcp_address().unwrap_or(config.peer_addr);
        let mut http_listeners = Vec::new();
        let certificate = config.http_certificate.as_ref().map(ServedCertificate::load).transpose()?;
        let connections = Ceiling::new(config.http_max_connections);
        for entry in http_entries(&config, certificate.as_ref(), &connections)? {
            http_listeners.push(entry.bind().await?);
        }

        let is_guessed = config.advertise == Advertise::Discover && peer_address.ip().is_unspecified();
        let advertised = advertised(&config.advertise, peer_address);
        let leader = advertised.first().map(ServerAddress::to_string).unwrap_or_default();
        let service = service.with_advertised(advertised, is_guessed);
        let access = Access { mode: config.acl, node: config.node_name.clone() };
        let service = Arc::new(service.with_access(access));
        if config.acl != AclMode::Off {
            if let (StoreChoice::Memory, Some(data_dir)) =
                (&config.store, config.management_token.as_deref().and_then(Path::parent))
                && data_dir.join(DATABASE_FILE).exists()
            {
                return Err(StartError::DirectoryInUse { data_dir: data_dir.to_owned() });
            }
            service.prepare_access(config.management_token.as_deref()).await?;
        }
        let streams = Arc::new(PeerStreams::new(peerstream::Parts {
            service: Arc::clone(&service),
            board,
            dialer: dialer.clone(),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
        }));

        let stop_accepting = CancellationToken::new();
        let stop_events = CancellationToken::new();
        let look = Arc::new(Notify::new());
        let mut events = JoinSet::new();
        if config.audit.is_on() {
            let node = config.node_name.clone();
            let stdout = config.audit.stdout.then_some(stdout);
            let is_new_store = matches!(store, OpenStore::Memory(_));
            let (keyring, clock) = (Arc::clone(&service.keyring), Arc::clone(&clock));
            let means = Means { keyring, keeps_keys: !is_new_store, clock, entropy, node, stdout };
            let kept = service.stored_audit_head().await.map_err(StartError::AuditHead)?.map(|kept| kept.head);
            let trail = Trail::open(means, config.audit.file.clone(), kept)?;
            let (service, look, stop) = (Arc::clone(&service), Arc::clone(&look), stop_events.clone());
            events.spawn(Auditor::new(service, trail, is_new_store, look, stop).run());
        }
        let addresses = http_listeners.iter().map(Listener::address).collect();
        let mut tasks = JoinSet::new();
        let edge = streams.edge();
        let serve_peers = move |connection| listen::grpc::serve_connection(connection, edge.clone());
        tasks.spawn(listen::serve(peer_listener, serve_peers, stop_accepting.clone()));
        let node_name = config.node_name.clone();
        let app = App { service: Arc::clone(&service), always_pretty: config.dev, leader, node_name, peer_address };
        let router = http::router(Arc::new(app));
        for listener in http_listeners {
            let router = router.clone();
            let serve_http = move |connection| listen::http::serve_connection(connection, router.clone());
            tasks.spawn(listen::serve(listener, serve_http, stop_accepting.clone()));
        }
        let renew_clock = Arc::clone(&clock);
        tasks.spawn(renew::keep(leaf, move || renew_clock.now(), stop_accepting.clone()));
        tasks.spawn(sweep(Arc::clone(&service), stop_accepting.clone()));
        let (told, stop_telling) = (Arc::clone(&service), stop_accepting.clone());
        tasks.spawn(async move { told.follow_changes(stop_telling).await });
        tasks.spawn(tidy_metrics(Arc::clone(&service), stop_accepting.clone()));
        events.spawn(follow_events(Arc::clone(&service), stop_events.clone()));
        streams.start();
        let _stops = [stop_accepting.clone().drop_guard(), stop_events.clone().drop_guard()];
        Ok(Self {
            service,
            streams,
            addresses,
            peer_address,
            config,
            certificate,
            connections,
            dialer,
            stop_accepting,
            stop_events,
            tasks,
            events,
            look,
            store,
            voided,
            _stops,
        })
    }

    /// Returns the service, for programs that have a server inside.
    #[must_use]
    pub const fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Returns where the HTTP API listens, with the ports that the system chose.
    #[must_use]
    pub fn http_addresses(&self) -> &[ListenAddress] {
        &self.addresses
    }

    /// Returns where peers are accepted.
    #[must_use]
    pub const fn peer_address(&self) -> SocketAddr {
        self.peer_address
    }

    /// Returns how many tokens were voided because the store was restored from a backup, if it was.
    #[must_use]
    pub const fn voided(&self) -> Option<usize> {
        self.voided
    }

    /// Takes on what may change while the server runs: the certificate of the HTTP API, `http_max_connections`,
    /// `dial_deny`, and how long tokens live and are kept; and looks whether the audit log was moved away. Connections
    /// that are open stay, with the certificate that they were shown. Returns the settings that
    /// differ too and need a restart.
    ///
    /// # Errors
    /// [`CertificateFilesError`]; nothing is changed then.
    pub fn reload(&self, new: &Config) -> Result<Vec<&'static str>, CertificateFilesError> {
        if let (Some(certificate), Some(files)) = (&self.certificate, &new.http_certificate) {
            certificate.slot.replace(files.load()?);
        }
        self.connections.set(new.http_max_connections);
        self.service.set_token_policy(new.tokens);
        self.dialer.set_policy(DialPolicy::new(new.dial_deny.clone()));
        self.look.notify_one();
        Ok(self.config.needs_restart(new))
    }

    /// Stops accepting, ends streams, flushes and closes the store.
    pub async fn shutdown(mut self) {
        self.stop_accepting.cancel();
        self.streams.shutdown().await;
        let drained = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(DRAIN_MAX, drained).await.is_err() {
            warn!("connections were still open after {} s and are cut", DRAIN_MAX.as_secs());
            self.tasks.abort_all();
        }
        self.stop_events.cancel();
        let told = async {
            while let Some(ended) = self.events.join_next().await {
                if let Err(cause) = ended {
                    error!(cause = chain(&cause), "the log of events ended badly");
                }
            }
        };
        if timeout(DRAIN_MAX, told).await.is_err() {
            warn!("events were still being told after {} s; the next start goes on", DRAIN_MAX.as_secs());
            self.events.abort_all();
        }
        self.store.close().await;
    }
}

/// The certificate of the HTTP API.
struct ServedCertificate {
    slot: Arc<KeySlot>,
}

impl ServedCertificate {
    fn load(files: &CertificateFiles) -> Result<Self, CertificateFilesError> {
        Ok(Self { slot: Arc::new(KeySlot::new(files.load()?)) })
    }
}

/// Describes every listener of the HTTP API.
fn http_entries(
    config: &Config,
    certificate: Option<&ServedCertificate>,
    connections: &Ceiling,
) -> Result<Vec<ListenerEntry>, rustls::Error> {
    let plain = |address| ListenerEntry::http_within(address, connections.clone());
    let mut entries: Vec<ListenerEntry> = config.http_tcp.iter().map(|at| plain(ListenAddress::Tcp(*at))).collect();
    if let Some(certificate) = certificate {
        let tls = ServerTls::one_for_all(Arc::clone(&certificate.slot), &[ALPN_H2, ALPN_HTTP_1_1])?;
        let https = |at: &SocketAddr| ListenerEntry::https_within(*at, tls.clone(), connections.clone());
        entries.extend(config.http_tls.iter().map(https));
    }
    entries.extend(config.http_unix.iter().map(|path| plain(ListenAddress::Unix(path.clone()))));
    Ok(entries)
}

/// Opens the keyring of a store. One is made for an empty store only.
async fn open_keyring(
    choice: &StoreChoice,
    store: &OpenStore,
    entropy: &Arc<dyn Entropy>,
) -> Result<Keyring, StartError> {
    let StoreChoice::Sqlite { keyring, .. } = choice else { return Ok(Keyring::ephemeral(Arc::clone(entropy))) };
    let is_empty = store.shared().revision().await? == 0;
    match Keyring::open(keyring, Arc::clone(entropy)) {
        Ok(ring) => Ok(ring),
        Err(KeyringError::Missing { .. }) if is_empty => Ok(Keyring::create(keyring, Arc::clone(entropy))?),
        Err(KeyringError::Missing { .. }) => Err(StartError::KeyringLost { path: keyring.clone() }),
        Err(other) => Err(other.into()),
    }
}

/// Names the keyring's file where the cluster only knows its keys.
fn of_cluster(error: ClusterError, choice: &StoreChoice) -> StartError {
    match (error, choice) {
        (ClusterError::Keyring(source @ KeyringError::ForeignKey { .. }), StoreChoice::Sqlite { keyring, .. }) => {
            StartError::KeyringForeign { path: keyring.clone(), source }
        }
        (error, _) => error.into(),
    }
}

/// Works out where peers reach us.
fn advertised(advertise: &Advertise, bound: SocketAddr) -> Vec<ServerAddress> {
    match advertise {
        Advertise::Given(hosts) => hosts
            .iter()
            .filter_map(|(host, port)| {
                let port = port.unwrap_or(bound.port());
                let text = match host.parse::<Ipv6Addr>() {
                    Ok(host) => format!("[{host}]:{port}"),
                    Err(_) => format!("{host}:{port}"),
                };
                ServerAddress::parse(&text).ok()
            })
            .collect(),
        Advertise::Discover => {
            let ip = if bound.ip().is_unspecified() { outward_ip() } else { bound.ip() };
            vec![ServerAddress::from(SocketAddr::new(ip, bound.port()))]
        }
    }
}

/// Asks the system from which address it would reach the internet; nothing is sent.
fn outward_ip() -> IpAddr {
    // Addresses set aside for documentation (RFC 5737, RFC 3849): routed like any other, belonging to nobody.
    let ask = |from: IpAddr, to: IpAddr| -> std::io::Result<IpAddr> {
        let socket = UdpSocket::bind((from, 0))?;
        socket.connect((to, 9))?;
        Ok(socket.local_addr()?.ip())
    };
    let v4 = || ask(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into());
    let v6 = || ask(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into());
    v4().or_else(|_| v6()).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// Removes old tombstones and tokens now and then.
async fn sweep(service: Arc<Service>, stop: CancellationToken) {
    loop {
        if let Err(cause) = service.sweep_tombstones().await {
            error!(cause = chain(&cause), "tombstones could not be swept");
        }
        if let Err(cause) = service.sweep_tokens().await {
            error!(cause = chain(&cause), "ended tokens could not be swept");
        }
        if let Err(cause) = service.sweep_acl_tokens().await {
            error!(cause = chain(&cause), "ended ACL tokens could not be swept");
        }
        tokio::select! {
            () = tokio::time::sleep(SWEEP_INTERVAL) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Keeps the buffers of timers small, whether or not anybody looks at the metrics.
async fn tidy_metrics(service: Arc<Service>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(METRICS_TIDY_INTERVAL)).await.is_some() {
        service.metrics.tidy();
    }
}

/// Writes events to the log, over every failure of the store.
async fn follow_events(service: Arc<Service>, stop: CancellationToken) {
    while let Err(cause) = service.log_events(stop.clone()).await {
        error!(cause = chain(&cause), "events could not be followed, trying again");
        tokio::select! {
            () = tokio::time::sleep(EVENTS_PAUSE) => {}
            () = stop.cancelled() => return,
        }
    }
}
