//! A learner as bytes, and back.

use std::io::Cursor;
use std::sync::Arc;

use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use serde::{Deserialize, Serialize};

use super::learner::Learner;
use super::live::{LivePairs, PackedLive};
use super::matchmaker::{Matchmaker, PackedMatchmaker};
use super::noise::Noise;
use super::nursery::Nursery;
use super::online::{Online, Refresh};
use super::pack::{PackedSample, RowTable};
use super::pairs::{PackedPairs, PairStore};
use super::reservoir::{PackedReservoir, Reservoir};
use super::scaler::Scaler;
use super::settings::Settings;
use super::trainer::{Part, Trained, Workbench};
use super::watch::Watch;
use crate::data::Row;
use crate::network::Device;
use crate::replica::{Arrival, ReplicaError, passed_through};

/// Everything replicated, each row once.
#[derive(Serialize, Deserialize)]
struct Frame {
    rows: Vec<Arc<Row>>,
    keys: Vec<Arc<str>>,
    version: i64,
    seen: u64,
    skipped: u64,
    quota: (i64, u64),
    held: Vec<u32>,
    /// The held rows' pass-through columns as an Arrow IPC stream.
    extras: Option<Vec<u8>>,
    online: Option<PackedOnline>,
}

#[derive(Serialize, Deserialize)]
struct PackedOnline {
    scaler: Scaler,
    reservoir: PackedReservoir,
    trained: Trained,
    teacher: Vec<f32>,
    pairs: PackedPairs,
    matchmaker: PackedMatchmaker,
    waiting: Vec<PackedSample>,
    watch: Watch,
    prices: Vec<f32>,
    violation: f64,
    next_refresh: u64,
    refresh: Option<PackedRefresh>,
}

#[derive(Serialize, Deserialize)]
struct PackedRefresh {
    number: u64,
    updates: u64,
    pool: Vec<PackedSample>,
    pairs: PackedPairs,
    scaler: Scaler,
    target: Vec<f32>,
}

fn broken(problem: impl ToString) -> ReplicaError {
    ReplicaError::Snapshot(problem.to_string())
}

impl Learner {
    pub(super) fn pack(&self) -> Vec<u8> {
        let mut table = RowTable::default();
        let held = self.held.iter().map(|arrival| table.put(&arrival.row)).collect();
        let online = self.online.as_ref().map(|online| PackedOnline {
            scaler: online.scaler.clone(),
            reservoir: online.reservoir.pack(&mut table),
            trained: online.trained.clone(),
            teacher: online.teacher.clone(),
            pairs: online.pairs.pack(&mut table),
            matchmaker: online.matchmaker.pack(&mut table),
            waiting: online.waiting.iter().map(|sample| table.pack(sample)).collect(),
            watch: online.watch.clone(),
            prices: online.prices.clone(),
            violation: online.violation,
            next_refresh: online.next_refresh,
            refresh: online.refresh.as_ref().map(|refresh| PackedRefresh {
                number: refresh.number,
                updates: refresh.updates,
                pool: refresh.pool.iter().map(|sample| table.pack(sample)).collect(),
                pairs: refresh.pairs.pack(&mut table),
                scaler: Scaler::clone(&refresh.scaler),
                target: refresh.target.clone(),
            }),
        });
        // They follow the frame where there are any.
        let live = (self.live != LivePairs::default()).then(|| self.live.pack(&mut table));
        // Parameters, two moments, their average and the reference of drift.
        let parameters = self.online.as_ref().map_or(0, |online| 5 * online.teacher.len());
        let frame = Frame {
            rows: table.into_rows(),
            keys: self.names.clone(),
            version: self.version,
            seen: self.seen,
            skipped: self.skipped,
            quota: self.quota,
            held,
            extras: extras(&self.held),
            online,
        };
        // Room for what is long, with an eighth to spare: growing as it goes would copy all of it several times.
        let numbers = frame.rows.iter().map(|row| row.features.len()).sum::<usize>() + parameters;
        let room = Vec::with_capacity(4 * numbers + numbers / 2);
        let mut bytes = postcard::to_extend(&frame, room).expect("plain data in memory can be written");
        if let Some(live) = live {
            bytes.extend(postcard::to_stdvec(&live).expect("plain data in memory can be written"));
        }
        bytes
    }

    /// The learner that was packed, on any worker.
    ///
    /// # Errors
    /// If the bytes are not a snapshot, or one of another network.
    pub fn restore(
        bytes: &[u8],
        settings: Arc<Settings>,
        part: Part,
        nursery: Nursery,
        device: Device,
    ) -> Result<Self, ReplicaError> {
        let (frame, rest): (Frame, &[u8]) = postcard::take_from_bytes(bytes).map_err(broken)?;
        let mut learner = Self::new(settings, part, nursery, device);
        learner.keys = frame.keys.iter().zip(0..).map(|(key, number)| (Arc::clone(key), number)).collect();
        learner.names = frame.keys;
        learner.version = frame.version;
        learner.seen = frame.seen;
        learner.skipped = frame.skipped;
        learner.quota = frame.quota;
        learner.held = held(&frame.held, &frame.rows, frame.extras.as_deref())?;
        if !rest.is_empty() {
            let live: PackedLive = postcard::from_bytes(rest).map_err(broken)?;
            learner.live = LivePairs::unpack(live, &frame.rows).map_err(broken)?;
        }
        let Some(packed) = frame.online else { return Ok(learner) };
        let unpack = |samples: Vec<PackedSample>| {
            samples.into_iter().map(|s| s.unpack(&frame.rows)).collect::<Result<Vec<_>, _>>()
        };
        let width = packed.scaler.width();
        let bench = Workbench {
            objective: learner.settings.objective(width),
            device: learner.device.clone(),
            noise: Arc::new(Noise::new(learner.settings.seed, width)),
        };
        if packed.teacher.len() != bench.objective.layout().len() {
            return Err(broken("it belongs to a network of another shape"));
        }
        let refresh = match packed.refresh {
            None => None,
            Some(refresh) => Some(Refresh {
                number: refresh.number,
                updates: refresh.updates,
                pool: Arc::new(unpack(refresh.pool).map_err(broken)?),
                pairs: Arc::new(PairStore::unpack(refresh.pairs, &frame.rows).map_err(broken)?),
                scaler: Arc::new(refresh.scaler),
                target: refresh.target,
                job: None,
            }),
        };
        learner.online = Some(Box::new(Online {
            bench,
            scaler: packed.scaler,
            reservoir: Reservoir::unpack(packed.reservoir, &frame.rows).map_err(broken)?,
            trained: packed.trained,
            teacher: packed.teacher,
            pairs: PairStore::unpack(packed.pairs, &frame.rows).map_err(broken)?,
            matchmaker: Matchmaker::unpack(packed.matchmaker, &frame.rows).map_err(broken)?,
            waiting: unpack(packed.waiting).map_err(broken)?,
            watch: packed.watch,
            prices: packed.prices,
            violation: packed.violation,
            next_refresh: packed.next_refresh,
            refresh,
        }));
        Ok(learner)
    }
}

/// The pass-through columns of held rows as an Arrow IPC stream.
fn extras(held: &[Arrival]) -> Option<Vec<u8>> {
    let batch = passed_through(held.iter()).expect("held rows come from one input with one schema")?;
    let write = || {
        let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
        writer.write(&batch)?;
        writer.into_inner()
    };
    Some(write().expect("plain data in memory can be written"))
}

fn held(numbers: &[u32], rows: &[Arc<Row>], extras: Option<&[u8]>) -> Result<Vec<Arrival>, ReplicaError> {
    let batch = match extras {
        None => None,
        Some(bytes) => {
            StreamReader::try_new(Cursor::new(bytes), None).map_err(broken)?.next().transpose().map_err(broken)?
        }
    };
    let batch = batch.map(Arc::new);
    let row = |number: u32| {
        rows.get(number as usize).map(Arc::clone).ok_or_else(|| broken(format!("row {number} is missing")))
    };
    numbers
        .iter()
        .enumerate()
        .map(|(i, number)| Ok(Arrival { row: row(*number)?, extras: batch.clone().map(|batch| (batch, i)) }))
        .collect()
}
