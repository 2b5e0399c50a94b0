use std::collections::BTreeSet;

use super::*;

/// Method and path of each route, read from the router's own lines.
fn routed() -> BTreeSet<(String, String)> {
    let source = include_str!("../../api.rs");
    let mut routed = BTreeSet::new();
    for line in source.split(".route(").skip(1) {
        let path = line.split('"').nth(1).unwrap();
        let handlers = line.split("\",").nth(1).unwrap().split(".route(").next().unwrap();
        let handlers = handlers.lines().next().unwrap();
        for method in ["get", "post", "put", "delete", "patch"] {
            let named = [" ", ".", ":"].map(|before| format!("{before}{method}("));
            if named.iter().any(|name| handlers.contains(&**name)) {
                routed.insert((method.to_owned(), path.to_owned()));
            }
        }
    }
    routed
}

#[test]
fn each_route_is_described_and_nothing_else_is() {
    let described: Vec<_> = OPERATIONS.iter().map(|o| (o.method.to_owned(), o.path.to_owned())).collect();
    let once: BTreeSet<_> = described.iter().cloned().collect();
    assert_eq!(once.len(), described.len(), "one is described twice");
    let routed = routed();
    assert!(routed.len() > 45 && routed.contains(&("delete".to_owned(), "/v1/topics/{topic}".to_owned())));
    assert_eq!(once, routed);
}

#[test]
fn an_operation_has_a_name_of_its_own_an_answer_and_what_it_may_be_refused_with() {
    let document = document();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let named = item.get("parameters").and_then(Value::as_array).map_or(0, Vec::len);
        assert_eq!(named, path.matches('{').count(), "{path}");
        for (method, operation) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters") {
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{operation}");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.contains_key("default") && responses.len() == 2, "{method} {path}");
            let good = responses.keys().any(|status| status.starts_with('2'));
            assert!(good && !operation["summary"].as_str().unwrap().is_empty());
        }
    }
    assert_eq!(ids.len(), OPERATIONS.len());
}

/// Each `$ref` leads somewhere, and each schema's type is one that JSON Schema knows.
#[test]
fn references_and_types_are_sound() {
    fn walk(at: &Value, document: &Value) {
        match at {
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                    assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
                }
                if let Some(schema) = members.get("schema").and_then(|s| s.get("type")) {
                    let kinds = schema.as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
                    let known = ["string", "integer", "number", "boolean", "object", "array"];
                    assert!(kinds.iter().all(|k| known.contains(&k.as_str().unwrap_or_default())), "{at}");
                }
                members.values().for_each(|value| walk(value, document));
            }
            Value::Array(all) => all.iter().for_each(|value| walk(value, document)),
            _ => {}
        }
    }
    let document = document();
    walk(&document, &document);
    assert_eq!(document["openapi"], "3.1.0");
}
