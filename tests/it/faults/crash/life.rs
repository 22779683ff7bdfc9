//! One life of a server, from a start to the kill, as a client sees it: every question has an answer, or it is gone.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use peering_tests::hand::HandDialer;
use peering_tests::http::{Answer, Http};
use peering_tests::site::Site;
use peering_tests::token;
use reqwest::Method;
use serde_json::json;
use tonic::{Code, Status};

use super::journal::Journal;

/// The server was killed before it answered. It may have done what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

/// A token as its holder sees it.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) text: String,
    /// The acceptor's id of the peering.
    pub(super) peering: String,
    pub(super) establishment_secret: String,
}

impl Token {
    pub(super) fn of(answer: &Answer) -> Self {
        let text = answer.accepts()["PeeringToken"].as_str().unwrap().to_owned();
        let [peering, establishment_secret] = ["PeerID", "EstablishmentSecret"].map(|key| token::claim(&text, key));
        Self { text, peering, establishment_secret }
    }
}

impl fmt::Debug for Token {
    /// Tells tokens apart in few words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} of {})", self.establishment_secret, self.peering)
    }
}

/// A client's connections to a server that may be killed.
#[derive(Debug, Clone)]
pub(super) struct Life {
    http: Http,
    /// A connection to its peer listener, for those who exchange and open by hand.
    dialer: Option<HandDialer>,
    killed: Arc<AtomicBool>,
    pub(super) journal: Arc<Journal>,
}

impl Life {
    /// Begins with a running server.
    pub(super) fn of(site: &Site, journal: &Arc<Journal>) -> Self {
        let http = Http::new(site.http().parse().unwrap());
        Self { http, dialer: None, killed: Arc::default(), journal: Arc::clone(journal) }
    }

    /// Returns the same with a peer connection of its own. Any token of the server will do.
    pub(super) async fn with_peer_connection(&self, token: &str) -> Self {
        Self { dialer: Some(HandDialer::with(token).await), ..self.clone() }
    }

    fn dialer(&self, token: &Token) -> HandDialer {
        self.dialer.as_ref().expect("a peer connection").holding(&token.text)
    }

    /// Says that from here on a question may stay without an answer.
    pub(super) fn is_about_to_end(&self) {
        self.killed.store(true, Ordering::SeqCst);
    }

    /// Accepts that there is no answer, if the server was killed.
    fn gone(&self, why: &dyn fmt::Debug) -> Gone {
        assert!(self.killed.load(Ordering::SeqCst), "no answer, and nobody killed the server: {why:?}");
        Gone
    }

    async fn ask(&self, method: Method, path: &str, body: String) -> Result<Answer, Gone> {
        self.http.try_send(method, path, &[], body).await.map_err(|error| self.gone(&error))
    }

    /// Asks for a token.
    pub(super) async fn generate(&self, name: &str) -> Result<Answer, Gone> {
        self.ask(Method::POST, "/v1/peering/token", json!({ "PeerName": name }).to_string()).await
    }

    /// Uses a token.
    pub(super) async fn establish(&self, name: &str, token: &Token) -> Result<Answer, Gone> {
        let body = json!({ "PeerName": name, "PeeringToken": token.text }).to_string();
        self.ask(Method::POST, "/v1/peering/establish", body).await
    }

    /// Asks for the end of a peering.
    pub(super) async fn delete(&self, name: &str) -> Result<Answer, Gone> {
        self.ask(Method::DELETE, &format!("/v1/peering/{name}"), String::new()).await
    }

    /// Returns id and state of every peering by its name.
    pub(super) async fn list(&self) -> HashMap<String, (String, String)> {
        let answer = self.ask(Method::GET, "/v1/peerings", String::new()).await.unwrap().accepts();
        let text = |peering: &serde_json::Value, key: &str| peering[key].as_str().unwrap().to_owned();
        let of = |peering| (text(peering, "Name"), (text(peering, "ID"), text(peering, "State")));
        answer.as_array().unwrap().iter().map(of).collect()
    }

    /// Exchanges a token's secret: the stream secret, or `None` if it was refused. Every answer is written down.
    pub(super) async fn exchange(&self, token: &Token, redemption: Option<&str>) -> Result<Option<String>, Gone> {
        match self.dialer(token).exchange_as(redemption).await {
            Ok(secret) => {
                self.journal.answered(&token.establishment_secret, &secret);
                Ok(Some(secret))
            }
            Err(status) => self.refused(&status, "invalid peering establishment secret").map(|()| None),
        }
    }

    /// Opens a stream and gives it up; `false` if the stream secret was refused.
    pub(super) async fn open(&self, token: &Token, stream_secret: &str) -> Result<bool, Gone> {
        match self.dialer(token).open(stream_secret).await {
            Ok(stream) => {
                drop(stream);
                Ok(true)
            }
            Err(status) if status.code() == Code::Aborted => Ok(false),
            Err(status) => self.refused(&status, "invalid peering stream secret").map(|()| false),
        }
    }

    fn refused(&self, status: &Status, text: &str) -> Result<(), Gone> {
        if (status.code(), status.message()) == (Code::PermissionDenied, text) {
            Ok(())
        } else {
            Err(self.gone(status))
        }
    }
}
