//! A TCP link to a server that counts its connections, and can hold them back or cut them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use crate::eventually::eventually;

/// Longest wait for a connection that is bound to come: a dialer that failed once pauses two seconds and a tenth.
const CONNECTION_WITHIN: Duration = Duration::from_secs(15);

/// What a link does with its connections.
#[derive(Debug, Clone, Copy, Default)]
struct Rule {
    /// This connection (the first is 0) is accepted and not carried further.
    held: Option<usize>,
    /// Connections up to this one are cut.
    cut: usize,
}

/// A link. It ends with its owner.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    rule: watch::Sender<Rule>,
    seen: watch::Receiver<usize>,
    task: AbortHandle,
}

impl Link {
    /// Makes a link to this server.
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (rule, rules) = watch::channel(Rule::default());
        let (count, seen) = watch::channel(0);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            let count = Arc::new(count);
            while let Ok((stream, _)) = listener.accept().await {
                let number = *count.borrow();
                connections.spawn(carry(stream, server, number, rules.clone()));
                // Those that have ended are kept until somebody asks.
                while connections.try_join_next().is_some() {}
                count.send_replace(number + 1);
            }
        });
        Self { address, rule, seen, task: task.abort_handle() }
    }

    /// Returns the near end.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns how many connections were made over it so far.
    #[must_use]
    pub fn seen(&self) -> usize {
        *self.seen.borrow()
    }

    /// Waits until so many connections were made.
    pub async fn saw(&self, count: usize) {
        eventually(CONNECTION_WITHIN, async || {
            if self.seen() >= count { Ok(()) } else { Err(format!("{} of {count} connections", self.seen())) }
        })
        .await;
    }

    /// Holds connection `number`, counted from 0, and no other.
    pub fn hold(&self, number: usize) {
        self.rule.send_modify(|rule| rule.held = Some(number));
    }

    /// Lets go of what is held.
    pub fn release(&self) {
        self.rule.send_modify(|rule| rule.held = None);
    }

    /// Cuts every connection that was made so far. New ones may be made at once.
    pub fn cut(&self) {
        let seen = self.seen();
        self.rule.send_modify(|rule| rule.cut = seen);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(mut near: TcpStream, server: SocketAddr, number: usize, mut rules: watch::Receiver<Rule>) {
    let mut cut = rules.clone();
    let carried = async {
        // A link that was dropped lets nothing through.
        if rules.wait_for(|rule| rule.held != Some(number)).await.is_err() {
            return;
        }
        if let Ok(mut far) = TcpStream::connect(server).await {
            // Both directions end together; how they ended is for the two ends to find out.
            let _ = near.set_nodelay(true).and(far.set_nodelay(true));
            let _ = copy_bidirectional(&mut near, &mut far).await;
        }
    };
    tokio::select! {
        () = carried => {}
        _ = cut.wait_for(|rule| rule.cut > number) => {}
    }
}
