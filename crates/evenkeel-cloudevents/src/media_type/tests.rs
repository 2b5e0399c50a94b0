use super::{charset, essence, is_json, is_text, is_valid};

#[test]
fn media_types_are_told_from_what_is_none() {
    for good in [
        "application/json",
        "text/plain; charset=utf-8",
        "text/plain;charset=\"utf;8\\\"\"",
        "application/vnd.shop.order+json;v=1",
        "text/plain;",
    ] {
        assert!(is_valid(good), "{good}");
    }
    for bad in
        ["", "json", "/json", "application/", "a b/c", "text/plain; charset", "text/plain; a=\"b", "text/plä", "a/b/c"]
    {
        assert!(!is_valid(bad), "{bad}");
    }
}

#[test]
fn json_and_text_are_known_by_their_subtype() {
    for json in ["application/json", "TEXT/JSON", "application/vnd.shop+json; charset=utf-8"] {
        assert!(is_json(json) && !is_text(json), "{json}");
    }
    for text in ["text/plain", "application/xml", "image/svg+xml"] {
        assert!(is_text(text) && !is_json(text), "{text}");
    }
    assert!(!is_json("application/jsonl") && !is_text("application/octet-stream"));
}

#[test]
fn essence_and_charset_ignore_case_and_quotes() {
    assert_eq!(essence(" Application/CloudEvents+JSON ; charset=UTF-8"), "application/cloudevents+json");
    assert_eq!(charset("a/b; x=1; Charset=\"UTF-8\"").as_deref(), Some("utf-8"));
    assert_eq!(charset("a/b"), None);
}
