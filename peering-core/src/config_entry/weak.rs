//! Reads a JSON value into fields as Consul's agent does: weakly typed, forgiving of case and of snake case.
//!
//! | given | for | becomes |
//! |---|---|---|
//! | number, `true`, `false` | text | the number as digits, `1`, `0` |
//! | text, number | flag | what Go's `ParseBool` says, whether it is not zero |
//! | one value, or an empty object | list | a list of it, an empty list |
//! | a list of one | anything else | that one |
//! | `null` | anything | nothing, so the default |

use serde_json::{Map, Number, Value};

use crate::foreign::echo;

/// Most elements that are read of one list: one more than any list may have, so that whoever checks it sees that it is
/// too long.
const ELEMENTS_MAX: usize = super::CONSUMERS_MAX + 1;
/// Most faults that are listed; more help nobody.
const FAULTS_MAX: usize = 64;

/// A field of an object.
#[derive(Debug)]
pub(super) struct Field {
    /// Its name, as it is printed.
    pub(super) name: &'static str,
    /// Its name in snake case, or another.
    pub(super) alias: &'static str,
    pub(super) shape: Shape,
}

/// What a value must be.
#[derive(Debug)]
pub(super) enum Shape {
    Text,
    Flag,
    Texts,
    TextMap,
    Object(&'static [Field]),
    List(&'static [Field]),
    /// Anything; it is not kept.
    Ignored,
}

/// What was wrong, in Consul's words.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// Values of another type.
    pub(super) types: Vec<String>,
    /// Keys that nobody knows.
    pub(super) keys: Vec<String>,
}

impl Faults {
    fn of_type(&mut self, fault: String) -> Option<Value> {
        push(&mut self.types, fault);
        None
    }

    fn read(&mut self, shape: &Shape, value: Value, path: &str) -> Option<Value> {
        match (shape, value) {
            (Shape::Ignored, _) | (_, Value::Null) => None,
            (Shape::Texts, value) => Some(self.list(value, path, |faults, value, path| {
                Some(faults.read(&Shape::Text, value, path).unwrap_or_else(|| Value::String(String::new())))
            })),
            (Shape::List(fields), value) => Some(self.list(value, path, |faults, value, path| {
                if value.is_null() { Some(Value::Object(Map::new())) } else { faults.object(fields, value, path) }
            })),
            (Shape::TextMap, Value::Array(list)) if list.is_empty() => None,
            (Shape::TextMap, value) => self.text_map(single(value), path),
            (Shape::Object(fields), value) => self.object(fields, value, path),
            (Shape::Text, value) => match single(value) {
                Value::Null => None,
                value @ Value::String(_) => Some(value),
                Value::Bool(flag) => Some(Value::String(u8::from(flag).to_string())),
                Value::Number(number) => Some(Value::String(digits(&number))),
                other => self.of_type(unconvertible(path, "string", &other)),
            },
            (Shape::Flag, value) => match single(value) {
                Value::Null => None,
                value @ Value::Bool(_) => Some(value),
                Value::Number(number) => Some(Value::Bool(number.as_f64() != Some(0.0))),
                Value::String(text) => match parse_bool(&text) {
                    Some(flag) => Some(Value::Bool(flag)),
                    None => {
                        let quoted = crate::gojson::go_quoted(echo(&text));
                        self.of_type(format!(
                            "cannot parse '{path}' as bool: strconv.ParseBool: parsing {quoted}: invalid syntax"
                        ))
                    }
                },
                other => self.of_type(unconvertible(path, "bool", &other)),
            },
        }
    }

    /// Reads the fields of an object.
    pub(super) fn object(&mut self, fields: &[Field], value: Value, path: &str) -> Option<Value> {
        let given = match single(value) {
            Value::Object(given) => given,
            other => return self.of_type(expected_map(path, &other)),
        };
        let mut read = Map::new();
        for (key, value) in given {
            let is_named =
                |field: &&Field| key.eq_ignore_ascii_case(field.name) || key.eq_ignore_ascii_case(field.alias);
            let Some(field) = fields.iter().find(is_named) else {
                push(&mut self.keys, below(path, echo(&key)));
                continue;
            };
            // Of two spellings the first counts; Go takes whichever its map yields.
            if !read.contains_key(field.name)
                && let Some(value) = self.read(&field.shape, value, &below(path, field.name))
            {
                read.insert(field.name.to_owned(), value);
            }
        }
        Some(Value::Object(read))
    }

    fn text_map(&mut self, value: Value, path: &str) -> Option<Value> {
        let given = match value {
            Value::Object(given) => given,
            other => return self.of_type(expected_map(path, &other)),
        };
        let mut read = Map::new();
        for (key, value) in given {
            let place = format!("{path}[{}]", echo(&key));
            let text = self.read(&Shape::Text, value, &place).unwrap_or_else(|| Value::String(String::new()));
            read.insert(key, text);
        }
        // Consul does not tell an empty one from none.
        (!read.is_empty()).then_some(Value::Object(read))
    }

    fn list(
        &mut self,
        value: Value,
        path: &str,
        mut element: impl FnMut(&mut Self, Value, &str) -> Option<Value>,
    ) -> Value {
        let given = match value {
            Value::Array(given) => given,
            Value::Object(given) if given.is_empty() => vec![],
            other => vec![other],
        };
        let place = |at| format!("{path}[{at}]");
        let given = given.into_iter().take(ELEMENTS_MAX).enumerate();
        Value::Array(given.filter_map(|(at, value)| element(self, value, &place(at))).collect())
    }
}

fn push(list: &mut Vec<String>, fault: String) {
    if list.len() < FAULTS_MAX {
        list.push(fault);
    }
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// Takes the one value out of a list of one.
fn single(value: Value) -> Value {
    match value {
        Value::Array(mut list) if list.len() == 1 => list.remove(0),
        other => other,
    }
}

/// Prints a number as Go prints a float without exponent.
fn digits(number: &Number) -> String {
    number.as_f64().map(|number| number.to_string()).unwrap_or_default()
}

fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

pub(super) fn expected_map(path: &str, got: &Value) -> String {
    let got = match got {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "slice",
        Value::Object(_) => "map",
    };
    format!("'{path}' expected a map, got '{got}'")
}

fn unconvertible(path: &str, expected: &str, got: &Value) -> String {
    let kind = if got.is_array() { "[]interface {}" } else { "map[string]interface {}" };
    let shown = go_value(got);
    let shown = echo(&shown);
    format!("'{path}' expected type '{expected}', got unconvertible type '{kind}', value: '{shown}'")
}

/// Prints a value as Go's `%v` does.
fn go_value(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if float != 0.0 && !(1e-4..1e21).contains(&float.abs()) => go_exponent(float),
            _ => digits(number),
        },
        Value::String(text) => text.clone(),
        Value::Array(list) => format!("[{}]", list.iter().map(go_value).collect::<Vec<_>>().join(" ")),
        Value::Object(map) => {
            let pairs = map.iter().map(|(key, value)| format!("{key}:{}", go_value(value)));
            format!("map[{}]", pairs.collect::<Vec<_>>().join(" "))
        }
    }
}

/// Prints a float with an exponent of a sign and at least two digits.
fn go_exponent(float: f64) -> String {
    let text = format!("{float:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}
