//! librdkafka's own settings, passed through unchanged.

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::names::NAMES;
use crate::data::nearest;

/// Properties by name, as written. Every way of printing them hides the secret ones.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KafkaProperties(BTreeMap<String, String>);

/// What this program needs to be as it sets it.
const OWNED: [(&str, &str); 6] = [
    ("enable.auto.commit", "offsets are committed with the checkpoint they belong to"),
    ("auto.commit.enable", "offsets are committed with the checkpoint they belong to"),
    ("enable.auto.offset.store", "offsets are committed with the checkpoint they belong to"),
    ("enable.partition.eof", "the end of a partition is what tells that nothing more is coming"),
    ("group.instance.id", "partitions are assigned within the job, the group has no members"),
    ("plugin.library.paths", "code is not loaded from a pipeline file"),
];

/// Whether the value of a property is to be hidden.
pub(super) fn is_secret(name: &str) -> bool {
    ["password", "secret", "passphrase"].iter().any(|part| name.contains(part))
        || name.ends_with("key.pem")
        || name == "sasl.oauthbearer.config"
}

impl KafkaProperties {
    /// The value of a property, if it is set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Sets a property.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// These, and of `other` what says where the brokers are and how to be let in.
    #[must_use]
    pub fn or_connection_of(&self, other: &Self) -> Self {
        let same_brokers = ["bootstrap.servers", "metadata.broker.list"].iter().all(|name| !self.0.contains_key(*name));
        let mut joined = self.0.clone();
        for (name, value) in other.0.iter().filter(|(name, _)| same_brokers && is_connection(name)) {
            joined.entry(name.clone()).or_insert_with(|| value.clone());
        }
        Self(joined)
    }

    /// What is wrong with them, in words: names that do not exist, values that librdkafka refuses, settings that are not the
    /// user's to make.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, value) in &self.0 {
            if let Some((_, reason)) = OWNED.iter().find(|(owned, _)| owned == name) {
                problems.push(format!("\"{name}\" cannot be set: {reason}"));
            } else if !NAMES.contains(&name.as_str()) {
                problems.push(match nearest(name, NAMES) {
                    Some(near) => format!("unknown librdkafka property \"{name}\"; did you mean \"{near}\"?"),
                    None => format!("unknown librdkafka property \"{name}\"; see librdkafka's CONFIGURATION.md"),
                });
            } else if name == "auto.offset.reset" {
                // librdkafka has more words for the same.
                if !["earliest", "latest", "error"].contains(&value.as_str()) {
                    problems.push(format!("\"{name}\" is \"{value}\": use \"earliest\", \"latest\" or \"error\""));
                }
            } else if let Err(error) = ClientConfig::new().set(name, value).create_native_config() {
                problems.push(refused(name, value, &error));
            }
        }
        problems
    }

    /// All of them as a client takes them.
    pub(super) fn client(&self) -> ClientConfig {
        let mut config: ClientConfig = self.0.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        // All that there is, which is little unless `debug` is set; what is shown is decided by our own log level.
        config.set_log_level(RDKafkaLogLevel::Debug);
        config
    }
}

/// Where the brokers are and how to be let in.
fn is_connection(name: &str) -> bool {
    ["bootstrap.servers", "metadata.broker.list", "client.dns.lookup", "broker.address.family"].contains(&name)
        || ["security.", "sasl.", "ssl.", "https.", "enable.ssl.", "enable.sasl."]
            .iter()
            .any(|head| name.starts_with(head))
}

/// librdkafka's reason, without the value where that is a secret.
fn refused(name: &str, value: &str, error: &KafkaError) -> String {
    let reason = match error {
        KafkaError::ClientConfig(_, reason, ..) => reason.clone(),
        other => other.to_string(),
    };
    let reason = if is_secret(name) && !value.is_empty() { reason.replace(value, "<redacted>") } else { reason };
    let built = ["ssl", "sasl"].iter().any(|part| name.starts_with(part)) && !cfg!(feature = "kafka-ssl");
    let hint = if built { "; TLS and SASL need a build with the cargo feature `kafka-ssl`" } else { "" };
    format!("\"{name}\": {reason}{hint}")
}

impl fmt::Debug for KafkaProperties {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value)| if is_secret(name) { (name, "<redacted>") } else { (name, value) };
        formatter.debug_map().entries(self.0.iter().map(|(n, v)| shown((n.as_str(), v.as_str())))).finish()
    }
}

impl Serialize for KafkaProperties {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let shown = |name: &str, value: &str| if is_secret(name) { "<redacted>".to_owned() } else { value.to_owned() };
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, shown(name, value))))
    }
}

impl<'de> Deserialize<'de> for KafkaProperties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// What TOML has for a value that librdkafka takes as text.
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a string, a number or a truth value; put a name with dots in quotes")]
        enum Value {
            Text(String),
            Number(i64),
            Float(f64),
            Truth(bool),
        }
        let read = BTreeMap::<String, Value>::deserialize(deserializer)?;
        let text = |value| match value {
            Value::Text(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Truth(truth) => truth.to_string(),
        };
        Ok(Self(read.into_iter().map(|(name, value)| (name, text(value))).collect()))
    }
}

impl JsonSchema for KafkaProperties {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "KafkaProperties".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let property = |name: &str| match is_secret(name) {
            // `password` marks the keys that may have a `…_file` twin.
            true => serde_json::json!({ "type": "string", "format": "password" }),
            false => serde_json::json!({ "type": ["string", "integer", "number", "boolean"] }),
        };
        let properties: serde_json::Map<String, serde_json::Value> =
            NAMES.iter().map(|name| ((*name).to_owned(), property(name))).collect();
        json_schema!({
            "description": "librdkafka's properties (its CONFIGURATION.md), passed through unchanged.",
            "type": "object",
            "properties": properties,
            "additionalProperties": false
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(text: &str) -> KafkaProperties {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn librdkafka_knows_every_listed_name() {
        let native = ClientConfig::new().create_native_config().unwrap();
        let unknown = |name: &&&str| native.get(name).is_err_and(|error| error.to_string().contains("UNKNOWN"));
        assert_eq!(NAMES.iter().filter(unknown).collect::<Vec<_>>(), Vec::<&&str>::new());
        assert!(native.get("xylophone").is_err());
    }

    #[test]
    fn numbers_and_truth_values_are_taken_as_text() {
        let read = properties("\"linger.ms\" = 5\n\"socket.keepalive.enable\" = true\n\"client.id\" = \"x\"");
        assert_eq!(read.get("linger.ms"), Some("5"));
        assert_eq!(read.get("socket.keepalive.enable"), Some("true"));
        assert_eq!(read.problems(), Vec::<String>::new());
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_one() {
        let problems = properties("\"botstrap.servers\" = \"x\"").problems();
        assert!(problems[0].contains("did you mean \"bootstrap.servers\""), "{problems:?}");
    }

    #[test]
    fn values_that_make_no_sense_are_refused_by_name() {
        for text in ["\"linger.ms\" = \"soon\"", "\"auto.offset.reset\" = \"begin\"", "\"enable.auto.commit\" = true"] {
            let problems = properties(text).problems();
            assert_eq!(problems.len(), 1, "{text}: {problems:?}");
            let name = text.split('"').nth(1).unwrap();
            assert!(problems[0].contains(name), "{problems:?}");
        }
    }

    #[test]
    fn a_secret_is_never_printed() {
        let read = properties("\"sasl.password\" = \"hunter2\"\n\"ssl.key.pem\" = \"hunter2\"\n\"client.id\" = \"me\"");
        let printed = format!("{read:?} {} {:?}", serde_json::to_string(&read).unwrap(), read.problems());
        assert!(!printed.contains("hunter2") && printed.contains("me") && printed.contains("<redacted>"), "{printed}");
    }

    #[test]
    fn only_the_connection_is_shared_and_only_to_the_same_brokers() {
        let source = properties("\"bootstrap.servers\" = \"a:1\"\n\"sasl.username\" = \"u\"\n\"group.id\" = \"g\"");
        let sink = properties("\"linger.ms\" = 5").or_connection_of(&source);
        assert_eq!((sink.get("bootstrap.servers"), sink.get("sasl.username")), (Some("a:1"), Some("u")));
        assert_eq!(sink.get("group.id"), None);
        let elsewhere = properties("\"bootstrap.servers\" = \"b:1\"").or_connection_of(&source);
        assert_eq!((elsewhere.get("bootstrap.servers"), elsewhere.get("sasl.username")), (Some("b:1"), None));
    }
}
