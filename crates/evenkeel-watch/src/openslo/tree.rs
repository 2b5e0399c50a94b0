//! A document as it was written: values with the lines on which they stand.
//!
//! Does not: parse YAML; the edge does, and hands over these. Whoever has only JSON gives line 0.

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// Its line, from 1; 0 when nobody knows.
    pub line: usize,
    /// What stands there.
    pub value: Value,
}

/// What may stand in a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing: `null`, `~` or left out.
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A number.
    Number(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Tree>),
    /// Fields, in the order in which they were written.
    Map(Vec<(Key, Tree)>),
}

/// The name of a field and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its line, from 1; 0 when nobody knows.
    pub line: usize,
    /// The name.
    pub name: String,
}

impl Value {
    /// What it is, for people.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Flag(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "fields",
        }
    }
}
