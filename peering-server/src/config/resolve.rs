//! Turns raw settings into a checked configuration, and reports every mistake at once.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use peering_core::name::Datacenter;

use super::{AclMode, Advertise, AuditLog, Config, LogFormat, LogLevel, Mistake, Mistakes, Settings, StoreChoice};
use crate::bounds::{ADDRESSES_MAX, HTTP_CONNECTIONS_MAX};
use crate::causes::chain;
use crate::dial::{AddressOrigin, DialPolicy, DialRefusal};
use crate::tls::CertificateFiles;

/// Name of the file in the data directory that holds the first management token.
const MANAGEMENT_TOKEN: &str = "management-token";
/// Name of the file in the data directory that holds the audit trail unless another is named.
const AUDIT_LOG: &str = "audit.log";
/// Port of the HTTP API, as Consul's.
const HTTP_PORT: u16 = 8500;
/// Port of the peer listener, as Consul's gRPC over TLS.
const PEER_PORT: u16 = 8503;

pub(super) struct Resolver {
    mistakes: Vec<Mistake>,
}

impl Resolver {
    pub(super) fn mistake(&mut self, setting: &'static str, problem: impl Into<String>) {
        self.mistakes.push(Mistake::new(setting, problem.into()));
    }

    fn choice<T: Copy>(&mut self, setting: &'static str, given: Option<&str>, choices: &[(&str, T)]) -> Option<T> {
        let given = given?;
        let found = choices.iter().find(|(name, _)| *name == given).map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            self.mistake(setting, format!("expected one of {}, got {given:?}", names.join(", ")));
        }
        found
    }

    fn socket_address(&mut self, setting: &'static str, text: &str) -> Option<SocketAddr> {
        let local = text.strip_prefix("localhost:").map(|port| format!("127.0.0.1:{port}"));
        match local.as_deref().unwrap_or(text).parse() {
            Ok(address) => Some(address),
            Err(_) => {
                self.mistake(
                    setting,
                    format!("expected an IP address and a port such as 127.0.0.1:8500, got {text:?}"),
                );
                None
            }
        }
    }

    fn http(&mut self, given: &[String], config: &mut Config) {
        for text in given {
            if let Some(path) = text.strip_prefix("unix://") {
                if Path::new(path).is_absolute() {
                    config.http_unix.push(PathBuf::from(path));
                } else {
                    self.mistake("http-addr", format!("expected an absolute path after unix://, got {text:?}"));
                }
                continue;
            }
            let (rest, encryption) = match text.strip_prefix("https://") {
                Some(rest) => (rest, Encryption::Tls),
                None => (text.strip_prefix("http://").unwrap_or(text), Encryption::None),
            };
            let Some(address) = self.socket_address("http-addr", rest) else { continue };
            match (may_listen(address, encryption, config.acl), encryption) {
                (Ok(()), Encryption::Tls) => config.http_tls.push(address),
                (Ok(()), Encryption::None) => config.http_tcp.push(address),
                (Err(problem), _) => self.mistake("http-addr", problem),
            }
        }
    }

    /// Checks the certificate of the HTTP API, with what is in its files.
    fn http_certificate(
        &mut self,
        certificate: Option<PathBuf>,
        key: Option<PathBuf>,
        is_needed: bool,
    ) -> Option<CertificateFiles> {
        let files = match (certificate, key) {
            (Some(certificate), Some(key)) => CertificateFiles { certificate, key },
            (None, None) if !is_needed => return None,
            (certificate, key) => {
                let missing = [("http-cert", certificate.is_none()), ("http-key", key.is_none())];
                for (setting, _) in missing.into_iter().filter(|(_, is_missing)| *is_missing) {
                    self.mistake(
                        setting,
                        "https:// in -http-addr needs a certificate and its key: give the PEM file of each",
                    );
                }
                return None;
            }
        };
        if !is_needed {
            self.mistake("http-cert", "there is nobody to show it to: begin an address in -http-addr with https://");
        }
        if let Err(error) = files.load() {
            self.mistake(if error.is_of_key(&files) { "http-key" } else { "http-cert" }, chain(&error));
        }
        Some(files)
    }

    fn http_max_connections(&mut self, given: Option<&str>) -> usize {
        let Some(given) = given else { return HTTP_CONNECTIONS_MAX };
        match given.parse() {
            Ok(count) if count > 0 => count,
            _ => {
                self.mistake("http-max-connections", format!("expected a number of at least 1, got {given:?}"));
                HTTP_CONNECTIONS_MAX
            }
        }
    }

    fn advertise(&mut self, given: &[String]) -> Advertise {
        if given.is_empty() {
            return Advertise::Discover;
        }
        if given.len() > ADDRESSES_MAX {
            let problem =
                format!("expected at most {ADDRESSES_MAX} addresses, which a token carries, got {}", given.len());
            self.mistake("advertise", problem);
        }
        let mut hosts = Vec::new();
        for text in given {
            match split_advertised(text) {
                Ok(host) => hosts.push(host),
                Err(refusal) => self.mistake("advertise", refusal.told(text)),
            }
        }
        Advertise::Given(hosts)
    }
}

/// Whether the bytes of a listener can be read on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encryption {
    /// They can.
    None,
    /// They cannot.
    Tls,
}

/// Says whether the HTTP API may listen on an address: beyond this machine it needs TLS, so that nobody reads tokens on
/// the way, and access control that denies what no rule allows.
pub(super) fn may_listen(address: SocketAddr, encryption: Encryption, acl: AclMode) -> Result<(), String> {
    if address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    let lacks = match (encryption, acl) {
        (Encryption::Tls, AclMode::Deny) => return Ok(()),
        (Encryption::Tls, _) => "-acl deny",
        (Encryption::None, AclMode::Deny) => "TLS: write https:// in front, and give -http-cert and -http-key",
        (Encryption::None, _) => "-acl deny and TLS",
    };
    Err(format!("{address} is not a loopback address; beyond this machine the API needs {lacks}"))
}

/// Why a text does not say where peers reach us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NotAdvertised {
    /// It is no host with or without a port.
    Form,
    /// A dialer of ours would not dial it.
    Undialed(DialRefusal),
}

impl NotAdvertised {
    fn told(self, text: &str) -> String {
        match self {
            Self::Form => format!("expected host or host:port, an IPv6 address with port in brackets, got {text:?}"),
            // The words of a dialer speak of this machine and to somebody else.
            Self::Undialed(DialRefusal::Unspecified) => format!(
                "peers would not dial {text:?}: the address is unspecified and leads to whoever dials it: name the one at \
                 which they reach this server"
            ),
            Self::Undialed(refusal) => format!("peers would not dial {text:?}: {refusal}"),
        }
    }
}

/// Splits `host[:port]`; a bare IPv6 address is a host.
fn split_advertised(text: &str) -> Result<(String, Option<u16>), NotAdvertised> {
    let unbracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = unbracketed.parse::<IpAddr>() {
        can_be_dialed(ip)?;
        return Ok((ip.to_string(), None));
    }
    if !text.contains(':') {
        return if is_name(text) { Ok((text.to_owned(), None)) } else { Err(NotAdvertised::Form) };
    }
    let address = peering_core::address::ServerAddress::parse(text).map_err(|_| NotAdvertised::Form)?;
    match address.host().parse() {
        Ok(ip) => can_be_dialed(ip)?,
        Err(_) if is_name(address.host()) => {}
        Err(_) => return Err(NotAdvertised::Form),
    }
    Ok((address.host().to_owned(), Some(address.port())))
}

fn is_name(text: &str) -> bool {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    !text.is_empty() && is_plain && text.parse::<IpAddr>().is_err()
}

/// Refuses an address that a dialer of ours would not dial at all.
fn can_be_dialed(ip: IpAddr) -> Result<(), NotAdvertised> {
    DialPolicy::default().check(ip, AddressOrigin::Token).map(drop).map_err(NotAdvertised::Undialed)
}

impl Settings {
    /// Checks settings and fills in defaults. There is none for the data directory: that is for the program to say.
    ///
    /// # Errors
    /// [`Mistakes`], all of them.
    pub fn resolve(self) -> Result<Config, Mistakes> {
        let mut resolver = Resolver { mistakes: Vec::new() };
        let tokens = resolver.tokens(&self);
        let dev = self.dev.unwrap_or(false);
        let datacenter = Datacenter::parse(self.datacenter.as_deref().unwrap_or("dc1"))
            .map_err(|error| resolver.mistake("datacenter", error.to_string()))
            .ok();
        let acl = resolver.acl(self.acl.as_deref(), dev);
        let data_dir = self.data_dir;
        let store = resolver.store(self.store.as_deref(), dev, data_dir.clone(), self.keyring);
        let level = [
            ("error", LogLevel::Error),
            ("warn", LogLevel::Warn),
            ("info", LogLevel::Info),
            ("debug", LogLevel::Debug),
            ("trace", LogLevel::Trace),
        ];
        let format = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        let peer_ip = if dev { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
        let default_peer = SocketAddr::from((peer_ip, PEER_PORT));
        let peer_addr =
            self.peer_addr.as_deref().map_or(Some(default_peer), |text| resolver.socket_address("peer-addr", text));
        if let Some(address) = peer_addr.filter(|address| dev && !address.ip().is_loopback()) {
            resolver.mistake("peer-addr", format!("{address} is not a loopback address, and -dev stays on loopback"));
        }
        let mut deny = Vec::new();
        for text in &self.dial_deny {
            match text.parse() {
                Ok(network) => deny.push(network),
                Err(_) => resolver.mistake("dial-deny", format!("expected a network such as 10.0.0.0/8, got {text:?}")),
            }
        }
        let mut config = Config {
            dev,
            store: store.clone(),
            datacenter: datacenter.unwrap_or_else(Datacenter::first),
            node_name: self.node_name.unwrap_or_else(host_name),
            http_tcp: Vec::new(),
            http_tls: Vec::new(),
            http_certificate: None,
            http_unix: Vec::new(),
            peer_addr: peer_addr.unwrap_or(default_peer),
            advertise: resolver.advertise(&self.advertise),
            acl,
            management_token: None,
            audit: resolver.audit_log(&self.audit_log, &store),
            allow_plaintext: self.allow_plaintext.unwrap_or(false),
            dial_deny: deny,
            http_max_connections: resolver.http_max_connections(self.http_max_connections.as_deref()),
            tokens,
            after_restore: false,
            log_level: resolver.choice("log-level", self.log_level.as_deref(), &level).unwrap_or(LogLevel::Info),
            log_format: resolver.choice("log-format", self.log_format.as_deref(), &format).unwrap_or(LogFormat::Text),
        };
        if self.http_addr.is_empty() {
            config.http_tcp.push(SocketAddr::from((Ipv4Addr::LOCALHOST, HTTP_PORT)));
        } else {
            resolver.http(&self.http_addr, &mut config);
        }
        let has_https = self.http_addr.iter().any(|text| text.starts_with("https://"));
        config.http_certificate = resolver.http_certificate(self.http_cert, self.http_key, has_https);
        if let Some(data_dir) = data_dir.filter(|_| !dev) {
            config.http_unix.push(data_dir.join("api.sock"));
            config.management_token = (acl != AclMode::Off).then(|| data_dir.join(MANAGEMENT_TOKEN));
        } else if acl != AclMode::Off && !dev {
            resolver.mistake("data-dir", "there is no directory to write the management token to: give -data-dir");
        }
        if resolver.mistakes.is_empty() { Ok(config) } else { Err(Mistakes(resolver.mistakes)) }
    }
}

impl Resolver {
    /// Access control is on unless somebody says otherwise. `-dev` has no directory for a management token, without which
    /// nobody could do anything.
    fn acl(&mut self, given: Option<&str>, dev: bool) -> AclMode {
        let choices = [("deny", AclMode::Deny), ("allow", AclMode::Allow), ("off", AclMode::Off)];
        let default = if dev { AclMode::Off } else { AclMode::Deny };
        let mode = self.choice("acl", given, &choices).unwrap_or(default);
        if dev && mode != AclMode::Off {
            self.mistake("acl", "-dev keeps nothing, a management token neither: for access control leave out -dev, perhaps with -store memory");
        }
        mode
    }

    /// What is kept is audited unless somebody says otherwise.
    fn audit_log(&mut self, given: &[String], store: &StoreChoice) -> AuditLog {
        let mut audit = AuditLog::default();
        if let (StoreChoice::Sqlite { data_dir, .. }, []) = (store, given) {
            audit.file = Some(data_dir.join(AUDIT_LOG));
        }
        for text in given {
            match text.as_str() {
                "off" if given.len() == 1 => {}
                "off" => self.mistake("audit-log", "off cannot stand beside a file or stdout"),
                "stdout" => audit.stdout = true,
                "" => self.mistake("audit-log", "expected a file, stdout or off, got \"\""),
                path if audit.file.is_none() => audit.file = Some(PathBuf::from(path)),
                path => self.mistake(
                    "audit-log",
                    format!("expected one file, perhaps with stdout beside it, got {path:?} too"),
                ),
            }
        }
        audit
    }

    fn store(
        &mut self,
        given: Option<&str>,
        dev: bool,
        data_dir: Option<PathBuf>,
        keyring: Option<PathBuf>,
    ) -> StoreChoice {
        match (given, dev) {
            (Some("memory"), _) | (None, true) => StoreChoice::Memory,
            (Some("sqlite"), true) => {
                self.mistake("store", "-dev keeps nothing: leave out -dev or -store sqlite");
                StoreChoice::Memory
            }
            (Some("sqlite") | None, false) => match data_dir {
                Some(data_dir) => {
                    let keyring = keyring.unwrap_or_else(|| data_dir.join("keyring"));
                    StoreChoice::Sqlite { data_dir, keyring }
                }
                None => {
                    self.mistake("data-dir", "there is no directory to keep the store in: give -data-dir");
                    StoreChoice::Memory
                }
            },
            (Some(other), _) => {
                self.mistake("store", format!("expected sqlite or memory, got {other:?}"));
                StoreChoice::Memory
            }
        }
    }
}

/// Names this server after its machine.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "peering".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn off() -> Settings {
        Settings { acl: Some("off".into()), data_dir: Some("/data".into()), ..Settings::default() }
    }

    #[test]
    fn the_defaults_are_those_of_consul() {
        let config = off().resolve().unwrap();
        assert_eq!(config.http_tcp, ["127.0.0.1:8500".parse().unwrap()]);
        assert_eq!(config.http_unix, [PathBuf::from("/data/api.sock")]);
        assert_eq!(config.peer_addr, "0.0.0.0:8503".parse().unwrap());
        assert_eq!(config.datacenter.as_str(), "dc1");
        assert_eq!(config.store, StoreChoice::Sqlite { data_dir: "/data".into(), keyring: "/data/keyring".into() });
    }

    #[test]
    fn dev_stays_on_loopback_and_keeps_nothing() {
        let config = Settings { dev: Some(true), ..Settings::default() }.resolve().unwrap();
        assert_eq!(config.store, StoreChoice::Memory);
        assert_eq!(config.peer_addr, "127.0.0.1:8503".parse().unwrap());
        assert!(config.http_unix.is_empty());
        let outward = Settings { dev: Some(true), peer_addr: Some("0.0.0.0:1".into()), ..Settings::default() };
        assert_eq!(outward.resolve().unwrap_err().0[0].setting, "peer-addr");
    }

    #[test]
    fn access_control_is_on_unless_told_otherwise_and_off_in_dev() {
        let mode = |settings: Settings| settings.resolve().map(|config| (config.acl, config.management_token));
        let file = Some(PathBuf::from("/data/management-token"));
        assert_eq!(mode(Settings { acl: None, ..off() }), Ok((AclMode::Deny, file.clone())));
        assert_eq!(mode(Settings { acl: Some("deny".into()), ..off() }), Ok((AclMode::Deny, file.clone())));
        assert_eq!(mode(Settings { acl: Some("allow".into()), ..off() }), Ok((AclMode::Allow, file)));
        assert_eq!(mode(off()), Ok((AclMode::Off, None)));
        let dev = Settings { dev: Some(true), acl: None, ..off() };
        assert_eq!(mode(dev.clone()), Ok((AclMode::Off, None)));
        for (settings, named) in [
            (Settings { acl: Some("deny".into()), ..dev }, "acl"),
            (Settings { acl: Some("on".into()), ..off() }, "acl"),
            (Settings { acl: None, data_dir: None, store: Some("memory".into()), ..off() }, "data-dir"),
        ] {
            assert_eq!(mode(settings).unwrap_err().0[0].setting, named);
        }
    }

    #[test]
    fn beyond_this_machine_the_api_needs_tls_and_denial_by_default() {
        let near = ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"].map(|text| text.parse().unwrap());
        let far = ["0.0.0.0:1", "10.0.0.1:1", "[::]:1", "[::ffff:10.0.0.1]:1"].map(|text| text.parse().unwrap());
        for encryption in [Encryption::None, Encryption::Tls] {
            for acl in [AclMode::Deny, AclMode::Allow, AclMode::Off] {
                assert!(near.iter().all(|address| may_listen(*address, encryption, acl).is_ok()));
                let allowed = (encryption, acl) == (Encryption::Tls, AclMode::Deny);
                assert!(far.iter().all(|address| may_listen(*address, encryption, acl).is_ok() == allowed));
            }
        }
    }

    #[test]
    fn the_api_does_not_leave_this_machine() {
        for address in
            ["0.0.0.0:8500", "10.0.0.1:8500", "[::]:8500", "https://0.0.0.0:8500", "https://x", "unix://relative"]
        {
            let mistakes = Settings { http_addr: vec![address.into()], ..off() }.resolve().unwrap_err();
            assert_eq!(mistakes.0[0].setting, "http-addr", "{address}");
        }
        let config = Settings { http_addr: vec!["[::1]:0".into(), "localhost:1".into()], ..off() }.resolve().unwrap();
        assert_eq!(config.http_tcp.len(), 2);
    }

    #[test]
    fn https_needs_a_certificate_that_can_be_used_and_a_certificate_needs_https() {
        let directory = tempfile::TempDir::new().unwrap();
        let file = |name: &str, content: String| {
            let path = directory.path().join(name);
            std::fs::write(&path, content).unwrap();
            Some(path)
        };
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (cert, key) = (file("cert", made.cert.pem()), file("key", made.signing_key.serialize_pem()));
        let mistakes = |address: &str, http_cert: &Option<PathBuf>, http_key: &Option<PathBuf>| {
            let (http_cert, http_key) = (http_cert.clone(), http_key.clone());
            let settings = Settings { http_addr: vec![address.into()], http_cert, http_key, ..off() };
            let config = settings.resolve().map(|config| (config.http_tls.len(), config.http_tcp.len()));
            config.map_err(|mistakes| mistakes.0.iter().map(|mistake| mistake.setting).collect::<Vec<_>>())
        };
        let (https, http) = ("https://localhost:8501", "localhost:8500");
        assert_eq!(mistakes(https, &cert, &key), Ok((1, 0)));
        assert_eq!(mistakes(http, &None, &None), Ok((0, 1)));
        assert_eq!(mistakes(http, &cert, &key), Err(vec!["http-cert"]));
        assert_eq!(mistakes(https, &None, &None), Err(vec!["http-cert", "http-key"]));
        assert_eq!(mistakes(https, &cert, &None), Err(vec!["http-key"]));
        assert_eq!(mistakes(http, &None, &key), Err(vec!["http-cert"]));
        assert_eq!(mistakes(https, &key, &key), Err(vec!["http-cert"]));
        assert_eq!(mistakes("https://10.0.0.1:1", &cert, &cert), Err(vec!["http-addr", "http-key"]));
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let mistakes = Settings {
            acl: Some("on".into()),
            store: Some("floppy".into()),
            datacenter: Some("a b".into()),
            peer_addr: Some("x".into()),
            log_level: Some("loud".into()),
            advertise: vec!["::1:8503:".into()],
            dial_deny: vec!["ten".into()],
            http_max_connections: Some("many".into()),
            ..Settings::default()
        }
        .resolve()
        .unwrap_err();
        let named: Vec<&str> = mistakes.0.iter().map(|mistake| mistake.setting).collect();
        for setting in
            ["acl", "store", "datacenter", "peer-addr", "log-level", "advertise", "dial-deny", "http-max-connections"]
        {
            assert!(named.contains(&setting), "{setting} is missing in {named:?}");
        }
    }

    #[test]
    fn the_bound_of_http_connections_is_a_setting() {
        let connections = |given: Option<&str>| {
            let settings = Settings { http_max_connections: given.map(str::to_owned), ..off() };
            settings.resolve().map(|config| config.http_max_connections)
        };
        assert_eq!(connections(None), Ok(HTTP_CONNECTIONS_MAX));
        assert_eq!(connections(Some("1")), Ok(1));
        assert_eq!(connections(Some("100000")), Ok(100_000));
        for wrong in ["0", "-1", "8k", "1.5", "99999999999999999999999"] {
            assert!(connections(Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn advertised_hosts_may_lack_a_port_and_ipv6_its_brackets() {
        assert_eq!(split_advertised("host"), Ok(("host".into(), None)));
        assert_eq!(split_advertised("host:1"), Ok(("host".into(), Some(1))));
        assert_eq!(split_advertised("2001:db8::1"), Ok(("2001:db8::1".into(), None)));
        assert_eq!(split_advertised("[2001:db8::1]:5"), Ok(("2001:db8::1".into(), Some(5))));
        for bad in [
            "",
            "0.0.0.0",
            "[::1",
            "::1]",
            "169.254.1.1",
            "224.0.0.1:1",
            "0.0.0.0:8503",
            "[::]:8503",
            "a b",
            "host:0",
            "http://host",
            ":1",
        ] {
            assert!(split_advertised(bad).is_err(), "{bad}");
        }
    }
}
