use std::time::Duration;

use evenkeel_cloudevents::time::parse_rfc3339;
use evenkeel_model::Verdict;

use super::parse;

#[test]
fn each_verdict_of_the_grammar_is_understood() {
    let until = parse_rfc3339("2026-12-01T00:00:00Z").unwrap();
    let after = Some(Duration::from_secs(30));
    for (text, verdict) in [
        ("ack", Verdict::Ack),
        (" ACK ; ", Verdict::Ack),
        ("retry", Verdict::Retry { after: None, message: String::new(), dependency: None }),
        ("retry; after=30s", Verdict::Retry { after, message: String::new(), dependency: None }),
        (
            "retry;after=\"30s\";reason=\"bank; \\\"slow\\\"\"",
            Verdict::Retry { after, message: "bank; \"slow\"".into(), dependency: None },
        ),
        ("busy", Verdict::Busy { after: None }),
        ("busy; after=200ms", Verdict::Busy { after: Some(Duration::from_millis(200)) }),
        ("busy; after=2h", Verdict::Busy { after: Some(Duration::from_secs(7200)) }),
        ("defer; until=2026-12-01T00:00:00Z", Verdict::Defer { until }),
        ("reject; reason=\"no such sku\"", Verdict::Reject { reason: "no such sku".into() }),
        ("reject", Verdict::Reject { reason: "the handler gave no reason".into() }),
        ("drop; reason=test", Verdict::Drop { reason: "test".into() }),
        ("drop; reason=\"größer\"", Verdict::Drop { reason: "größer".into() }),
        ("pause; dependency=bank", Verdict::Pause { dependency: "bank".into() }),
    ] {
        assert_eq!(parse(text.as_bytes()), Ok(verdict), "{text}");
    }
}

#[test]
fn what_is_not_in_the_grammar_is_refused_and_says_why() {
    for (text, why) in [
        ("", "empty"),
        ("yes", "`yes` is not a verdict; say ack"),
        ("retry; after=30", "a whole number and a unit"),
        ("retry; after=-1s", "is not a duration"),
        ("retry; after=99999999999999999999d", "is not a duration"),
        ("retry; after=9999d", "longer than 365d"),
        ("retry; afer=30s", "`retry` has no parameter `afer`"),
        ("retry; after=1s; after=2s", "given twice"),
        ("retry; after", "`after` needs a value"),
        ("defer", "needs `until`"),
        ("defer; until=tomorrow", "RFC 3339"),
        ("pause", "needs `dependency`"),
        ("pause; dependency=\"\"", "needs `dependency`"),
        ("drop; reason=\"open", "a quote is not closed"),
        ("drop; reason=\"a\" b", "`;` was expected"),
        ("ack; reason=ok", "`ack` has no parameter `reason`"),
    ] {
        let said = parse(text.as_bytes()).unwrap_err();
        assert!(said.contains(why), "{text}: {said}");
    }
    assert!(parse(b"drop; reason=\xff").unwrap_err().contains("UTF-8"));
}

#[test]
fn hostile_bytes_are_refused_with_a_reason_and_never_panic() {
    let header = "retry; after=\"30s\"; reason=\"größer \\\" a\"".as_bytes();
    for at in 0..header.len() {
        for value in 0..=255 {
            let mut hostile = header.to_vec();
            hostile[at] = value;
            let refused = parse(&hostile).err().or_else(|| parse(&hostile[..at]).err());
            assert!(refused.is_none_or(|why| !why.is_empty()));
        }
    }
}
