//! The dialer is killed under a load of establish and delete, each towards an acceptor that lives.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use peering_tests::eventually::eventually;
use peering_tests::process::Signal;
use peering_tests::site::{HEALED_WITHIN, Site};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::super::dice::Dice;
use super::journal::Journal;
use super::life::{Gone, Life, Token};
use crate::under_test::program;

/// Clients at the same time.
const CLIENTS: u64 = 3;
/// Peerings that a client keeps; it deletes the oldest beyond.
const PEERINGS_MAX: usize = 3;
/// Most acknowledgements between a start and the kill.
const ACKNOWLEDGED_MAX: usize = 6;
/// Longest time from the last of those to the kill: about half an exchange.
const LATER_MICROSECONDS_MAX: usize = 30_000;
/// Longest wait for those acknowledgements.
const LOAD_WITHIN: Duration = Duration::from_secs(30);
/// What the acceptor logs for each stream secret that it hands out, with the token's id.
const REDEEMED: &str = "peering token redeemed";
/// What a dialer is told whose token was used by a stream already.
const SPENT: &str = "a new peering token must be generated";

/// A peering of the dialer, and what its client was promised.
#[derive(Debug)]
struct Peering {
    name: String,
    token: Token,
    fate: Fate,
    /// An earlier token was established, so the peering is there whatever becomes of this one.
    is_kept: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Establish was asked for and not answered.
    Asked,
    Established,
    /// Established since the server came back, so that a stream may still use the secret from before.
    Repeated,
    /// Delete was asked for and not answered.
    Leaving,
    Deleted,
}

struct Client {
    number: u64,
    dice: Dice,
    made: usize,
    peerings: Vec<Peering>,
}

impl Client {
    /// Works until the dialer is gone.
    async fn load(mut self, acceptor: Life, dialer: Life) -> Self {
        while self.step(&acceptor, &dialer).await.is_ok() {}
        self
    }

    async fn step(&mut self, acceptor: &Life, dialer: &Life) -> Result<(), Gone> {
        let live = || self.peerings.iter().filter(|peering| peering.fate == Fate::Established);
        if live().count() >= PEERINGS_MAX {
            let oldest = self.peerings.iter().position(|peering| peering.fate == Fate::Established).unwrap();
            return self.delete(dialer, oldest).await;
        }
        // A new peering, or a new token for one that is there.
        let again = if self.dice.below(3) == 0 { live().next_back().map(|peering| peering.name.clone()) } else { None };
        let name = again.unwrap_or_else(|| {
            self.made += 1;
            format!("peer-{}-{}", self.number, self.made)
        });
        let token = Token::of(&acceptor.generate(&name).await?);
        let is_kept = self.peerings.iter().any(|peering| peering.name == name);
        self.peerings.retain(|peering| peering.name != name);
        self.peerings.push(Peering { name, token, fate: Fate::Asked, is_kept });
        let last = self.peerings.len() - 1;
        self.establish(dialer, last).await
    }

    async fn establish(&mut self, dialer: &Life, at: usize) -> Result<(), Gone> {
        let peering = &mut self.peerings[at];
        let answer = dialer.establish(&peering.name, &peering.token).await?;
        if answer.status == 200 {
            dialer.journal.acknowledge();
            peering.fate = Fate::Established;
        } else {
            dialer.journal.lost(format!("{peering:?}: {} {}", answer.status, answer.body));
        }
        Ok(())
    }

    async fn delete(&mut self, dialer: &Life, at: usize) -> Result<(), Gone> {
        let peering = &mut self.peerings[at];
        peering.fate = Fate::Leaving;
        assert_eq!(dialer.delete(&peering.name).await?.status, 200);
        dialer.journal.acknowledge();
        peering.fate = Fate::Deleted;
        Ok(())
    }

    /// Repeats what was not answered.
    async fn settle(mut self, dialer: Life) -> Self {
        for peering in &mut self.peerings {
            match peering.fate {
                Fate::Asked => {
                    // A refusal says that a stream has used the token: the dialer had stored what came of it.
                    let answer = dialer.establish(&peering.name, &peering.token).await.unwrap();
                    if answer.status != 200 && !(answer.status == 403 && answer.body.starts_with(SPENT)) {
                        dialer.journal.lost(format!("{peering:?}, repeated: {} {}", answer.status, answer.body));
                    }
                    dialer.journal.acknowledge();
                    peering.fate = Fate::Repeated;
                }
                Fate::Leaving => {
                    assert_eq!(dialer.delete(&peering.name).await.unwrap().status, 200);
                    dialer.journal.acknowledge();
                    peering.fate = Fate::Deleted;
                }
                Fate::Established | Fate::Repeated | Fate::Deleted => {}
            }
        }
        self
    }

    /// Checks that what was acknowledged before the kill is what streams use after it.
    async fn confirm(mut self, dialer: Life) -> Self {
        for peering in self.peerings.iter().filter(|peering| peering.fate == Fate::Established) {
            // If the dialer had lost the newest secret, the acceptor would tell it once more.
            let again = dialer.establish(&peering.name, &peering.token).await.unwrap();
            if again.status != 403 {
                dialer.journal.lost(format!("{peering:?} uses an older secret: {} {}", again.status, again.body));
            }
        }
        self.peerings.retain(|peering| peering.fate != Fate::Deleted);
        self.peerings.iter_mut().for_each(|peering| peering.fate = Fate::Established);
        self
    }
}

impl Peering {
    fn is_as_promised(&self, listed: &HashMap<String, (String, String)>) -> bool {
        let state = listed.get(&self.name).map(|(_, state)| state.as_str());
        match self.fate {
            Fate::Established | Fate::Repeated => state == Some("ACTIVE"),
            Fate::Deleted => state.is_none(),
            Fate::Asked | Fate::Leaving => false,
        }
    }
}

/// Counts in the acceptor's log how often each token was redeemed.
fn redemptions(log: &str, journal: &Journal) {
    for line in log.lines().filter(|line| line.contains(REDEEMED)) {
        let (_, rest) = line.split_once("token_id=").unwrap();
        let token = rest.split_whitespace().next().unwrap();
        journal.redeemed(token);
    }
}

/// Has every client do something at the same time.
async fn all<F>(clients: Vec<Client>, work: impl FnMut(Client) -> F) -> Vec<Client>
where
    F: Future<Output = Client> + Send + 'static,
{
    clients.into_iter().map(work).collect::<JoinSet<Client>>().join_all().await
}

async fn kill(kills: usize) {
    let seed = Dice::print_seed();
    let dice = Dice::new(seed, 0);
    let journal = Arc::new(Journal::new());
    let program = program();
    let (acceptor, mut dialer) =
        tokio::join!(Site::start_logging(&program, "dc1", "info"), Site::start_logging(&program, "dc2", "info"));
    let accepting = Life::of(&acceptor, &journal);
    let make = |number| Client { number, dice: Dice::new(seed, number + 1), made: 0, peerings: Vec::new() };
    let mut clients: Vec<Client> = (0..CLIENTS).map(make).collect();
    for _ in 0..kills {
        let life = Life::of(&dialer, &journal);
        let wanted = journal.acknowledged() + 1 + dice.below(ACKNOWLEDGED_MAX);
        let work = |client: Client| client.load(accepting.clone(), life.clone());
        let tasks: JoinSet<Client> = clients.into_iter().map(work).collect();
        timeout(LOAD_WITHIN, journal.reaches(wanted)).await.expect("the load got nowhere");
        // The moment of the kill is the matter here, so it is a time and no condition.
        sleep(Duration::from_micros(dice.below(LATER_MICROSECONDS_MAX) as u64)).await;
        life.is_about_to_end();
        dialer.stop(Signal::KILL).await;
        clients = tasks.join_all().await;

        dialer.restart().await;
        let life = Life::of(&dialer, &journal);
        let listed = life.list().await;
        for peering in clients.iter().flat_map(|client| &client.peerings) {
            let is_promised = peering.fate == Fate::Established || peering.fate == Fate::Asked && peering.is_kept;
            if is_promised && !listed.contains_key(&peering.name) {
                journal.lost(format!("{peering:?} is not there"));
            }
        }
        clients = all(clients, |client| client.settle(life.clone())).await;
        eventually(HEALED_WITHIN, async || {
            let listed = life.list().await;
            let mut peerings = clients.iter().flat_map(|client| &client.peerings);
            let wrong = peerings.find(|peering| !peering.is_as_promised(&listed));
            wrong.map_or(Ok(()), |peering| Err(format!("{peering:?} is {:?}", listed.get(&peering.name))))
        })
        .await;
        clients = all(clients, |client| client.confirm(life.clone())).await;
    }
    let made: usize = clients.iter().map(|client| client.made).sum();
    println!("{CLIENTS} clients, {made} peerings, {PEERINGS_MAX} of each client at a time");
    redemptions(&acceptor.log(), &journal);
    journal.close(kills);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialer_killed_under_load_keeps_what_it_acknowledged() {
    kill(5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a minute: a hundred restarts"]
async fn a_dialer_killed_a_hundred_times_under_load_keeps_what_it_acknowledged() {
    kill(100).await;
}
