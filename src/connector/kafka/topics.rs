//! Which partitions there are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::block::Partition;
use super::client::Consumer;
use crate::connector::ConnectorError;

/// How long a question to the brokers may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// The key of the pipeline file that names the input.
pub(super) const INPUT_KEY: &str = "source.kafka.topic";
/// How long to wait before it is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// A topic, or all topics that match.
#[derive(Clone, Debug)]
pub(super) enum Topics {
    One(String),
    Matching(regex::bytes::Regex),
}

impl Topics {
    /// Reads the `topic` of a pipeline file: a regular expression if it begins with `^`.
    ///
    /// # Errors
    /// If it is none, in words.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("names no topic".to_owned());
        }
        if !text.starts_with('^') {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
            return match text.chars().all(allowed) && text.len() <= 249 {
                true => Ok(Self::One(text.to_owned())),
                false => Err(format!(
                    "\"{text}\" is no topic name (letters, digits, `.`, `_`, `-`); a regular expression begins with `^`"
                )),
            };
        }
        // Topic names are ASCII.
        let built = regex::bytes::RegexBuilder::new(text).unicode(false).build();
        built.map(Self::Matching).map_err(|error| format!("\"{text}\" is no regular expression: {error}"))
    }

    /// Whether a topic of this name is meant.
    pub(super) fn covers(&self, topic: &str) -> bool {
        match self {
            Self::One(name) => topic == name,
            Self::Matching(pattern) => !topic.starts_with("__") && pattern.is_match(topic.as_bytes()),
        }
    }

    /// All partitions, in the order of their names and numbers. `key` is that of the pipeline file.
    ///
    /// # Errors
    /// If no broker answers or there is no such topic.
    pub(super) fn partitions(
        &self,
        consumer: &Consumer,
        patience: Duration,
        key: &str,
    ) -> Result<Vec<Partition>, ConnectorError> {
        let one = if let Self::One(name) = self { Some(name.as_str()) } else { None };
        let metadata =
            consumer.fetch_metadata(one, patience).map_err(|error| unanswered(consumer, "list topics", &error))?;
        let mut found = Vec::new();
        for topic in metadata.topics().iter().filter(|topic| self.covers(topic.name())) {
            let name: Arc<str> = Arc::from(topic.name());
            found.extend(topic.partitions().iter().map(|p| Partition { topic: Arc::clone(&name), number: p.id() }));
        }
        found.sort_unstable();
        if found.is_empty() {
            let path = match self {
                Self::One(name) => format!("topic {name}"),
                Self::Matching(pattern) => format!("topics {pattern}"),
            };
            let problem =
                format!("does not exist on these brokers (or may not be read): create it, or correct `{key}`");
            return Err(ConnectorError::NoInput { path, problem });
        }
        Ok(found)
    }
}

/// Asks the brokers again for as long as they are only not ready to answer: a coordinator or a leader that has just moved, or is
/// loading, says so, and librdkafka hands that on.
///
/// # Errors
/// If there is no answer.
pub(super) fn ask<T>(
    consumer: &Consumer,
    what: &str,
    question: impl Fn() -> Result<T, KafkaError>,
) -> Result<T, ConnectorError> {
    let start = Instant::now();
    loop {
        match question() {
            Ok(answer) => return Ok(answer),
            Err(error) if passes(&error) && start.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
            Err(error) => return Err(unanswered(consumer, what, &error)),
        }
    }
}

/// Whether an answer says "not yet".
fn passes(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{
        CoordinatorLoadInProgress, CoordinatorNotAvailable, LeaderNotAvailable, NotCoordinator, NotLeaderForPartition,
        UnstableOffsetCommit, WaitingForCoordinator,
    };
    matches!(
        error.rdkafka_error_code(),
        Some(
            CoordinatorLoadInProgress
                | CoordinatorNotAvailable
                | LeaderNotAvailable
                | NotCoordinator
                | NotLeaderForPartition
                | UnstableOffsetCommit
                | WaitingForCoordinator
        )
    )
}

/// A question that got no answer, with what is known about why.
pub(super) fn unanswered(consumer: &Consumer, what: &str, error: &KafkaError) -> ConnectorError {
    let known = consumer.context().last_error().map_or_else(String::new, |reason| format!(": {reason}"));
    ConnectorError::Kafka { problem: format!("cannot {what}: {error}{known}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_not_yet_is_asked_again() {
        for (code, again) in [
            (RDKafkaErrorCode::NotCoordinator, true),
            (RDKafkaErrorCode::LeaderNotAvailable, true),
            (RDKafkaErrorCode::GroupAuthorizationFailed, false),
            (RDKafkaErrorCode::OperationTimedOut, false),
        ] {
            assert_eq!(passes(&KafkaError::MetadataFetch(code)), again, "{code}");
            assert_eq!(passes(&KafkaError::ConsumerCommit(code)), again, "{code}");
        }
    }

    #[test]
    fn a_name_is_told_from_an_expression_by_its_first_character() {
        assert!(matches!(Topics::parse("har.features"), Ok(Topics::One(name)) if name == "har.features"));
        assert!(
            matches!(Topics::parse("^har\\.(a|b)\\d$"), Ok(Topics::Matching(pattern)) if pattern.is_match(b"har.b7"))
        );
        for (text, part) in [("", "no topic"), ("har.*", "begins with `^`"), ("^(har", "no regular expression")] {
            let problem = Topics::parse(text).unwrap_err();
            assert!(problem.contains(part), "{text}: {problem}");
        }
    }
}
