//! What an operator hears of: a happening is one struct, from which its log line, its count in `/metrics` and its
//! line in the reference derive.
//!
//! [`happenings!`](crate::happenings!) declares a crate's. Telling one writes a `tracing` event whose field `kind`
//! is its name, and counts it; who writes lines, and how many of a kind, is for the subscriber to say.
//! Invariants: a kind's name is told by no other; what is counted does not depend on who listens.

use std::sync::atomic::{AtomicU64, Ordering};

/// What may happen.
#[derive(Debug)]
pub struct Kind {
    /// Its name, in small letters with dashes.
    pub name: &'static str,
    /// How grave it is.
    pub level: tracing::Level,
    /// The line's text; `{field}` stands for what the field says.
    pub says: &'static str,
    /// The fields of its line.
    pub fields: &'static [&'static str],
    count: AtomicU64,
}

impl Kind {
    /// A kind that has not happened yet.
    pub const fn new(
        name: &'static str,
        level: tracing::Level,
        says: &'static str,
        fields: &'static [&'static str],
    ) -> Kind {
        Kind { name, level, says, fields, count: AtomicU64::new(0) }
    }

    /// How often it happened since the process began.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// It happened once more.
    pub fn happened(&self) {
        self.count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Declares what may happen in a crate: a struct for each, with a method `tell`, and `kinds()`, which lists them.
///
/// A line is its level, its kind, the struct, its fields, in parentheses what stands in its text alone, and the text.
///
/// ```
/// evenkeel_transport::happenings! {
///     /// A tap was left open.
///     WARN "tap-open" TapOpen { room: String, litres: u64 } "water runs in {room}";
/// }
/// TapOpen { room: "kitchen".to_owned(), litres: 3 }.tell();
/// assert_eq!((kinds()[0].name, kinds()[0].count()), ("tap-open", 1));
/// ```
#[macro_export]
macro_rules! happenings {
    ($($(#[$doc:meta])* $level:ident $kind:literal $name:ident { $($field:ident: $type:ty),* } $(($text:ident: $text_type:ty))? $says:literal;)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug)]
            pub(crate) struct $name { $(pub(crate) $field: $type,)* $(pub(crate) $text: $text_type)? }

            impl $name {
                fn kind() -> &'static $crate::happening::Kind {
                    static KIND: $crate::happening::Kind = $crate::happening::Kind::new(
                        $kind,
                        ::tracing::Level::$level,
                        $says,
                        &[$(stringify!($field)),*],
                    );
                    &KIND
                }

                /// Counts it, and writes its line.
                pub(crate) fn tell(self) {
                    let $name { $($field,)* $($text)? } = self;
                    Self::kind().happened();
                    ::tracing::event!(::tracing::Level::$level, kind = $kind, $($field,)* $says);
                }
            }
        )+

        /// All that may happen here.
        pub fn kinds() -> Vec<&'static $crate::happening::Kind> {
            vec![$($name::kind()),+]
        }
    };
}
