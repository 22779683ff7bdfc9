//! Flags of every verb that calls a server.
//!
//! Consul's verbs do not all have the same ones: those of peering have no `-datacenter`, and `acl bootstrap` has neither
//! `-namespace` nor `-partition`. Each kind is a set of its own; [`CallFlags`] is what they have in common.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use crate::args::go_bool;
use crate::args::hidden::HiddenText;

/// Heading under which help pages list these flags.
pub(crate) const HEADING: &str = "HTTP API Options";

/// What every set of flags says about a call.
pub(crate) trait CallFlags {
    /// Returns where the server is and how it is to be called.
    fn client(&self) -> &ClientFlags;

    /// Returns what part of the server's world is asked about.
    fn scope(&self) -> Scope<'_>;
}

/// What part of a server's world a call is about. An empty value is none.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Scope<'a> {
    pub datacenter: Option<&'a str>,
    pub namespace: Option<&'a str>,
    pub partition: Option<&'a str>,
}

/// Where the server is and how it is to be called, as far as flags say. An empty value is none.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ClientFlags {
    #[arg(long, value_name = "value", help_heading = HEADING,
            help = "The `address` of the HTTP API: a host with a port, an http:// or https:// URL, or unix:// and \
                the path of a socket. Also PEERING_HTTP_ADDR or CONSUL_HTTP_ADDR. Without any, the local \
                server's own socket is used if it belongs to you, else http://127.0.0.1:8500.")]
    pub http_addr: Option<String>,
    #[arg(long, value_name = "value", help_heading = HEADING,
            help = "ACL token to send with the request. Also PEERING_HTTP_TOKEN or CONSUL_HTTP_TOKEN. A token in a \
                file is safer, because other users can see the arguments of a process.")]
    pub token: Option<HiddenText>,
    #[arg(long, value_name = "value", help_heading = HEADING,
            help = "File that holds the ACL token; it wins over -token. Also PEERING_HTTP_TOKEN_FILE or \
                CONSUL_HTTP_TOKEN_FILE.")]
    pub token_file: Option<PathBuf>,
    #[arg(long, value_name = "value", help_heading = HEADING,
            help = "File of PEM certificates to trust instead of those of the system. Also PEERING_CACERT or \
                CONSUL_CACERT.")]
    pub ca_file: Option<PathBuf>,
    #[arg(long, value_name = "value", help_heading = HEADING,
            help = "Directory of files of PEM certificates to trust instead of those of the system. Also \
                PEERING_CAPATH or CONSUL_CAPATH.")]
    pub ca_path: Option<PathBuf>,
    #[arg(long, value_name = "value", help_heading = HEADING,
            help = "File of the PEM certificate to present when the server asks for one; needs -client-key. Also \
                PEERING_CLIENT_CERT or CONSUL_CLIENT_CERT.")]
    pub client_cert: Option<PathBuf>,
    #[arg(long, value_name = "value", help_heading = HEADING,
            help = "File of the PEM key of the certificate in -client-cert. Also PEERING_CLIENT_KEY or \
                CONSUL_CLIENT_KEY.")]
    pub client_key: Option<PathBuf>,
    #[arg(long, value_name = "value", help_heading = HEADING,
            help = "Name that the server's certificate must carry, if it is not the host of the address. Also \
                PEERING_TLS_SERVER_NAME or CONSUL_TLS_SERVER_NAME.")]
    pub tls_server_name: Option<String>,
}

/// Flags of the verbs of peering.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct HttpFlags {
    #[command(flatten)]
    client: ClientFlags,
    #[command(flatten)]
    partition: PartitionFlag,
}

/// The flag of those who divide a cluster.
#[derive(Debug, Clone, Default, Args)]
struct PartitionFlag {
    #[arg(
        long,
        value_name = "value",
        help = "Admin partition to work in. Consul Enterprise alone has more than `default`, and other servers \
                refuse this flag. Also PEERING_PARTITION or CONSUL_PARTITION."
    )]
    partition: Option<String>,
}

/// Flags about which servers answer.
#[derive(Debug, Clone, Default, Args)]
struct ServerFlags {
    #[arg(long, value_name = "value", help_heading = HEADING,
            help = "Name of the datacenter that is asked, if it is not that of the server.")]
    datacenter: Option<String>,
    /// Consul's verbs take it and do nothing with it.
    #[arg(long, help_heading = HEADING, action = ArgAction::Set, num_args = 0..=1, require_equals = true,
            default_missing_value = "true", value_parser = go_bool::parse_strictly,
            help = "Accepted for the sake of scripts; the answer is the same.")]
    stale: Option<bool>,
}

/// Flags of `acl bootstrap`.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServerHttpFlags {
    #[command(flatten)]
    client: ClientFlags,
    #[command(flatten)]
    server: ServerFlags,
}

/// Flags of the verbs about tokens and policies.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TenantHttpFlags {
    #[command(flatten)]
    http: ServerHttpFlags,
    #[arg(
        long,
        value_name = "value",
        help = "Namespace to work in. Consul Enterprise alone has more than `default`, and other servers refuse \
                this flag. Also PEERING_NAMESPACE or CONSUL_NAMESPACE."
    )]
    namespace: Option<String>,
    #[command(flatten)]
    partition: PartitionFlag,
}

impl CallFlags for HttpFlags {
    fn client(&self) -> &ClientFlags {
        &self.client
    }

    fn scope(&self) -> Scope<'_> {
        Scope { partition: self.partition.partition.as_deref(), ..Scope::default() }
    }
}

impl CallFlags for ServerHttpFlags {
    fn client(&self) -> &ClientFlags {
        &self.client
    }

    fn scope(&self) -> Scope<'_> {
        Scope { datacenter: self.server.datacenter.as_deref(), ..Scope::default() }
    }
}

impl CallFlags for TenantHttpFlags {
    fn client(&self) -> &ClientFlags {
        &self.http.client
    }

    fn scope(&self) -> Scope<'_> {
        let partition = self.partition.partition.as_deref();
        Scope { namespace: self.namespace.as_deref(), partition, ..self.http.scope() }
    }
}
