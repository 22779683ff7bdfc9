//! Flags of every verb that calls a server.

use std::path::PathBuf;

use clap::Args;

use crate::args::hidden::HiddenText;

/// Heading under which help pages list these flags.
pub(crate) const HEADING: &str = "HTTP API Options";

/// Where the server is and how it is to be called, as far as flags say. An empty value is none.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = HEADING)]
pub(crate) struct HttpFlags {
    /// The `address` of the HTTP API: a host with a port, an http:// or https:// URL, or unix:// and the path of a socket. Also PEERING_HTTP_ADDR or CONSUL_HTTP_ADDR. Without any, the local server's own socket is used if it belongs to you, else http://127.0.0.1:8500.
    #[arg(long, value_name = "value")]
    pub http_addr: Option<String>,
    /// ACL token to send with the request. Also PEERING_HTTP_TOKEN or CONSUL_HTTP_TOKEN. A token in a file is safer, because other users can see the arguments of a process.
    #[arg(long, value_name = "value")]
    pub token: Option<HiddenText>,
    /// File that holds the ACL token; it wins over -token. Also PEERING_HTTP_TOKEN_FILE or CONSUL_HTTP_TOKEN_FILE.
    #[arg(long, value_name = "value")]
    pub token_file: Option<PathBuf>,
    /// File of PEM certificates to trust instead of those of the system. Also PEERING_CACERT or CONSUL_CACERT.
    #[arg(long, value_name = "value")]
    pub ca_file: Option<PathBuf>,
    /// Directory of files of PEM certificates to trust instead of those of the system. Also PEERING_CAPATH or CONSUL_CAPATH.
    #[arg(long, value_name = "value")]
    pub ca_path: Option<PathBuf>,
    /// File of the PEM certificate to present when the server asks for one; needs -client-key. Also PEERING_CLIENT_CERT or CONSUL_CLIENT_CERT.
    #[arg(long, value_name = "value")]
    pub client_cert: Option<PathBuf>,
    /// File of the PEM key of the certificate in -client-cert. Also PEERING_CLIENT_KEY or CONSUL_CLIENT_KEY.
    #[arg(long, value_name = "value")]
    pub client_key: Option<PathBuf>,
    /// Name that the server's certificate must carry, if it is not the host of the address. Also PEERING_TLS_SERVER_NAME or CONSUL_TLS_SERVER_NAME.
    #[arg(long, value_name = "value")]
    pub tls_server_name: Option<String>,
    /// Admin partition to work in. Consul Enterprise alone has more than `default`, and other servers refuse this flag.
    #[arg(long, value_name = "value", help_heading = None::<&str>)]
    pub partition: Option<String>,
}
