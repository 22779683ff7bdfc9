//! An HTTP server that answers every request with the bytes that a test gives it.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A server on a free port of loopback; it stops when it is dropped.
#[derive(Debug)]
pub struct Canned {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Canned {
    /// Starts a server that answers everything with these bytes and closes.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let bytes = bytes.into();
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                // A client that leaves early is no failure here; its own output tells.
                let _ = answer(socket, &bytes).await;
            }
        });
        Self { address, task }
    }

    /// Starts a server that answers everything with this status, these header lines and this body.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn saying(status: &str, headers: &[String], body: &str) -> Self {
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n");
        Self::answering(head + body).await
    }

    /// Returns where it is.
    #[must_use]
    pub fn address(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Canned {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads one request and answers it.
async fn answer(socket: TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    let mut socket = BufReader::new(socket);
    let mut body_bytes = 0;
    loop {
        let mut line = String::new();
        socket.read_line(&mut line).await?;
        if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            body_bytes = length.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; body_bytes];
    socket.read_exact(&mut body).await?;
    socket.write_all(bytes).await?;
    socket.shutdown().await
}
