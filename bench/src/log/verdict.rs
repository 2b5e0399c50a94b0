//! Ratios against their floors and goals.

use std::collections::BTreeMap;

use super::measured::Measured;

/// What a row must show.
pub(crate) struct Check {
    pub(crate) name: &'static str,
    compared: Compared,
    /// Below (or above) it the row fails.
    floor: Option<f64>,
    goal: f64,
    better: Better,
}

#[derive(Clone, Copy)]
enum Better {
    More,
    Less,
}

/// One figure of one trial, or the ratio of two.
pub(crate) struct Compared {
    of: &'static str,
    to: Option<&'static str>,
    figure: Figure,
}

/// What is compared.
#[derive(Clone, Copy)]
pub(crate) enum Figure {
    Rate,
    Bytes,
    P99,
    P99Ms,
    Rss,
    Wakes,
}

/// What a check came to.
pub(crate) struct Verdict {
    pub(crate) value: f64,
    pub(crate) word: &'static str,
    pub(crate) wanted: String,
}

impl Compared {
    pub(crate) fn with(of: &'static str, to: &'static str, figure: Figure) -> Compared {
        Compared { of, to: Some(to), figure }
    }

    pub(crate) fn alone(of: &'static str, figure: Figure) -> Compared {
        Compared { of, to: None, figure }
    }

    fn value(&self, medians: &BTreeMap<String, Measured>) -> Option<f64> {
        let of = self.figure.of(medians.get(self.of)?);
        match self.to {
            Some(to) => Some(of / self.figure.of(medians.get(to)?)),
            None => Some(of),
        }
    }
}

impl Figure {
    fn of(self, measured: &Measured) -> f64 {
        match self {
            Figure::Rate => measured.rate,
            Figure::Bytes => measured.bytes_per_second,
            Figure::P99 => measured.p99_us,
            Figure::P99Ms => measured.p99_us / 1000.0,
            Figure::Rss => measured.rss_mb,
            Figure::Wakes => measured.wakes_per_second,
        }
    }
}

impl Check {
    pub(crate) fn more(name: &'static str, compared: Compared, floor: Option<f64>, goal: f64) -> Check {
        Check { name, compared, floor, goal, better: Better::More }
    }

    pub(crate) fn less(name: &'static str, compared: Compared, floor: Option<f64>, goal: f64) -> Check {
        Check { name, compared, floor, goal, better: Better::Less }
    }

    /// `None` when a trial that it needs did not run.
    pub(crate) fn verdict(&self, medians: &BTreeMap<String, Measured>) -> Option<Verdict> {
        let value = self.compared.value(medians)?;
        let word = match self.floor {
            _ if self.reaches(value, self.goal) => "goal",
            Some(floor) if self.reaches(value, floor) => "floor",
            Some(_) => "BELOW THE FLOOR",
            None => "goal missed",
        };
        Some(Verdict { value, word, wanted: self.wanted() })
    }

    fn reaches(&self, value: f64, bound: f64) -> bool {
        match self.better {
            Better::More => value >= bound,
            Better::Less => value <= bound,
        }
    }

    fn wanted(&self) -> String {
        let sign = match self.better {
            Better::More => '≥',
            Better::Less => '≤',
        };
        match self.floor {
            Some(floor) => format!("floor {sign} {floor}, goal {sign} {}", self.goal),
            None => format!("goal {sign} {}", self.goal),
        }
    }
}
