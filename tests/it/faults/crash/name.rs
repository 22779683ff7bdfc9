//! A peering of an acceptor that only one client works on, so that it knows exactly what must be true of it.

use std::collections::HashMap;

use super::super::dice::Dice;
use super::life::{Gone, Life, Token};

/// A name, and what its client was promised.
#[derive(Debug)]
pub(super) struct Name {
    name: String,
    peering: Peering,
    /// The one token that was not exchanged.
    newest: Option<Token>,
    /// Handed out, not used.
    pending: Option<Redeemed>,
    /// In use.
    active: Option<Redeemed>,
    /// Tokens that were superseded, or ended with their peering.
    void: Vec<Token>,
    /// Redeemed before, and followed by a newer one.
    former: Vec<Redeemed>,
    /// What was asked last, and not answered.
    doubt: Option<Doubt>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Peering {
    Absent,
    Live(String),
    /// Deleted; this id never comes back to life.
    Ending(String),
}

/// A token that was exchanged.
#[derive(Debug, Clone)]
struct Redeemed {
    token: Token,
    redemption: Option<String>,
    stream_secret: String,
}

#[derive(Debug)]
enum Doubt {
    Generate,
    Exchange(Option<String>),
    Open,
    Delete,
}

impl Name {
    pub(super) fn new(name: String) -> Self {
        let (void, former) = (Vec::new(), Vec::new());
        Self { name, peering: Peering::Absent, newest: None, pending: None, active: None, void, former, doubt: None }
    }

    /// Does one thing.
    pub(super) async fn step(&mut self, life: &Life, dice: &Dice) -> Result<(), Gone> {
        if !matches!(self.peering, Peering::Live(_)) {
            return self.generate(life).await;
        }
        match dice.below(12) {
            0..4 => self.generate(life).await,
            4..8 => self.exchange(life, dice).await,
            8 => self.ask_again(life).await,
            9 | 10 => self.open(life).await,
            // Seldom, because it takes a second of its own to finish.
            _ if dice.below(4) == 0 => self.delete(life).await,
            _ => Ok(()),
        }
    }

    async fn generate(&mut self, life: &Life) -> Result<(), Gone> {
        self.doubt = Some(Doubt::Generate);
        let answer = life.generate(&self.name).await?;
        self.doubt = None;
        if answer.status != 200 && matches!(self.peering, Peering::Ending(_)) {
            assert!(answer.body.contains("marked for deletion"), "{answer:?}");
            return Ok(());
        }
        let token = Token::of(&answer);
        let is_as_promised = match &self.peering {
            Peering::Absent => true,
            Peering::Live(id) => token.peering == *id,
            Peering::Ending(id) => token.peering != *id,
        };
        if !is_as_promised {
            life.journal.lost(format!("{self:?}: the next token is for peering {}", token.peering));
        }
        life.journal.acknowledge();
        self.peering = Peering::Live(token.peering.clone());
        self.void.extend(self.newest.replace(token));
        Ok(())
    }

    async fn exchange(&mut self, life: &Life, dice: &Dice) -> Result<(), Gone> {
        let redemption = (dice.below(3) > 0).then(|| dice.redemption());
        let Some(token) = self.newest.clone() else { return Ok(()) };
        self.doubt = Some(Doubt::Exchange(redemption.clone()));
        let answer = life.exchange(&token, redemption.as_deref()).await?;
        self.doubt = None;
        match answer {
            Some(stream_secret) => self.redeemed(life, redemption, stream_secret),
            None => life.journal.lost(format!("{self:?}: the newest token was refused")),
        }
        Ok(())
    }

    fn redeemed(&mut self, life: &Life, redemption: Option<String>, stream_secret: String) {
        life.journal.acknowledge();
        let Some(token) = self.newest.take() else { return };
        self.former.extend(self.pending.replace(Redeemed { token, redemption, stream_secret }));
    }

    /// Asks for the pending secret again. Nothing is written, so nothing comes to be in doubt.
    async fn ask_again(&self, life: &Life) -> Result<(), Gone> {
        let Some(Redeemed { token, redemption: Some(redemption), stream_secret }) = &self.pending else {
            return Ok(());
        };
        let again = life.exchange(token, Some(redemption)).await?;
        if again.as_ref() != Some(stream_secret) {
            life.journal.lost(format!("{self:?}: asked again, its redeemer was answered {again:?}"));
        }
        Ok(())
    }

    async fn open(&mut self, life: &Life) -> Result<(), Gone> {
        let Some(pending) = self.pending.clone() else { return self.open_active(life).await };
        self.doubt = Some(Doubt::Open);
        let is_admitted = life.open(&pending.token, &pending.stream_secret).await?;
        self.doubt = None;
        if is_admitted {
            life.journal.acknowledge();
            self.pending = None;
            self.former.extend(self.active.replace(pending));
        } else {
            life.journal.lost(format!("{self:?}: the pending stream secret was refused"));
        }
        Ok(())
    }

    async fn open_active(&self, life: &Life) -> Result<(), Gone> {
        if let Some(active) = &self.active
            && !life.open(&active.token, &active.stream_secret).await?
        {
            life.journal.lost(format!("{self:?}: the active stream secret was refused"));
        }
        Ok(())
    }

    async fn delete(&mut self, life: &Life) -> Result<(), Gone> {
        self.doubt = Some(Doubt::Delete);
        let answer = life.delete(&self.name).await?;
        self.doubt = None;
        assert_eq!(answer.status, 200, "{answer:?}");
        life.journal.acknowledge();
        self.ended();
        Ok(())
    }

    fn ended(&mut self) {
        if let Peering::Live(id) = &self.peering {
            self.peering = Peering::Ending(id.clone());
        }
        self.void.extend(self.newest.take());
        self.former.extend(self.pending.take().into_iter().chain(self.active.take()));
    }

    /// Looks at a restarted server's list, which settles what became of the peering itself.
    pub(super) fn compare(&mut self, life: &Life, listed: &HashMap<String, (String, String)>) {
        let (before, found) = (self.peering.clone(), listed.get(&self.name));
        let is_ending = found.is_some_and(|(_, state)| state == "DELETING");
        match (before, &self.doubt, found) {
            (Peering::Live(id), _, Some((found, _))) if *found == id && !is_ending => {}
            (Peering::Live(id), Some(Doubt::Delete), Some((found, _))) if *found == id => self.ended(),
            (Peering::Live(_), Some(Doubt::Delete), None) => {
                self.ended();
                self.peering = Peering::Absent;
            }
            (Peering::Ending(id), _, Some((found, _))) if *found == id && is_ending => {}
            (Peering::Ending(_), _, None) => self.peering = Peering::Absent,
            (Peering::Absent, _, None) => {}
            (Peering::Absent | Peering::Ending(_), Some(Doubt::Generate), Some((found, _))) if !is_ending => {
                self.peering = Peering::Live(found.clone());
            }
            _ => life.journal.lost(format!("{self:?}: listed as {found:?}")),
        }
    }

    /// Says whether something was asked and not answered.
    pub(super) const fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// Settles what became of its secrets, and checks that they are as promised. The server must live.
    pub(super) async fn check(&mut self, life: &Life, dice: &Dice) -> Result<(), Gone> {
        match self.doubt.take() {
            Some(Doubt::Exchange(redemption)) => self.repeat_exchange(life, redemption).await?,
            Some(Doubt::Open) => self.open(life).await?,
            Some(Doubt::Generate) => self.try_superseded(life, dice).await?,
            Some(Doubt::Delete) | None => {}
        }
        self.ask_again(life).await?;
        if dice.below(4) == 0 {
            self.open_active(life).await?;
        }
        // One of many is tried here, all of them at the end.
        let spent = self.pending.iter().chain(&self.active).chain(&self.former).map(|redeemed| &redeemed.token);
        let useless: Vec<&Token> = spent.chain(&self.void).collect();
        if let Some(token) = dice.pick(&useless) {
            let stranger = (dice.below(2) == 0).then(|| dice.redemption());
            self.must_refuse(life, token, &[stranger]).await?;
        }
        if let Some(former) = dice.pick(&self.former).filter(|_| dice.below(2) == 0) {
            self.must_be_over(life, former).await?;
        }
        // Not always, so that tokens outlive many restarts too.
        if dice.below(2) == 0 { self.exchange(life, dice).await } else { Ok(()) }
    }

    /// Checks all that was ever promised, and uses everything up.
    pub(super) async fn check_all(&mut self, life: &Life, dice: &Dice) -> Result<(), Gone> {
        self.check(life, dice).await?;
        for former in &self.former {
            self.must_be_over(life, former).await?;
        }
        for Redeemed { token, .. } in self.pending.iter().chain(&self.active) {
            self.must_refuse(life, token, &[Some(dice.redemption()), None]).await?;
        }
        for token in &self.void {
            self.must_refuse(life, token, &[Some(dice.redemption()), None]).await?;
        }
        self.exchange(life, dice).await?;
        self.open(life).await?;
        self.open_active(life).await
    }

    async fn repeat_exchange(&mut self, life: &Life, redemption: Option<String>) -> Result<(), Gone> {
        let Some(token) = self.newest.clone() else { return Ok(()) };
        match life.exchange(&token, redemption.as_deref()).await? {
            Some(stream_secret) => self.redeemed(life, redemption, stream_secret),
            None if redemption.is_some() => life.journal.lost(format!("{self:?}: a lost answer burnt the token")),
            None => {
                // Its secret went out and did not arrive, as in Consul. What was pending before is over.
                self.void.extend(self.newest.take());
                self.former.extend(self.pending.take());
            }
        }
        Ok(())
    }

    /// Uses a token that a generation without an answer may have superseded: both is right.
    async fn try_superseded(&mut self, life: &Life, dice: &Dice) -> Result<(), Gone> {
        let (Some(token), redemption) = (self.newest.clone(), Some(dice.redemption())) else { return Ok(()) };
        match life.exchange(&token, redemption.as_deref()).await? {
            Some(stream_secret) => self.redeemed(life, redemption, stream_secret),
            None => self.void.extend(self.newest.take()),
        }
        Ok(())
    }

    async fn must_refuse(&self, life: &Life, token: &Token, redemptions: &[Option<String>]) -> Result<(), Gone> {
        for redemption in redemptions {
            if life.exchange(token, redemption.as_deref()).await?.is_some() {
                life.journal.gave_away(format!("{self:?}: {token:?} was exchanged as {redemption:?}"));
            }
        }
        Ok(())
    }

    /// Checks that what was followed by a newer one gives nothing, to its redeemer neither.
    async fn must_be_over(&self, life: &Life, former: &Redeemed) -> Result<(), Gone> {
        self.must_refuse(life, &former.token, &[former.redemption.clone(), None]).await?;
        if life.open(&former.token, &former.stream_secret).await? {
            life.journal.gave_away(format!("{self:?}: the superseded {former:?} opened a stream"));
        }
        Ok(())
    }
}
