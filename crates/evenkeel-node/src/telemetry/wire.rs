//! Protobuf, as far as OTLP needs it: fields behind their tags, messages behind their lengths.

/// A message being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message(pub(crate) Vec<u8>);

/// An attribute's value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Value {
        Value::Number(i64::from(number))
    }
}

/// An attribute.
pub(super) type Attribute = (&'static str, Value);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
            number >>= 7;
        }
        self.0.push(u8::try_from(number).unwrap_or(0));
    }

    fn tag(&mut self, field: u32, kind: u64) {
        self.varint(u64::from(field) << 3 | kind);
    }

    pub(crate) fn number(&mut self, field: u32, number: u64) -> &mut Message {
        self.tag(field, 0);
        self.varint(number);
        self
    }

    pub(crate) fn fixed64(&mut self, field: u32, number: u64) -> &mut Message {
        self.tag(field, 1);
        self.0.extend(number.to_le_bytes());
        self
    }

    pub(crate) fn double(&mut self, field: u32, number: f64) -> &mut Message {
        self.fixed64(field, number.to_bits())
    }

    pub(crate) fn fixed32(&mut self, field: u32, number: u32) -> &mut Message {
        self.tag(field, 5);
        self.0.extend(number.to_le_bytes());
        self
    }

    pub(crate) fn bytes(&mut self, field: u32, bytes: &[u8]) -> &mut Message {
        self.tag(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    /// Text that is empty is left out.
    pub(crate) fn text(&mut self, field: u32, text: &str) -> &mut Message {
        if !text.is_empty() {
            self.bytes(field, text.as_bytes());
        }
        self
    }

    pub(crate) fn message(&mut self, field: u32, write: impl FnOnce(&mut Message)) -> &mut Message {
        let mut inner = Message::default();
        write(&mut inner);
        self.bytes(field, &inner.0)
    }

    /// What another message consists of, after what is here.
    pub(super) fn append(&mut self, other: &Message) {
        self.0.extend(&other.0);
    }

    /// A `KeyValue`.
    pub(crate) fn attribute(&mut self, field: u32, name: &str, value: &Value) -> &mut Message {
        self.message(field, |pair| {
            pair.text(1, name).message(2, |any| match value {
                Value::Text(text) => {
                    any.bytes(1, text.as_bytes());
                }
                Value::Number(number) => {
                    any.number(3, number.cast_unsigned());
                }
            });
        })
    }
}

/// A request of any signal: what is sent, as one resource and one scope have it. `items` writes the spans,
/// metrics or log records as field 2.
pub(super) fn request(resource: &[(String, String)], schema: &str, items: impl FnOnce(&mut Message)) -> Vec<u8> {
    let mut request = Message::default();
    request.message(1, |of_resource| {
        of_resource.message(1, |inner| {
            for (name, value) in resource {
                inner.attribute(1, name, &Value::Text(value.clone()));
            }
        });
        of_resource.message(2, |of_scope| {
            of_scope.message(1, |scope| {
                scope.text(1, "evenkeel").text(2, env!("CARGO_PKG_VERSION"));
            });
            items(of_scope);
            of_scope.text(3, schema);
        });
        of_resource.text(3, schema);
    });
    request.0
}

#[cfg(test)]
mod tests {
    use super::{Message, Value};

    #[test]
    fn fields_are_written_as_protobuf_has_them() {
        let mut message = Message::default();
        message.number(1, 150).text(2, "testing").text(3, "").fixed32(4, 1).double(5, 1.0);
        let expected =
            [&[0x08, 0x96, 0x01, 0x12, 7][..], b"testing", &[0x25, 1, 0, 0, 0, 0x29], &1.0_f64.to_le_bytes()].concat();
        assert_eq!(message.0, expected);
    }

    #[test]
    fn an_attribute_is_a_key_and_any_value() {
        let mut message = Message::default();
        message.attribute(1, "a", &Value::Number(-1));
        let any = [&[0x18][..], &[0xff; 9], &[1]].concat();
        assert_eq!(message.0, [&[0x0a, 16, 0x0a, 1, b'a', 0x12, 11][..], &any].concat());
    }
}
