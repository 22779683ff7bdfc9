//! A server with a memory store inside a program of one's own: it invites a peer and says where it is.

use std::error::Error;

use peering_core::name::Datacenter;
use peering_core::transition::Origin;
use peering_server::config::Config;
use peering_server::server::Server;
use peering_server::service::peerings::TokenRequest;

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start(Config::ephemeral(Datacenter::parse("dc1")?)).await?;
    let request = TokenRequest { name: "cluster-02".to_owned(), ..TokenRequest::default() };
    let checked = server.service().check_token_request(request)?;
    let token = server.service().generate_token(checked, Origin::default()).await?;
    println!("peers are accepted at {}, invited with {} characters", server.peer_address(), token.len());
    server.shutdown().await;
    Ok(())
}
