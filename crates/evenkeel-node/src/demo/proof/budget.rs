//! What the mishaps cost: they are paid from the budgets, and the budgets say so.

use super::Check;
use super::books::Books;

pub(super) fn checks(books: &Books) -> Vec<Check> {
    let told: Vec<String> = books
        .budgets
        .iter()
        .map(|budget| {
            let spent = (1.0 - budget.remaining) * 100.0;
            format!("{} {} bad of {}, {spent:.0} % spent", budget.objective, budget.bad, budget.good + budget.bad)
        })
        .collect();
    let spent = books.budgets.iter().any(|budget| budget.objective == books.healed_objective && budget.bad > 0);
    vec![Check::new(spent, format!("budget: {}", told.join("; ")))]
}
