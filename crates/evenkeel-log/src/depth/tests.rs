//! What a log learns from a device that gains by several writes at once, and from one that does not.

use std::time::Duration;

use evenkeel_model::Timestamp;

use super::{Depth, REST};

/// A device on which so many groups of 100 KB land in a millisecond, by the depth.
struct Device {
    now: Timestamp,
    depth: usize,
    /// Every depth that was turned to.
    tried: Vec<usize>,
}

impl Device {
    fn new() -> Device {
        Device { now: Timestamp::from_millis(1_000_000), depth: 1, tried: Vec::new() }
    }

    /// Works for so long; each group takes what `group_us` says of the depth and the time in milliseconds.
    fn work(&mut self, of: &mut Depth, time: Duration, busy: bool, group_us: impl Fn(usize, u64) -> u64) {
        let until = self.now + time;
        let began = self.now;
        while self.now < until {
            let ms = u64::try_from(self.now.since(began).as_millis()).expect("a short time");
            self.now = self.now + Duration::from_micros(group_us(self.depth, ms).max(1));
            if let Some(depth) = of.landed(self.now, 100_000, busy) {
                self.depth = depth;
                self.tried.push(depth);
            }
        }
    }
}

const TEN_SECONDS: Duration = Duration::from_secs(10);

#[test]
fn a_device_that_gains_by_two_writes_gets_two_and_not_four() {
    let (mut device, mut depth) = (Device::new(), Depth::new(4));
    device.work(&mut depth, TEN_SECONDS, true, |depth, _| [0, 200, 120, 120, 118][depth]);
    assert_eq!(device.depth, 2);
    assert!(device.tried.contains(&4), "four was tried as well");
}

#[test]
fn a_device_that_gains_by_four_writes_gets_four() {
    let (mut device, mut depth) = (Device::new(), Depth::new(4));
    device.work(&mut depth, TEN_SECONDS, true, |depth, _| 400 / depth as u64);
    assert_eq!(device.depth, 4);
}

#[test]
fn a_device_that_gains_nothing_gets_one_and_is_left_alone_for_long() {
    let (mut device, mut depth) = (Device::new(), Depth::new(4));
    device.work(&mut depth, Duration::from_secs(3), true, |_, _| 200);
    let tried = device.tried.len();
    assert_eq!((device.depth, tried > 4), (1, true), "it tried, and went back");
    device.work(&mut depth, REST - Duration::from_secs(10), true, |_, _| 200);
    assert_eq!(device.tried.len(), tried);
    device.work(&mut depth, Duration::from_secs(20), true, |depth, _| 400 / depth as u64);
    assert_eq!(device.depth, 4, "the device changed, and it tried again");
}

#[test]
fn a_gain_that_is_gone_is_given_up() {
    let (mut device, mut depth) = (Device::new(), Depth::new(2));
    device.work(&mut depth, TEN_SECONDS, true, |depth, _| 400 / depth as u64);
    assert_eq!(device.depth, 2);
    device.work(&mut depth, REST + TEN_SECONDS, true, |_, _| 200);
    assert_eq!(device.depth, 1);
}

#[test]
fn a_device_that_comes_and_goes_is_not_taken_for_a_gain() {
    let (mut device, mut depth) = (Device::new(), Depth::new(4));
    // A burst of something else on the device: everything is slow for a second, whatever the depth.
    device.work(&mut depth, TEN_SECONDS, true, |_, ms| if ms < 600 { 600 } else { 200 });
    assert_eq!(device.depth, 1);
}

#[test]
fn one_appender_and_a_log_that_rests_between_groups_change_nothing() {
    let (mut device, mut depth) = (Device::new(), Depth::new(4));
    device.work(&mut depth, TEN_SECONDS, false, |_, _| 200);
    device.work(&mut depth, TEN_SECONDS, true, |_, _| 50_000);
    assert_eq!(device.tried, [0; 0]);
}

#[test]
fn a_load_that_ends_in_the_middle_of_a_trial_leaves_the_lower_depth() {
    let (mut device, mut depth) = (Device::new(), Depth::new(4));
    while device.depth == 1 {
        device.work(&mut depth, Duration::from_millis(1), true, |depth, _| 400 / depth as u64);
    }
    device.now = device.now + Duration::from_secs(60);
    device.work(&mut depth, Duration::from_millis(1), true, |_, _| 500);
    assert_eq!(device.depth, 1);
}

#[test]
fn where_one_is_the_most_nothing_is_tried() {
    let (mut device, mut depth) = (Device::new(), Depth::new(1));
    device.work(&mut depth, TEN_SECONDS, true, |depth, _| 400 / depth as u64);
    assert_eq!(device.tried, [0; 0]);
}

#[test]
fn bursts_with_rests_between_them_are_no_load_to_measure() {
    let (mut device, mut depth) = (Device::new(), Depth::new(4));
    // Ten busy groups, then thirty milliseconds of nothing, again and again.
    device.work(&mut depth, TEN_SECONDS, true, |_, ms| if ms % 40 < 10 { 1_000 } else { 30_000 });
    assert_eq!(device.tried, [0; 0]);
}
