//! Faults that are not in a message.

/// What keeps a decoder or an encoder from working at all.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// A schema file that cannot be used.
    #[error("schema {file}: {problem}")]
    Schema {
        /// The file, or where else the schema came from.
        file: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The schema registry does not answer, or refuses.
    #[error("schema registry {url}: {problem}")]
    Registry {
        /// Its address, without credentials.
        url: String,
        /// What happened and what to do.
        problem: String,
        /// Whether trying again may help.
        temporary: bool,
    },
    /// Options that do not go together.
    #[error("topic {topic}: {problem}")]
    Options {
        /// The topic.
        topic: String,
        /// What is missing or too much.
        problem: String,
    },
    /// A batch that cannot be written in the format.
    #[error("cannot write rows for topic {topic}: {problem}")]
    Encode {
        /// The topic.
        topic: String,
        /// What is wrong and what to do.
        problem: String,
    },
}

impl FormatError {
    /// Whether the same call may succeed later: the registry was out of reach.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Registry { temporary: true, .. })
    }
}
