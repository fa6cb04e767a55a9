//! `evenkeel verify`: whether every input row has left exactly once, and whether the state agrees with the offsets.
//!
//! Reads the input's own offsets or row numbers and what is visible of the output, with readers of its own, and compares
//! coordinates. Nothing here is used where rows are written.

mod outcome;
mod tally;

use std::collections::BTreeMap;
use std::io::Cursor;

use serde::Serialize;

use self::outcome::{Sight, from_table, from_topic};
use self::tally::Tally;
use super::{model, setup};
use crate::checkpoint::{self, Checkpoint, Verdict};
use crate::config::{Plan, Source};
use crate::connector::ParquetCatalog;
use crate::connector::format::Format;
use crate::connector::kafka::{Delivery, KafkaObserver, KafkaOffsets, KafkaSourceParameters, audit};
use crate::data::Position;
use crate::error::Error;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The checkpoint that the output was compared with.
    pub checkpoint: u64,
    /// Input rows up to it; a message that gives no row counts as one.
    pub input_rows: u64,
    /// Rows that were assigned.
    pub assigned_rows: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// Rows that came more than once.
    pub repeated_rows: u64,
    /// What is wrong; nothing if all is well.
    pub problems: Vec<String>,
    /// What could not be checked, and why.
    pub unchecked: Vec<String>,
}

/// Compares what a run has read with what it has written.
///
/// # Errors
/// If something cannot be read; what does not agree is not an error but a problem of the verdict.
pub fn verify(plan: &Plan) -> Result<Verified, Error> {
    let mut verified = Verified::default();
    let windows = plan.features().window().is_some();
    let (mut tally, checkpoint) = match plan.source() {
        Source::Parquet(source) => {
            let Some(checkpoint) = model::newest(plan.checkpoint_dir())? else { return Ok(nothing(verified)) };
            let mut tally = Tally::default();
            for file in ParquetCatalog::open(source, &[])?.digest().files {
                (0..file.rows as i64).for_each(|row| tally.expect(&file.name, 0, row, 1));
            }
            if !checkpoint.finished {
                verified
                    .unchecked
                    .push("the run has not finished: rows that are still to come are not missed".to_owned());
            }
            (tally, checkpoint)
        }
        Source::Kafka(source) => match committed(plan, source, &mut verified)? {
            Some((position, checkpoint)) => (expected(source, &position, &mut verified)?, checkpoint),
            None => return Ok(nothing(verified)),
        },
    };
    verified.checkpoint = checkpoint.id;
    verified.input_rows = tally.expected();
    if windows {
        verified.unchecked.push("readings that are in no window leave no row: only windows are compared".to_owned());
    }
    let held = checkpoint.model_version == 0;
    if held {
        verified.unchecked.push("the first model is not there yet: rows are held until it is".to_owned());
    }
    let may_miss = windows || held || matches!(plan.source(), Source::Parquet(_)) && !checkpoint.finished;
    outcomes(plan, &mut tally, &mut verified)?;
    let repeats = match plan.source() {
        Source::Kafka(source) => source.delivery == Delivery::AtLeastOnce && plan.kafka_sink().is_some(),
        Source::Parquet(_) => false,
    };
    tally.judge(may_miss, repeats, &mut verified);
    Ok(verified)
}

fn nothing(mut verified: Verified) -> Verified {
    verified.unchecked.push("there is no checkpoint: nothing has been committed yet".to_owned());
    verified
}

/// The checkpoint that holds and where it stands.
fn committed(
    plan: &Plan,
    source: &KafkaSourceParameters,
    verified: &mut Verified,
) -> Result<Option<(Position, Checkpoint)>, Error> {
    let nobody: KafkaObserver = std::sync::Arc::new(|_| {});
    let group = KafkaOffsets::connect(source, source.group(plan.name()), &nobody)?.committed()?;
    let transactional =
        source.delivery == Delivery::ExactlyOnce && (plan.kafka_sink().is_some() || source.dead_letter_topic.is_some());
    let checkpoint = match (&group.named, transactional) {
        (Some((_, 0)), true) | (None, true) if group.named.is_some() || group.offsets.is_empty() => return Ok(None),
        (Some((run, id)), true) => named(plan, run, *id, verified)?,
        (None, true) => {
            verified.problems.push("the consumer group's offsets do not name a checkpoint".to_owned());
            None
        }
        (_, false) => model::newest(plan.checkpoint_dir())?,
    };
    let Some(checkpoint) = checkpoint else { return Ok(None) };
    let position = checkpoint.position.clone().unwrap_or_default();
    for (topic, partition, place) in position.places().filter(|_| transactional) {
        let offset = group.offsets.get(&(topic.to_owned(), partition)).copied();
        if offset != Some(place.offset) {
            let found = offset.map_or_else(|| "nothing".to_owned(), |offset| offset.to_string());
            verified.problems.push(format!(
                "{topic}/{partition}: the group has committed {found}, checkpoint {} stands at {}",
                checkpoint.id, place.offset
            ));
        }
    }
    Ok(Some((position, checkpoint)))
}

/// The checkpoint that the group's offsets name.
fn named(plan: &Plan, run: &str, id: u64, verified: &mut Verified) -> Result<Option<Checkpoint>, Error> {
    let found = checkpoint::verify(plan.checkpoint_dir())?.into_iter().find(|found| found.id == id);
    let problem = match found {
        Some(found) => match found.verdict {
            Verdict::Whole { run: Some(other), .. } if other == run => return Ok(Some(checkpoint::load(&found.path)?)),
            Verdict::Whole { .. } => format!("checkpoint {id} is of another run than the one that was committed"),
            Verdict::Damaged { reason } => reason,
            Verdict::Newer { .. } => format!("checkpoint {id} is of a later program"),
        },
        None => format!("the group has committed checkpoint {id}, which is not there"),
    };
    verified.problems.push(problem);
    Ok(None)
}

/// The rows of the input up to `position`, read from the topics.
fn expected(source: &KafkaSourceParameters, position: &Position, verified: &mut Verified) -> Result<Tally, Error> {
    let mut ranges = audit::Ranges::new();
    for (topic, partition, place) in position.places() {
        let begun = position.begun.get(topic).and_then(|begun| begun.get(&partition)).copied().unwrap_or(place.offset);
        // Of a message that is taken half some rows have left.
        ranges.insert((topic.to_owned(), partition), (begun, place.offset + i64::from(place.row > 0)));
    }
    let mut gone = false;
    for (key, low) in audit::oldest(&source.properties, &ranges)? {
        if let Some((from, to)) = ranges.get_mut(&key).filter(|(from, to)| *from < low && from < to) {
            let (topic, partition) = &key;
            verified.unchecked.push(format!("{topic}/{partition}: the broker has deleted what is before offset {low}"));
            *from = low.min(*to);
            gone = true;
        }
    }
    let mut tally = Tally::default();
    tally.begin(&ranges);
    let whole = source.format == Format::ArrowIpc;
    audit::read(&source.properties, &ranges, |message| {
        let place = position.place(message.topic, message.partition).unwrap_or_default();
        let rows = if whole { message.value.map_or(1, rows_of) } else { 1 };
        let rows = if place.offset == message.offset { rows.min(place.row) } else { rows };
        tally.expect(message.topic, message.partition, message.offset, rows);
    })?;
    if !gone && tally.expected() != position.sequence + position.rejected {
        verified.problems.push(format!(
            "the topics hold {} rows up to the committed offsets, the state has taken {}",
            tally.expected(),
            position.sequence + position.rejected
        ));
    }
    Ok(tally)
}

/// Rows of an Arrow IPC message; one, a dead letter, if it is none.
fn rows_of(message: &[u8]) -> u32 {
    let Ok(reader) = arrow_ipc::reader::StreamReader::try_new(Cursor::new(message), None) else { return 1 };
    let counts: Result<Vec<usize>, _> = reader.map(|batch| batch.map(|batch| batch.num_rows())).collect();
    counts.map_or(1, |counts| counts.iter().sum::<usize>() as u32)
}

/// Counts what is visible.
fn outcomes(plan: &Plan, tally: &mut Tally, verified: &mut Verified) -> Result<(), Error> {
    let mut versions = BTreeMap::new();
    let mut assigned = |sight: Sight<'_>, tally: &mut Tally, verified: &mut Verified| {
        if tally.found(sight.source, sight.partition, sight.offset) {
            verified.assigned_rows += 1;
            let key = (sight.source.to_owned(), sight.partition);
            versions.entry(key).or_insert_with(Vec::new).push((sight.offset, sight.version));
        }
    };
    match plan.kafka_sink() {
        Some(sink) => {
            let columns = setup::open(plan)?.assignments;
            from_topic(&sink, &columns, |sight| assigned(sight, tally, verified))?;
        }
        None => from_table(plan.assignments_dir(), |sight| assigned(sight, tally, verified))?,
    }
    for ((source, partition), mut rows) in versions {
        rows.sort_unstable();
        if let Some(pair) = rows.windows(2).find(|pair| pair[0].1 > pair[1].1 && pair[0].0 < pair[1].0) {
            let ((before, new), (after, old)) = (pair[0], pair[1]);
            verified.problems.push(format!(
                "{source}/{partition}: row {after} has model version {old}, row {before} before it {new}"
            ));
        }
    }
    let mut dead = |sight: Sight<'_>| {
        if tally.found(sight.source, sight.partition, sight.offset) {
            verified.dead_letters += 1;
        }
    };
    match plan.source() {
        Source::Kafka(source) if source.dead_letter_topic.is_some() => outcome::from_dead_letters(source, dead)?,
        _ => from_table(&plan.dead_letters_dir(), &mut dead)?,
    }
    Ok(())
}
