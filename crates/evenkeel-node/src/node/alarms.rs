//! What an operator must hear of the log, said once when it begins and once when it ends: it has
//! stopped, a partition comes near its limit, the disk gets full, or is too quick to be one.
//!
//! [`Said::news`] decides, purely; a task looks and tells. It changes nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use evenkeel_log::{Log, Warning};
use evenkeel_model::Shard;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::config::units::show_size;
use crate::doctor::{self, Level};
use crate::happenings::{LogDoubtful, LogTrouble, LogWell};

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(2);
/// With less than this on the disk, checkpoints and segments may not find room.
const SCARCE: u64 = 256 << 20;
/// It is said to be over from here on, so that it is not said again and again.
const ROOM_AGAIN: u64 = 2 * SCARCE;

/// What was seen at one look.
#[derive(Clone, Debug, Default)]
struct Seen {
    stopped: Option<String>,
    /// What readers found damaged, each place.
    damage: Vec<String>,
    near: Vec<Near>,
    free: Option<u64>,
    /// Why what is written may not be on the medium.
    doubt: Option<String>,
}

/// A partition near its limit.
#[derive(Clone, Debug)]
struct Near {
    shard: Shard,
    bytes: u64,
    max: u64,
    /// Who owes its oldest records.
    owed: Option<String>,
}

/// Something to say.
#[derive(Clone, Debug, PartialEq, Eq)]
struct News {
    level: Level,
    text: String,
    fix: String,
}

/// What was said and is not over yet.
#[derive(Default)]
struct Said {
    stopped: bool,
    /// How many damaged places.
    damaged: usize,
    near: BTreeMap<Shard, bool>,
    scarce: bool,
    doubted: bool,
}

/// Tells until the node goes down.
pub(super) async fn tell(log: Log, data: PathBuf, mut stop: watch::Receiver<bool>) {
    let mut said = Said::default();
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            _ = crate::node::told_to_stop(&mut stop) => return,
        }
        crate::logs::sum_up();
        for News { level, text, fix } in said.news(look(&log, &data), &data.display().to_string()) {
            match level {
                Level::Bad => LogTrouble { fix, what: text }.tell(),
                Level::Warning => LogDoubtful { fix, what: text }.tell(),
                Level::Good => LogWell { what: text }.tell(),
            }
        }
    }
}

fn look(log: &Log, data: &std::path::Path) -> Seen {
    let near = log.nearly_full().into_iter().map(|fill| {
        let owed = log.owed(&fill.shard).into_iter().min_by_key(|(_, floor)| *floor).map(|(holder, _)| holder);
        Near { shard: fill.shard, bytes: fill.bytes, max: fill.max, owed }
    });
    // What the file system is was said when the node began.
    let doubt = log.warnings().into_iter().find(|w| matches!(w, Warning::TooQuick { .. }));
    let (free, doubt) = (doctor::free_bytes(data), doubt.map(|w| w.to_string()));
    let damage = log.damage().iter().map(ToString::to_string).collect();
    Seen { stopped: log.status().stopped, damage, near: near.collect(), free, doubt }
}

impl Said {
    fn news(&mut self, seen: Seen, data: &str) -> Vec<News> {
        let mut news: Vec<News> = seen.damage.iter().skip(self.damaged).map(|place| rotten(place, data)).collect();
        self.damaged = self.damaged.max(seen.damage.len());
        // Damage has stopped it, and says what to do.
        if let Some(why) =
            seen.stopped.filter(|_| seen.damage.is_empty()).filter(|_| !std::mem::replace(&mut self.stopped, true))
        {
            news.push(News {
                level: Level::Bad,
                text: format!("the log has stopped: {why}; nothing is acknowledged any more, reads go on"),
                fix: format!(
                    "find out what the device said (`evenkeel doctor --data {data}`), then start the node again"
                ),
            });
        }
        if let Some(text) = seen.doubt.filter(|_| !std::mem::replace(&mut self.doubted, true)) {
            let fix = format!("see what lies under the folder (`evenkeel doctor --data {data}`)");
            news.push(News { level: Level::Warning, text, fix });
        }
        news.extend(self.near(&seen.near));
        news.extend(seen.free.and_then(|free| self.room(free)));
        news
    }

    fn near(&mut self, seen: &[Near]) -> Vec<News> {
        let mut news = Vec::new();
        for near in seen {
            let full = near.bytes >= near.max;
            if self.near.insert(near.shard.clone(), full) == Some(full) {
                continue;
            }
            news.push(near.news(full));
        }
        let over = |shard: &Shard| !seen.iter().any(|near| near.shard == *shard);
        for shard in self.near.extract_if(.., |shard, _| over(shard)).map(|(shard, _)| shard) {
            let text = format!("`{}` partition {} is well below its limit again", shard.topic, shard.partition);
            news.push(News { level: Level::Good, text, fix: String::new() });
        }
        news
    }

    fn room(&mut self, free: u64) -> Option<News> {
        let (was, bytes) = (self.scarce, show_size(free >> 20 << 20));
        self.scarce = free < SCARCE || (was && free < ROOM_AGAIN);
        match (was, self.scarce) {
            (false, true) => Some(News {
                level: Level::Bad,
                text: format!("{bytes} are left on the disk of the data folder"),
                fix: "make room, or let topics keep less; when nothing is left producers are refused".to_owned(),
            }),
            (true, false) => {
                Some(News { level: Level::Good, text: format!("the disk has room again: {bytes}"), fix: String::new() })
            }
            _ => None,
        }
    }
}

fn rotten(place: &str, data: &str) -> News {
    News {
        level: Level::Bad,
        text: format!("the log is damaged at {place}; what is whole is read, and nothing is written any more"),
        fix: format!(
            "copy the folder, stop the node, look with `evenkeel log verify {data}`; `evenkeel log repair {data}` says what it would give up"
        ),
    }
}

impl Near {
    fn news(&self, full: bool) -> News {
        let percent = u128::from(self.bytes) * 100 / u128::from(self.max.max(1));
        let owed = self.owed.as_ref().map(|by| format!("; `{by}` owes its oldest records")).unwrap_or_default();
        let (topic, partition) = (&self.shard.topic, self.shard.partition);
        News {
            level: if full { Level::Bad } else { Level::Warning },
            text: format!(
                "`{topic}` partition {partition} has filled {percent} % of its limit of {}{owed}",
                show_size(self.max)
            ),
            fix: format!("let the subscription catch up, or raise `topics.{topic}.retention.limit`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use evenkeel_model::Shard;

    use super::{Near, Said, Seen};
    use crate::doctor::Level;

    fn near(bytes: u64) -> Seen {
        let near = Near { shard: Shard::new("orders", 3), bytes, max: 100 << 20, owed: Some("payment".to_owned()) };
        Seen { near: vec![near], ..Seen::default() }
    }

    fn free(mib: u64) -> Seen {
        Seen { free: Some(mib << 20), ..Seen::default() }
    }

    fn levels(said: &mut Said, seen: Seen) -> Vec<Level> {
        said.news(seen, "d").iter().map(|n| n.level).collect()
    }

    #[test]
    fn a_partition_near_its_limit_is_told_once_again_when_it_is_full_and_when_it_is_over() {
        let mut said = Said::default();
        let first = said.news(near(83 << 20), "d");
        assert_eq!(
            first[0].text,
            "`orders` partition 3 has filled 83 % of its limit of 100MiB; `payment` owes its oldest records"
        );
        assert_eq!(levels(&mut said, near(84 << 20)), []);
        assert_eq!(levels(&mut said, near(100 << 20)), [Level::Bad]);
        assert_eq!(levels(&mut said, Seen::default()), [Level::Good]);
        assert_eq!(levels(&mut said, Seen::default()), []);
    }

    #[test]
    fn a_stopped_log_is_told_once_and_with_what_to_do() {
        let mut said = Said::default();
        let stopped = Seen { stopped: Some("a flush failed".to_owned()), ..Seen::default() };
        let news = said.news(stopped.clone(), "/data");
        assert!(news[0].level == Level::Bad && news[0].fix.contains("evenkeel doctor --data /data"), "{news:?}");
        assert_eq!(said.news(stopped, "/data"), []);
    }

    #[test]
    fn damage_that_was_met_is_told_place_by_place_and_not_as_a_device_that_failed() {
        let mut said = Said::default();
        let met = |places: &[&str]| Seen {
            damage: places.iter().map(ToString::to_string).collect(),
            stopped: Some("the log is damaged at a".to_owned()),
            ..Seen::default()
        };
        let news = said.news(met(&["a"]), "/data");
        assert!(news.len() == 1 && news[0].fix.contains("evenkeel log verify /data"), "{news:?}");
        assert_eq!(said.news(met(&["a"]), "/data"), []);
        let news = said.news(met(&["a", "b"]), "/data");
        assert!(news.len() == 1 && news[0].text.starts_with("the log is damaged at b;"), "{news:?}");
    }

    #[test]
    fn a_disk_that_is_too_quick_to_be_one_is_told_once() {
        let mut said = Said::default();
        let quick = |us: u32| Seen { doubt: Some(format!("durable writes take {us} µs")), ..Seen::default() };
        assert_eq!(said.news(quick(2), "d")[0].text, "durable writes take 2 µs");
        assert_eq!(levels(&mut said, quick(3)), [], "the mean moves, the doubt is the same");
    }

    #[test]
    fn a_disk_that_wavers_at_the_edge_is_told_once() {
        let mut said = Said::default();
        assert_eq!(levels(&mut said, free(300)), []);
        assert_eq!(levels(&mut said, free(255)), [Level::Bad]);
        assert_eq!(levels(&mut said, free(257)), []);
        assert_eq!(levels(&mut said, free(600)), [Level::Good]);
        assert_eq!(levels(&mut said, free(257)), []);
    }
}
