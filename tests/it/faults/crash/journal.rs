//! What servers have promised, and which of it they did not keep.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::watch;

/// Writes down promises. What is broken is counted and told at the end, so that one broken promise hides no other.
#[derive(Debug)]
pub(super) struct Journal {
    acknowledged: watch::Sender<usize>,
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
struct Found {
    lost: Vec<String>,
    /// The stream secret that each establishment secret was exchanged for.
    answers: HashMap<String, String>,
    second_secrets: Vec<String>,
}

impl Journal {
    pub(super) fn new() -> Self {
        Self { acknowledged: watch::Sender::new(0), found: Mutex::default() }
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap()
    }

    /// Notes that a server has answered a write with success.
    pub(super) fn acknowledge(&self) {
        self.acknowledged.send_modify(|count| *count += 1);
    }

    /// Returns how many writes were acknowledged so far.
    pub(super) fn acknowledged(&self) -> usize {
        *self.acknowledged.borrow()
    }

    /// Waits until so many writes were acknowledged.
    pub(super) async fn reaches(&self, acknowledged: usize) {
        self.acknowledged.subscribe().wait_for(|count| *count >= acknowledged).await.unwrap();
    }

    /// Notes that something acknowledged is not there.
    pub(super) fn lost(&self, what: impl Into<String>) {
        self.found().lost.push(what.into());
    }

    /// Notes what an establishment secret was exchanged for.
    pub(super) fn answered(&self, establishment_secret: &str, stream_secret: &str) {
        let mut found = self.found();
        let first = found.answers.entry(establishment_secret.to_owned()).or_insert_with(|| stream_secret.to_owned());
        if first != stream_secret {
            found.second_secrets.push(format!("{establishment_secret} was exchanged twice"));
        }
    }

    /// Notes that an acceptor has redeemed a token, which it may do once.
    pub(super) fn redeemed(&self, token: &str) {
        let mut found = self.found();
        if found.answers.insert(token.to_owned(), String::new()).is_some() {
            found.second_secrets.push(format!("token {token} was redeemed twice"));
        }
    }

    /// Notes that somebody was given a stream secret who should have been refused.
    pub(super) fn gave_away(&self, what: impl Into<String>) {
        self.found().second_secrets.push(what.into());
    }

    /// Prints the counts.
    ///
    /// # Panics
    /// If a promise was broken, or none was made.
    pub(super) fn close(&self, kills: usize) {
        let (found, acknowledged) = (self.found(), self.acknowledged());
        println!("{kills} kills: {acknowledged} acknowledged writes, {} of them lost", found.lost.len());
        let (exchanged, twice) = (found.answers.len(), found.second_secrets.len());
        println!("{exchanged} establishment secrets exchanged, {twice} of them for two different stream secrets");
        assert!(
            found.lost.is_empty() && found.second_secrets.is_empty(),
            "{:#?}",
            (&found.lost, &found.second_secrets)
        );
        assert!(acknowledged > kills && exchanged > kills, "there was no load");
    }
}
