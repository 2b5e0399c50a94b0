//! URIs and URI references (RFC 3986), by their characters and their shape. Nothing is resolved
//! and nothing is normalised.

/// Whether `text` is a URI with a scheme (an absolute URI; a fragment is allowed).
pub(crate) fn is_absolute(text: &str) -> bool {
    is_reference(text) && scheme_of(text).is_some_and(is_scheme)
}

/// Whether `text` is a URI reference that is not empty.
pub(crate) fn is_reference(text: &str) -> bool {
    if text.is_empty() || !characters_are_allowed(text) {
        return false;
    }
    let (before_fragment, fragment) = text.split_once('#').unwrap_or((text, ""));
    if fragment.contains(['#', '[', ']']) || scheme_of(text).is_some_and(|s| !is_scheme(s)) {
        return false;
    }
    let (before_query, query) = before_fragment.split_once('?').unwrap_or((before_fragment, ""));
    if query.contains(['[', ']']) {
        return false;
    }
    let after_scheme = scheme_of(text).map_or(before_query, |s| &before_query[s.len() + 1..]);
    match after_scheme.strip_prefix("//") {
        None => !after_scheme.contains(['[', ']']),
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            is_authority(authority) && !path.contains(['[', ']'])
        }
    }
}

/// What stands before the first colon, when no `/`, `?` or `#` comes before it.
fn scheme_of(text: &str) -> Option<&str> {
    let end = text.find([':', '/', '?', '#'])?;
    text[end..].starts_with(':').then(|| &text[..end])
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// `[userinfo@]host[:port]`; brackets only around an IP literal.
fn is_authority(authority: &str) -> bool {
    let host_and_port = authority
        .rsplit_once('@')
        .map_or(authority, |(userinfo, rest)| if userinfo.contains(['[', ']', '@']) { "[" } else { rest });
    let port = if let Some(literal) = host_and_port.strip_prefix('[') {
        let Some((address, rest)) = literal.split_once(']') else { return false };
        if address.is_empty() || address.contains(['[', ']']) || rest.contains(['[', ']']) {
            return false;
        }
        if rest.is_empty() { Some("") } else { rest.strip_prefix(':') }
    } else if host_and_port.contains(['[', ']']) {
        None
    } else {
        Some(host_and_port.split_once(':').map_or("", |(_, port)| port))
    };
    port.is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()))
}

fn characters_are_allowed(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'%' => is_hex(at + 1) && is_hex(at + 2),
        b => b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(b),
    })
}

#[cfg(test)]
mod tests;
