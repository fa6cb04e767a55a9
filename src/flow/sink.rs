//! Writes what an epoch gave, and makes it durable when a checkpoint is due: on a thread beside the worker, in epoch order.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use arrow_schema::{ArrowError, SchemaRef};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::StreamVec;
use timely::dataflow::channels::pact::Pipeline;
use timely::dataflow::operators::Operator;

use super::companion::Companion;
use super::message::{Covered, Emission, EpochReport, Shared, Vote};
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

    /// Shows what a durable checkpoint covers.
    fn show(&mut self, tokens: &[Vec<u8>]) -> Result<(), FlowError> {
        for (sink, token) in self.each().into_iter().zip(tokens) {
            sink.commit(token)?;
        }
        Ok(())
    }
}

/// What a writer does.
pub(super) enum Job {
    Write(Shared<Emission>),
    Show(Shared<Covered>),
}

/// Writes one worker's rows; answers with its votes.
pub(super) type Writer = Companion<Job, Vote>;

/// Has emissions written in epoch order; gives a vote for each checkpoint.
pub(super) fn sink<'s>(
    emissions: StreamVec<'s, Timestamp, Shared<Emission>>,
    mut sinks: Sinks,
    meter: Arc<dyn Fn(&EpochReport) + Send + Sync>,
    control: &Arc<Control>,
) -> (Rc<Writer>, StreamVec<'s, Timestamp, Shared<Vote>>) {
    let (scope, halts) = (emissions.scope(), Arc::clone(control));
    let worker = scope.index();
    let mut started = None;
    let votes =
        emissions.unary::<CapacityContainerBuilder<Vec<Shared<Vote>>>, _, _, _>(Pipeline, "Sink", |_, operator| {
            let wake = scope.worker().sync_activator_for(operator.address.to_vec());
            let writer = Rc::new(Writer::new(format!("write {worker}"), control, wake, move |job| match job {
                Job::Write(emission) => {
                    let started = Instant::now();
                    let vote = vote(&mut sinks, &emission.0, worker);
                    meter(&report(&emission.0, worker, started.elapsed().as_secs_f64()));
                    vote
                }
                Job::Show(covered) => {
                    covered.0.locals.get(worker).map_or(Ok(()), |local| sinks.show(&local.sinks)).map(|()| None)
                }
            }));
            started = Some(Rc::clone(&writer));
            let mut ballots = BTreeMap::new();
            move |input, output| {
                input.for_each_stamp(|capability, data| {
                    let Some(capability) = capability.retain_least(0) else { return };
                    for emission in data.flat_map(|d| d.drain(..)) {
                        if emission.0.flags.checkpoint {
                            ballots.insert(emission.0.epoch, capability.clone());
                        }
                        writer.give(Job::Write(emission));
                    }
                });
                for vote in writer.answers() {
                    if let Some(capability) = ballots.remove(&vote.epoch) {
                        output.session(&capability).give(Shared::new(vote));
                    }
                }
                if halts.halted() {
                    ballots.clear();
                }
            }
        });
    (started.expect("an operator is constructed with its stream"), votes)
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
