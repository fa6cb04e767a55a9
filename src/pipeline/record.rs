//! Checkpoints as files.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::progress::Progress;
use crate::checkpoint::{Checkpoint, Digest, Local, Store};
use crate::connector::kafka::{KafkaInput, KafkaOffsets, Outbox, PairTopic};
use crate::flow::{FlowError, Record};
use crate::replica::{PairCounts, Status};
use crate::telemetry::failpoint;

/// What a checkpoint ends beside the file: what was sent to topics, and the offsets of the input.
pub(super) struct Brokers {
    pub(super) input: KafkaInput,
    pub(super) pairs: Option<PairTopic>,
    pub(super) offsets: Arc<KafkaOffsets>,
    pub(super) outbox: Option<Arc<Outbox>>,
}

/// Writes each checkpoint to the store. On workers other than 0 it is never called.
pub(super) struct Files {
    pub(super) brokers: Option<Brokers>,
    pub(super) store: Option<Store>,
    pub(super) next_id: u64,
    pub(super) digest: Digest,
    pub(super) epochs_per_pass: u64,
    pub(super) progress: Arc<Progress>,
    pub(super) on_kept: Arc<dyn Fn(f64) + Send + Sync>,
    /// What was last said of pairs.
    pub(super) paired: PairCounts,
}

impl Files {
    /// Keeps nothing: for runs that change no state.
    pub(super) fn none() -> Self {
        Self {
            brokers: None,
            store: None,
            next_id: 0,
            digest: Digest::default(),
            epochs_per_pass: u64::MAX,
            progress: Arc::default(),
            on_kept: Arc::new(|_| {}),
            paired: PairCounts::default(),
        }
    }

    /// Says what has become of pairs from a topic, if that is news.
    fn tell_pairs(&mut self, counts: PairCounts) {
        if counts != self.paired {
            let PairCounts { taken, made, waiting, gone, dropped } = counts;
            tracing::info!(taken, made, waiting, gone, dropped, "pairs");
            self.paired = counts;
        }
    }
}

impl Record for Files {
    fn keep(
        &mut self,
        epoch: u64,
        replica: Vec<u8>,
        locals: &[Local],
        finished: bool,
        status: &Status,
    ) -> Result<(), FlowError> {
        let position = self.brokers.as_ref().map(|brokers| brokers.input.position_after(epoch));
        let Some(store) = &mut self.store else {
            if let (Some(brokers), Some(position)) = (&self.brokers, &position) {
                brokers.offsets.commit(position, 0)?;
            }
            return Ok(());
        };
        let started = std::time::Instant::now();
        if let Some(outbox) = self.brokers.as_ref().and_then(|brokers| brokers.outbox.as_ref())
            && !outbox.is_transactional()
        {
            // A row that is lost after its offset counts as read would come never; one that is sent again, twice.
            outbox.flush()?;
        }
        failpoint("before-checkpoint");
        let checkpoint = Checkpoint {
            id: self.next_id,
            epoch: epoch + 1,
            pass: epoch / self.epochs_per_pass,
            digest: self.digest.clone(),
            model_version: status.model_version,
            rows: status.rows,
            workers: locals.len() as u32,
            finished,
            position: position.clone(),
            pairs: self.brokers.as_ref().and_then(|brokers| Some(brokers.pairs.as_ref()?.position_after(epoch))),
            created_unix_s: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            replica,
            locals: locals.to_vec(),
        };
        store.write(&checkpoint).map_err(|error| FlowError::Checkpoint(error.to_string()))?;
        failpoint("after-checkpoint");
        if let (Some(brokers), Some(position)) = (&self.brokers, &position) {
            match brokers.outbox.as_ref().filter(|outbox| outbox.is_transactional()) {
                Some(outbox) => outbox.commit(&brokers.offsets, position, checkpoint.id)?,
                None => brokers.offsets.commit(position, checkpoint.id)?,
            }
        }
        self.next_id += 1;
        if let Some(counts) = status.pairs {
            self.tell_pairs(counts);
        }
        self.progress.checkpoint();
        (self.on_kept)(started.elapsed().as_secs_f64());
        Ok(())
    }
}
