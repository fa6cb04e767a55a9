//! `[objective]`: which keys and values it may have follows from `model.objective`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::Rule;
use super::load::in_plain_words;
use crate::learner::{Method, ModelParameters};
use crate::objective::{AeCmParameters, EvenParameters};

/// The method that `model.objective` names with its parameters, unless that name or one of them breaks a rule.
pub(super) fn method(model: &ModelParameters, table: &Table, broken: &mut Vec<Rule>) -> Option<Method> {
    match model.objective.as_str() {
        "even" => {
            let parameters: EvenParameters = read("even", table, broken)?;
            let mut check = Ranges { broken, whole: true };
            check.positive("objective.temperature", parameters.temperature);
            check.within("objective.code_temperature", parameters.code_temperature, "above 0 and below 1", |v| {
                0.0 < v && v < 1.0
            });
            check.not_negative("objective.jitter", parameters.jitter);
            check.share("objective.mask", parameters.mask);
            check.whole.then_some(Method::Even(parameters))
        }
        "ae-cm" => {
            if model.clusters > model.embedding {
                broken.push(Rule::Orthonormal { clusters: model.clusters, embedding: model.embedding });
            }
            let parameters: AeCmParameters = read("ae-cm", table, broken)?;
            let mut check = Ranges { broken, whole: true };
            check.not_negative("objective.beta", parameters.beta);
            check.not_negative("objective.lambda", parameters.lambda);
            check.within("objective.alpha", parameters.alpha, "at least 1", |v| v >= 1.0);
            check.share("objective.pretraining", parameters.pretraining);
            check.whole.then_some(Method::AeCm(parameters))
        }
        _ => None,
    }
}

/// Every parameter of the method with its value.
pub(super) fn table(method: &Method) -> Result<Table, toml::ser::Error> {
    match method {
        Method::Even(parameters) => Table::try_from(parameters),
        Method::AeCm(parameters) => Table::try_from(parameters),
    }
}

fn read<P: Serialize + DeserializeOwned + Default>(
    objective: &'static str,
    table: &Table,
    broken: &mut Vec<Rule>,
) -> Option<P> {
    // The parameters are numbers: they can always be written.
    let known = Table::try_from(P::default()).unwrap_or_default();
    let before = broken.len();
    for key in table.keys().filter(|key| !known.contains_key(*key)) {
        broken.push(Rule::ObjectiveKey { key: key.clone(), objective, known: known.keys().cloned().collect() });
    }
    if broken.len() > before {
        return None;
    }
    match Value::Table(table.clone()).try_into() {
        Ok(parameters) => Some(parameters),
        Err(error) => {
            let (path, problem) = in_plain_words(&error);
            broken.push(Rule::ObjectiveValue { key: path, problem });
            None
        }
    }
}

/// Checks values and remembers whether all of them were in range.
struct Ranges<'a> {
    broken: &'a mut Vec<Rule>,
    whole: bool,
}

impl Ranges<'_> {
    fn within(&mut self, key: &'static str, value: f64, range: &'static str, holds: impl Fn(f64) -> bool) {
        if !(value.is_finite() && holds(value)) {
            self.broken.push(Rule::Range { key, value, range });
            self.whole = false;
        }
    }

    fn positive(&mut self, key: &'static str, value: f64) {
        self.within(key, value, "above 0", |v| v > 0.0);
    }

    fn not_negative(&mut self, key: &'static str, value: f64) {
        self.within(key, value, "0 or above", |v| v >= 0.0);
    }

    fn share(&mut self, key: &'static str, value: f64) {
        self.within(key, value, "at least 0 and below 1", |v| (0.0..1.0).contains(&v));
    }
}
