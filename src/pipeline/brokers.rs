//! From a plan with topics to where its run goes on.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::record::Brokers;
use super::setup;
use crate::checkpoint::{self, Checkpoint, Committed, Digest, Refusal, Restart, Store, restart};
use crate::config::Plan;
use crate::connector::kafka::{
    Delivery, GroupOffsets, KafkaInput, KafkaObserver, KafkaOffsets, KafkaPace, KafkaProperties, KafkaSourceParameters,
    Outbox, PairTopic,
};
use crate::data::{Place, Position};
use crate::error::Error;

/// A run with topics that knows where it goes on.
pub(super) struct Started {
    pub(super) input: KafkaInput,
    /// Pairs of its rows, if they come from a topic.
    pub(super) pairs: Option<PairTopic>,
    pub(super) offsets: Arc<KafkaOffsets>,
    pub(super) outbox: Option<Arc<Outbox>>,
    pub(super) resume: Option<Checkpoint>,
    /// Rows before the first epoch.
    pub(super) first_row: u64,
}

impl Started {
    pub(super) fn brokers(&self) -> Brokers {
        let (offsets, outbox) = (Arc::clone(&self.offsets), self.outbox.clone());
        Brokers { input: self.input.clone(), pairs: self.pairs.clone(), offsets, outbox }
    }
}

/// A name that no other run has.
fn run_name() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    format!("{now:x}-{:x}", std::process::id())
}

/// Connects, decides what to go on from, and lets go of what a crash has left. With exactly-once delivery this is where
/// another copy of the pipeline is fenced; a start that is refused fences nobody.
pub(super) fn start(
    plan: &Plan,
    source: &KafkaSourceParameters,
    store: &Store,
    digest: &Digest,
    fresh: bool,
    observer: &KafkaObserver,
    resume: impl FnOnce() -> Result<Option<Checkpoint>, Error>,
) -> Result<Started, Error> {
    let offsets = Arc::new(KafkaOffsets::connect(source, source.group(plan.name()), observer)?);
    let pairs_topic = plan.supervision().and_then(|supervision| supervision.pairs_topic.as_deref());
    if let Some(topic) = pairs_topic {
        offsets.require(topic, "supervision.pairs_topic")?;
    }
    let writes = plan.kafka_sink().is_some() || source.dead_letter_topic.is_some();
    let transactional = writes && source.delivery == Delivery::ExactlyOnce;
    if transactional && !fresh {
        // Looked at before the other copy is fenced, and again afterwards. Offsets of a transaction that a crash has left open
        // would be waited for: they are settled only by taking over.
        let mut hasty = source.clone();
        hasty.properties = hasty.properties.with("isolation.level", "read_uncommitted");
        decide(store, digest, &KafkaOffsets::connect(&hasty, source.group(plan.name()), observer)?.committed()?)?;
    }
    let outbox = if writes { Some(Arc::new(outbox(plan, source, observer)?)) } else { None };
    let (resume, position) = match outbox.as_ref().filter(|_| transactional) {
        Some(outbox) => transactional_start(&offsets, outbox, store, digest, fresh)?,
        None => {
            let committed = offsets.committed()?;
            let resume = if fresh { None } else { resume()? };
            let saved = resume.as_ref().and_then(|checkpoint| checkpoint.position.clone());
            let position = match (saved, &committed.named) {
                (Some(position), _) => position,
                (None, Some((run, 0))) if !fresh => begun(run, &committed),
                (None, _) => {
                    let position = offsets.begin(&run_name(), &known(&committed, fresh))?;
                    // Where reading begins is decided once, not again after a crash.
                    offsets.commit_now(&position, 0)?;
                    position
                }
            };
            (resume, position)
        }
    };
    if fresh {
        checkpoint::clear(plan.checkpoint_dir())?;
    }
    let pace = KafkaPace {
        epoch_rows: setup::epoch_rows(plan),
        peers: plan.workers(),
        epoch: resume.as_ref().map_or(0, |checkpoint| checkpoint.epoch),
        position,
    };
    let (first_row, epoch, run) = (pace.position.sequence, pace.epoch, pace.position.run.clone());
    if let Some(outbox) = &outbox {
        outbox.expect(pace.peers, pace.epoch);
    }
    let input = KafkaInput::new(source, source.group(plan.name()), pace, observer)?;
    let pairs = match pairs_topic {
        None => None,
        Some(topic) => {
            let saved = resume.as_ref().and_then(|checkpoint| checkpoint.pairs.clone());
            let from = saved.unwrap_or_else(|| Position { run, ..Position::default() });
            let rows = (&input, offsets.partitions()?.len() == 1);
            Some(PairTopic::new(source, topic, source.group(plan.name()), (epoch, from), rows, observer)?)
        }
    };
    Ok(Started { input, pairs, offsets, outbox, resume, first_row })
}

/// An input for a frozen model: of a group of its own, so that the run's is left alone. It goes on where the last one of that
/// group stopped, and rows since its last offsets may come again.
pub(super) fn label(plan: &Plan, source: &KafkaSourceParameters, rows: usize) -> Result<Started, Error> {
    let group = format!("{}-assign", source.group(plan.name()));
    let observer: KafkaObserver = Arc::new(|_| {});
    let offsets = Arc::new(KafkaOffsets::connect(source, &group, &observer)?);
    let position = offsets.begin(&run_name(), &offsets.committed()?)?;
    let pace = KafkaPace { epoch_rows: rows, peers: plan.workers(), epoch: 0, position };
    let input = KafkaInput::new(source, &group, pace, &observer)?;
    Ok(Started { input, pairs: None, offsets, outbox: None, resume: None, first_row: 0 })
}

/// The beginning of a run that has committed it: partitions without an offset have come since and are read as a whole.
fn begun(run: &str, committed: &GroupOffsets) -> Position {
    let mut position = Position { run: run.to_owned(), ..Position::default() };
    for ((topic, partition), offset) in &committed.offsets {
        position.set(topic, *partition, Place { offset: *offset, row: 0 });
    }
    position
}

fn known(committed: &GroupOffsets, fresh: bool) -> GroupOffsets {
    match fresh {
        true => GroupOffsets { offsets: Default::default(), named: None },
        false => committed.clone(),
    }
}

/// The one producer of the job: to the brokers of the sink, or, for dead letters alone, of the source.
fn outbox(plan: &Plan, source: &KafkaSourceParameters, observer: &KafkaObserver) -> Result<Outbox, Error> {
    let properties = match plan.kafka_sink() {
        Some(sink) => sink.properties,
        None => KafkaProperties::default().or_connection_of(&source.properties),
    };
    let id = format!("evenkeel-{}", source.group(plan.name()));
    Ok(Outbox::connect(&properties, source.delivery, &id, observer)?)
}

fn decide(store: &Store, digest: &Digest, committed: &GroupOffsets) -> Result<Restart, Error> {
    let committed = match &committed.named {
        Some((run, id)) => Committed::Named { run: run.clone(), id: *id },
        None if committed.offsets.is_empty() => Committed::Nothing,
        None => Committed::Foreign,
    };
    match restart(&store.verify()?, digest, &committed) {
        Restart::Refuse { reason } => Err(Error::Refused(reason)),
        decision => Ok(decision),
    }
}

fn transactional_start(
    offsets: &KafkaOffsets,
    outbox: &Outbox,
    store: &Store,
    digest: &Digest,
    fresh: bool,
) -> Result<(Option<Checkpoint>, Position), Error> {
    let committed = offsets.committed()?;
    let decision = if fresh { Restart::First } else { decide(store, digest, &committed)? };
    outbox.begin()?;
    let discard = |abandoned: Vec<u64>| {
        abandoned.into_iter().try_for_each(|id| {
            tracing::info!(checkpoint = id, "removed: its transaction was never committed");
            store.discard(id)
        })
    };
    match decision {
        Restart::First => {
            let position = offsets.begin(&run_name(), &known(&committed, fresh))?;
            outbox.commit(offsets, &position, 0)?;
            Ok((None, position))
        }
        Restart::Begin { run, abandoned } => {
            discard(abandoned)?;
            Ok((None, begun(&run, &committed)))
        }
        Restart::Resume { id, abandoned } => {
            discard(abandoned)?;
            let checkpoint = store.load(id)?;
            let position = checkpoint.position.clone().unwrap_or_default();
            let agree = committed.offsets.iter().all(|((topic, partition), offset)| {
                position.place(topic, *partition).is_some_and(|place| place.offset == *offset)
            });
            if !agree {
                return Err(Error::Refused(Refusal::OffsetsMoved { newest: id }));
            }
            Ok((Some(checkpoint), position))
        }
        Restart::Refuse { reason } => Err(Error::Refused(reason)),
    }
}
