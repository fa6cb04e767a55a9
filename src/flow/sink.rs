//! Writes what an epoch gave, and makes it durable when a checkpoint is due.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use arrow_schema::{ArrowError, SchemaRef};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Operator;

use super::message::{Emission, EpochReport, Shared, Vote};
use super::{Control, FlowError, Timestamp, rows};
use crate::checkpoint::Local;
use crate::connector::{ConnectorError, DeadLetterParameters, OnError, Sink};

/// One worker's outputs.
pub struct Sinks {
    /// Assigned rows, and their columns.
    pub assignments: (Box<dyn Sink>, SchemaRef),
    /// Drift events, and their columns; only worker 0 writes any.
    pub drift: (Box<dyn Sink>, SchemaRef),
    /// Unusable input rows.
    pub dead_letters: Box<dyn Sink>,
    /// What an unusable row does to the stream.
    pub on_error: DeadLetterParameters,
}

fn internal(error: ArrowError) -> FlowError {
    FlowError::Connector(ConnectorError::Unreadable { file: "the output rows".to_owned(), problem: error.to_string() })
}

impl Sinks {
    fn write(&mut self, emission: &Emission) -> Result<(), FlowError> {
        let assigned = &emission.output.assigned;
        if !assigned.is_empty() {
            let batch = rows::assignments(assigned, &self.assignments.1).map_err(internal)?;
            self.assignments.0.write(&batch)?;
        }
        if !emission.output.drift.is_empty() {
            self.drift.0.write(&rows::drift(&emission.output.drift, &self.drift.1).map_err(internal)?)?;
        }
        let rejected = &emission.harvest.minibatch.rejected;
        if let (Some(letter), true) = (rejected.first(), emission.flags.emit) {
            if self.on_error.on_error == OnError::Fail {
                return Err(FlowError::Rejected {
                    source_name: letter.coordinates.source.to_string(),
                    offset: letter.coordinates.offset,
                    reason: letter.reason,
                    detail: letter.detail.clone(),
                });
            }
            self.dead_letters.write_dead_letters(rejected)?;
        }
        for sink in self.each() {
            sink.end_epoch(emission.epoch)?;
        }
        Ok(())
    }

    fn each(&mut self) -> [&mut Box<dyn Sink>; 3] {
        [&mut self.assignments.0, &mut self.drift.0, &mut self.dead_letters]
    }

    fn prepare(&mut self, last: bool) -> Result<Vec<Vec<u8>>, FlowError> {
        self.each()
            .into_iter()
            .map(|sink| {
                if last {
                    sink.finish()?;
                }
                Ok(sink.prepare()?)
            })
            .collect()
    }

    pub(super) fn commit(&mut self, tokens: &[Vec<u8>]) -> Result<(), FlowError> {
        for (sink, token) in self.each().into_iter().zip(tokens) {
            sink.commit(token)?;
        }
        Ok(())
    }
}

/// Writes emissions in epoch order; gives a vote for each checkpoint.
pub(super) fn sink<'s>(
    emissions: StreamVec<'s, Timestamp, Shared<Emission>>,
    sinks: Rc<RefCell<Sinks>>,
    worker: usize,
    meter: Arc<dyn Fn(&EpochReport) + Send + Sync>,
    control: &Arc<Control>,
) -> StreamVec<'s, Timestamp, Shared<Vote>> {
    let control = Arc::clone(control);
    emissions.unary::<CapacityContainerBuilder<Vec<Shared<Vote>>>, _, _, _>(Pipeline, "Sink", |_, _| {
        move |input, output| {
            input.for_each_stamp(|capability, data| {
                let Some(capability) = capability.retain_least(0) else { return };
                for emission in data.flat_map(|d| d.drain(..)) {
                    if control.halted() {
                        return;
                    }
                    let started = Instant::now();
                    let vote = vote(&mut sinks.borrow_mut(), &emission.0, worker);
                    meter(&report(&emission.0, worker, started.elapsed().as_secs_f64()));
                    match vote {
                        Ok(None) => {}
                        Ok(Some(vote)) => output.session(&capability).give(Shared::new(vote)),
                        Err(error) => control.halt(error),
                    }
                }
            });
        }
    })
}

fn vote(sinks: &mut Sinks, emission: &Emission, worker: usize) -> Result<Option<Vote>, FlowError> {
    sinks.write(emission)?;
    if !emission.flags.checkpoint {
        return Ok(None);
    }
    let tokens = sinks.prepare(emission.flags.last)?;
    Ok(Some(Vote {
        epoch: emission.epoch,
        from: worker,
        local: Local { featurizer: emission.harvest.snapshot.clone().unwrap_or_default(), sinks: tokens },
        replica: emission.snapshot.clone(),
        finished: emission.flags.input_ends,
        status: emission.status.clone(),
    }))
}

fn report(emission: &Emission, worker: usize, write_seconds: f64) -> EpochReport {
    let harvest = &emission.harvest;
    let mut report = EpochReport {
        worker,
        epoch: emission.epoch,
        input_rows: harvest.minibatch.input_rows,
        assigned_rows: emission.output.assigned.len() as u64,
        unwindowed_rows: if emission.flags.emit { harvest.minibatch.unwindowed } else { 0 },
        read_seconds: harvest.read_seconds,
        featurize_seconds: harvest.featurize_seconds,
        model_seconds: emission.model_seconds,
        write_seconds,
        status: (worker == 0).then(|| emission.status.clone()),
        ..EpochReport::default()
    };
    for letter in harvest.minibatch.rejected.iter().filter(|_| emission.flags.emit) {
        *report.rejected.entry(letter.reason).or_default() += 1;
    }
    for event in emission.output.drift.iter().filter(|event| event.alarm) {
        *report.alarms.entry(event.signal).or_default() += 1;
    }
    report
}
