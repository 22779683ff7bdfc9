//! What outsiders may rely on, noted at each commit by rules of its own: the record is never asked.

use peering_core::id::PeeringId;

use super::world::{Question, Stream, Which};

/// What the acceptor owes to whom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Promises {
    pub(super) tokens: Vec<Token>,
    /// Handed out and not used.
    pub(super) pending: Option<Stream>,
    /// In use.
    pub(super) active: Option<Stream>,
    /// Stream secrets that were in use when another took their place.
    pub(super) has_replaced: bool,
    /// What was accepted and should not have been.
    pub(super) wrong: Option<Wrong>,
}

/// A token that was issued.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Token {
    /// The peering in it.
    pub(super) peer_id: PeeringId,
    pub(super) fate: Fate,
    /// Whether the peering ended since.
    pub(super) is_past: bool,
}

/// What became of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Fate {
    Usable,
    Redeemed(Question, Stream),
    Void,
}

/// What must never happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Wrong {
    TwoStreamSecrets,
    TwoRedeemers,
    SupersededToken,
    SupersededStream,
    FromBeforeTheEnd,
}

impl Promises {
    pub(super) fn generated(&mut self, peer_id: PeeringId) {
        self.withdraw_tokens();
        self.tokens.push(Token { peer_id, fate: Fate::Usable, is_past: false });
    }

    pub(super) fn exchanged(&mut self, question: Question, secret: Stream) {
        let token = &mut self.tokens[question.token];
        if token.is_past {
            self.wrong = Some(Wrong::FromBeforeTheEnd);
        }
        match token.fate {
            Fate::Usable => {
                token.fate = Fate::Redeemed(question, secret);
                self.pending = Some(secret);
            }
            Fate::Redeemed(first, _) if first != question => self.wrong = Some(Wrong::TwoRedeemers),
            Fate::Redeemed(_, first) if first != secret => self.wrong = Some(Wrong::TwoStreamSecrets),
            Fate::Redeemed(..) => {}
            Fate::Void => self.wrong = Some(Wrong::SupersededToken),
        }
    }

    pub(super) fn opened(&mut self, secret: Stream) {
        if self.pending == Some(secret) {
            self.pending = None;
            self.has_replaced |= self.active.is_some();
            self.active = Some(secret);
        } else if self.active != Some(secret) {
            let is_past = |token: &Token| token.is_past && matches!(token.fate, Fate::Redeemed(_, of) if of == secret);
            let is_past = self.tokens.iter().any(is_past);
            self.wrong = Some(if is_past { Wrong::FromBeforeTheEnd } else { Wrong::SupersededStream });
        }
    }

    pub(super) fn revoked(&mut self, which: Which) {
        match self.tokens[which].fate {
            Fate::Redeemed(_, secret) if self.pending == Some(secret) => self.pending = None,
            _ => self.tokens[which].fate = Fate::Void,
        }
    }

    pub(super) fn ended(&mut self) {
        self.withdraw_tokens();
        self.tokens.iter_mut().for_each(|token| token.is_past = true);
        self.pending = None;
        self.active = None;
    }

    fn withdraw_tokens(&mut self) {
        for token in &mut self.tokens {
            if token.fate == Fate::Usable {
                token.fate = Fate::Void;
            }
        }
    }
}
