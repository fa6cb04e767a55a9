//! Where data sets are, and their rows and labels.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::BenchmarkError;
use super::suite::{Line, Suite};
use crate::data::{label_text, nearest};
use crate::error::Error;
use crate::pipeline;
use crate::replica::Arrival;

/// The file of each data set that is there.
pub type DataPaths = BTreeMap<String, PathBuf>;

/// Finds the files of a suite's data sets. `given`: `NAME=FILE`, or a folder that is searched for all of them; a later one
/// goes before an earlier one.
///
/// # Errors
/// If a name is not one of the suite's, or a path is not there.
pub fn data_paths(suite: &Suite, given: &[String]) -> Result<DataPaths, BenchmarkError> {
    let mut found = DataPaths::new();
    for argument in given {
        let there = |path: &Path| match path.exists() {
            true => Ok(()),
            false => Err(BenchmarkError::NoData { path: path.to_owned() }),
        };
        match argument.split_once('=') {
            Some((name, path)) => {
                if !suite.data.contains_key(name) {
                    let names = || suite.data.keys().map(String::as_str);
                    let hint = match nearest(name, names()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("there are {}", names().collect::<Vec<_>>().join(", ")),
                    };
                    return Err(BenchmarkError::UnknownData { name: name.to_owned(), hint });
                }
                there(Path::new(path))?;
                found.insert(name.to_owned(), PathBuf::from(path));
            }
            None => {
                let folder = Path::new(argument);
                there(folder)?;
                for (name, data) in &suite.data {
                    let file = if data.file.is_empty() { format!("{name}.parquet") } else { data.file.clone() };
                    let path = folder.join(file);
                    if path.exists() {
                        found.insert(name.clone(), path);
                    }
                }
            }
        }
    }
    Ok(found)
}

/// A data set in memory.
#[derive(Clone, Debug)]
pub(super) struct Data {
    /// Its rows, in the order of the file.
    pub arrivals: Vec<Arrival>,
    /// The class of each row, as a number; nothing if it has none.
    pub classes: Vec<Option<u32>>,
    /// What classes are called, by number.
    pub class_names: Vec<String>,
}

impl Data {
    /// Reads the data set of a line.
    pub fn read(suite: &Suite, line: &Line, file: &Path) -> Result<Self, Error> {
        let fault = |problem: &str| BenchmarkError::Data { file: file.to_owned(), problem: problem.to_owned() };
        let plan = line.plan(file)?;
        let mut arrivals = pipeline::load(&plan)?;
        let data = &suite.data[&line.data];
        arrivals.truncate(data.first_rows.unwrap_or(usize::MAX));
        let mut labels: Vec<Option<String>> = Vec::with_capacity(arrivals.len());
        for arrival in &arrivals {
            let (batch, row) = arrival.extras.as_ref().ok_or_else(|| fault("name the label: `features.label`"))?;
            let column = batch.column_by_name("label").ok_or_else(|| fault("name the label: `features.label`"))?;
            labels.push(label_text(column, *row).filter(|label| Some(label) != data.ignore_label.as_ref()));
        }
        let mut numbers = BTreeMap::<&str, u32>::new();
        for label in labels.iter().flatten() {
            let next = numbers.len() as u32;
            numbers.entry(label).or_insert(next);
        }
        if numbers.is_empty() {
            return Err(fault("no row has a label").into());
        }
        let classes = labels.iter().map(|label| label.as_ref().map(|label| numbers[label.as_str()])).collect();
        let known = pipeline::label_names(&plan);
        let mut class_names = vec![String::new(); numbers.len()];
        for (label, number) in numbers {
            class_names[number as usize] = known.get(label).map_or(label, String::as_str).to_owned();
        }
        Ok(Self { class_names, classes, arrivals })
    }
}
