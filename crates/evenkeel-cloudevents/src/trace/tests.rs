//! The rules of W3C trace context, those of its own test suite (`test/test.py`) among them.

use super::{TraceParent, state};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn parent(text: &str) -> Option<String> {
    TraceParent::parse(text).map(|parent| parent.to_string())
}

#[test]
fn a_well_formed_parent_is_read_and_written_to_the_letter() {
    for flags in ["00", "01", "02", "03", "ff"] {
        let text = format!("00-{TRACE}-{SPAN}-{flags}");
        assert_eq!(parent(&text).as_deref(), Some(text.as_str()));
    }
    assert!(TraceParent::parse(&format!("00-{TRACE}-{SPAN}-03")).unwrap().is_sampled());
    assert!(!TraceParent::parse(&format!("00-{TRACE}-{SPAN}-02")).unwrap().is_sampled());
}

#[test]
fn a_later_version_may_say_more_and_is_read_as_far_as_it_is_known() {
    for rest in ["", "-", "-what-the-future-will-be-like"] {
        assert!(parent(&format!("cc-{TRACE}-{SPAN}-01{rest}")).is_some(), "{rest}");
    }
    for rest in [".what-the-future-will-not-be-like", "0", "-\u{7}"] {
        assert!(parent(&format!("cc-{TRACE}-{SPAN}-01{rest}")).is_none(), "{rest}");
    }
}

#[test]
fn an_ill_formed_parent_is_none() {
    let zero_trace = "0".repeat(32);
    let zero_span = "0".repeat(16);
    for text in [
        String::new(),
        format!("00-{TRACE}-{SPAN}"),
        format!("00-{TRACE}-{SPAN}-"),
        format!("00-{TRACE}-{SPAN}-01-"),
        format!("00-{TRACE}-{SPAN}-01-what"),
        format!("00-{TRACE}-{SPAN}-1"),
        format!("00-{TRACE}-{SPAN}-001"),
        format!("00-{TRACE}-{SPAN}-.0"),
        format!("ff-{TRACE}-{SPAN}-01"),
        format!(".0-{TRACE}-{SPAN}-01"),
        format!("0-{TRACE}-{SPAN}-01"),
        format!("000-{TRACE}-{SPAN}-01"),
        format!("00-{zero_trace}-{SPAN}-01"),
        format!("00-{TRACE}-{zero_span}-01"),
        format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
        format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
        format!("00-{}-{SPAN}-01", &TRACE[1..]),
        format!("00-{TRACE}0-{SPAN}-01"),
        format!("00-{TRACE}-{}-01", &SPAN[1..]),
        format!("00-.{}-{SPAN}-01", &TRACE[1..]),
        format!("00-{TRACE}-{SPAN}-01 "),
        "ä".repeat(40),
    ] {
        assert_eq!(parent(&text), None, "{text}");
    }
}

#[test]
fn a_state_keeps_its_order_its_spaces_and_its_empty_members() {
    for headers in [
        &["foo=1"] as &[&str],
        &["foo=1,bar=2"],
        &["foo=1", "bar=2"],
        &["foo=1 \t , \t bar=2"],
        &["foo=1", "", "bar=2"],
        &["foo=1,foo=2"],
        &["a@v=1,0a@v=2,z0-*/=x y"],
    ] {
        let bytes: Vec<&[u8]> = headers.iter().map(|h| h.as_bytes()).collect();
        assert_eq!(state(&bytes), Some(headers.join(",")), "{headers:?}");
    }
}

#[test]
fn a_state_has_at_most_32_members_and_each_its_bounds() {
    let members = |n: usize| (0..n).map(|i| format!("k{i}=v")).collect::<Vec<_>>().join(",");
    assert!(state(&[members(32).as_bytes()]).is_some());
    assert!(state(&[members(33).as_bytes()]).is_none());
    let one = |key: &str, value: &str| state(&[format!("{key}={value}").as_bytes()]).is_some();
    assert!(one(&"k".repeat(256), "v") && !one(&"k".repeat(257), "v"));
    assert!(one("k", &"v".repeat(256)) && !one("k", &"v".repeat(257)));
    let tenant = |tenant: usize, vendor: usize| one(&format!("{}@{}", "t".repeat(tenant), "v".repeat(vendor)), "v");
    assert!(tenant(241, 14) && !tenant(242, 14) && !tenant(241, 15) && !tenant(0, 1) && !tenant(1, 0));
}

#[test]
fn an_ill_formed_state_is_none() {
    for text in [
        "",
        ",",
        "foo",
        "=1",
        "Foo=1",
        "foo =1",
        "foo=",
        "foo=1=2",
        "foo=1\u{7}",
        "foo@@v=1",
        "foo@=1",
        "@foo=1",
        "foo=ä",
    ] {
        assert_eq!(state(&[text.as_bytes()]), None, "{text}");
    }
    assert_eq!(state(&[b"foo=\xff"]), None);
}
