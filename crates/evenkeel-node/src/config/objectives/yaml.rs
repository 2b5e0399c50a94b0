//! From YAML to the trees of `evenkeel-watch`: values with their lines, and nothing decided.
//!
//! A file may hold several documents, and a document may be a list of them.

use std::fmt;

use evenkeel_watch::openslo::{Key, Tree, Value};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// The documents of a file; else where it stops being YAML, and why.
pub(crate) fn documents(text: &str) -> Result<Vec<Tree>, (usize, String)> {
    let read: Vec<Spanned<Node>> = serde_saphyr::from_multiple(text).map_err(|e| {
        let line = e.location().map_or(0, |at| usize::try_from(at.line()).unwrap_or(0));
        // The library's advice to programmers, and the place once more, are of no use to who writes the file.
        let said = e.without_snippet().to_string();
        let said = said.split(", set ").next().unwrap_or_default().split(" at line ").next().unwrap_or_default();
        (line, format!("is not YAML: {said}"))
    })?;
    let mut documents = Vec::new();
    for tree in read.into_iter().map(tree) {
        match tree.value {
            Value::List(elements) => documents.extend(elements),
            _ => documents.push(tree),
        }
    }
    Ok(documents)
}

fn tree(node: Spanned<Node>) -> Tree {
    Tree { line: line(&node), value: node.value.0 }
}

fn line<T>(spanned: &Spanned<T>) -> usize {
    usize::try_from(spanned.referenced.line()).unwrap_or(0)
}

/// A value whose own elements carry lines.
struct Node(Value);

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Node)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of an objective are far below 2^53")]
    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of an objective are far below 2^53")]
    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element::<Spanned<Node>>()? {
            list.push(tree(element));
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = entries.next_entry::<Spanned<String>, Spanned<Node>>()? {
            map.push((Key { line: line(&key), name: key.value }, tree(value)));
        }
        Ok(Value::Map(map))
    }
}
