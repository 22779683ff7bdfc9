//! A network between two servers that a test can cut, close, or let swallow everything.

use peering_core::token::PeeringToken;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A port that leads to the first address of a token.
pub(super) struct Relay {
    address: SocketAddr,
    to: SocketAddr,
    listening: Option<JoinHandle<()>>,
    /// Counts the cuts; whoever was connected before the last one is gone.
    cuts: watch::Sender<u64>,
    swallows: watch::Sender<bool>,
}

impl Relay {
    /// Puts itself between the peer of a token and whoever uses it.
    pub(super) async fn before(token: &mut PeeringToken) -> Self {
        let to = token.server_addresses[0].parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // A manual one, since the others give way to what the peer says of itself.
        token.manual_server_addresses = vec![address.to_string()];
        let mut relay =
            Self { address, to, listening: None, cuts: watch::Sender::new(0), swallows: watch::Sender::new(false) };
        relay.listen(listener);
        relay
    }

    fn listen(&mut self, listener: TcpListener) {
        let (to, cuts, swallows) = (self.to, self.cuts.clone(), self.swallows.clone());
        self.listening = Some(tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(to).await.unwrap();
                let (mut near, mut far) = (near.into_split(), far.into_split());
                let (mut cut, mut cut_too) = (cuts.subscribe(), cuts.subscribe());
                let (swallow, swallow_too) = (swallows.subscribe(), swallows.subscribe());
                tokio::spawn(async move {
                    tokio::select! { () = pass(&mut near.0, &mut far.1, swallow) => {}, _ = cut.changed() => {} }
                });
                tokio::spawn(async move {
                    tokio::select! { () = pass(&mut far.0, &mut near.1, swallow_too) => {}, _ = cut_too.changed() => {} }
                });
            }
        }));
    }

    /// Cuts every connection; new ones are made as before.
    pub(super) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Takes what is sent and hands nothing on.
    pub(super) fn swallow(&self) {
        self.swallows.send_replace(true);
    }

    /// Cuts every connection and refuses new ones.
    pub(super) async fn close(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.abort();
            let _ = listening.await;
        }
        self.cut();
    }

    /// Takes connections again.
    pub(super) async fn reopen(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.listen(listener);
    }
}

async fn pass(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    swallows: watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 1 << 14];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        if !*swallows.borrow() && to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
    // Nor does an end come through.
    if *swallows.borrow() {
        std::future::pending::<()>().await;
    }
}
