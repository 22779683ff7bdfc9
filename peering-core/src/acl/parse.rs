//! The text of rules, HCL or JSON, to rules.

use hcl::edit::expr::{Expression, ObjectKey};
use hcl::edit::structure::{Body, Structure};
use serde_json::Value;
use thiserror::Error;

use super::layout::{Laid, Misplaced, lay_out};
use super::level::Level;
use super::resource::Resource;
use super::rules::{Named, Rules};
use crate::foreign::echo;
use crate::gojson::go_quoted;

/// Most bytes in the rules of one policy: some four thousand rules. Written as JSON they stay below what a store takes.
pub const RULES_BYTES_MAX: usize = 128 << 10;

/// Says why rules are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RulesError {
    /// The text is longer than any policy needs.
    #[error("the rules of a policy may have {RULES_BYTES_MAX} bytes, got {bytes}; divide them among several policies")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The text is neither HCL nor JSON. The prefix is Consul's, and so is the way to write a place.
    #[error("Failed to parse ACL rules: At {line}:{column}: {message}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// The column in bytes, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// A rule is there twice. The text is Consul's.
    #[error(
        "Failed to parse ACL rules: The argument {argument:?} at {line}:{column} was already set. Each argument can only be defined once"
    )]
    Repeated {
        /// The rule.
        argument: String,
        /// The line of the second one, from 1.
        line: usize,
        /// Its column in bytes, from 1.
        column: usize,
    },
    /// A rule has not the shape of its kind.
    #[error("Failed to parse ACL rules: {rule}: expected {expected}")]
    Shape {
        /// The rule.
        rule: String,
        /// What it should look like.
        expected: &'static str,
    },
    /// A rule for a whole has a level that there is not. The text is Consul's.
    #[error("Invalid {resource} policy: {}", go_quoted(echo(.level)))]
    Level {
        /// The kind of rule.
        resource: &'static str,
        /// The level that was given.
        level: String,
    },
    /// A rule for a name has a level that there is not. The text is Consul's, who prints the rule as Go does.
    #[error("Invalid {rule} policy: {shown}")]
    NamedLevel {
        /// The kind of rule, with `intentions` behind it if those are at fault.
        rule: String,
        /// The rule in Go's words.
        shown: String,
    },
}

/// An entry's value, without what rules do not use.
enum Item {
    Text(String),
    Table(Vec<(String, Item)>),
    Other,
}

/// Reads rules.
pub(super) fn rules(text: &str) -> Result<Rules, RulesError> {
    if text.len() > RULES_BYTES_MAX {
        return Err(RulesError::TooLong { bytes: text.len() });
    }
    let entries = if text.trim_start().starts_with('{') { of_json(text)? } else { of_hcl(text)? };
    let mut rules = Rules::default();
    for (key, item) in entries {
        read_rule(&mut rules, &key, item)?;
    }
    Ok(rules)
}

fn of_json(text: &str) -> Result<Vec<(String, Item)>, RulesError> {
    let value = serde_json::from_str::<Value>(text).map_err(|error| {
        let whole = error.to_string();
        // The place is said in front.
        let message = whole.split(" at line ").next().unwrap_or_default().to_owned();
        RulesError::Syntax { line: error.line().max(1), column: error.column().max(1), message }
    })?;
    match json_item(value) {
        Item::Table(entries) => Ok(entries),
        _ => Ok(Vec::new()),
    }
}

fn json_item(value: Value) -> Item {
    match value {
        Value::String(text) => Item::Text(text),
        Value::Number(number) => Item::Text(number.to_string()),
        Value::Object(entries) => {
            Item::Table(entries.into_iter().map(|(key, value)| (key, json_item(value))).collect())
        }
        // A list of objects stands for all their entries, as in HCL's own JSON.
        Value::Array(list) => table_of(list.into_iter().map(json_item)),
        Value::Bool(_) | Value::Null => Item::Other,
    }
}

fn table_of(items: impl Iterator<Item = Item>) -> Item {
    let mut entries = Vec::new();
    for item in items {
        match item {
            Item::Table(more) => entries.extend(more),
            _ => return Item::Other,
        }
    }
    Item::Table(entries)
}

fn of_hcl(text: &str) -> Result<Vec<(String, Item)>, RulesError> {
    let laid = lay_out(text).map_err(|Misplaced { at, what }| RulesError::Syntax {
        line: at.line,
        column: at.column,
        message: what.to_owned(),
    })?;
    let body = hcl::edit::parser::parse_body(&laid.text).map_err(|error| of_parser(&laid, &error))?;
    Ok(body_entries(body))
}

fn of_parser(laid: &Laid, error: &hcl::edit::parser::Error) -> RulesError {
    let location = error.location();
    let at = laid.origin(location.line(), location.column());
    if error.message().contains("redefined attribute") {
        let argument = error.line().split('=').next().unwrap_or_default().trim().to_owned();
        return RulesError::Repeated { argument: echo(&argument).to_owned(), line: at.line, column: at.column };
    }
    RulesError::Syntax { line: at.line, column: at.column, message: error.message().replace('\n', "; ") }
}

fn body_entries(body: Body) -> Vec<(String, Item)> {
    let entry = |structure| match structure {
        Structure::Attribute(attribute) => (attribute.key.to_string(), hcl_item(attribute.value)),
        Structure::Block(block) => {
            let inner = Item::Table(body_entries(block.body));
            let labels = block.labels.iter().rev();
            let item = labels.fold(inner, |item, label| Item::Table(vec![(label.as_str().to_owned(), item)]));
            (block.ident.to_string(), item)
        }
    };
    body.into_iter().map(entry).collect()
}

fn hcl_item(value: Expression) -> Item {
    match value {
        Expression::String(text) => Item::Text(text.to_string()),
        Expression::Number(number) => Item::Text(number.value().to_string()),
        Expression::Object(object) => {
            let key = |key: ObjectKey| match key {
                ObjectKey::Ident(ident) => ident.to_string(),
                ObjectKey::Expression(expression) => expression.as_str().unwrap_or_default().to_owned(),
            };
            Item::Table(object.into_iter().map(|(name, value)| (key(name), hcl_item(value.into_expr()))).collect())
        }
        _ => Item::Other,
    }
}

/// How Go prints a rule: the type, its field for the name, and what follows the level.
struct Shown {
    go_type: &'static str,
    name: &'static str,
    rest: &'static str,
}

const NAMED: [(&str, Resource, Shown); 7] = [
    ("agent", Resource::Agent, Shown { go_type: "AgentRule", name: "Node", rest: "" }),
    ("event", Resource::Event, Shown { go_type: "EventRule", name: "Event", rest: "" }),
    ("key", Resource::Key, Shown { go_type: "KeyRule", name: "Prefix", rest: ENTERPRISE }),
    ("node", Resource::Node, Shown { go_type: "NodeRule", name: "Name", rest: ENTERPRISE }),
    ("query", Resource::Query, Shown { go_type: "PreparedQueryRule", name: "Prefix", rest: "" }),
    ("service", Resource::Service, Shown { go_type: "ServiceRule", name: "Name", rest: ENTERPRISE }),
    ("session", Resource::Session, Shown { go_type: "SessionRule", name: "Node", rest: "" }),
];
const ENTERPRISE: &str = ", EnterpriseRule:acl.EnterpriseRule{}";

/// Reads one rule; what is none of Consul's is passed over, as Consul does.
fn read_rule(rules: &mut Rules, key: &str, item: Item) -> Result<(), RulesError> {
    let kind = key.to_ascii_lowercase();
    if let Some(resource) = Resource::parse(&kind).filter(|resource| resource.is_whole()) {
        let Item::Text(level) = item else {
            return Err(RulesError::Shape { rule: kind, expected: "a level alone, such as \"read\"" });
        };
        match parse_level(&level, resource) {
            Some(parsed) => rules.set_whole(resource, parsed),
            // Consul takes an empty level for no rule.
            None if level.is_empty() => {}
            None => return Err(RulesError::Level { resource: resource.as_str(), level }),
        }
        return Ok(());
    }
    let (name, is_prefix) = kind.strip_suffix("_prefix").map_or((kind.as_str(), false), |name| (name, true));
    let Some((_, resource, shown)) = NAMED.iter().find(|(known, ..)| *known == name) else { return Ok(()) };
    let shape = || RulesError::Shape { rule: kind.clone(), expected: "a name and a block with a policy" };
    let Item::Table(entries) = item else { return Err(shape()) };
    for (name, said) in entries {
        let Item::Table(fields) = said else { return Err(shape()) };
        let field = |wanted: &str| {
            let found = fields.iter().rev().find(|(key, _)| key.eq_ignore_ascii_case(wanted));
            found.and_then(|(_, item)| if let Item::Text(text) = item { Some(text.as_str()) } else { None })
        };
        let (level, intentions) = (field("policy").unwrap_or_default(), field("intentions").unwrap_or_default());
        let refused = |rule: String| RulesError::NamedLevel { rule, shown: go_rule(shown, &name, level, intentions) };
        let parsed = parse_level(level, *resource).ok_or_else(|| refused(kind.clone()))?;
        let of_service = Some(intentions).filter(|text| *resource == Resource::Service && !text.is_empty());
        let intentions = of_service
            .map(|text| parse_level(text, *resource).ok_or_else(|| refused(format!("{kind} intentions"))))
            .transpose()?;
        rules.add_named(*resource, is_prefix, name, Named { level: parsed, intentions });
    }
    Ok(())
}

/// Reads a level; only keys can be listed.
fn parse_level(text: &str, resource: Resource) -> Option<Level> {
    Level::parse(text).filter(|level| *level != Level::List || resource == Resource::Key)
}

/// Prints a rule as Go's `%#v` does.
fn go_rule(shown: &Shown, name: &str, level: &str, intentions: &str) -> String {
    let quoted = |text| go_quoted(echo(text));
    let mut text = format!("&acl.{}{{{}:{}, Policy:{}", shown.go_type, shown.name, quoted(name), quoted(level));
    if shown.go_type == "ServiceRule" {
        text += &format!(", Intentions:{}", quoted(intentions));
    }
    text + shown.rest + "}"
}
