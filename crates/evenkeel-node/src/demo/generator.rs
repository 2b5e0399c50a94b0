//! Seeded orders that look like a shop's: few customers order often, guests have no key, most
//! baskets are small and some are huge, and the day has its hours.
//!
//! Pure: the same seed and count give the same orders, one by one.

use super::catalogue::{Product, shelf};
use super::draw::Draw;
use super::order::{CREATED, Line, Order};

const CUSTOMERS: usize = 900;
const COUNTRIES: &[&str] = &["United Kingdom", "Germany", "France", "EIRE", "Côte d'Ivoire"];
const COUNTRY_EDGES: &[f64] = &[0.90, 0.94, 0.97, 0.99, 1.0];
/// Orders per hour of the day, as the real file has them: nothing at night, a peak at noon.
const HOURS: [f64; 24] = [
    0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.2, 2.5, 6.5, 10.5, 11.5, 15.0, 13.0, 11.0, 9.5, 6.0, 3.5, 1.0, 0.8, 0.4, 0.0,
    0.0, 0.0,
];
const DAY: &str = "2026-03-02";

/// The orders of one seed, in the order in which they are placed.
pub(crate) struct Generator {
    draw: Draw,
    shelf: Vec<Product>,
    customers: Vec<f64>,
    hours: Vec<f64>,
    made: usize,
    total: usize,
}

impl Generator {
    pub(crate) fn seeded(seed: u64, total: usize) -> Generator {
        let mut draw = Draw::seeded(seed);
        let shelf = shelf(&mut draw);
        Generator { draw, shelf, customers: zipf_like(CUSTOMERS), hours: running_sums(HOURS), made: 0, total }
    }

    fn basket(&mut self) -> Vec<Line> {
        let mut count = 1;
        while count < 60 && self.draw.chance(0.84) {
            count += 1;
        }
        (0..count).filter_map(|_| self.line()).collect()
    }

    fn line(&mut self) -> Option<Line> {
        let quantity = *self.draw.pick(&[1, 1, 1, 2, 2, 3, 4, 6, 6, 12, 24])?;
        let product = self.draw.pick(&self.shelf)?;
        Some(Line { sku: product.sku.clone(), name: product.name.clone(), quantity, price: product.price })
    }

    /// The moment of the day at which this share of the day's orders has been placed.
    #[expect(clippy::cast_precision_loss, reason = "counts and hours are far below 2^53")]
    #[expect(clippy::cast_possible_truncation, reason = "seconds of a day")]
    #[expect(clippy::cast_sign_loss, reason = "seconds of a day")]
    fn time(&self) -> String {
        let whole = self.hours.last().copied().unwrap_or(1.0);
        let at = whole * (self.made as f64 / self.total.max(1) as f64);
        let hour = self.hours.partition_point(|edge| *edge <= at).min(23);
        let before = if hour == 0 { 0.0 } else { self.hours[hour - 1] };
        let share = (at - before) / (self.hours[hour] - before).max(f64::EPSILON);
        let second = (share * 3600.0) as u32;
        format!("{DAY}T{hour:02}:{:02}:{:02}Z", (second / 60).min(59), second % 60)
    }
}

impl Iterator for Generator {
    type Item = Order;

    fn next(&mut self) -> Option<Order> {
        if self.made == self.total {
            return None;
        }
        let guest = self.draw.chance(0.08);
        let customer = self.draw.weighted(&self.customers);
        let country = self.draw.weighted(COUNTRY_EDGES);
        let order = Order {
            id: format!("{}", 700_001 + self.made),
            kind: CREATED.to_owned(),
            time: self.time(),
            customer: (!guest).then(|| format!("{}", 12_346 + customer)),
            country: COUNTRIES.get(country).map(|name| (*name).to_owned()),
            lines: self.basket(),
        };
        self.made += 1;
        Some(order)
    }
}

/// Zipf's law with its head cut off: the best customer of a shop is no tenth of its trade.
#[expect(clippy::cast_precision_loss, reason = "ranks are far below 2^53")]
fn zipf_like(n: usize) -> Vec<f64> {
    running_sums((0..n).map(|rank| 1.0 / (rank as f64 + 12.0)))
}

fn running_sums(weights: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut sum = 0.0;
    let add = |weight| {
        sum += weight;
        sum
    };
    weights.into_iter().map(add).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::Generator;
    use crate::demo::order::Order;

    #[test]
    fn a_seed_gives_the_same_orders_again() {
        let orders: Vec<Order> = Generator::seeded(3, 200).collect();
        assert_eq!(orders, Generator::seeded(3, 200).collect::<Vec<_>>());
        assert_ne!(orders, Generator::seeded(4, 200).collect::<Vec<_>>());
    }

    #[test]
    fn orders_look_like_a_shop() {
        let orders: Vec<Order> = Generator::seeded(1, 5000).collect();
        let ids: HashSet<&str> = orders.iter().map(|o| o.id.as_str()).collect();
        assert_eq!(ids.len(), 5000);
        let mut of: HashMap<&str, usize> = HashMap::new();
        orders.iter().filter_map(|o| o.customer.as_deref()).for_each(|c| *of.entry(c).or_default() += 1);
        let busiest = of.values().max().copied().unwrap_or(0);
        assert!(busiest > 40 && busiest < 250, "{busiest}");
        assert!(orders.iter().any(|o| o.customer.is_none()));
        assert!(orders.iter().all(|o| !o.lines.is_empty() && o.pence() > 0));
        assert!(orders.windows(2).all(|w| w[0].time <= w[1].time));
        let bytes: Vec<usize> = orders.iter().map(|o| serde_json::to_vec(o).unwrap().len()).collect();
        let mean = bytes.iter().sum::<usize>() / bytes.len();
        assert!((300..1500).contains(&mean), "{mean}");
    }
}
