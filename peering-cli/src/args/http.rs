//! Flags of every verb that calls a server.

use std::path::PathBuf;

use clap::Args;

use crate::args::hidden::HiddenText;

/// Heading under which help pages list these flags.
pub(crate) const HEADING: &str = "HTTP API Options";

/// Where the server is and how it is to be called, as far as flags say. An empty value is none.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct HttpFlags {
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
    #[arg(
        long,
        value_name = "value",
        help = "Admin partition to work in. Consul Enterprise alone has more than `default`, and other servers \
                refuse this flag. Also PEERING_PARTITION or CONSUL_PARTITION."
    )]
    pub partition: Option<String>,
}
