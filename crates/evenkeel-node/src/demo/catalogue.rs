//! What the shop sells: drawn once per seed from a few words, with prices spread as in life
//! (many cheap things, few dear ones).

use super::draw::Draw;

/// A thing on the shelf.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Product {
    pub(crate) sku: String,
    pub(crate) name: Option<String>,
    pub(crate) price: f64,
}

const MADE: &[&str] =
    &["WHITE", "RED RETROSPOT", "VINTAGE", "GLASS", "WOODEN", "ENAMEL", "CERAMIC", "FELT", "SILVER", "CAFÉ \"PARIS\""];
const THINGS: &[&str] = &[
    "T-LIGHT HOLDER",
    "LUNCH BOX",
    "CAKE STAND",
    "DOORMAT",
    "ALARM CLOCK",
    "JAM JAR",
    "BUNTING",
    "TEA TOWEL",
    "HOT WATER BOTTLE",
    "NAPKINS",
    "PICTURE FRAME",
    "WATERING CAN",
];

/// The shelf of this seed.
pub(crate) fn shelf(draw: &mut Draw) -> Vec<Product> {
    let mut shelf = Vec::new();
    for (row, made) in MADE.iter().enumerate() {
        for (column, thing) in THINGS.iter().enumerate() {
            let nameless = draw.chance(0.01);
            shelf.push(Product {
                sku: format!("{}", 20_000 + row * 100 + column),
                name: (!nameless).then(|| format!("{made} {thing}")),
                price: price(draw),
            });
        }
    }
    shelf
}

/// Log-normal around £2.10, ending in 5 or 9, from £0.29 to £49.95.
fn price(draw: &mut Draw) -> f64 {
    let spread: f64 = (0..12).map(|_| draw.unit()).sum::<f64>() - 6.0;
    let rough = (2.10 * (spread * 0.9).exp()).clamp(0.29, 49.95);
    let tens = (rough * 10.0).floor() / 10.0;
    let ending = if draw.chance(0.7) { 0.05 } else { 0.09 };
    ((tens + ending) * 100.0).round() / 100.0
}
