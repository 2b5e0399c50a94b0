use super::{is_absolute, is_reference};

#[test]
fn uri_references_are_told_from_what_is_none() {
    for good in [
        "/",
        "/orders",
        "1-555-123-4567",
        "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66",
        "https://github.com/cloudevents",
        "mailto:cncf-wg-serverless@lists.cncf.io",
        "/cloudevents/spec/pull/123?a=b#part",
        "//host:80/path",
        "http://[::1]:8080/x",
        "http://user:pw@host/",
        "./a:b",
        "#fragment",
        "?query",
        "a%20b",
        "tag:example.com,2026:shop/(eu)",
    ] {
        assert!(is_reference(good), "{good}");
    }
    for bad in [
        "",
        " ",
        "a b",
        "a%2",
        "a%zz",
        "%",
        "ü",
        "a\"b",
        "<a>",
        "a\\b",
        "a^b",
        "{a}",
        "1a:b",
        ":a",
        "a#b#c",
        "a[b]",
        "http://[::1",
        "http://::1]",
        "http://[::1]x/",
        "http://h:8x/",
        "http://[]/",
        "/a?[b]",
        "a\u{0}b",
    ] {
        assert!(!is_reference(bad), "{bad}");
    }
}

#[test]
fn an_absolute_uri_has_a_scheme() {
    assert!(is_absolute("https://example.com/schema.json"));
    assert!(is_absolute("urn:schema:order"));
    assert!(!is_absolute("/schema.json"));
    assert!(!is_absolute("//example.com/schema.json"));
    assert!(!is_absolute("schema.json"));
}
