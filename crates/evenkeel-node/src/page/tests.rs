//! The page as text, and as markup: what an engineer reads, and what a browser is given.

use super::samples::{damaged, empty, healthy, hostile, on_fire};
use super::{Status, asset, render};

/// The page's text, tags taken out, one line for each run of text between block elements.
fn text(status: &Status) -> String {
    let html = render(status).into_string();
    let main = html.split_once("<main").map_or("", |(_, rest)| rest);
    let mut out = String::new();
    for piece in main.split('<').skip(1) {
        let (tag, said) = piece.split_once('>').unwrap_or((piece, ""));
        let name = tag.split(' ').next().unwrap_or_default();
        if ["section", "p", "h1", "h2", "h3", "li", "tr", "dt", "td", "th", "summary"].contains(&name) {
            out.push('\n');
        }
        if name == "dd" {
            out.push(' ');
        }
        out.push_str(said);
    }
    let unescaped = out.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let lines = unescaped.lines().map(|l| l.replace('\u{a0}', " ").trim().to_owned());
    lines.filter(|l| !l.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Each of `lines` stands on the page, in this order.
fn reads(status: &Status, lines: &[&str]) {
    let text = text(status);
    let mut rest = text.as_str();
    for line in lines {
        let Some(at) = rest.find(line) else { panic!("`{line}` is missing, or out of order, in:\n{text}") };
        rest = &rest[at + line.len()..];
    }
}

#[test]
fn an_empty_page_teaches_the_first_command() {
    reads(
        &empty(),
        &[
            "○ ready",
            "The node is ready, and nothing has been published yet.",
            "Publish the first event",
            "echo '{\"order\":1}' | evenkeel publish orders --type OrderCreated --source /shop --key customer-1",
            "evenkeel tail orders --from earliest",
            "Promises",
            "Not proven yet. evenkeel audit",
            "Objectives",
            "None is declared.",
            "Flow",
            "No subscription is declared",
            "What happened",
            "Nothing out of the ordinary.",
            "Topics",
            "orders",
            "Log",
            "state ● taking",
            "Node",
            "up since 3 s ago",
        ],
    );
    let mut without_topics = empty();
    without_topics.topics.clear();
    reads(&without_topics, &["There is no topic yet.", "topics: { orders: { partitions: 4 } }"]);
}

#[test]
fn a_healthy_page_says_so_first_and_shows_the_order_of_the_story() {
    reads(
        &healthy(),
        &[
            "● kept",
            "All promises are kept.",
            "evenkeel audit",
            "Promises",
            "lost 0 ● kept",
            "completed twice 0 ● kept",
            "out of order 0 ● kept",
            "sent again after an unknown result 3",
            "Proven 12 s ago over 35,270 events.",
            "Objectives",
            "payment-latency ● met",
            "99.9 % within 500 ms",
            "over 30 d",
            "99.97 %",
            "of 1.25 M",
            "71 %",
            "0.4×",
            "lasts",
            "Flow",
            "orders to inventory to http://127.0.0.1:9001/events● flowing",
            "in 12.4 k/s",
            "p50 8 ms",
            "p99 38 ms",
            "lag 41 ms",
            "in flight 4",
            "parked 0",
            "dead 0",
            "Policy",
            "Order by key",
            "evenkeel subscriptions pause inventory",
            "What happened",
            "1 d ago",
            "○ over incident inc-1",
            "took 1 min",
            "Topics",
            "evenkeel.ledger",
            "64 MiB",
            "up since 2 h 14 min ago",
        ],
    );
}

#[test]
fn a_page_on_fire_tells_what_is_wrong_for_whom_and_what_comes_next() {
    reads(
        &on_fire(),
        &[
            "▲ needs attention",
            "payment holds back 214 keys: bank is down since 08:17 UTC; next probe in 12 s. Nothing is lost. 3 more things need attention, below.",
            "payment-latency ▲ at risk",
            "12 %",
            "21.3×",
            "exhausted in 2 h 14 min",
            "▲ firing page-quick",
            "shipping-success ■ missed",
            "−40 %",
            "exhausted",
            "▲ holding back",
            "parked 380",
            "dead 2",
            "bank is down since 12 min 34 s ago; next probe in 12 s. Waiting costs no attempt.",
            "An operator holds the breaker of mail open since 10 min ago: maintenance until noon.",
            "evenkeel dependencies auto mail",
            "Endpoints",
            "http://10.0.0.2/events",
            "▲ ejected",
            "called again in 25 s",
            "customer-17850",
            "3/1202",
            "in 42 s",
            "customer-4",
            "▲ waits for you",
            "evenkeel parked release payment --key customer-4",
            "214 keys are parked in all. evenkeel parked list payment",
            "9f86d081884c7d65",
            "422: negative price in line 3",
            "evenkeel dead list payment",
            "■ open incident inc-2",
            "▲ going on gate",
        ],
    );
}

#[test]
fn a_page_of_a_damaged_log_says_where_which_offsets_and_what_to_do() {
    reads(
        &damaged(),
        &[
            "■ broken",
            "The log is damaged at wal/00000004.wal byte 1400832. What is whole is served; nothing is taken in until somebody repairs it. One more thing needs attention, below.",
            "evenkeel log verify ./evenkeel-data",
            "Damage",
            "lost: orders-3 offsets 17 to 19",
            "whole, and behind the damage: orders-3 offsets 20 to 41",
            "evenkeel log repair ./evenkeel-data",
            "Nothing can be proven while the log is damaged",
            "Not watched while the log is damaged.",
            "No subscription runs while the log is damaged",
            "▲ 83 % of its limit",
            "state ■ damaged: reads only",
            "▲ note /var/lib/evenkeel is on tmpfs",
        ],
    );
}

#[test]
fn hostile_names_stay_text() {
    let html = render(&hostile()).into_string();
    assert!(!html.contains("<script>"), "no element comes in");
    assert!(!html.contains("alert('x')</script"), "none is closed either");
    assert!(html.contains("&lt;script&gt;"), "it is shown as what it is");
    assert!(!html.contains("javascript:") && html.matches("<script").count() == 1);
    for href in html.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default()) {
        assert!(href.starts_with('/') || href.starts_with('#'), "{href}");
        assert!(!href.contains(['<', '>', '\'', ' ']), "{href}");
    }
}

#[test]
fn nothing_on_the_page_needs_what_the_policy_forbids() {
    for status in [empty(), healthy(), on_fire(), hostile()] {
        let html = render(&status).into_string();
        for forbidden in [" style=", "<style", " onclick", "http-equiv=\"content", "src=\"http", "url("] {
            assert!(!html.contains(forbidden), "{forbidden}");
        }
        let noscript = html.split("<noscript>").nth(1).unwrap_or_default();
        assert!(noscript.starts_with("<meta http-equiv=\"refresh\""), "it refreshes itself without scripts");
    }
}

#[test]
fn every_asset_that_the_page_names_is_there_and_nothing_else_is() {
    let html = render(&healthy()).into_string();
    let named: Vec<&str> = html.split(['"']).filter(|part| part.starts_with("/assets/")).collect();
    assert_eq!(named.len(), 3, "{named:?}");
    for path in named {
        let (content_type, bytes) = asset(path).unwrap_or_else(|| panic!("{path}"));
        assert!(!bytes.is_empty() && content_type.contains('/'), "{path}");
    }
    assert!(asset("/assets/page.css").is_none() && asset("/assets/../Cargo.toml").is_none());
}

#[test]
fn commands_are_quoted_for_a_shell_and_name_a_node_that_is_not_the_default() {
    use super::marks::command_line;
    assert_eq!(
        command_line("http://127.0.0.1:8080", &["dead", "list", "pay ment's"]),
        "evenkeel dead list 'pay ment'\\''s'"
    );
    assert_eq!(command_line("http://127.0.0.1:9", &["audit"]), "evenkeel audit --node http://127.0.0.1:9");
    assert_eq!(command_line("", &["tail", ""]), "evenkeel tail ''");
}

#[test]
fn what_comes_in_from_a_broker_is_shown_and_why_nothing_comes() {
    reads(
        &healthy(),
        &["Topics", "Intakes", "shop orders-in", "not connected", "`orders-in` does not exist", "1,204", "17"],
    );
    assert!(!text(&empty()).contains("Intakes"), "who has none is not told of them");
}

#[test]
fn gaps_in_the_budget_s_history_stay_gaps() {
    let html = render(&healthy()).into_string();
    let path = html.split(" d=\"M40").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    assert_eq!(path.matches('M').count(), 1, "the line starts again behind the gap: {path}");
}

/// With `EVENKEEL_PAGES=folder` the pages are left there, to be looked at in a browser.
#[test]
fn every_page_is_whole() {
    for (name, status) in [
        ("empty", empty()),
        ("healthy", healthy()),
        ("on-fire", on_fire()),
        ("hostile", hostile()),
        ("damaged", damaged()),
    ] {
        let html = render(&status).into_string();
        assert!(html.starts_with("<!DOCTYPE html>") && html.ends_with("</html>"), "{name}");
        let Ok(folder) = std::env::var("EVENKEEL_PAGES") else { continue };
        let folder = std::path::Path::new(&folder);
        std::fs::create_dir_all(folder.join("assets")).expect("folder");
        std::fs::write(folder.join(format!("{name}.html")), &html).expect("page");
        for path in html.split('"').filter(|part| part.starts_with("/assets/")) {
            let (_, bytes) = asset(path).expect("asset");
            std::fs::write(folder.join(path.trim_start_matches('/')), bytes).expect("asset");
        }
    }
}
