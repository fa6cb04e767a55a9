//! A Kafka record that cannot be used, as it goes to the dead-letter topic.
//!
//! Key, value and headers stay as they are; the reason is added as headers with the names of Kafka Connect's
//! `DeadLetterQueueReporter`, all of them UTF-8 text, so that tools that read its dead letters read ours.

/// A record and what is wrong with it.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// The topic it was consumed from.
    pub topic: &'a str,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Its headers, in order.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
    /// Where it failed.
    pub stage: Stage,
    /// The short name of the fault, as it is counted.
    pub reason: &'a str,
    /// One sentence about it.
    pub detail: &'a str,
    /// Name of the pipeline.
    pub pipeline: &'a str,
    /// The worker that found it.
    pub worker: usize,
}

/// Where a record failed, by the names of Kafka Connect's stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It could not be decoded.
    Decode,
    /// It was decoded, and its columns cannot be used.
    Featurise,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Decode => "VALUE_CONVERTER",
            Self::Featurise => "TRANSFORMATION",
        }
    }
}

/// What is produced to the dead-letter topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadRecord {
    /// The key as it was.
    pub key: Option<Vec<u8>>,
    /// The value as it was, unless it was too large.
    pub value: Option<Vec<u8>>,
    /// The headers as they were, then those that say what happened.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// What goes to the dead-letter topic for a failed record.
///
/// A value of more than `most_bytes` would not be accepted by the broker: it stays where it is, at the topic, partition and
/// offset that the headers name, and a header `evenkeel.value.bytes` tells its size. Headers of an earlier failure are kept
/// before the new ones, as Kafka Connect does: readers take the last of a name.
pub fn dead_record(failure: &Failure<'_>, most_bytes: usize) -> DeadRecord {
    let mut headers: Vec<(String, Option<Vec<u8>>)> =
        (failure.headers.iter()).map(|(name, value)| ((*name).to_owned(), value.map(<[u8]>::to_vec))).collect();
    let facts = [
        ("topic", failure.topic.to_owned()),
        ("partition", failure.partition.to_string()),
        ("offset", failure.offset.to_string()),
        ("connector.name", failure.pipeline.to_owned()),
        ("task.id", failure.worker.to_string()),
        ("stage", failure.stage.name().to_owned()),
        ("class.name", "evenkeel".to_owned()),
        ("exception.class.name", format!("evenkeel.{}", failure.reason)),
        ("exception.message", failure.detail.to_owned()),
    ];
    headers.extend(facts.map(|(name, text)| (format!("__connect.errors.{name}"), Some(text.into_bytes()))));
    let value = failure.value.filter(|value| value.len() <= most_bytes);
    if let (Some(whole), None) = (failure.value, value) {
        headers.push(("evenkeel.value.bytes".to_owned(), Some(whole.len().to_string().into_bytes())));
    }
    DeadRecord { key: failure.key.map(<[u8]>::to_vec), value: value.map(<[u8]>::to_vec), headers }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILURE: Failure<'static> = Failure {
        topic: "pumps",
        partition: 3,
        offset: 41,
        key: Some(b"pump-7"),
        value: Some(b"\xff\x00{"),
        headers: &[("trace", Some(b"abc")), ("empty", None)],
        stage: Stage::Decode,
        reason: "undecodable",
        detail: "it is no JSON: größer",
        pipeline: "halle",
        worker: 1,
    };

    fn text<'a>(record: &'a DeadRecord, name: &str) -> &'a str {
        let (_, value) = record.headers.iter().rfind(|(header, _)| header == name).unwrap();
        std::str::from_utf8(value.as_ref().unwrap()).unwrap()
    }

    #[test]
    fn key_value_and_headers_stay_as_they_were() {
        let record = dead_record(&FAILURE, 100);
        assert_eq!(record.key.as_deref(), Some(&b"pump-7"[..]));
        assert_eq!(record.value.as_deref(), Some(&b"\xff\x00{"[..]));
        assert_eq!(record.headers[..2], [("trace".to_owned(), Some(b"abc".to_vec())), ("empty".to_owned(), None)]);
    }

    #[test]
    fn the_headers_are_those_of_kafka_connect() {
        let record = dead_record(&FAILURE, 100);
        let said: Vec<(&str, &str)> =
            record.headers[2..].iter().map(|(name, _)| (name.as_str(), text(&record, name))).collect();
        let expected = [
            ("__connect.errors.topic", "pumps"),
            ("__connect.errors.partition", "3"),
            ("__connect.errors.offset", "41"),
            ("__connect.errors.connector.name", "halle"),
            ("__connect.errors.task.id", "1"),
            ("__connect.errors.stage", "VALUE_CONVERTER"),
            ("__connect.errors.class.name", "evenkeel"),
            ("__connect.errors.exception.class.name", "evenkeel.undecodable"),
            ("__connect.errors.exception.message", "it is no JSON: größer"),
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn a_tombstone_stays_a_tombstone() {
        let record = dead_record(&Failure { key: None, value: None, ..FAILURE }, 100);
        assert_eq!((record.key, record.value), (None, None));
    }

    #[test]
    fn a_value_that_no_broker_would_take_is_told_by_its_size() {
        let record = dead_record(&FAILURE, 2);
        assert_eq!(record.value, None);
        assert_eq!(text(&record, "evenkeel.value.bytes"), "3");
        assert_eq!(text(&record, "__connect.errors.offset"), "41");
        assert!(!dead_record(&FAILURE, 3).headers.iter().any(|(name, _)| name == "evenkeel.value.bytes"));
    }

    #[test]
    fn a_record_that_failed_before_tells_the_last_failure_last() {
        let old: &[(&str, Option<&[u8]>)] = &[("__connect.errors.topic", Some(b"first"))];
        let record = dead_record(&Failure { headers: old, stage: Stage::Featurise, ..FAILURE }, 100);
        assert_eq!(record.headers[0].1.as_deref(), Some(&b"first"[..]));
        assert_eq!(text(&record, "__connect.errors.topic"), "pumps");
        assert_eq!(text(&record, "__connect.errors.stage"), "TRANSFORMATION");
    }
}
