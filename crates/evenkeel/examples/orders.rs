//! A shop in one process: orders come in, stock is reserved, payments are captured, parcels go
//! out; an order that can never be paid becomes a dead letter, and is cancelled.
//!
//!     cargo run --release -p evenkeel --example orders
//!
//! Kill it whenever you like and start it again: it goes on where it was, and no order is lost.

use std::time::Duration;

use evenkeel::{Context, Evenkeel, Event, HandlerError, Order, Policy, RetrySchedule, Subscribe};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Basket {
    order: u64,
    customer: String,
    cents: u64,
}

/// Plain work: an error of any kind means "try again", by the schedule of the subscription.
async fn reserve(_: Context, basket: Basket) -> Result<(), HandlerError> {
    println!("inventory: order {} reserved for {}", basket.order, basket.customer);
    Ok(())
}

/// Work with a consequence: the event it returns is stored in one atomic set with the fact that
/// this order is paid. Hand the idempotency key to the payment provider, so that an attempt
/// that was cut off does not charge twice.
async fn capture(context: Context, basket: Basket) -> Result<Event, HandlerError> {
    if basket.cents == 0 {
        return Err(HandlerError::reject("nothing to pay"));
    }
    println!("payment:   order {} charged under key {}", basket.order, context.idempotency_key());
    context.caused("PaymentCaptured", &basket)
}

async fn ship(context: Context, basket: Basket) -> Result<(), HandlerError> {
    let cause = context.event().extension("causationid").unwrap_or_default();
    println!("shipping:  order {} goes out (caused by {cause})", basket.order);
    Ok(())
}

/// Dead letters are a topic like any other: compensation is a subscription.
async fn cancel(context: Context, basket: Basket) -> Result<Event, HandlerError> {
    println!("cancel:    order {} can not be paid", basket.order);
    context.caused("OrderCancelled", &basket)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "./orders-data".to_owned());
    let retry = RetrySchedule { attempts: 5, ..RetrySchedule::default() };
    let policy = Policy { order: Order::Key, retry, timeout: Duration::from_secs(2), ..Policy::default() };
    let shop = Evenkeel::builder()
        .data(folder)
        .topic("orders", 6)
        .topic("payments", 6)
        .topic("cancellations", 6)
        .subscribe(Subscribe::new("inventory", "orders", reserve).only("OrderCreated"))
        .subscribe(Subscribe::new("payment", "orders", capture).publishes("payments").policy(policy))
        .subscription("shipping", "payments", ship)
        .subscribe(Subscribe::new("compensation", "payment.dead", cancel).publishes("cancellations"))
        .start()
        .await?;

    for (order, cents) in [(1, 4200), (2, 0), (3, 1999), (1, 4200)] {
        let customer = format!("customer-{}", order % 2);
        let mut event = Event::new("/shop", format!("order-{order}"), "OrderCreated");
        event.subject = Some(customer.clone());
        event.datacontenttype = Some("application/json".to_owned());
        event.data = Some(serde_json::to_vec(&Basket { order, customer, cents })?.into());
        let place = shop.publish("orders", event).await?;
        let again = if place.duplicate { ", for the second time: not stored again" } else { "" };
        println!("order {order} is at {}/{}{again}", place.partition, place.offset);
    }

    // A service would wait for its signal to stop here; this one waits until all is done.
    let audit = loop {
        let audit = shop.audit().await?;
        if audit.subscriptions.iter().all(|s| s.in_flight + s.parked + s.unread == 0) {
            break audit;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    for books in &audit.subscriptions {
        println!("{:<13} {} in, {} completed, {} dead", books.name, books.appended, books.completed, books.dead);
    }
    println!("audit: {}", if audit.ok { "it adds up" } else { "IT DOES NOT ADD UP" });
    shop.shutdown(Duration::from_secs(10)).await;
    Ok(())
}
