//! JSON text, token by token, without recursion: how deep it nests, and what is left of it
//! without the white space between tokens.

/// The deepest nesting of arrays and objects. Of text that is not JSON, some number.
pub(super) fn nesting(text: &[u8]) -> usize {
    let (mut deepest, mut depth) = (0_usize, 0_usize);
    let mut strings = Strings::default();
    for byte in text {
        if strings.is_outside(*byte) {
            match byte {
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            deepest = deepest.max(depth);
        }
    }
    deepest
}

/// The JSON text without the white space between its tokens.
pub(super) fn compact(text: &str) -> String {
    let mut strings = Strings::default();
    let is_kept = |c: char| {
        let is_space = matches!(c, ' ' | '\t' | '\n' | '\r');
        let is_outside = u8::try_from(c).map_or(!strings.within, |byte| strings.is_outside(byte));
        !(is_space && is_outside)
    };
    text.chars()
        .filter({
            let mut is_kept = is_kept;
            move |c| is_kept(*c)
        })
        .collect()
}

/// Whether the text is within a string.
#[derive(Default)]
struct Strings {
    within: bool,
    escaped: bool,
}

impl Strings {
    /// Takes the next byte, and says whether it stands outside strings. A string's opening
    /// quotation mark does; no byte that matters stands with it.
    fn is_outside(&mut self, byte: u8) -> bool {
        let was_outside = !self.within;
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.within => self.escaped = true,
            b'"' => self.within = !self.within,
            _ => {}
        }
        was_outside
    }
}
