//! The files that the page needs, in the binary. Their names hold a hash of their contents, so
//! that a browser may keep them for ever.

use std::sync::LazyLock;

const STYLE: &str = include_str!("assets/page.css");
const SCRIPT: &str = include_str!("assets/page.js");
const MARK: &str = include_str!("assets/mark.svg");

/// The icon's path; it does not change.
pub(super) const ICON: &str = "/assets/mark.svg";

static STYLE_PATH: LazyLock<String> = LazyLock::new(|| path("css", STYLE));
static SCRIPT_PATH: LazyLock<String> = LazyLock::new(|| path("js", SCRIPT));

/// Where the style sheet is.
pub(super) fn style_path() -> &'static str {
    &STYLE_PATH
}

/// Where the script is.
pub(super) fn script_path() -> &'static str {
    &SCRIPT_PATH
}

/// The asset at `path` (`/assets/…`): its content type and its bytes. What is found here may be
/// cached for ever (`cache-control: public, max-age=31536000, immutable`).
pub fn asset(path: &str) -> Option<(&'static str, &'static [u8])> {
    match path {
        p if p == style_path() => Some(("text/css; charset=utf-8", STYLE.as_bytes())),
        p if p == script_path() => Some(("text/javascript; charset=utf-8", SCRIPT.as_bytes())),
        ICON => Some(("image/svg+xml", MARK.as_bytes())),
        _ => None,
    }
}

/// FNV-1a of the contents is enough to tell versions apart.
fn path(ending: &str, contents: &str) -> String {
    let hash = contents
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("/assets/page-{hash:016x}.{ending}")
}
