//! `GET /openapi.json`: what the API takes and answers, as OpenAPI 3.1.
//!
//! Made from one table ([`operations`]) that a test holds against the router: a route without an
//! entry, or an entry without a route, is an error. It says which members a request may have, and
//! what an answer is in words; the members of an answer are the guides' business. Invariant: the
//! document depends on nothing but the program.

mod operations;

use axum::Json;
use serde_json::{Map, Value, json};

use operations::{Body, Member, OPERATIONS, Operation};

/// The document.
pub(super) async fn show() -> Json<Value> {
    Json(document())
}

fn document() -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| path_item(operation.path));
        if let Value::Object(path) = path {
            path.insert(operation.method.to_owned(), described(operation));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Evenkeel", "version": env!("CARGO_PKG_VERSION"),
            "summary": "An event backbone that keeps its promises",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": { "schemas": { "Problem": problem(), "Event": event() } },
    })
}

/// The members of the path itself, which all its operations have.
fn path_item(path: &str) -> Value {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameter =
        |name: &str| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } });
    match names.map(parameter).collect::<Vec<_>>() {
        parameters if parameters.is_empty() => json!({}),
        parameters => json!({ "parameters": parameters }),
    }
}

fn described(operation: &Operation) -> Value {
    let Operation { id, summary, query, body, status, answer, kind, .. } = operation;
    let mut responses = Map::new();
    let content = match *kind {
        "" => json!({}),
        "application/json" => json!({ "content": { "application/json": { "schema": { "type": "object" } } } }),
        kind => json!({ "content": { kind: { "schema": { "type": "string" } } } }),
    };
    let mut success = json!({ "description": answer });
    merge(&mut success, content);
    responses.insert(status.to_string(), success);
    responses.insert("default".to_owned(), refused());
    let mut described =
        json!({ "operationId": id, "summary": summary, "tags": [tag(operation)], "responses": responses });
    if !query.is_empty() {
        let parameter = |m: &Member| json!({ "name": m.0, "in": "query", "description": m.2, "schema": schema(m.1) });
        described["parameters"] = query.iter().map(parameter).collect();
    }
    if let Some(body) = request_body(body) {
        described["requestBody"] = body;
    }
    described
}

/// What an operation is about: the first part of its path that says so.
fn tag(operation: &Operation) -> &str {
    let mut parts = operation.path.split('/').filter(|part| !part.is_empty() && *part != "v1");
    match parts.next() {
        Some("livez" | "readyz" | "metrics" | "openapi.json") => "node",
        Some("assets") | None => "console",
        Some(part) => part,
    }
}

fn request_body(body: &Body) -> Option<Value> {
    let body = match body {
        Body::None => return None,
        Body::Events => json!({ "required": true, "content": {
            "application/cloudevents+json": { "schema": { "$ref": "#/components/schemas/Event" } },
            "application/cloudevents-batch+json": {
                "schema": { "type": "array", "items": { "$ref": "#/components/schemas/Event" } }
            },
            "*/*": { "schema": { "description": "the event's data; its attributes are `ce-` headers" } },
        } }),
        Body::Keys(what) => json!({ "required": true, "content": {
            "application/json": { "schema": { "type": "object", "description": what } }
        } }),
        Body::Anything(what) => json!({ "description": what, "content": { "*/*": { "schema": {} } } }),
        Body::Members(members) => {
            let required: Vec<&str> = members.iter().filter(|m| m.1.ends_with('!')).map(|m| m.0).collect();
            let properties: Map<String, Value> = members.iter().map(property).collect();
            json!({ "required": !required.is_empty(), "content": { "application/json": { "schema": {
                "type": "object", "properties": properties, "required": required, "additionalProperties": false,
            } } } })
        }
    };
    Some(body)
}

fn property((name, kind, what): &Member) -> (String, Value) {
    let mut property = schema(kind);
    merge(&mut property, json!({ "description": what }));
    ((*name).to_owned(), property)
}

/// A kind as the table writes it: `string`, `integer!` (required), `open|closed`, `place`.
fn schema(kind: &str) -> Value {
    match kind.trim_end_matches('!') {
        "place" => json!({ "type": ["string", "integer"] }),
        "strings" => json!({ "type": "array", "items": { "type": "string" } }),
        "integers" => json!({ "type": "array", "items": { "type": "integer", "minimum": 0 } }),
        "integer" => json!({ "type": "integer", "minimum": 0 }),
        choice if choice.contains('|') => json!({ "type": "string", "enum": choice.split('|').collect::<Vec<_>>() }),
        kind => json!({ "type": kind }),
    }
}

fn refused() -> Value {
    let content = json!({ "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } });
    json!({ "description": "refused, or failed: a problem document (RFC 9457)", "content": content })
}

fn problem() -> Value {
    let text = |what: &str| json!({ "type": "string", "description": what });
    json!({ "type": "object", "required": ["type", "title", "status", "detail", "code"], "properties": {
        "type": text("`urn:evenkeel:error:` and the code"),
        "title": text("what the status means"),
        "status": { "type": "integer" },
        "detail": text("what is wrong, with the name and the value"),
        "code": text("a stable name; docs/errors has a page of it"),
        "hint": text("what may help"),
        "field": text("the parameter or member that cannot be used"),
        "value": text("what it was"),
        "rule": text("what it must be"),
    } })
}

fn event() -> Value {
    let text = |what: &str| json!({ "type": "string", "description": what });
    json!({ "type": "object", "description": "a CloudEvent 1.0, with any extensions",
        "required": ["specversion", "id", "source", "type"], "properties": {
            "specversion": { "const": "1.0" },
            "id": text("with `source`, its identity"),
            "source": text("a URI reference"),
            "type": text("what happened"),
            "subject": text("of what; the ordering key where there is no `partitionkey`"),
            "partitionkey": text("the ordering key"),
            "time": { "type": "string", "format": "date-time" },
            "expirytime": { "type": "string", "format": "date-time" },
            "priority": text("0 to 9, 9 being the most urgent"),
            "datacontenttype": text("a media type"),
            "data": {}, "data_base64": text("data that is no JSON"),
        } })
}

fn merge(into: &mut Value, more: Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more);
    }
}

#[cfg(test)]
mod tests;
