//! The alert reached its receiver, opened an incident, and the playbook's step ended it.

use super::Check;
use super::books::{Books, Incident};

pub(super) fn checks(books: &Books) -> Vec<Check> {
    let objective = &books.healed_objective;
    let told = |of: &[String]| of.iter().filter(|name| *name == objective).count();
    let (fired, cleared) = (told(&books.alerts.firing), told(&books.alerts.resolved));
    let open = books.incidents.iter().filter(|incident| !incident.resolved).count();
    let healed = books.incidents.iter().find(|i| i.objective == *objective && i.healed && i.resolved);
    vec![
        Check::new(
            fired > 0 && cleared > 0,
            format!("alerts: {fired} of {objective} reached the webhook as firing, {cleared} as resolved"),
        ),
        Check::new(
            open == 0 && !books.incidents.is_empty(),
            format!("incidents: {} opened, {open} still open", books.incidents.len()),
        ),
        Check::new(healed.is_some(), healed.map_or_else(|| unhealed(objective), sentence)),
    ]
}

fn unhealed(objective: &str) -> String {
    format!("healing: no incident of {objective} was ended by the playbook: the mishap that only it can end goes on")
}

fn sentence(incident: &Incident) -> String {
    let time = |ms: Option<u64>| ms.map_or("?".to_owned(), |ms| format!("{}.{} s", ms / 1000, ms % 1000 / 100));
    format!(
        "healing: the incident of {} was ended by the playbook's step: {} to detect, {} to recover",
        incident.objective,
        time(incident.detect_ms),
        time(incident.recover_ms)
    )
}
