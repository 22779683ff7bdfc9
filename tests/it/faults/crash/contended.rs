//! Peerings of an acceptor that every client works on at once, so that nobody knows who was first: whoever that was, no
//! two got anything.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

use super::super::dice::Dice;
use super::life::{Gone, Life, Token};

/// How many peerings.
const NAMES: usize = 4;
/// Tokens that are tried at a time, older ones at the end only.
const TOKENS_MAX: usize = 12;

/// The peerings, and what clients know of them.
#[derive(Debug, Default)]
pub(super) struct ContendedNames(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// The id that each name had from its first token on.
    ids: HashMap<String, String>,
    tokens: VecDeque<Token>,
    older: Vec<Token>,
    redeemed: Vec<(Token, Option<String>, String)>,
}

impl Known {
    fn tokens(&self) -> Vec<Token> {
        self.tokens.iter().chain(&self.older).cloned().collect()
    }
}

impl ContendedNames {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap()
    }

    /// Does one thing.
    pub(super) async fn step(&self, life: &Life, dice: &Dice) -> Result<(), Gone> {
        if dice.below(3) == 0 {
            return self.generate(life, &format!("contended-{}", dice.below(NAMES))).await;
        }
        let token = dice.pick(self.known().tokens.make_contiguous()).cloned();
        match token {
            Some(token) => self.exchange(life, dice, &token).await,
            None => Ok(()),
        }
    }

    async fn generate(&self, life: &Life, name: &str) -> Result<(), Gone> {
        let token = Token::of(&life.generate(name).await?);
        life.journal.acknowledge();
        let mut known = self.known();
        let id = known.ids.entry(name.to_owned()).or_insert_with(|| token.peering.clone());
        if *id != token.peering {
            life.journal.lost(format!("{name} was {id} and is {}", token.peering));
        }
        known.tokens.push_back(token);
        while known.tokens.len() > TOKENS_MAX {
            let oldest = known.tokens.pop_front();
            known.older.extend(oldest);
        }
        Ok(())
    }

    /// Three holders of one token ask at the same moment: two that can be known again, and one as a dialer of Consul.
    async fn exchange(&self, life: &Life, dice: &Dice, token: &Token) -> Result<(), Gone> {
        let (one, other) = (Some(dice.redemption()), Some(dice.redemption()));
        let ask = async |holder: &Option<String>| life.exchange(token, holder.as_deref()).await;
        let answers = tokio::join!(ask(&one), ask(&other), ask(&None));
        let (mut winners, mut done) = (0, Ok(()));
        for (holder, answer) in [(one, answers.0), (other, answers.1), (None, answers.2)] {
            match answer {
                Ok(Some(stream_secret)) => {
                    winners += 1;
                    life.journal.acknowledge();
                    self.known().redeemed.push((token.clone(), holder, stream_secret));
                }
                Ok(None) => {}
                Err(gone) => done = Err(gone),
            }
        }
        if winners > 1 {
            life.journal.gave_away(format!("{winners} holders of {token:?} were answered"));
        }
        done
    }

    /// Checks against a restarted server's list that every peering is the one that it was.
    pub(super) fn compare(&self, life: &Life, listed: &HashMap<String, (String, String)>) {
        for (name, id) in &self.known().ids {
            let found = listed.get(name);
            if found.is_none_or(|(found, _)| found != id) {
                life.journal.lost(format!("{name} was {id} and is listed as {found:?}"));
            }
        }
    }

    /// Asks a living server again for some of what it has handed out, or for all.
    pub(super) async fn check(&self, life: &Life, dice: &Dice, all: bool) -> Result<(), Gone> {
        let mut redeemed = self.known().redeemed.clone();
        if !all {
            redeemed = (0..2).filter_map(|_| dice.pick(&redeemed).cloned()).collect();
        }
        for (token, redemption, stream_secret) in &redeemed {
            // Its redeemer is refused once there is a newer one. The journal compares what it is answered otherwise.
            let again = life.exchange(token, redemption.as_deref()).await?;
            if redemption.is_none() && again.is_some() {
                life.journal.gave_away(format!("{token:?} gave {stream_secret} and was exchanged once more"));
            }
            if life.exchange(token, Some(&dice.redemption())).await?.is_some() {
                life.journal.gave_away(format!("{token:?} was exchanged by somebody else"));
            }
        }
        if all {
            let tokens = self.known().tokens();
            for token in &tokens {
                self.exchange(life, dice, token).await?;
            }
        }
        Ok(())
    }
}
