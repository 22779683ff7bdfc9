//! A peering server inside a program of your own: it keeps everything in memory and ends with the program.
//!
//! Run it with `cargo run -p peering-server --example embedded`; the tests call its `main`.

use std::error::Error;

use peering_core::name::Datacenter;
use peering_server::config::Config;
use peering_server::server::Server;
use peering_server::service::peerings::TokenRequest;

#[tokio::main]
pub(crate) async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start(Config::ephemeral(Datacenter::parse("dc1")?)).await?;
    println!("peers are accepted at {}", server.peer_address());

    let service = server.service();
    let request = TokenRequest { name: "cluster-02".to_owned(), ..TokenRequest::default() };
    let token = service.generate_token(service.check_token_request(request)?).await?;
    println!("hand this to cluster-02: {token}");
    for view in service.list_peerings().await?.value {
        println!("{} is {:?}", view.peering.name, view.state);
    }

    server.shutdown().await;
    Ok(())
}
