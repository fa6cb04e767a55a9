//! `[objective]`: which keys and values it may have follows from `model.objective`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::Rule;
use super::load::in_plain_words;
use crate::learner::ModelParameters;
use crate::objective::{Check, Method, Parameters, Visitor};

/// The method that `model.objective` names with its parameters, unless that name or one of them breaks a rule.
pub(super) fn method(model: &ModelParameters, table: &Table, broken: &mut Vec<Rule>) -> Option<Method> {
    Method::visit(&model.objective, Reader { model, table, broken }).flatten()
}

struct Reader<'a> {
    model: &'a ModelParameters,
    table: &'a Table,
    broken: &'a mut Vec<Rule>,
}

impl Visitor for Reader<'_> {
    type Output = Option<Method>;

    fn visit<P: Parameters>(self, wrap: fn(P) -> Method) -> Option<Method> {
        let before = self.broken.len();
        let mut check = Check::default();
        let parameters: Option<P> = read(P::NAME, self.table, self.broken);
        // The number of features is not known before the input is opened.
        parameters.as_ref().unwrap_or(&P::default()).check(&self.model.shape(0), &mut check);
        if check.crowded {
            self.broken.push(Rule::Orthonormal { clusters: self.model.clusters, embedding: self.model.embedding });
        }
        if parameters.is_some() {
            let ranges = check.ranges.into_iter();
            self.broken.extend(ranges.map(|(key, value, range)| Rule::ObjectiveRange { key, value, range }));
        }
        parameters.filter(|_| self.broken.len() == before).map(wrap)
    }
}

/// Every parameter of the method with its value.
pub(super) fn table(method: &Method) -> Result<Table, toml::ser::Error> {
    Table::try_from(method)
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
