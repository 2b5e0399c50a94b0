//! Which of several endpoints is called: fairly, and not those that are out. Pure.
//!
//! Each call goes to the endpoint with the fewest calls under way, in turn where they are equal.
//! One that fails `failures` times in a row is out for `open`, twice as long each time, up to
//! `open_max`; one whose health check fails twice is out until it succeeds. Whoever comes back
//! starts slowly: its share grows from a tenth to the whole within `slow_start`.
//!
//! Invariant: when all are out, all are in. Whether anybody is called at all is the breaker's to
//! say, never decided here.

use std::sync::Arc;
use std::time::Duration;

use ::http::Uri;
use evenkeel_model::Timestamp;

use super::pace::{Beat, Pace};

/// When an endpoint is left out, and how it comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    /// So many failures in a row (no connection, no answer, 5xx) put it out.
    pub failures: u32,
    /// How long it is out the first time.
    pub open: Duration,
    /// It is never out for longer.
    pub open_max: Duration,
    /// Within this time its share grows from a tenth to the whole.
    pub slow_start: Duration,
}

impl Default for Ejection {
    fn default() -> Ejection {
        let s = Duration::from_secs;
        Ejection { failures: 5, open: s(10), open_max: s(300), slow_start: s(30) }
    }
}

/// What a call said of its endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Works,
    Fails,
    /// Nothing: the call was refused for what it is.
    Nothing,
}

/// An endpoint, as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointView {
    /// Its URL.
    pub url: String,
    /// `in`, `starting`, `ejected` or `unhealthy`.
    pub state: &'static str,
    /// Calls under way.
    pub in_flight: u32,
    /// When it is called again, if it is ejected.
    pub until: Option<Timestamp>,
}

pub(super) struct Endpoints {
    ejection: Ejection,
    pace: Option<Pace>,
    all: Vec<Endpoint>,
    /// Whose turn it is.
    turn: usize,
}

struct Endpoint {
    url: Arc<str>,
    target: Uri,
    in_flight: u32,
    failed: u32,
    ejections: u32,
    out_until: Option<Timestamp>,
    sick: u32,
    /// When it came back.
    warm_from: Option<Timestamp>,
    beat: Beat,
}

/// Health checks that fail in a row before an endpoint is out.
const SICK_FROM: u32 = 2;
/// The smallest share of one that starts.
const SHARE_MIN: f64 = 0.1;

impl Endpoints {
    pub(super) fn new(targets: Vec<(String, Uri)>, ejection: Ejection, pace: Option<Pace>) -> Endpoints {
        let all = targets.into_iter().map(|(url, target)| Endpoint {
            url: url.into(),
            target,
            in_flight: 0,
            failed: 0,
            ejections: 0,
            out_until: None,
            sick: 0,
            warm_from: None,
            beat: Beat::default(),
        });
        Endpoints { ejection, pace, all: all.collect(), turn: 0 }
    }

    pub(super) fn target(&self, at: usize) -> &Uri {
        &self.all[at].target
    }

    pub(super) fn url(&self, at: usize) -> Arc<str> {
        self.all[at].url.clone()
    }

    /// The endpoint of the next call; none of `tried`, unless there is no other. `Err`: each of those
    /// that may be called has had its share, and how long that lasts.
    pub(super) fn pick(&mut self, now: Timestamp, tried: &[usize]) -> Result<usize, Duration> {
        if let ([one], None) = (&mut *self.all, self.pace) {
            one.in_flight += 1;
            return Ok(0);
        }
        let fresh = |at: &usize| !tried.contains(at);
        let places: Vec<usize> = (0..self.all.len()).map(|n| (self.turn + n) % self.all.len()).collect();
        let mut some: Vec<usize> = places.iter().copied().filter(fresh).filter(|at| self.is_in(now, *at)).collect();
        if some.is_empty() {
            some = places.iter().copied().filter(fresh).collect();
        }
        if some.is_empty() {
            some = places;
        }
        if let Some(pace) = &self.pace {
            let free_at = |at: &usize| self.all[*at].beat.free_at(pace);
            let first = some.iter().map(free_at).min().unwrap_or(now);
            if first > now {
                return Err(first.since(now));
            }
            some.retain(|at| free_at(at) <= now);
        }
        let load = |at: usize| f64::from(self.all[at].in_flight + 1) / self.share(now, at);
        let least = some.iter().copied().min_by(|a, b| load(*a).total_cmp(&load(*b))).unwrap_or(0);
        let endpoint = &mut self.all[least];
        endpoint.in_flight += 1;
        if let Some(pace) = &self.pace {
            endpoint.beat.take(now, pace);
        }
        self.turn = (least + 1) % self.all.len();
        Ok(least)
    }

    /// A call came back, or was given up.
    pub(super) fn returned(&mut self, now: Timestamp, at: usize, said: Said) {
        let Ejection { failures, open, open_max, slow_start } = self.ejection;
        let alone = self.all.len() == 1;
        let endpoint = &mut self.all[at];
        endpoint.in_flight = endpoint.in_flight.saturating_sub(1);
        match said {
            Said::Nothing => {}
            Said::Works => {
                endpoint.failed = 0;
                if endpoint.warm_from.is_some_and(|from| now.since(from) >= slow_start) {
                    endpoint.ejections = 0;
                    endpoint.warm_from = None;
                }
            }
            Said::Fails => {
                endpoint.failed += 1;
                let is_out = endpoint.out_until.is_some_and(|until| until > now);
                // Where there is no other, it is called all the same: the breaker is for that.
                if endpoint.failed >= failures && !is_out && !alone {
                    let out = open.saturating_mul(1 << endpoint.ejections.min(16)).min(open_max);
                    endpoint.out_until = Some(now + out);
                    endpoint.warm_from = Some(now + out);
                    endpoint.ejections += 1;
                    // Back again, its first failure puts it out.
                    endpoint.failed = failures - 1;
                }
            }
        }
    }

    /// What a health check found.
    pub(super) fn checked(&mut self, now: Timestamp, at: usize, healthy: bool) {
        let endpoint = &mut self.all[at];
        if !healthy {
            endpoint.sick = endpoint.sick.saturating_add(1);
        } else if std::mem::take(&mut endpoint.sick) >= SICK_FROM {
            endpoint.warm_from = Some(now);
        }
    }

    pub(super) fn view(&self, now: Timestamp) -> Vec<EndpointView> {
        let one = |at: usize| {
            let endpoint = &self.all[at];
            let until = endpoint.out_until.filter(|until| *until > now);
            let state = match (endpoint.sick >= SICK_FROM, until) {
                (true, _) => "unhealthy",
                (false, Some(_)) => "ejected",
                (false, None) if self.share(now, at) < 1.0 => "starting",
                (false, None) => "in",
            };
            EndpointView { url: endpoint.url.to_string(), state, in_flight: endpoint.in_flight, until }
        };
        (0..self.all.len()).map(one).collect()
    }

    fn is_in(&self, now: Timestamp, at: usize) -> bool {
        let endpoint = &self.all[at];
        endpoint.sick < SICK_FROM && endpoint.out_until.is_none_or(|until| until <= now)
    }

    /// From a tenth to the whole.
    fn share(&self, now: Timestamp, at: usize) -> f64 {
        let Some(from) = self.all[at].warm_from else { return 1.0 };
        let whole = self.ejection.slow_start.as_secs_f64();
        if whole <= 0.0 { 1.0 } else { (now.since(from).as_secs_f64() / whole).clamp(SHARE_MIN, 1.0) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use evenkeel_model::Timestamp;

    use super::{Ejection, Endpoints, Said};

    fn three() -> Endpoints {
        let target = |n: u32| (format!("http://h{n}/"), format!("http://h{n}/").parse().unwrap());
        Endpoints::new((0..3).map(target).collect(), Ejection::default(), None)
    }

    fn at(s: u64) -> Timestamp {
        Timestamp::EPOCH + Duration::from_secs(s)
    }

    #[test]
    fn the_only_endpoint_is_never_out() {
        let target = ("http://h/".to_owned(), "http://h/".parse().unwrap());
        let mut all = Endpoints::new(vec![target], Ejection::default(), None);
        for _ in 0..100 {
            let place = all.pick(at(0), &[]).unwrap();
            all.returned(at(0), place, Said::Fails);
        }
        let view = &all.view(at(1))[0];
        assert_eq!((view.state, view.until), ("in", None), "the breaker is for that");
    }

    /// Calls that come back at once; how many each endpoint got.
    fn calls(endpoints: &mut Endpoints, now: Timestamp, n: usize) -> [usize; 3] {
        let mut got = [0; 3];
        for _ in 0..n {
            let place = endpoints.pick(now, &[]).unwrap();
            got[place] += 1;
            endpoints.returned(now, place, Said::Works);
        }
        got
    }

    fn eject(endpoints: &mut Endpoints, now: Timestamp, place: usize) {
        for _ in 0..5 {
            endpoints.returned(now, place, Said::Fails);
        }
    }

    #[test]
    fn calls_are_spread_in_turn_and_by_what_is_under_way() {
        let mut all = three();
        assert_eq!(calls(&mut all, at(0), 30), [10, 10, 10]);
        let held: Vec<usize> = (0..6).map(|_| all.pick(at(0), &[]).unwrap()).collect();
        assert_eq!([0, 1, 2].map(|p| held.iter().filter(|h| **h == p).count()), [2, 2, 2]);
        all.returned(at(0), 1, Said::Works);
        all.returned(at(0), 1, Said::Works);
        assert_eq!(
            [all.pick(at(0), &[]).unwrap(), all.pick(at(0), &[]).unwrap()],
            [1, 1],
            "it has the fewest under way"
        );
    }

    #[test]
    fn an_outlier_is_out_for_longer_each_time_and_comes_back_slowly() {
        let mut all = three();
        eject(&mut all, at(0), 1);
        assert_eq!(calls(&mut all, at(9), 20), [10, 0, 10]);
        assert_eq!(all.view(at(9))[1].state, "ejected");
        // Under load its share is small at first.
        let mut held = [0; 3];
        (0..42).for_each(|_| held[all.pick(at(11), &[]).unwrap()] += 1);
        assert!((1..=4).contains(&held[1]), "{held:?}");
        assert_eq!(all.view(at(11))[1].state, "starting");
        all.returned(at(12), 1, Said::Fails);
        assert_eq!(all.view(at(12))[1].until, Some(at(32)), "one failure is enough, and twice as long");
        assert_eq!(all.view(at(70))[1].state, "in");
    }

    #[test]
    fn when_all_are_out_all_are_in() {
        let mut all = three();
        (0..3).for_each(|place| eject(&mut all, at(0), place));
        assert_eq!(calls(&mut all, at(1), 30), [10, 10, 10]);
    }

    #[test]
    fn a_call_that_found_no_connection_goes_elsewhere() {
        let mut all = three();
        let first = all.pick(at(0), &[]).unwrap();
        let second = all.pick(at(0), &[first]).unwrap();
        let third = all.pick(at(0), &[first, second]).unwrap();
        let mut places = [first, second, third];
        places.sort_unstable();
        assert_eq!(places, [0, 1, 2]);
    }

    #[test]
    fn what_is_refused_accuses_no_endpoint_and_a_success_begins_the_count_again() {
        let mut all = three();
        for _ in 0..20 {
            all.returned(at(0), 0, Said::Nothing);
            (0..4).for_each(|_| all.returned(at(0), 1, Said::Fails));
            all.returned(at(0), 1, Said::Works);
        }
        assert!(all.view(at(0)).iter().all(|e| e.state == "in"));
    }

    #[test]
    fn two_failed_health_checks_put_it_out_and_one_good_one_brings_it_back() {
        let mut all = three();
        all.checked(at(0), 2, false);
        assert_eq!(all.view(at(0))[2].state, "in");
        all.checked(at(1), 2, false);
        assert_eq!(all.view(at(1))[2].state, "unhealthy");
        assert_eq!(calls(&mut all, at(100), 20), [10, 10, 0]);
        all.checked(at(101), 2, true);
        assert_eq!(all.view(at(101))[2].state, "starting");
    }

    #[test]
    fn each_endpoint_has_a_pace_of_its_own_and_the_others_take_what_one_may_not() {
        let target = |n: u32| (format!("http://h{n}/"), format!("http://h{n}/").parse().unwrap());
        let pace = super::Pace { per_second: 10.0, burst: 2 };
        let mut all = Endpoints::new((0..2).map(target).collect(), Ejection::default(), Some(pace));
        let mut got = [0; 2];
        for ms in 0..5000 {
            let now = at(1) + Duration::from_millis(ms);
            while let Ok(place) = all.pick(now, &[]) {
                got[place] += 1;
                all.returned(now, place, Said::Works);
            }
        }
        assert!(got.iter().all(|got| (50..=53).contains(got)), "{got:?} in 5 s");
        let wait = all.pick(at(1) + Duration::from_millis(4999), &[]).unwrap_err();
        assert!(wait <= Duration::from_millis(100), "{wait:?}");
        eject(&mut all, at(7), 0);
        assert!((0..2).all(|_| all.pick(at(7), &[]) == Ok(1)), "one that is out is not called for want of others");
        assert!(all.pick(at(7), &[]).is_err());
    }

    #[test]
    fn an_idle_endpoint_that_had_its_share_is_passed_over_for_a_busy_one_that_has_not() {
        let target = |n: u32| (format!("http://h{n}/"), format!("http://h{n}/").parse().unwrap());
        let pace = super::Pace { per_second: 10.0, burst: 1 };
        let mut all = Endpoints::new((0..2).map(target).collect(), Ejection::default(), Some(pace));
        let ms = |ms: u64| at(1) + Duration::from_millis(ms);
        assert_eq!((all.pick(ms(0), &[]), all.pick(ms(50), &[])), (Ok(0), Ok(1)));
        all.returned(ms(60), 1, Said::Works);
        assert_eq!(all.pick(ms(110), &[]), Ok(0), "the other one is free at 150 ms");
        assert_eq!(all.pick(ms(110), &[]), Err(Duration::from_millis(40)));
    }

    #[test]
    fn the_only_endpoint_has_a_pace_too() {
        let target = ("http://h/".to_owned(), "http://h/".parse().unwrap());
        let pace = super::Pace { per_second: 10.0, burst: 2 };
        let mut all = Endpoints::new(vec![target], Ejection::default(), Some(pace));
        let came = [(); 3].map(|()| all.pick(at(1), &[]));
        assert_eq!(came, [Ok(0), Ok(0), Err(Duration::from_millis(100))]);
    }
}
