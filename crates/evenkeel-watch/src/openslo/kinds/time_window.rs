//! `timeWindow` of an SLO: rolling, or bound to a calendar.

use jiff::civil::DateTime;

use crate::openslo::fields::Fields;
use crate::openslo::finding::{Findings, Place, Rule};
use crate::openslo::shorthand::{self, Shorthand};

/// Over what an objective is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeWindow {
    /// How long it is.
    pub duration: Shorthand,
    /// Where it begins, when it is bound to a calendar.
    pub calendar: Option<CalendarStart>,
    /// Where it stands.
    pub place: Place,
}

/// Where calendar windows begin.
#[derive(Clone, Debug, PartialEq)]
pub struct CalendarStart {
    /// When the first one began.
    pub start: DateTime,
    /// The name of the time zone, in the IANA database.
    pub zone: String,
    /// Where the zone is named.
    pub zone_place: Place,
}

pub(super) fn read(spec: &Fields<'_>, out: &mut Findings) -> Option<TimeWindow> {
    let windows = spec.list("timeWindow", out);
    out.check(windows.len() == 1, &spec.at("timeWindow"), Rule::SliceLength, || {
        format!("has {} windows; an objective has exactly one", windows.len())
    });
    let mut read = None;
    for (place, tree) in windows {
        read = Fields::of(place, tree, out).and_then(|fields| one(&fields, out));
    }
    read
}

fn one(fields: &Fields<'_>, out: &mut Findings) -> Option<TimeWindow> {
    fields.only(&["duration", "isRolling", "calendar"], out);
    let duration = shorthand::required(fields, "duration", out);
    let rolling = fields.flag("isRolling", out).unwrap_or(false);
    let calendar = fields.fields("calendar", out);
    out.check(!(rolling && calendar.is_some()), &fields.place, Rule::TimeWindow, || {
        "`calendar` cannot be there when `isRolling` is true".to_owned()
    });
    out.check(rolling || fields.has("calendar"), &fields.place, Rule::TimeWindow, || {
        "`calendar` must be there when `isRolling` is false".to_owned()
    });
    let calendar = match calendar {
        Some(fields) => Some(start(&fields, out)?),
        None => None,
    };
    Some(TimeWindow { duration: duration?, calendar, place: fields.place.clone() })
}

fn start(fields: &Fields<'_>, out: &mut Findings) -> Option<CalendarStart> {
    fields.only(&["startTime", "timeZone"], out);
    let start = fields.required("startTime", out).and_then(|text| {
        let read = DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok();
        out.check(read.is_some(), &fields.at("startTime"), Rule::StringDateTime, || {
            format!("is `{text}`; a start is written like `2026-01-01 00:00:00`, without a time zone")
        });
        read
    });
    let zone = fields.required("timeZone", out);
    Some(CalendarStart { start: start?, zone: zone?.to_owned(), zone_place: fields.at("timeZone") })
}
