//! A TCP link to a server that counts its connections, and can hold them back or cut them, at any byte of the answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use crate::eventually::eventually;

/// Longest wait for a connection that is bound to come: a dialer that failed once pauses two seconds and a tenth.
const CONNECTION_WITHIN: Duration = Duration::from_secs(15);

/// Bytes carried at once; more than any answer of a test.
const PIECE_BYTES: usize = 16 << 10;

/// What a link does with its connections.
#[derive(Debug, Clone, Copy, Default)]
struct Rule {
    /// This connection (the first is 0) is accepted and not carried further.
    held: Option<usize>,
    /// Connections up to this one are cut.
    cut: usize,
    /// This connection is cut once so many bytes came from the server.
    lost: Option<(usize, Lost)>,
}

/// How much of what a server sends comes through before a connection is cut.
#[derive(Debug, Clone, Copy)]
pub enum Lost {
    /// So many bytes from the beginning.
    After(usize),
    /// The first flight of TLS, and so many bytes of what follows: session tickets, the settings of HTTP/2, the answer.
    AfterHandshake(usize),
}

/// What one connection carried from the server.
#[derive(Debug, Default)]
struct Tally {
    /// Bytes in all.
    answered: AtomicUsize,
    /// Bytes before the client spoke a second time, which ends its handshake; 0 until then.
    handshake: AtomicUsize,
}

/// A link. It ends with its owner.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    rule: watch::Sender<Rule>,
    seen: watch::Receiver<usize>,
    tally: Arc<Tally>,
    task: AbortHandle,
}

impl Link {
    /// Makes a link to this server.
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (rule, rules) = watch::channel(Rule::default());
        let (count, seen) = watch::channel(0);
        let tally = Arc::new(Tally::default());
        let tallied = Arc::clone(&tally);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            let count = Arc::new(count);
            while let Ok((stream, _)) = listener.accept().await {
                let number = *count.borrow();
                // Only the first connection is measured.
                let tally = if number == 0 { Arc::clone(&tallied) } else { Arc::default() };
                connections.spawn(carry(stream, server, number, rules.clone(), tally));
                // Those that have ended are kept until somebody asks.
                while connections.try_join_next().is_some() {}
                count.send_replace(number + 1);
            }
        });
        Self { address, rule, seen, tally, task: task.abort_handle() }
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

    /// Cuts connection `number`, counted from 0, when so much of what the server sends has come through.
    pub fn lose(&self, number: usize, lost: Lost) {
        self.rule.send_modify(|rule| rule.lost = Some((number, lost)));
    }

    /// Returns how many bytes the server sent over the first connection: in the handshake, and after it.
    #[must_use]
    pub fn answered(&self) -> (usize, usize) {
        let [handshake, all] = [&self.tally.handshake, &self.tally.answered].map(|count| count.load(Ordering::Relaxed));
        (handshake, all.saturating_sub(handshake))
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

async fn carry(
    near: TcpStream,
    server: SocketAddr,
    number: usize,
    mut rules: watch::Receiver<Rule>,
    tally: Arc<Tally>,
) {
    let mut cut = rules.clone();
    let carried = async {
        // A link that was dropped lets nothing through.
        if rules.wait_for(|rule| rule.held != Some(number)).await.is_err() {
            return;
        }
        let lost = rules.borrow().lost.and_then(|(which, lost)| (which == number).then_some(lost));
        if let Ok(far) = TcpStream::connect(server).await {
            // Both directions end together; how they ended is for the two ends to find out.
            let _ = near.set_nodelay(true).and(far.set_nodelay(true));
            let ((from_near, to_near), (from_far, to_far)) = (near.into_split(), far.into_split());
            tokio::select! {
                () = carry_questions(from_near, to_far, &tally) => {}
                () = carry_answers(from_far, to_near, &tally, lost) => {}
            }
        }
    };
    tokio::select! {
        () = carried => {}
        _ = cut.wait_for(|rule| rule.cut > number) => {}
    }
}

async fn carry_questions(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, tally: &Tally) {
    let mut buffer = vec![0; PIECE_BYTES];
    let mut pieces = 0;
    while let Ok(bytes @ 1..) = from.read(&mut buffer).await {
        pieces += 1;
        if pieces == 2 {
            tally.handshake.store(tally.answered.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        if to.write_all(&buffer[..bytes]).await.is_err() {
            return;
        }
    }
    // The other direction may go on: the server has not said everything.
    let _ = to.shutdown().await;
    std::future::pending::<()>().await;
}

async fn carry_answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, tally: &Tally, lost: Option<Lost>) {
    let mut buffer = vec![0; PIECE_BYTES];
    while let Ok(bytes @ 1..) = from.read(&mut buffer).await {
        let before = tally.answered.load(Ordering::Relaxed);
        let handshake = tally.handshake.load(Ordering::Relaxed);
        let left = match lost {
            None => usize::MAX,
            Some(Lost::After(count)) => count.saturating_sub(before),
            Some(Lost::AfterHandshake(_)) if handshake == 0 => usize::MAX,
            Some(Lost::AfterHandshake(count)) => (handshake + count).saturating_sub(before),
        };
        let through = bytes.min(left);
        tally.answered.fetch_add(through, Ordering::Relaxed);
        if to.write_all(&buffer[..through]).await.is_err() || through < bytes {
            return;
        }
    }
}
