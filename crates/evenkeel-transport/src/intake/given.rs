//! How often a broker gave a message, noted on the record that it becomes.
//!
//! It stands right before the intake's own header, so that what a message says of itself elsewhere is no count;
//! a start reads the same.

use evenkeel_model::{Record, names};

/// Notes that the broker has given it so often by now, this time included: 1 or 0 is not worth a word. What the
/// message itself says under that name is taken off.
pub fn note_given(record: &mut Record, times: u32) {
    if record.header(names::BROKER_DELIVERIES).is_some() {
        record.headers.retain(|header| header.name != names::BROKER_DELIVERIES);
    }
    if times > 1 {
        record.push_header(names::BROKER_DELIVERIES, times.to_string());
    }
}

/// How often the broker had given a placed message before the time when it got its place.
pub(crate) fn given_before(placed: &Record) -> u32 {
    let [.., count, own] = &placed.headers[..] else { return 0 };
    if own.name != names::INTAKE || count.name != names::BROKER_DELIVERIES {
        return 0;
    }
    let text = count.value.as_deref().and_then(|value| std::str::from_utf8(value).ok());
    text.and_then(|text| text.parse::<u32>().ok()).unwrap_or_default().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_message_says_of_itself_is_no_count() {
        let mut record = Record::default();
        record.push_header(names::BROKER_DELIVERIES, "99".to_owned());
        let with_own = |record: &Record| {
            let mut placed = record.clone();
            placed.push_header(names::INTAKE, String::new());
            placed
        };
        note_given(&mut record, 1);
        assert_eq!(given_before(&with_own(&record)), 0);
        record.push_header(names::BROKER_DELIVERIES, "99".to_owned());
        note_given(&mut record, 5);
        assert_eq!(given_before(&record), 0, "only an intake counts");
        assert_eq!(given_before(&with_own(&record)), 4);
        record.push_header("x", "y".to_owned());
        assert_eq!(given_before(&with_own(&record)), 0);
    }
}
