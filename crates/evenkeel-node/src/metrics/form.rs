//! In which form a metrics page is wanted: what `Accept` and `Accept-Encoding` ask for.
//!
//! Nobody is refused: who asks for nothing that is known is answered in text 0.0.4, as every Prometheus reads it.

use axum::http::{HeaderMap, header};

/// A form of a metrics page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Prometheus' text 0.0.4.
    Text,
    /// OpenMetrics 1.0: with units and exemplars.
    OpenMetrics,
    /// Prometheus' protobuf, length-delimited: with native histograms.
    Protobuf,
}

impl Form {
    /// All of them.
    pub const ALL: [Form; 3] = [Form::Text, Form::OpenMetrics, Form::Protobuf];

    /// Its content type.
    pub fn content_type(self) -> &'static str {
        match self {
            Form::Text => "text/plain; version=0.0.4; charset=utf-8",
            Form::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Form::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        }
    }

    /// What a request asks for.
    pub(super) fn asked(headers: &HeaderMap) -> Form {
        let wanted = listed(headers, header::ACCEPT).filter_map(|word| Some((quality(&word)?, named(&word)?)));
        // Of those that are wanted as much the first counts.
        let best = wanted.fold(None, |best: Option<(f32, Form)>, (quality, form)| match best {
            Some((most, _)) if most >= quality => best,
            _ => Some((quality, form)),
        });
        best.map_or(Form::Text, |(_, form)| form)
    }
}

/// Whether the answer may be compressed.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    listed(headers, header::ACCEPT_ENCODING).any(|word| {
        let name = word.split(';').next().unwrap_or_default().trim();
        name == "gzip" && quality(&word).is_some()
    })
}

/// The members of a header's list, in small letters.
fn listed(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = String> {
    let texts = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).map(|word| word.trim().to_ascii_lowercase()).collect::<Vec<_>>().into_iter()
}

fn parameter<'w>(word: &'w str, name: &str) -> Option<&'w str> {
    let parameters = word.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    parameters.map(|(name, value)| (name.trim(), value.trim().trim_matches('"'))).find(|(n, _)| *n == name).map(|p| p.1)
}

/// How much it is wanted; none when it is not.
fn quality(word: &str) -> Option<f32> {
    let quality = parameter(word, "q").map_or(Some(1.0), |q| q.parse().ok())?;
    (quality > 0.0).then_some(quality)
}

fn named(word: &str) -> Option<Form> {
    let version = |known: &[&str]| parameter(word, "version").is_none_or(|version| known.contains(&version));
    match word.split(';').next()?.trim() {
        "application/openmetrics-text" if version(&["1.0.0", "0.0.1"]) => Some(Form::OpenMetrics),
        "application/vnd.google.protobuf"
            if parameter(word, "proto") == Some("io.prometheus.client.metricfamily")
                && parameter(word, "encoding").is_none_or(|encoding| encoding == "delimited") =>
        {
            Some(Form::Protobuf)
        }
        "text/plain" if version(&["0.0.4"]) => Some(Form::Text),
        "text/*" | "*/*" => Some(Form::Text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{Form, takes_gzip};

    fn asked(accept: &str) -> Form {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
        Form::asked(&headers)
    }

    #[test]
    fn the_form_that_is_wanted_most_is_given_and_the_first_of_equals() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(asked(prometheus), Form::OpenMetrics);
        let native = format!(
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,{prometheus}"
        );
        assert_eq!(asked(&native), Form::Protobuf);
        assert_eq!(asked("application/openmetrics-text; version=1.0.0; q=0.2, text/plain; q=0.3"), Form::Text);
        assert_eq!(asked("application/openmetrics-text; q=0, */*; q=0.1"), Form::Text);
    }

    #[test]
    fn what_nobody_knows_is_answered_in_text() {
        assert_eq!(Form::asked(&HeaderMap::new()), Form::Text);
        assert_eq!(asked("application/openmetrics-text; version=7.0.0"), Form::Text);
        assert_eq!(asked("image/png"), Form::Text);
        assert_eq!(asked("application/vnd.google.protobuf; proto=other; encoding=delimited"), Form::Text);
    }

    #[test]
    fn gzip_is_given_to_whom_it_is_welcome() {
        let with = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_str(text).unwrap());
            takes_gzip(&headers)
        };
        assert!(with("gzip") && with("br, GZIP;q=0.5"));
        assert!(!with("br") && !with("gzip;q=0") && !takes_gzip(&HeaderMap::new()));
    }
}
