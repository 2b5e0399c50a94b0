//! Each way of cheating turns the proof red; an honest day is green.

use super::books::{Account, Ack, Alerts, Audit, Books, Budget, Dead, Effect, Incident, Mishap};
use super::{Proof, prove};

const POISON: &str = "4";

/// Six orders of two customers and a guest; the fourth is poison, the sixth a cancellation, the
/// second was sent again.
fn honest() -> Books {
    let mut acks: Vec<Ack> = (1..=6).map(ack).collect();
    acks.push(Ack { again: true, duplicate: true, ..ack(2) });
    let paid = ["1", "2", "3", "5"];
    let mut books = Books {
        total: 6,
        poison: vec![POISON.to_owned()],
        again_sent: 1,
        inventory: ["1", "2", "3", "4", "5"].map(|o| effect("reserve", o)).to_vec(),
        payment: paid.map(|o| effect("capture", o)).to_vec(),
        shipping: paid.map(|o| effect("ship", o)).to_vec(),
        cancels: vec![effect("cancel", POISON)],
        dead: vec![Dead { id: POISON.to_owned(), reason: "attempts_exhausted".to_owned(), attempts: 6 }],
        incidents: vec![Incident {
            objective: "shipping-latency".to_owned(),
            resolved: true,
            healed: true,
            detect_ms: Some(2300),
            recover_ms: Some(4100),
        }],
        alerts: Alerts { firing: vec!["shipping-latency".to_owned()], resolved: vec!["shipping-latency".to_owned()] },
        budgets: vec![Budget { objective: "shipping-latency".to_owned(), good: 2, bad: 2, remaining: -499.0 }],
        mishaps: vec![Mishap { name: "the node is killed".to_owned(), happened: true }],
        healed_objective: "shipping-latency".to_owned(),
        acks,
        audit: Audit::default(),
    };
    books.inventory.push(effect("release", "6"));
    books.inventory.push(effect("release", POISON));
    books.audit = Audit { ok: true, subscriptions: books.accounts() };
    books
}

fn customer(id: &str) -> Option<String> {
    match id {
        "3" => None,
        "1" | "2" | "4" => Some("ann".to_owned()),
        _ => Some("bob".to_owned()),
    }
}

fn ack(n: u64) -> Ack {
    let id = n.to_string();
    Ack {
        kind: if n == 6 { "OrderCancelled" } else { "OrderCreated" }.to_owned(),
        customer: customer(&id),
        partition: 0,
        offset: n,
        duplicate: false,
        again: false,
        units: 2,
        pence: 199,
        id,
    }
}

fn effect(effect: &str, order: &str) -> Effect {
    Effect {
        key: format!("{effect}-{order}"),
        effect: effect.to_owned(),
        order: order.to_owned(),
        customer: customer(order),
        units: 2,
        pence: 199,
    }
}

fn account<'a>(books: &'a mut Books, name: &str) -> &'a mut Account {
    books.audit.subscriptions.iter_mut().find(|account| account.name == name).unwrap()
}

/// The proof of a day that was changed.
fn proof_of(change: impl FnOnce(&mut Books)) -> Proof {
    let mut books = honest();
    change(&mut books);
    prove(&books)
}

/// The sentences that do not hold.
fn red(change: impl FnOnce(&mut Books)) -> String {
    let wrong = proof_of(change).checks.into_iter().filter(|check| !check.holds);
    wrong.map(|check| check.sentence).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_honest_day_is_proved() {
    let proof = proof_of(|_| ());
    assert!(proof.holds(), "{proof}");
    assert!(proof.table.contains("payment"));
}

#[test]
fn an_event_that_was_lost_and_reported_as_completed_is_found_in_the_service_s_book() {
    let found = red(|books| drop(books.inventory.remove(2)));
    assert!(found.contains("effects at inventory") && found.contains("1 missing (such as 3)"), "{found}");
}

#[test]
fn an_acknowledged_order_that_the_log_does_not_have_is_found() {
    let found = red(|books| {
        account(books, "payment").appended -= 1;
        account(books, "payment").completed -= 1;
    });
    assert!(found.contains("outcomes of payment"), "{found}");
}

#[test]
fn an_effect_that_happened_twice_is_found_whatever_its_key() {
    let found = red(|books| books.payment.push(Effect { key: "other".to_owned(), ..effect("capture", "5") }));
    assert!(found.contains("effects at payment") && found.contains("1 twice (such as 5)"), "{found}");
}

#[test]
fn effects_of_one_customer_that_changed_places_are_found() {
    let found = red(|books| books.shipping.swap(0, 1));
    assert!(found.contains("order at shipping: 3 effects of known customers, 1 violations"), "{found}");
}

#[test]
fn effects_of_different_customers_may_change_places() {
    assert!(proof_of(|books| books.shipping.swap(1, 3)).holds());
}

#[test]
fn an_audit_that_tells_other_numbers_is_found() {
    for misreport in [
        (|a| a.completed += 1) as fn(&mut Account),
        |a| a.appended += 1,
        |a| {
            a.completed -= 1;
            a.parked += 1;
        },
        |a| {
            a.completed -= 1;
            a.dropped += 1;
        },
        |a| {
            a.appended += 1;
            a.duplicate += 1;
        },
    ] {
        assert!(red(|books| misreport(account(books, "shipping"))).contains("outcomes of shipping"));
    }
    assert!(red(|books| books.audit.ok = false).contains("audit:"));
    assert!(red(|books| books.audit.subscriptions.clear()).contains("does not know it"));
}

#[test]
fn a_healthy_order_among_the_dead_is_found_and_so_is_poison_that_lives() {
    let healthy = Dead { id: "5".to_owned(), reason: "attempts_exhausted".to_owned(), attempts: 6 };
    assert!(red(|books| books.dead.push(healthy)).contains("dead letters"));
    assert!(red(|books| books.dead.clear()).contains("dead letters: none"));
}

#[test]
fn a_cancelled_order_that_keeps_its_units_is_found() {
    let found = red(|books| books.inventory.retain(|e| !(e.effect == "release" && e.order == POISON)));
    assert!(found.contains("released: 0 of 1"), "{found}");
    assert!(red(|books| books.cancels.clear()).contains("effects at compensation"));
}

#[test]
fn a_duplicate_that_was_taken_anew_is_found() {
    let found = red(|books| {
        for ack in books.acks.iter_mut().filter(|ack| ack.again) {
            (ack.duplicate, ack.offset) = (false, 7);
        }
    });
    assert!(found.contains("0 suppressed (such as 2)"), "{found}");
}

#[test]
fn an_order_that_was_never_acknowledged_is_found_and_so_are_shared_places() {
    assert!(red(|books| drop(books.acks.remove(0))).contains("acknowledged: 5 of 6"));
    assert!(red(|books| books.acks[0].offset = 2).contains("places: 1 orders"));
}

#[test]
fn services_that_disagree_on_money_or_units_are_found() {
    assert!(red(|books| books.payment[0].pence += 1).contains("1 orders on which the services disagree"));
    assert!(red(|books| books.shipping[0].units += 1).contains("8 units held and 9 gone"));
}

#[test]
fn an_incident_that_nobody_healed_is_found() {
    assert!(red(|books| books.incidents[0].healed = false).contains("healing: no incident"));
    assert!(red(|books| books.incidents[0].resolved = false).contains("1 still open"));
    assert!(red(|books| books.alerts.firing.clear()).contains("alerts: 0"));
}

#[test]
fn a_mishap_that_never_happened_and_a_budget_that_was_never_spent_are_found() {
    assert!(red(|books| books.mishaps[0].happened = false).contains("missed: 1 (such as the node is killed)"));
    assert!(red(|books| books.budgets.clear()).contains("budget"));
}
