//! The seven kinds, one file each: what its `spec` may say, and the rules for that.

pub mod services;
pub mod data_source;
pub mod sli;
pub mod slo;
pub mod time_window;
pub mod alert_policy;
pub mod alert_condition;
pub mod alert_target;
