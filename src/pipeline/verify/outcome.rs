//! What is visible of the output, by coordinates.

use std::fs::File;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::Schema;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::connector::ConnectorError;
use crate::connector::format::{Decoder, Format, FormatError, FormatOptions, Message, avro_decoder, avro_schema};
use crate::connector::kafka::{KafkaSinkParameters, KafkaSourceParameters, audit};
use crate::error::Error;

/// Where an outcome says that its row came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight<'a> {
    pub(super) source: &'a str,
    pub(super) partition: i32,
    pub(super) offset: i64,
    /// 0 for dead letters.
    pub(super) version: i64,
}

/// Rows of the Parquet files of a folder.
pub(super) fn from_table(folder: &Path, mut visit: impl FnMut(Sight<'_>)) -> Result<(), Error> {
    if !folder.is_dir() {
        return Ok(());
    }
    let unreadable = |file: &Path, problem: String| {
        Error::Connector(ConnectorError::Unreadable { file: file.display().to_string(), problem })
    };
    let listed = std::fs::read_dir(folder).map_err(|error| unreadable(folder, error.to_string()))?;
    let mut files: Vec<PathBuf> = listed.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "parquet"));
    files.sort();
    for file in files {
        let input = File::open(&file).map_err(|error| unreadable(&file, error.to_string()))?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(input).and_then(|builder| builder.build());
        for batch in reader.map_err(|error| unreadable(&file, error.to_string()))? {
            let batch = batch.map_err(|error| unreadable(&file, error.to_string()))?;
            sights(&batch, &mut visit)
                .ok_or_else(|| unreadable(&file, "it lacks the coordinates of rows".to_owned()))?;
        }
    }
    Ok(())
}

/// The coordinates of a table of outcomes; nothing if it has none.
fn sights(batch: &RecordBatch, visit: &mut impl FnMut(Sight<'_>)) -> Option<()> {
    let sources = batch.column_by_name("source")?.as_string_opt::<i32>()?;
    let partitions = batch.column_by_name("partition")?.as_primitive_opt::<Int32Type>()?;
    let offsets = batch.column_by_name("offset")?.as_primitive_opt::<Int64Type>()?;
    let versions = batch.column_by_name("model_version").and_then(|column| column.as_primitive_opt::<Int64Type>());
    for row in 0..sources.len() {
        visit(Sight {
            source: sources.value(row),
            partition: partitions.value(row),
            offset: offsets.value(row),
            version: versions.map_or(0, |versions| versions.value(row)),
        });
    }
    Some(())
}

/// Assignments of a topic; `columns` are all of theirs.
pub(super) fn from_topic(
    sink: &KafkaSinkParameters,
    columns: &Schema,
    mut visit: impl FnMut(Sight<'_>),
) -> Result<(), Error> {
    let mut records = match sink.format {
        Format::Avro => Some(avro_records(&sink.assignments(), columns)?),
        _ => None,
    };
    let mut broken = None;
    let mut fault = None;
    audit::read(&sink.properties, &audit::whole(&sink.properties, &sink.topic)?, |message| {
        let value = message.value.unwrap_or_default();
        let read = match &mut records {
            Some(decoder) => record(decoder.as_mut(), value, &mut visit).unwrap_or_else(|error| {
                fault.get_or_insert(error);
                Some(())
            }),
            None if sink.format == Format::Json => json(value, &mut visit),
            None => stream(value, &mut visit),
        };
        if read.is_none() {
            broken.get_or_insert_with(|| format!("offset {} of partition {}", message.offset, message.partition));
        }
    })?;
    if let Some(fault) = fault {
        return Err(ConnectorError::from(fault).into());
    }
    let unreadable = |place| ConnectorError::Unreadable {
        file: format!("topic {}", sink.topic),
        problem: format!("{place} is no assignment"),
    };
    broken.map_or(Ok(()), |place| Err(unreadable(place).into()))
}

/// Reads the coordinates of Avro records of all these columns.
fn avro_records(options: &FormatOptions, columns: &Schema) -> Result<Box<dyn Decoder>, Error> {
    let unwritable = |problem| FormatError::Options { topic: options.topic.clone(), problem };
    let schema = avro_schema(&options.record, columns).map_err(unwritable).map_err(ConnectorError::from)?;
    let wanted = ["source", "partition", "offset", "model_version"].map(str::to_owned).to_vec();
    let options = FormatOptions { columns: wanted, ..options.clone() };
    Ok(avro_decoder(&options, &schema).map_err(ConnectorError::from)?)
}

fn record(
    decoder: &mut dyn Decoder,
    value: &[u8],
    visit: &mut impl FnMut(Sight<'_>),
) -> Result<Option<()>, FormatError> {
    let message = Message { key: None, value: Some(value), partition: 0, offset: 0, timestamp_ms: None };
    let decoded = decoder.decode(&[message])?;
    Ok((decoded.batch.num_rows() == 1).then(|| sights(&decoded.batch, visit)).flatten())
}

fn json(value: &[u8], visit: &mut impl FnMut(Sight<'_>)) -> Option<()> {
    let row: serde_json::Value = serde_json::from_slice(value).ok()?;
    visit(Sight {
        source: row["source"].as_str()?,
        partition: row["partition"].as_i64()? as i32,
        offset: row["offset"].as_i64()?,
        version: row["model_version"].as_i64()?,
    });
    Some(())
}

fn stream(value: &[u8], visit: &mut impl FnMut(Sight<'_>)) -> Option<()> {
    let reader = arrow_ipc::reader::StreamReader::try_new(Cursor::new(value), None).ok()?;
    for batch in reader {
        sights(&batch.ok()?, visit)?;
    }
    Some(())
}

/// Dead letters of a topic, by the headers that name the message.
pub(super) fn from_dead_letters(source: &KafkaSourceParameters, mut visit: impl FnMut(Sight<'_>)) -> Result<(), Error> {
    let Some(topic) = &source.dead_letter_topic else { return Ok(()) };
    audit::read(&source.properties, &audit::whole(&source.properties, topic)?, |message| {
        let header = |name: &str| {
            let (_, value) = message.headers.iter().rfind(|(header, _)| header == name)?;
            std::str::from_utf8(value.as_deref()?).ok()
        };
        let number = |name: &str| header(name)?.parse::<i64>().ok();
        let place =
            (header("__connect.errors.topic"), number("__connect.errors.partition"), number("__connect.errors.offset"));
        // A topic for dead letters may hold those of other pipelines, which have other topics.
        if let (Some(source), Some(partition), Some(offset)) = place {
            visit(Sight { source, partition: partition as i32, offset, version: 0 });
        }
    })?;
    Ok(())
}
