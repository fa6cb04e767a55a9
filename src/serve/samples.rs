//! The Prometheus text format, as far as this program writes it.

/// The samples of an exposition, in its order.
#[derive(Debug)]
pub(super) struct Samples(Vec<Sample>);

#[derive(Debug, PartialEq)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

impl Samples {
    /// Reads what is a sample and passes over the rest.
    pub(super) fn of(text: &str) -> Self {
        Self(text.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect())
    }

    /// The value of the first series of a metric, 0 if there is none.
    pub(super) fn value(&self, name: &str) -> f64 {
        self.all(name).next().map_or(0.0, |sample| sample.value)
    }

    /// The sum over all series of a metric.
    pub(super) fn sum(&self, name: &str) -> f64 {
        self.all(name).map(|sample| sample.value).sum()
    }

    /// Each series of a metric by the value of its label; numbers ascend, texts follow.
    pub(super) fn by(&self, name: &str, label: &str) -> Vec<(&str, f64)> {
        let mut series: Vec<(&str, f64)> =
            self.all(name).filter_map(|sample| Some((sample.label(label)?, sample.value))).collect();
        series.sort_by_key(|(value, _)| (value.parse().unwrap_or(u64::MAX), value.to_owned()));
        series
    }

    /// The value of the series of a metric that has this label.
    pub(super) fn with(&self, name: &str, label: &str, value: &str) -> f64 {
        self.all(name).find(|sample| sample.label(label) == Some(value)).map_or(0.0, |sample| sample.value)
    }

    /// A label of the first series of a metric.
    pub(super) fn label(&self, name: &str, label: &str) -> &str {
        self.all(name).find_map(|sample| sample.label(label)).unwrap_or_default()
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &Sample> {
        self.0.iter().filter(move |sample| sample.name == name)
    }
}

impl Sample {
    fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, quoted) = rest.trim_start_matches(',').split_once("=\"")?;
            let (value, after) = unquote(quoted)?;
            labels.push((label.to_owned(), value));
            rest = after;
        }
        rest = &rest[1..];
    }
    let value = rest.trim().parse().ok()?;
    Some(Sample { name: name.to_owned(), labels, value })
}

/// Reads up to the closing quote; returns what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    loop {
        match characters.next()? {
            (at, '"') => return Some((value, &text[at + 1..])),
            (_, '\\') => value.push(match characters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            (_, other) => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_with_their_labels() {
        let text = "# HELP a Some \"text\".\n# TYPE a gauge\na 1.5\n\
                    b{pipeline=\"p\",cluster=\"10\"} 2\nb{pipeline=\"p\",cluster=\"other\"} 4\nb{pipeline=\"p\",cluster=\"9\"} 3\n\
                    c{reason=\"a \\\"b\\\\c\\\" d\\n}\"} 1e-3\n\nd NaN\n";
        let samples = Samples::of(text);
        assert_eq!((samples.value("a"), samples.value("none"), samples.sum("b")), (1.5, 0.0, 9.0));
        assert_eq!(samples.by("b", "cluster"), [("9", 3.0), ("10", 2.0), ("other", 4.0)]);
        assert_eq!(samples.with("b", "cluster", "10"), 2.0);
        assert_eq!(samples.by("c", "reason"), [("a \"b\\c\" d\n}", 0.001)]);
        assert_eq!(samples.label("b", "pipeline"), "p");
        assert!(samples.value("d").is_nan());
    }

    #[test]
    fn what_is_no_sample_is_passed_over() {
        for line in ["", "a", "a{", "a{b", "a{b=\"c", "a{b=\"c\\", "a{b=\"c\"", "a{b=\"c\"}", "a x", "{", "a{,"] {
            assert_eq!(sample(line), None, "{line}");
        }
    }
}
