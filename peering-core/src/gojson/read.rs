//! Reading in place: a JSON value poured into Rust fields by Go's rules.
//!
//! One pass of serde does it. Wrong types do not stop the pass: the first one is kept and reported at the end, because
//! Go looks at the syntax of the whole text before it looks at any type.

use std::collections::BTreeMap;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::{FieldPath, JsonError, TypeError};
use super::scan::{DEPTH_MAX, scan};
use super::tame::tame;
use super::{Extent, fold};

/// Most bytes of an unknown key that an error repeats; a key may be as long as the body.
const UNKNOWN_KEY_BYTES_MAX: usize = 1024;

/// A structure that is read field by field.
pub(crate) trait Struct {
    /// Go's name of the type with its package, as error texts show it.
    const GO_TYPE: &'static str;
    /// The names of the fields.
    const FIELDS: &'static [&'static str];
    /// Go's name of a list of these.
    const GO_LIST: &'static str = "";
    /// What error texts show for the type in front of a field; without one, the type without its package.
    const GO_NAME: Option<&'static str> = None;

    /// Returns how error texts show a field: its name, behind that of an embedded type if it is in one.
    fn path(field: &'static str) -> &'static str {
        field
    }

    /// Returns the place of one of [`Self::FIELDS`].
    fn slot(&mut self, field: &'static str) -> Slot<'_>;
}

/// Where a value goes, and so which type it must have.
pub(crate) enum Slot<'a> {
    /// Go's `string`.
    Text(&'a mut String),
    /// A type of Go's that is a `string`, with its name.
    NamedText(&'a mut String, &'static str),
    /// Go's `string`, where only a text makes it present.
    OptionalText(&'a mut Option<String>),
    /// Go's `[]string`.
    Texts(&'a mut Vec<String>),
    /// Go's `map[string]string`.
    TextMap(&'a mut BTreeMap<String, String>),
    /// Go's `bool`.
    Bool(&'a mut bool),
    /// Any text or number, where another type is none and is no error.
    Scalar(&'a mut Option<Scalar>),
    /// A list of anything, of which only the number of elements counts; Go's name of its type.
    Counted(&'a mut usize, &'static str),
    /// A list of structures.
    Structs(&'a mut dyn AnyList),
    /// A structure.
    Struct(&'a mut dyn AnyStruct),
    /// A pointer to a structure.
    Pointer(&'a mut dyn AnyPointer),
    /// A text that is not Consul's: another type leaves it absent and is no error.
    ExtraText(&'a mut Option<String>),
    /// A map that is not Consul's: what is no text is left out and is no error.
    ExtraMap(&'a mut BTreeMap<String, String>),
    /// Nowhere.
    Ignored,
}

/// A value without a structure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    /// A text.
    Text(String),
    /// A number.
    Number(f64),
    /// Anything else but `null`.
    Other,
}

/// Reads a text that must be one value, as Go's `json.Unmarshal` does; unknown keys are ignored.
pub(crate) fn unmarshal<T: Struct + Default>(json: &[u8]) -> Result<T, JsonError> {
    read(json, Extent::Whole, &|value| Slot::Struct(value))
}

/// Reads the first value of a text and refuses unknown keys, as a Go `json.Decoder` told so does.
pub(crate) fn decode_first<T: Struct + Default>(json: &[u8]) -> Result<T, JsonError> {
    read(json, Extent::First, &|value| Slot::Struct(value))
}

/// Reads the first value of a text, whatever it is. Of equal keys the last counts.
///
/// What Go reads and serde_json does not, such as a lone surrogate or a number that is no float, is refused.
pub(crate) fn first_value(json: &[u8]) -> Result<serde_json::Value, JsonError> {
    match serde_json::Deserializer::from_slice(json).into_iter().next() {
        Some(Ok(value)) => Ok(value),
        _ => {
            scan(json, Extent::First)?;
            Err(JsonError::Unreadable)
        }
    }
}

/// Reads the first value of a text, which must be a list, as [`decode_first`] does.
pub(crate) fn decode_first_list<T: Struct + Default>(json: &[u8]) -> Result<Vec<T>, JsonError> {
    read(json, Extent::First, &|list: &mut Vec<T>| Slot::Structs(list))
}

fn read<T: Default>(json: &[u8], extent: Extent, slot: &dyn Fn(&mut T) -> Slot<'_>) -> Result<T, JsonError> {
    let refuses_unknown = extent == Extent::First;
    // serde_json passes over unknown values without recursion and so without Go's limit of depth.
    if json.len() > 2 * DEPTH_MAX {
        scan(json, extent)?;
    }
    if let Ok(outcome) = attempt(json, extent, refuses_unknown, slot) {
        return outcome;
    }
    let end = scan(json, extent)?;
    attempt(&tame(&json[..end]), Extent::Whole, refuses_unknown, slot).unwrap_or(Err(JsonError::Unreadable))
}

/// Runs serde_json once; its own error only says that this text needs a closer look.
fn attempt<T: Default>(
    json: &[u8],
    extent: Extent,
    refuses_unknown: bool,
    slot: &dyn Fn(&mut T) -> Slot<'_>,
) -> Result<Result<T, JsonError>, serde_json::Error> {
    let mut value = T::default();
    let mut context = Context { refuses_unknown, ..Context::default() };
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    Reader { slot: slot(&mut value), context: &mut context }.deserialize(&mut deserializer)?;
    if extent == Extent::Whole {
        deserializer.end()?;
    }
    Ok(context.saved.map_or(Ok(value), Err))
}

/// A [`Struct`] whose type is forgotten, so that structures nest.
pub(crate) trait AnyStruct {
    fn go_type(&self) -> &'static str;
    fn go_name(&self) -> &'static str;
    fn path(&self, field: &'static str) -> &'static str;
    fn field(&self, key: &str) -> Option<&'static str>;
    fn any_slot(&mut self, field: &'static str) -> Slot<'_>;
}

impl<T: Struct> AnyStruct for T {
    fn go_type(&self) -> &'static str {
        T::GO_TYPE
    }

    fn go_name(&self) -> &'static str {
        T::GO_NAME.unwrap_or_else(|| T::GO_TYPE.rsplit_once('.').map_or(T::GO_TYPE, |(_, name)| name))
    }

    fn path(&self, field: &'static str) -> &'static str {
        T::path(field)
    }

    fn field(&self, key: &str) -> Option<&'static str> {
        fold::field(T::FIELDS, key)
    }

    fn any_slot(&mut self, field: &'static str) -> Slot<'_> {
        self.slot(field)
    }
}

/// A list of [`Struct`]s whose type is forgotten.
pub(crate) trait AnyList {
    fn go_type(&self) -> &'static str;
    fn clear(&mut self);
    fn grow(&mut self) -> &mut dyn AnyStruct;
    fn shrink(&mut self);
}

impl<T: Struct + Default> AnyList for Vec<T> {
    fn go_type(&self) -> &'static str {
        T::GO_LIST
    }

    fn clear(&mut self) {
        Vec::clear(self);
    }

    fn grow(&mut self) -> &mut dyn AnyStruct {
        self.push(T::default());
        let last = self.len() - 1;
        &mut self[last]
    }

    fn shrink(&mut self) {
        self.pop();
    }
}

/// An optional [`Struct`] whose type is forgotten.
pub(crate) trait AnyPointer {
    fn go_type(&self) -> &'static str;
    fn clear(&mut self);
    fn target(&mut self) -> &mut dyn AnyStruct;
}

impl<T: Struct + Default> AnyPointer for Option<T> {
    fn go_type(&self) -> &'static str {
        T::GO_TYPE
    }

    fn clear(&mut self) {
        *self = None;
    }

    fn target(&mut self) -> &mut dyn AnyStruct {
        self.get_or_insert_default()
    }
}

impl Slot<'_> {
    fn go_type(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::OptionalText(_) | Self::ExtraText(_) => "string",
            Self::Texts(_) => "[]string",
            Self::TextMap(_) | Self::ExtraMap(_) => "map[string]string",
            Self::Bool(_) => "bool",
            Self::NamedText(_, go_type) | Self::Counted(_, go_type) => go_type,
            Self::Structs(list) => list.go_type(),
            Self::Struct(structure) => structure.go_type(),
            Self::Pointer(pointer) => pointer.go_type(),
            Self::Scalar(_) | Self::Ignored => "any",
        }
    }
}

/// Where the reader is, and the first thing that Go would complain about.
#[derive(Default)]
struct Context {
    refuses_unknown: bool,
    structure: Option<&'static str>,
    keys: Vec<&'static str>,
    saved: Option<JsonError>,
}

impl Context {
    fn mismatch(&mut self, got: &'static str, slot: Slot<'_>) {
        let expected = slot.go_type();
        match slot {
            Slot::ExtraText(text) => *text = None,
            Slot::ExtraMap(map) => map.clear(),
            Slot::Scalar(scalar) => *scalar = Some(Scalar::Other),
            Slot::Ignored => {}
            _ if self.saved.is_none() => {
                let field = self.structure.map(|structure| FieldPath { structure, keys: self.keys.join(".") });
                self.saved = Some(TypeError { got, expected, field }.into());
            }
            _ => {}
        }
    }

    fn unknown(&mut self, key: &str) {
        if self.refuses_unknown && self.saved.is_none() {
            let end =
                key.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= UNKNOWN_KEY_BYTES_MAX);
            self.saved = Some(JsonError::UnknownField(key[..end.last().unwrap_or_default()].to_owned()));
        }
    }
}

struct Reader<'a, 'c> {
    slot: Slot<'a>,
    context: &'c mut Context,
}

impl<'de> DeserializeSeed<'de> for Reader<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.slot.go_type())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        match self.slot {
            Slot::Texts(list) => list.clear(),
            Slot::TextMap(map) | Slot::ExtraMap(map) => map.clear(),
            Slot::Pointer(pointer) => pointer.clear(),
            Slot::OptionalText(text) | Slot::ExtraText(text) => *text = None,
            Slot::Scalar(scalar) => *scalar = None,
            Slot::Counted(count, _) => *count = 0,
            Slot::Structs(list) => list.clear(),
            Slot::Text(_) | Slot::NamedText(..) | Slot::Bool(_) | Slot::Struct(_) | Slot::Ignored => {}
        }
        Ok(())
    }

    fn visit_bool<E: Error>(self, found: bool) -> Result<(), E> {
        match self.slot {
            Slot::Bool(flag) => *flag = found,
            other => self.context.mismatch("bool", other),
        }
        Ok(())
    }

    fn visit_i64<E: Error>(self, found: i64) -> Result<(), E> {
        self.visit_f64(found as f64)
    }

    fn visit_u64<E: Error>(self, found: u64) -> Result<(), E> {
        self.visit_f64(found as f64)
    }

    fn visit_f64<E: Error>(self, found: f64) -> Result<(), E> {
        match self.slot {
            Slot::Scalar(scalar) => *scalar = Some(Scalar::Number(found)),
            other => self.context.mismatch("number", other),
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, found: &str) -> Result<(), E> {
        match self.slot {
            Slot::Text(text) | Slot::NamedText(text, _) => *text = found.to_owned(),
            Slot::OptionalText(text) | Slot::ExtraText(text) => *text = Some(found.to_owned()),
            Slot::Scalar(scalar) => *scalar = Some(Scalar::Text(found.to_owned())),
            other => self.context.mismatch("string", other),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let list = match self.slot {
            Slot::Texts(list) => list,
            Slot::Structs(list) => {
                list.clear();
                while elements
                    .next_element_seed(Reader { slot: Slot::Struct(list.grow()), context: self.context })?
                    .is_some()
                {}
                list.shrink();
                return Ok(());
            }
            Slot::Counted(count, _) => {
                *count = 0;
                while elements.next_element::<IgnoredAny>()?.is_some() {
                    *count += 1;
                }
                return Ok(());
            }
            other => {
                self.context.mismatch("array", other);
                while elements.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(());
            }
        };
        // Go reads over the elements of an earlier list with the same key, and so a `null` leaves the older text.
        let mut length = 0;
        loop {
            if length == list.len() {
                list.push(String::new());
            }
            let reader = Reader { slot: Slot::Text(&mut list[length]), context: self.context };
            if elements.next_element_seed(reader)?.is_none() {
                break;
            }
            length += 1;
        }
        list.truncate(length);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        match self.slot {
            Slot::Struct(structure) => read_struct(structure, entries, self.context),
            Slot::Pointer(pointer) => read_struct(pointer.target(), entries, self.context),
            Slot::TextMap(map) => {
                while let Some(key) = entries.next_key::<String>()? {
                    let mut value = String::new();
                    entries.next_value_seed(Reader { slot: Slot::Text(&mut value), context: self.context })?;
                    map.insert(key, value);
                }
                Ok(())
            }
            Slot::ExtraMap(map) => {
                while let Some(key) = entries.next_key::<String>()? {
                    let mut value = None;
                    entries.next_value_seed(Reader { slot: Slot::ExtraText(&mut value), context: self.context })?;
                    match value {
                        Some(value) => map.insert(key, value),
                        None => map.remove(&key),
                    };
                }
                Ok(())
            }
            other => {
                self.context.mismatch("object", other);
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(())
            }
        }
    }
}

fn read_struct<'de, A: MapAccess<'de>>(
    structure: &mut dyn AnyStruct,
    mut entries: A,
    context: &mut Context,
) -> Result<(), A::Error> {
    let outer = context.structure;
    let name = structure.go_name();
    while let Some(field) = entries.next_key_seed(Key { structure, context })? {
        let Some(field) = field else {
            entries.next_value::<IgnoredAny>()?;
            continue;
        };
        context.structure = Some(name);
        context.keys.push(structure.path(field));
        entries.next_value_seed(Reader { slot: structure.any_slot(field), context })?;
        context.keys.pop();
        context.structure = outer;
    }
    Ok(())
}

/// Reads a key and finds its field without keeping the text.
struct Key<'a> {
    structure: &'a dyn AnyStruct,
    context: &'a mut Context,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<&'static str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<&'static str>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        let field = self.structure.field(key);
        if field.is_none() {
            self.context.unknown(key);
        }
        Ok(field)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize as _;

    use super::*;

    /// Texts that are nearly JSON, which random bytes hardly ever are.
    fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
        const PIECES: &[&str] = &[
            "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u12", "\\ud800", "a", "\"a\"", "\"CA\":", "0", "1", "-", ".",
            "e", "+", "true", "fals", "null", " ", "\n", "\u{1}", "é",
        ];
        prop::collection::vec(prop::sample::select(PIECES), 0..24).prop_map(|pieces| pieces.concat().into_bytes())
    }

    fn serde_accepts(json: &[u8]) -> bool {
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        IgnoredAny::deserialize(&mut deserializer).and_then(|_| deserializer.end()).is_ok()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn the_scanner_and_serde_agree_on_what_json_is(json in nearly_json()) {
            prop_assert_eq!(scan(&json, Extent::Whole).is_ok(), serde_accepts(&json), "{:?}", String::from_utf8_lossy(&json));
        }

        #[test]
        fn what_is_json_is_tamed_into_json_that_serde_reads(json in nearly_json()) {
            if scan(&json, Extent::Whole).is_ok() {
                let tame = tame(&json);
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&tame).is_ok(), "{:?}", String::from_utf8_lossy(&tame));
            }
        }

        #[test]
        fn a_first_value_ends_where_it_is_whole(json in nearly_json()) {
            if let Ok(end) = scan(&json, Extent::First) {
                prop_assert!(scan(&json[..end], Extent::Whole).is_ok());
            }
        }
    }
}
