//! Pairs of rows from a topic of their own, beside the rows: what a person or a program says about rows that it has seen.
//!
//! The topic is read like the input, by a consumer and a hub of its own, for worker 0 alone: with every epoch it takes what is
//! there, perhaps nothing, and never waits. Where the topic stands after an epoch is asked for like the input's position.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};

use super::block::Partition;
use super::hub::Hub;
use super::source::{KafkaInput, KafkaPace, KafkaSource};
use super::topics::Topics;
use super::{KafkaObserver, KafkaSourceParameters, letters};
use crate::connector::format::{Reject, json_decoder, json_schema};
use crate::connector::{ConnectorError, Polled, Source as _};
use crate::data::{Coordinates, PairBatch, Position, Records, RowPair};

/// Pairs that one epoch takes at most.
const EPOCH_PAIRS: usize = 1_024;
/// Pairs that are read ahead at most.
const BUFFER_PAIRS: usize = 4 * EPOCH_PAIRS;
/// The key of the pipeline file that names the topic.
const KEY: &str = "supervision.pairs_topic";
/// Full name of a pair.
const RECORD: &str = "evenkeel.Pair";

/// Why a message that can be decoded is no pair.
pub const PAIR_REASONS: [&str; 3] = [
    // A member is missing that cannot be left out.
    "incomplete_pair",
    // `link` is another word.
    "unknown_link",
    // It names no row that the input can have, or one row twice.
    "impossible_pair",
];

/// The members of a message, in the order in which they are decoded.
fn members() -> Schema {
    let field = |name, kind, optional| Field::new(name, kind, optional);
    Schema::new(vec![
        field("first_source", DataType::Utf8, true),
        field("first_partition", DataType::Int32, true),
        field("first_offset", DataType::Int64, false),
        field("second_source", DataType::Utf8, true),
        field("second_partition", DataType::Int32, true),
        field("second_offset", DataType::Int64, false),
        field("link", DataType::Utf8, false),
    ])
}

/// The JSON Schema of a message, as indented text.
///
/// # Errors
/// Never, as long as every member has a place in JSON Schema.
pub fn pair_json_schema() -> Result<String, String> {
    let text = json_schema(RECORD, &members())?;
    let mut schema: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    schema["properties"]["link"]["enum"] = serde_json::json!(["must", "cannot"]);
    Ok(format!("{schema:#}\n"))
}

/// A topic of pairs that nobody reads yet.
#[derive(Clone)]
pub struct PairTopic {
    input: KafkaInput,
    rows: RowNames,
}

impl PairTopic {
    /// The topic `name` on the brokers of `source`, about the rows of `rows`. `position` is where `epoch` begins in it;
    /// partitions that it does not name are read from their beginning. `lone`: the input is one partition of one topic.
    ///
    /// # Errors
    /// If one of the names is no topic.
    pub fn new(
        source: &KafkaSourceParameters,
        name: &str,
        group: &str,
        (epoch, position): (u64, Position),
        (rows, lone): (&KafkaInput, bool),
        observer: &KafkaObserver,
    ) -> Result<Self, ConnectorError> {
        let parameters = KafkaSourceParameters { topic: name.to_owned(), buffer_rows: BUFFER_PAIRS, ..source.clone() };
        let pace = KafkaPace { epoch_rows: EPOCH_PAIRS, peers: 1, epoch, position };
        let input = KafkaInput::new(&parameters, group, pace, observer)?.named_by(KEY);
        Ok(Self { input, rows: RowNames { topics: rows.topics().clone(), hub: Arc::clone(rows.hub()), lone } })
    }

    /// Starts to read.
    ///
    /// # Errors
    /// If no broker answers or there is no such topic.
    pub fn open(&self) -> Result<KafkaPairs, ConnectorError> {
        // What is missing is told in the words of this file.
        let lenient =
            members().fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect::<Vec<_>>();
        let decoder = json_decoder(self.input.topic(), Arc::new(Schema::new(lenient)), self.input.max_value_bytes());
        Ok(KafkaPairs { source: self.input.open_with(0, decoder)?, rows: self.rows.clone() })
    }

    /// Where the topic stands after `epoch`; earlier ones cannot be asked for afterwards.
    #[must_use]
    pub fn position_after(&self, epoch: u64) -> Position {
        self.input.position_after(epoch)
    }
}

/// Pairs as they come.
pub struct KafkaPairs {
    source: KafkaSource,
    rows: RowNames,
}

impl KafkaPairs {
    /// What there is for `epoch`. Every epoch is asked for once, in order.
    ///
    /// # Errors
    /// If the topic cannot be read any more.
    pub(super) fn read(&mut self, epoch: u64) -> Result<PairBatch, ConnectorError> {
        self.source.cut(epoch);
        let mut found = PairBatch::default();
        if let Polled::Rows(records) = self.source.read(epoch)? {
            records.iter().for_each(|records| self.rows.sort(records, &mut found));
        }
        found.rejected.extend(self.source.rejected());
        Ok(found)
    }
}

/// What rows of the input may be called.
#[derive(Clone)]
struct RowNames {
    topics: Topics,
    hub: Arc<Hub>,
    /// There was one partition when the run began.
    lone: bool,
}

/// What is wrong with a pair: one of [`PAIR_REASONS`], and a sentence.
type Flaw = (&'static str, String);

impl RowNames {
    /// Tells pairs from messages that are none.
    fn sort(&self, records: &Records, found: &mut PairBatch) {
        let lone = self.lone && self.hub.partitions() <= 1;
        let Some(origins) = &records.origins else { return };
        for row in records.indices() {
            match pair(&self.topics, lone, &records.batch, row) {
                Ok(pair) => found.pairs.push(pair),
                Err((reason, detail)) => {
                    let partition = Partition { topic: Arc::clone(&records.source), number: records.partition };
                    let reject = Reject { message: origins.indices[row] as usize, reason, detail };
                    let offset = records.offset(row);
                    found.rejected.push(letters::undecoded(&partition, offset, &origins.messages, &reject));
                }
            }
        }
    }
}

/// The pair in a row of decoded [`members`].
fn pair(topics: &Topics, lone: bool, batch: &RecordBatch, row: usize) -> Result<RowPair, Flaw> {
    let text = |column: usize| {
        let column = batch.column(column).as_string::<i32>();
        column.is_valid(row).then(|| column.value(row))
    };
    let missing = |name: &str, advice: &str| ("incomplete_pair", format!("`{name}` is missing{advice}"));
    let end = |which: &str, first_column: usize| -> Result<Coordinates, Flaw> {
        let (source, partition, offset) =
            (format!("{which}_source"), format!("{which}_partition"), format!("{which}_offset"));
        let found: Arc<str> = match (text(first_column), topics) {
            (Some(name), topics) if topics.covers(name) => Arc::from(name),
            (Some(name), _) => {
                return Err(("impossible_pair", format!("`{source}` is \"{name}\", which is no topic of the input")));
            }
            (None, Topics::One(only)) => Arc::from(only.as_str()),
            (None, Topics::Matching(_)) => return Err(missing(&source, "; the input may be several topics")),
        };
        let numbers = batch.column(first_column + 1).as_primitive::<Int32Type>();
        let number = match numbers.is_valid(row).then(|| numbers.value(row)) {
            Some(number) => number,
            None if lone => 0,
            None => return Err(missing(&partition, "; it can be left out where the input is one partition")),
        };
        let offsets = batch.column(first_column + 2).as_primitive::<Int64Type>();
        let place = offsets.is_valid(row).then(|| offsets.value(row)).ok_or_else(|| missing(&offset, ""))?;
        if let Some((name, value)) = [(&partition, i64::from(number)), (&offset, place)].iter().find(|(_, n)| *n < 0) {
            return Err(("impossible_pair", format!("`{name}` is {value}; it is 0 or above")));
        }
        Ok(Coordinates { source: found, partition: number, offset: place })
    };
    let ends = [end("first", 0)?, end("second", 3)?];
    if ends[0] == ends[1] {
        return Err(("impossible_pair", "both ends are the same row".to_owned()));
    }
    match text(6) {
        Some("must") => Ok((ends, true)),
        Some("cannot") => Ok((ends, false)),
        Some(other) => Err(("unknown_link", format!("`link` is \"{other}\"; it is \"must\" or \"cannot\""))),
        None => Err(missing("link", "; it is \"must\" or \"cannot\"")),
    }
}

#[cfg(test)]
mod tests;
