//! The fields of a map, taken one by one; what has the wrong type is a finding, and so is a
//! field that nobody knows. A field without a value counts as left out.

use super::finding::{Findings, Place, Rule};
use super::tree::{Key, Tree, Value};

/// Fields and where they stand.
#[derive(Clone, Debug)]
pub(super) struct Fields<'t> {
    pub(super) place: Place,
    entries: &'t [(Key, Tree)],
}

impl<'t> Fields<'t> {
    /// The fields of a value that must have some.
    pub(super) fn of(place: Place, tree: &'t Tree, out: &mut Findings) -> Option<Fields<'t>> {
        match &tree.value {
            Value::Map(entries) => Some(Fields { place, entries }),
            other => {
                out.add(&place, Rule::Type, format!("must have fields, and it is {}", other.kind()));
                None
            }
        }
    }

    /// Says so when there are other fields than these.
    pub(super) fn only(&self, known: &[&str], out: &mut Findings) {
        for (index, (key, _)) in self.entries.iter().enumerate() {
            let at = Place { line: key.line, field: self.path(&key.name) };
            if !known.contains(&key.name.as_str()) {
                out.add(&at, Rule::UnknownField, format!("no such field; there are: {}", known.join(", ")));
            }
            if self.entries[..index].iter().any(|(before, _)| before.name == key.name) {
                out.add(&at, Rule::DuplicateName, "is there twice");
            }
        }
    }

    /// Whether the field is there, whatever stands in it.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn get(&self, name: &str) -> Option<&'t Tree> {
        let (_, tree) = self.entries.iter().find(|(key, _)| key.name == name)?;
        (tree.value != Value::Null).then_some(tree)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &'t (Key, Tree)> {
        self.entries.iter()
    }

    /// Where a field stands, or where it should.
    pub(super) fn at(&self, name: &str) -> Place {
        let entry = self.entries.iter().find(|(key, _)| key.name == name);
        Place { line: entry.map_or(self.place.line, |(key, _)| key.line), field: self.path(name) }
    }

    fn path(&self, name: &str) -> String {
        match self.place.field.as_str() {
            "" => name.to_owned(),
            parent => format!("{parent}.{name}"),
        }
    }

    pub(super) fn text(&self, name: &str, out: &mut Findings) -> Option<&'t str> {
        match &self.get(name)?.value {
            Value::Text(text) => Some(text),
            other => self.wrong(name, "text", other, out),
        }
    }

    /// Text that must be there and not be empty.
    pub(super) fn required(&self, name: &str, out: &mut Findings) -> Option<&'t str> {
        if !self.has(name) {
            out.add(&self.at(name), Rule::Required, "is missing");
        }
        let text = self.text(name, out)?;
        if text.is_empty() {
            out.add(&self.at(name), Rule::Required, "is empty");
            return None;
        }
        Some(text)
    }

    pub(super) fn number(&self, name: &str, out: &mut Findings) -> Option<f64> {
        match &self.get(name)?.value {
            Value::Number(number) => Some(*number),
            other => self.wrong(name, "a number", other, out),
        }
    }

    pub(super) fn flag(&self, name: &str, out: &mut Findings) -> Option<bool> {
        match &self.get(name)?.value {
            Value::Flag(flag) => Some(*flag),
            other => self.wrong(name, "true or false", other, out),
        }
    }

    /// The elements of a list, each with its place; none when it is not there.
    pub(super) fn list(&self, name: &str, out: &mut Findings) -> Vec<(Place, &'t Tree)> {
        let Some(tree) = self.get(name) else { return Vec::new() };
        let Value::List(elements) = &tree.value else {
            return self.wrong(name, "a list", &tree.value, out).unwrap_or_default();
        };
        let place = |(index, tree): (usize, &'t Tree)| {
            (Place { line: tree.line, field: format!("{}[{index}]", self.path(name)) }, tree)
        };
        elements.iter().enumerate().map(place).collect()
    }

    /// The fields of a field.
    pub(super) fn fields(&self, name: &str, out: &mut Findings) -> Option<Fields<'t>> {
        Fields::of(self.at(name), self.get(name)?, out)
    }

    /// The fields of a field that must be there.
    pub(super) fn required_fields(&self, name: &str, out: &mut Findings) -> Option<Fields<'t>> {
        if !self.has(name) {
            out.add(&self.at(name), Rule::Required, "is missing");
        }
        self.fields(name, out)
    }

    /// Exactly one of these must be there.
    pub(super) fn exactly_one(&self, names: &[&str], out: &mut Findings) {
        let there = names.iter().filter(|name| self.has(name)).count();
        let all = names.join(", ");
        out.check(there != 0, &self.place, Rule::MutuallyExclusive, || format!("one of {all} must be there"));
        out.check(there < 2, &self.place, Rule::MutuallyExclusive, || format!("only one of {all} may be there"));
    }

    fn wrong<T>(&self, name: &str, right: &str, found: &Value, out: &mut Findings) -> Option<T> {
        out.add(&self.at(name), Rule::Type, format!("must be {right}, and it is {}", found.kind()));
        None
    }
}
