//! Where one worker's results go.

use std::path::Path;
use std::sync::Arc;

use arrow_schema::SchemaRef;

use crate::checkpoint::Local;
use crate::config::{Plan, Source};
use crate::connector::format::FormatOptions;
use crate::connector::kafka::{KafkaDeadLetters, KafkaSink, KafkaSinkParameters, Outbox};
use crate::connector::{ConnectorError, ParquetSink, Sink, dead_letter_schema, drift_schema};
use crate::flow::{FlowError, Sinks};

/// The outputs of worker `index`, as they were when `local` was taken, or empty. Topics are written through `outbox`.
pub(super) fn open(
    plan: &Plan,
    assignments: &SchemaRef,
    index: usize,
    outbox: Option<&Arc<Outbox>>,
    local: Option<&Local>,
) -> Result<Sinks, FlowError> {
    let token = |sink: usize| local.and_then(|local| local.sinks.get(sink)).map(Vec::as_slice);
    let table = |dir: &Path, schema, sink| -> Result<Box<dyn Sink>, ConnectorError> {
        let roll = plan.sink();
        Ok(Box::new(ParquetSink::open(dir, index, schema, roll.roll_mb, roll.roll_s, token(sink))?))
    };
    let sink = plan.kafka_sink();
    let topic = |options: Option<FormatOptions>, schema: &SchemaRef, worker| match (outbox, options) {
        (Some(outbox), Some(options)) => {
            Ok(Some(Box::new(KafkaSink::open(outbox, &options, schema, worker)?) as Box<dyn Sink>))
        }
        _ => Ok::<_, ConnectorError>(None),
    };
    let rows = topic(sink.as_ref().map(KafkaSinkParameters::assignments), assignments, Some(index))?;
    let rows = rows.map_or_else(|| table(plan.assignments_dir(), Arc::clone(assignments), 0), Ok)?;
    let events = topic(sink.as_ref().and_then(KafkaSinkParameters::drift), &drift_schema(), None)?;
    let events = events.map_or_else(|| table(&plan.drift_dir(), drift_schema(), 1), Ok)?;
    let letters: Box<dyn Sink> = match (plan.source(), outbox) {
        (Source::Kafka(source), Some(outbox)) if source.dead_letter_topic.is_some() => {
            let name = source.dead_letter_topic.as_deref().unwrap_or_default();
            Box::new(KafkaDeadLetters::open(outbox, name, plan.name(), index)?)
        }
        _ => table(&plan.dead_letters_dir(), dead_letter_schema(), 2)?,
    };
    Ok(Sinks {
        assignments: (rows, Arc::clone(assignments)),
        drift: (events, drift_schema()),
        dead_letters: letters,
        on_error: plan.dead_letters().clone(),
    })
}
