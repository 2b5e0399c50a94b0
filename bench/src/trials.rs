//! `bench trials`: what others do when things go wrong, tried on us.
//!
//! The situations, and what came of them elsewhere, are those of the field notes (Spring Kafka 3,
//! parallel-consumer 0.5.3, Watermill 1.5, JetStream 2.15, RabbitMQ 4.0; one machine of two cores).
//! Each trial runs the library on a log on the real disk, in real time; where the original waits a
//! minute ours waits a tenth of it and retries ten times as fast, and the row says so. A trial
//! measures nothing but counts: it is kept or it is not. It publishes and handles in one process.

mod house;
mod order;
mod outage;
mod publishing;
mod poison;

use crate::Outcome;

/// What one trial came to.
pub(crate) struct Row {
    /// What was done.
    pub(crate) situation: &'static str,
    /// What came of it elsewhere.
    pub(crate) theirs: &'static str,
    /// What came of it here.
    pub(crate) ours: String,
    /// Whether that is as it should be.
    pub(crate) kept: bool,
}

/// How many events a trial is made with: those of the field notes, or fewer for a test.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) events: u64,
}

impl Size {
    /// As in the field notes.
    pub(crate) const FULL: Size = Size { events: 20_000 };
}

/// All of them, one after the other; the table is printed as they end.
pub(crate) async fn trials(size: Size) -> Outcome<bool> {
    println!("| situation | elsewhere | here | |");
    println!("|---|---|---|---|");
    let mut kept = true;
    let tell = |row: Row, kept: &mut bool| {
        *kept &= row.kept;
        let mark = if row.kept { "kept" } else { "**broken**" };
        println!("| {} | {} | {} | {mark} |", row.situation, row.theirs, row.ours);
    };
    tell(order::some_fail_twice(size).await?, &mut kept);
    tell(outage::down_for_a_while(size).await?, &mut kept);
    tell(publishing::published_twice(size).await?, &mut kept);
    tell(publishing::much_alike(size).await?, &mut kept);
    tell(publishing::same_id_other_body().await?, &mut kept);
    tell(publishing::nowhere_to_go().await?, &mut kept);
    tell(outage::killed_in_the_middle(size).await?, &mut kept);
    tell(poison::always_throws(size).await?, &mut kept);
    tell(poison::not_an_event(size).await?, &mut kept);
    tell(order::put_off(size).await?, &mut kept);
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEW: Size = Size { events: 600 };

    fn is_kept(row: Outcome<Row>) {
        let row = row.expect("it runs");
        assert!(row.kept, "{}: {}", row.situation, row.ours);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn events_that_fail_twice_or_are_put_off_break_no_order() {
        is_kept(order::some_fail_twice(FEW).await);
        is_kept(order::put_off(FEW).await);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_outage_and_a_kill_lose_nothing_and_kill_nothing() {
        is_kept(outage::down_for_a_while(FEW).await);
        is_kept(outage::killed_in_the_middle(FEW).await);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_published_twice_alike_or_wrongly_is_told_apart() {
        is_kept(publishing::published_twice(FEW).await);
        is_kept(publishing::much_alike(FEW).await);
        is_kept(publishing::same_id_other_body().await);
        is_kept(publishing::nowhere_to_go().await);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn poison_and_what_is_no_event_hold_nobody_up() {
        is_kept(poison::always_throws(FEW).await);
        is_kept(poison::not_an_event(FEW).await);
    }
}
