//! The acceptor is killed under a load of generate, exchange, open and delete.

use std::sync::Arc;
use std::time::Duration;

use peering_tests::process::Signal;
use peering_tests::site::Site;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::super::dice::Dice;
use super::contended::ContendedNames;
use super::journal::Journal;
use super::life::Life;
use super::name::Name;
use crate::under_test::program;

/// Clients at the same time.
const CLIENTS: u64 = 5;
/// Most acknowledgements between a start and the kill.
const ACKNOWLEDGED_MAX: usize = 40;
/// Longest time from the last of those to the kill: about two commits.
const LATER_MICROSECONDS_MAX: usize = 4_000;
/// Longest wait for those acknowledgements.
const LOAD_WITHIN: Duration = Duration::from_secs(30);
/// Names that a client works on at a time; it keeps an eye on older ones.
const NAMES_AT_A_TIME: usize = 3;

/// One client, over all lives of the server.
struct Client {
    number: u64,
    dice: Dice,
    names: Vec<Name>,
    /// Which of them were worked on since the last check.
    touched: Vec<bool>,
    shared: Arc<ContendedNames>,
}

impl Client {
    fn new(number: u64, dice: Dice, shared: Arc<ContendedNames>) -> Self {
        let mut client = Self { number, dice, names: Vec::new(), touched: Vec::new(), shared };
        (0..NAMES_AT_A_TIME).for_each(|_| client.new_name());
        client
    }

    /// Works until the server is gone.
    async fn load(mut self, life: Life) -> Self {
        loop {
            let done = if self.dice.below(3) == 0 {
                self.shared.step(&life, &self.dice).await
            } else {
                let recent = self.names.len() - NAMES_AT_A_TIME;
                let at = recent + self.dice.below(NAMES_AT_A_TIME);
                self.touched[at] = true;
                self.names[at].step(&life, &self.dice).await
            };
            if done.is_err() {
                return self;
            }
        }
    }

    fn new_name(&mut self) {
        self.names.push(Name::new(format!("own-{}-{}", self.number, self.names.len())));
        self.touched.push(false);
    }

    /// Checks what it worked on, and one older name.
    async fn check(mut self, life: Life) -> Self {
        let older = self.dice.below(self.names.len());
        self.touched[older] = true;
        for (name, touched) in self.names.iter_mut().zip(&mut self.touched) {
            if *touched || name.is_in_doubt() {
                name.check(&life, &self.dice).await.unwrap();
            }
            *touched = false;
        }
        self.shared.check(&life, &self.dice, false).await.unwrap();
        self
    }

    async fn check_all(mut self, life: Life) -> Self {
        for name in &mut self.names {
            name.check_all(&life, &self.dice).await.unwrap();
        }
        self
    }
}

/// Has every client do something at the same time, each over a connection of its own.
fn all<F>(clients: Vec<Client>, lives: &[Life], mut work: impl FnMut(Client, Life) -> F) -> JoinSet<Client>
where
    F: Future<Output = Client> + Send + 'static,
{
    clients.into_iter().zip(lives.iter().cloned()).map(|(client, life)| work(client, life)).collect()
}

async fn kill(kills: usize) {
    let seed = Dice::print_seed();
    let dice = Dice::new(seed, 0);
    let (journal, shared) = (Arc::new(Journal::new()), Arc::new(ContendedNames::default()));
    let mut site = Site::start_logging(&program(), "dc1", "info").await;
    let token = site.generate_token("first").await;
    let make = |number| Client::new(number, Dice::new(seed, number + 1), Arc::clone(&shared));
    let mut clients: Vec<Client> = (0..CLIENTS).map(make).collect();
    let mut lives = lives(&site, &token, &journal).await;
    for kill in 0..kills {
        let wanted = journal.acknowledged() + dice.below(ACKNOWLEDGED_MAX);
        let tasks = all(clients, &lives, Client::load);
        timeout(LOAD_WITHIN, journal.reaches(wanted)).await.expect("the load got nowhere");
        // The moment of the kill is the matter here, so it is a time and no condition.
        sleep(Duration::from_micros(dice.below(LATER_MICROSECONDS_MAX) as u64)).await;
        lives.iter().for_each(Life::is_about_to_end);
        site.stop(Signal::KILL).await;
        clients = tasks.join_all().await;

        site.restart().await;
        lives = self::lives(&site, &token, &journal).await;
        let listed = lives[0].list().await;
        shared.compare(&lives[0], &listed);
        for client in &mut clients {
            client.names.iter_mut().for_each(|name| name.compare(&lives[0], &listed));
        }
        clients = all(clients, &lives, Client::check).join_all().await;
        if kill % 2 == 0 {
            clients.iter_mut().for_each(Client::new_name);
        }
    }
    clients = all(clients, &lives, Client::check_all).join_all().await;
    let life = Life::of(&site, &journal).with_peer_connection(&token).await;
    shared.check(&life, &dice, true).await.unwrap();
    let names: usize = clients.iter().map(|client| client.names.len()).sum();
    println!("{CLIENTS} clients, {names} names of one client each, and some that all share");
    journal.close(kills);
}

/// Connects every client to a server that has just started.
async fn lives(site: &Site, token: &str, journal: &Arc<Journal>) -> Vec<Life> {
    let life = Life::of(site, journal);
    let mut lives = Vec::new();
    for _ in 0..CLIENTS {
        lives.push(life.with_peer_connection(token).await);
    }
    lives
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acceptor_killed_under_load_keeps_what_it_acknowledged() {
    kill(5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a minute: a hundred restarts"]
async fn an_acceptor_killed_a_hundred_times_under_load_keeps_what_it_acknowledged() {
    kill(100).await;
}
