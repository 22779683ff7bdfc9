//! Places that JSON values are poured into, and the Go types that they stand for.

use std::collections::BTreeMap;

use super::fold;

/// A structure that is read field by field.
pub(crate) trait Struct {
    /// Go's name of the type with its package, as error texts show it.
    const GO_TYPE: &'static str;
    /// The names of the fields.
    const FIELDS: &'static [&'static str];

    /// Returns the place of one of [`Self::FIELDS`].
    fn slot(&mut self, field: &'static str) -> Slot<'_>;
}

/// Where a value goes, and so which type it must have.
pub(crate) enum Slot<'a> {
    /// Go's `string`.
    Text(&'a mut String),
    /// Go's `string`, where only a text makes it present.
    OptionalText(&'a mut Option<String>),
    /// Go's `[]string`.
    Texts(&'a mut Vec<String>),
    /// Go's `map[string]string`.
    TextMap(&'a mut BTreeMap<String, String>),
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

/// A [`Struct`] whose type is forgotten, so that structures nest.
pub(crate) trait AnyStruct {
    fn go_type(&self) -> &'static str;
    fn field(&self, key: &str) -> Option<&'static str>;
    fn any_slot(&mut self, field: &'static str) -> Slot<'_>;
}

impl<T: Struct> AnyStruct for T {
    fn go_type(&self) -> &'static str {
        T::GO_TYPE
    }

    fn field(&self, key: &str) -> Option<&'static str> {
        fold::field(T::FIELDS, key)
    }

    fn any_slot(&mut self, field: &'static str) -> Slot<'_> {
        self.slot(field)
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
    /// Returns Go's name of the type that belongs here.
    pub(super) fn go_type(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::OptionalText(_) | Self::ExtraText(_) => "string",
            Self::Texts(_) => "[]string",
            Self::TextMap(_) | Self::ExtraMap(_) => "map[string]string",
            Self::Struct(structure) => structure.go_type(),
            Self::Pointer(pointer) => pointer.go_type(),
            Self::Ignored => "any",
        }
    }
}
