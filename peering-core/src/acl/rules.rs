//! The levels that one policy gives.

use std::collections::BTreeMap;

use super::level::Level;
use super::parse::{self, RulesError};
use super::resource::Resource;

/// The rules of one policy, read.
///
/// # Examples
/// ```
/// use peering_core::acl::Rules;
///
/// assert!(Rules::parse(r#"peering = "write""#).is_ok());
/// let refused = Rules::parse(r#"peering = "x""#).unwrap_err();
/// assert_eq!(refused.to_string(), r#"Invalid peering policy: "x""#);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    whole: BTreeMap<Resource, Level>,
    named: BTreeMap<Resource, Names>,
}

/// Rules for things with names, by exact name and by prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) exact: BTreeMap<String, Named>,
    pub(super) prefix: BTreeMap<String, Named>,
}

/// What a rule says of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) level: Level,
    /// For a service: what it says of intentions, if it does.
    pub(super) intentions: Option<Level>,
}

impl Named {
    pub(super) fn or(self, other: Self) -> Self {
        let intentions = match (self.intentions, other.intentions) {
            (Some(one), Some(two)) => Some(one.or(two)),
            (one, two) => one.or(two),
        };
        Self { level: self.level.or(other.level), intentions }
    }

    /// What it says of intentions; a rule that does not speak of them lets whoever sees the service see them.
    pub(super) fn of_intentions(self) -> Level {
        self.intentions.unwrap_or(if self.level == Level::Deny { Level::Deny } else { Level::Read })
    }
}

impl Rules {
    /// Reads rules, HCL or JSON.
    ///
    /// # Errors
    /// [`RulesError`] for a text that is too long or no rules, with its place, and for a level that there is not.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        parse::rules(text)
    }

    pub(super) fn set_whole(&mut self, resource: Resource, level: Level) {
        self.whole.entry(resource).and_modify(|before| *before = before.or(level)).or_insert(level);
    }

    pub(super) fn add_named(&mut self, resource: Resource, is_prefix: bool, name: String, said: Named) {
        let names = self.named.entry(resource).or_default();
        let names = if is_prefix { &mut names.prefix } else { &mut names.exact };
        names.entry(name).and_modify(|before| *before = before.or(said)).or_insert(said);
    }

    pub(super) fn whole(&self, resource: Resource) -> Option<Level> {
        self.whole.get(&resource).copied()
    }

    pub(super) fn names(&self, resource: Resource) -> Option<&Names> {
        self.named.get(&resource)
    }
}
