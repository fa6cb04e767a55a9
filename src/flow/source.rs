//! Reads the input epoch by epoch and deals its rows to their owners.

use std::cell::RefCell;
use std::mem::take;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::generic::OutputBuilder;
use timely::dataflow::operators::generic::builder_rc::OperatorBuilder;
use timely::dataflow::{ProbeHandle, Scope, StreamVec};

use super::message::{Flags, Parcel, Shared};
use super::{AHEAD, Control, FlowError, ROUND_BITS, Timestamp};
use crate::connector::{Polled, Source};
use crate::data::{Featurize, Records};

/// How long a source that may not read on waits before it looks again.
const PAUSE: Duration = Duration::from_micros(200);
/// How long a source without rows does, at first and at most: rows may be about to come, or far away.
const IDLE: [Duration; 2] = [Duration::from_micros(50), Duration::from_millis(2)];

/// When epochs begin, end and are kept.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    /// The first epoch to read, counted over all passes.
    pub first_epoch: u64,
    /// Rows before it, where epochs differ in length.
    pub first_row: u64,
    /// Epochs of one pass, the empty one at its end included; `None` if the input is not bounded.
    pub epochs_per_pass: Option<u64>,
    /// How often the input is read.
    pub passes: u64,
    /// Rows of one pass.
    pub rows_per_pass: u64,
    /// A checkpoint is made every so many epochs,
    pub checkpoint_epochs: u64,
    /// where epochs differ in length every so many rows,
    pub checkpoint_rows: u64,
    /// or after this time, whichever comes first.
    pub checkpoint_interval: Duration,
}

impl Schedule {
    /// Sequence number of the first row of the last pass: earlier ones are learned from and not emitted.
    pub(super) fn first_emitted(&self) -> u64 {
        self.passes.saturating_sub(1) * self.rows_per_pass
    }

    /// Which pass an epoch belongs to, and which epoch of that pass it is.
    fn place(&self, epoch: u64) -> (u64, u64) {
        match self.epochs_per_pass {
            Some(length) => (epoch / length, epoch % length),
            None => (0, epoch),
        }
    }
}

/// Each parcel goes to the worker it is addressed to.
pub(super) type Addressed = (usize, Shared<Parcel>);

struct Reader {
    source: Box<dyn Source>,
    owners: Rc<RefCell<Box<dyn Featurize>>>,
    schedule: Schedule,
    worker: usize,
    peers: usize,
    /// The epoch after the last checkpoint, the rows before it, and when it was made.
    kept: (u64, u64, Instant),
}

impl Reader {
    /// Reads one epoch into one parcel for each worker; nothing if there are not rows enough for it yet.
    fn parcels(&mut self, epoch: u64, control: &Control) -> Result<Option<Vec<Parcel>>, FlowError> {
        let started = Instant::now();
        let (pass, local) = self.schedule.place(epoch);
        let polled = match self.schedule.epochs_per_pass {
            // Nobody has to agree on where a stream without a common order is cut off.
            None if control.stopping() => Polled::Exhausted,
            _ => self.source.read(local)?,
        };
        // A checkpoint and a stop do not wait for rows.
        let due = || epoch > self.kept.0 && self.kept.2.elapsed() >= self.schedule.checkpoint_interval;
        let polled = match polled {
            Polled::Pending if self.worker == 0 && (control.stopping() || due()) => {
                self.source.cut(local);
                self.source.read(local)?
            }
            polled => polled,
        };
        let last_pass = pass + 1 == self.schedule.passes;
        let mut flags = Flags { emit: last_pass, seen: pass > 0, ..Flags::default() };
        let records = match polled {
            Polled::Pending => return Ok(None),
            Polled::Rows(records) => records,
            Polled::Exhausted => {
                flags.pass_ends = true;
                flags.input_ends = last_pass;
                Vec::new()
            }
        };
        if self.worker == 0 {
            flags.last = control.stopping() && self.schedule.epochs_per_pass.is_some();
            let consumed = self.source.consumed();
            let enough = match consumed {
                Some(rows) => rows - self.kept.1.min(rows) >= self.schedule.checkpoint_rows,
                None => epoch + 1 - self.kept.0 >= self.schedule.checkpoint_epochs,
            };
            flags.checkpoint = enough || self.kept.2.elapsed() >= self.schedule.checkpoint_interval;
            if flags.checkpoint {
                self.kept = (epoch + 1, consumed.unwrap_or_default(), Instant::now());
            }
            if flags.last {
                control.end_after(epoch);
            }
        }
        let mut dealt: Vec<Vec<Records>> = vec![Vec::new(); self.peers];
        for mut part in records {
            part.first_sequence += pass * self.schedule.rows_per_pass;
            let owners = self.owners.borrow().owners(&part, self.peers);
            match owners {
                None => dealt[self.worker].push(part),
                Some(owners) => {
                    let mut picks: Vec<Vec<u32>> = vec![Vec::new(); self.peers];
                    for (index, owner) in part.indices().zip(owners) {
                        picks[owner as usize].push(index as u32);
                    }
                    for (records, picked) in dealt.iter_mut().zip(picks).filter(|(_, picked)| !picked.is_empty()) {
                        records.push(Records { picked: Some(picked), ..part.clone() });
                    }
                }
            }
        }
        let (from, read_seconds) = (self.worker, started.elapsed().as_secs_f64());
        let (mut rejected, mut pairs) = (self.source.rejected(), self.source.pairs());
        let parcel = |(to, records)| {
            let (rejected, pairs) =
                if to == from { (take(&mut rejected), take(&mut pairs)) } else { Default::default() };
            Parcel { epoch, from, records, rejected, pairs, flags, read_seconds }
        };
        Ok(Some(dealt.into_iter().enumerate().map(parcel).collect()))
    }
}

/// Sends one parcel per epoch to every worker and stays at most [`AHEAD`] epochs before what the sinks have retired.
pub(super) fn source<'s>(
    scope: Scope<'s, Timestamp>,
    source: Box<dyn Source>,
    owners: Rc<RefCell<Box<dyn Featurize>>>,
    schedule: Schedule,
    retired: ProbeHandle<Timestamp>,
    control: &Arc<Control>,
) -> StreamVec<'s, Timestamp, Addressed> {
    let (worker, peers) = (scope.index(), scope.peers());
    let control = Arc::clone(control);
    let kept = (schedule.first_epoch, schedule.first_row, Instant::now());
    let mut reader = Reader { source, owners, schedule, worker, peers, kept };
    let mut builder = OperatorBuilder::new("Source".to_owned(), scope);
    let (out, stream) = builder.new_output::<Vec<Addressed>>();
    let mut out = OutputBuilder::<_, CapacityContainerBuilder<Vec<Addressed>>>::from(out);
    let activator = scope.activator_for(builder.operator_info().address);
    builder.build_reschedule(move |mut capabilities| {
        let mut capability = capabilities.pop();
        let mut epoch = schedule.first_epoch;
        let mut idle = IDLE[0];
        if let Some(capability) = capability.as_mut() {
            capability.downgrade(&(epoch << ROUND_BITS));
        }
        move |_| {
            let Some(held) = capability.as_mut() else { return false };
            if control.halted() || epoch > control.last_epoch() {
                capability = None;
                return false;
            }
            let oldest = epoch.saturating_sub(AHEAD);
            if epoch >= schedule.first_epoch + AHEAD && retired.less_than(&((oldest + 1) << ROUND_BITS)) {
                activator.activate_after(PAUSE);
                return true;
            }
            match reader.parcels(epoch, &control) {
                Ok(None) => {
                    activator.activate_after(idle);
                    idle = IDLE[1].min(2 * idle);
                    true
                }
                Ok(Some(parcels)) => {
                    idle = IDLE[0];
                    let ends = parcels.iter().any(|parcel| parcel.flags.last || parcel.flags.input_ends);
                    let mut out = out.activate();
                    let mut session = out.session(&*held);
                    for (to, parcel) in parcels.into_iter().enumerate() {
                        session.give((to, Shared::new(parcel)));
                    }
                    drop(session);
                    epoch += 1;
                    if ends {
                        capability = None;
                        return false;
                    }
                    held.downgrade(&(epoch << ROUND_BITS));
                    activator.activate();
                    true
                }
                Err(error) => {
                    control.halt(error);
                    capability = None;
                    false
                }
            }
        }
    });
    stream
}
