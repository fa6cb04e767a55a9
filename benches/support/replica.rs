//! A learner or a frozen model, fed without a flow.

use std::hint::black_box;
use std::sync::Arc;

use evenkeel::data::{Row, ScaleParameters};
use evenkeel::learner::{BalanceParameters, LearningParameters, ModelParameters, Nearness, Settings};
use evenkeel::network::Backend;
use evenkeel::objective::Method;
use evenkeel::replica::{Arrival, Replica, Step};

/// Defaults, without challengers.
pub fn settings(clusters: usize, warmup_steps: usize) -> Settings {
    Settings {
        model: ModelParameters { clusters, ..Default::default() },
        method: Method::Even(Default::default()),
        refine: None,
        backend: Backend::Flex,
        balance: BalanceParameters::default(),
        learning: LearningParameters { refresh_steps: 0, warmup_steps, ..Default::default() },
        supervision: None,
        scale: ScaleParameters::default(),
        half_life: None,
        nearness: Nearness::Time(5_000_000_000),
        drift: Default::default(),
        seed: 1,
    }
}

/// Feeds rows in epochs of `epoch` rows.
pub fn feed(replica: &mut dyn Replica, rows: &[Arc<Row>], epoch: usize) {
    for chunk in rows.chunks(epoch) {
        replica.begin(chunk.iter().map(|row| Arrival { row: Arc::clone(row), extras: None }).collect());
        let mut total = None;
        while let Step::Exchange(own) = replica.advance(total.take()).unwrap() {
            total = Some(own);
        }
        black_box(replica.take());
    }
}
