mod crash;

use std::ops::Range;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int64Type};
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float32Array, Int32Array, Int64Array, StringArray, new_null_array,
};
use arrow_schema::{DataType, Field, FieldRef, Schema, TimeUnit};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::{TempDir, tempdir};

use super::*;
use crate::connector::{SCHEMA_VERSION, assignment_schema};

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("source", DataType::Utf8, false),
        Field::new("partition", DataType::Int32, false),
        Field::new("offset", DataType::Int64, false),
    ]))
}

/// Rows whose offsets are `range`: even ones from `even`, odd ones from `odd`.
fn rows(range: Range<i64>) -> RecordBatch {
    let source = range.clone().map(|i| if i % 2 == 0 { "even" } else { "odd" });
    RecordBatch::try_new(
        schema(),
        vec![
            Arc::new(StringArray::from_iter_values(source)),
            Arc::new(Int32Array::from_iter_values(range.clone().map(|_| 0))),
            Arc::new(Int64Array::from_iter_values(range)),
        ],
    )
    .unwrap()
}

const NEVER: Roll = Roll { bytes: u64::MAX, age: Duration::MAX };

fn open(dir: &Path, roll: Roll, token: Option<&[u8]>) -> Result<ParquetSink, ConnectorError> {
    ParquetSink::open_rolling(dir, 0, schema(), roll, token)
}

/// Offsets in all visible files, in the order of their names.
fn visible(dir: &Path) -> Vec<i64> {
    let mut offsets = Vec::new();
    for path in visible_files(dir) {
        let file = fs::File::open(&path).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            offsets.extend(batch.unwrap()["offset"].as_primitive::<Int64Type>().values());
        }
    }
    offsets
}

fn visible_files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|e| e == "parquet")).collect();
    files.sort();
    files
}

/// Every listed file is there as the manifest says.
fn check_manifest(dir: &Path) -> Vec<String> {
    let files: Vec<PartFile> = Manifest::read_all(dir).unwrap().into_iter().flat_map(|m| m.files).collect();
    for file in &files {
        let path = dir.join(&file.name);
        assert_eq!(fs::metadata(&path).unwrap().len(), file.bytes);
        assert_eq!(part::checksum(&path).unwrap(), file.crc32);
    }
    files.into_iter().map(|file| file.name).collect()
}

/// At rest, what is listed is what is visible.
fn check_rest(dir: &Path) {
    let names: Vec<String> =
        visible_files(dir).iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(check_manifest(dir), names);
}

fn files_in(folder: PathBuf) -> usize {
    fs::read_dir(folder).unwrap().count()
}

/// The newest durable checkpoint: the next row and the token.
#[derive(Clone, Debug, Default)]
struct Saved {
    next: i64,
    token: Option<Vec<u8>>,
}

#[test]
fn many_checkpoints_make_one_file() {
    let dir = tempdir().unwrap();
    let mut sink = open(dir.path(), NEVER, None).unwrap();
    for i in 0..20 {
        sink.write(&rows(i * 10..i * 10 + 10)).unwrap();
        let token = sink.prepare().unwrap();
        sink.commit(&token).unwrap();
        assert!(visible_files(dir.path()).is_empty());
    }
    sink.finish().unwrap();
    let token = sink.prepare().unwrap();
    assert!(visible_files(dir.path()).is_empty(), "not shown before the checkpoint is durable");
    sink.commit(&token).unwrap();
    assert_eq!(visible_files(dir.path()), [dir.path().join("part-w00-000001.parquet")]);
    assert_eq!(visible(dir.path()), (0..200).collect::<Vec<_>>());
    let manifest = &Manifest::read_all(dir.path()).unwrap()[0];
    assert_eq!((manifest.rows, manifest.worker, manifest.schema_version), (200, 0, SCHEMA_VERSION));
    let range = |source: &str, min_offset, max_offset| OffsetRange {
        source: source.to_owned(),
        partition: 0,
        min_offset,
        max_offset,
    };
    assert_eq!(manifest.files[0].ranges, [range("even", 0, 198), range("odd", 1, 199)]);
}

#[test]
fn an_old_file_is_completed_even_when_no_rows_come() {
    let dir = tempdir().unwrap();
    let mut sink = open(dir.path(), Roll { bytes: u64::MAX, age: Duration::from_millis(1500) }, None).unwrap();
    sink.write(&rows(0..1)).unwrap();
    let young = sink.prepare().unwrap();
    sink.commit(&young).unwrap();
    assert!(visible_files(dir.path()).is_empty());
    std::thread::sleep(Duration::from_millis(1100));
    let token = sink.prepare().unwrap();
    sink.commit(&token).unwrap();
    assert!(visible_files(dir.path()).is_empty());
    drop(sink);
    // The age counts across restarts: one second is in the token.
    let mut sink = open(dir.path(), Roll { bytes: u64::MAX, age: Duration::from_millis(1500) }, Some(&token)).unwrap();
    std::thread::sleep(Duration::from_millis(600));
    let token = sink.prepare().unwrap();
    sink.commit(&token).unwrap();
    assert_eq!(visible(dir.path()), [0]);
}

#[test]
fn no_rows_make_no_file() {
    let dir = tempdir().unwrap();
    let mut sink = open(dir.path(), NEVER, None).unwrap();
    sink.write(&rows(0..0)).unwrap();
    sink.finish().unwrap();
    let token = sink.prepare().unwrap();
    sink.commit(&token).unwrap();
    assert!(visible_files(dir.path()).is_empty());
    assert_eq!(files_in(dir.path().join("_spool")) + files_in(dir.path().join("_pending")), 0);
}

#[test]
fn workers_share_a_folder_without_seeing_each_other() {
    let dir = tempdir().unwrap();
    let mut sinks: Vec<ParquetSink> =
        (0..3).map(|worker| ParquetSink::open(dir.path(), worker, schema(), 1, 60, None).unwrap()).collect();
    for (worker, sink) in sinks.iter_mut().enumerate() {
        let first = worker as i64 * 10;
        sink.write(&rows(first..first + 10)).unwrap();
        sink.finish().unwrap();
    }
    let tokens: Vec<Vec<u8>> = sinks.iter_mut().map(|sink| sink.prepare().unwrap()).collect();
    sinks[0].commit(&tokens[0]).unwrap();
    drop(sinks);
    for (worker, token) in tokens.iter().enumerate() {
        ParquetSink::open(dir.path(), worker, schema(), 1, 60, Some(token)).unwrap();
    }
    assert_eq!(visible(dir.path()), (0..30).collect::<Vec<_>>());
    assert_eq!(Manifest::read_all(dir.path()).unwrap().len(), 3);
    let swapped = ParquetSink::open(dir.path(), 1, schema(), 1, 60, Some(&tokens[0])).unwrap_err();
    assert!(swapped.to_string().contains("worker 0"), "{swapped}");
}

#[test]
fn an_earlier_run_is_refused_and_clear_removes_only_what_sinks_made() {
    let dir = tempdir().unwrap();
    let mut sink = open(dir.path(), NEVER, None).unwrap();
    sink.write(&rows(0..5)).unwrap();
    sink.finish().unwrap();
    let token = sink.prepare().unwrap();
    sink.commit(&token).unwrap();
    sink.write(&rows(5..9)).unwrap();
    sink.prepare().unwrap();
    drop(sink);
    for foreign in ["notes.txt", "part-mine.parquet", "_spool/mine.txt", "_manifest-wide.json"] {
        fs::write(dir.path().join(foreign), "keep me").unwrap();
    }
    let error = open(dir.path(), NEVER, None).unwrap_err();
    assert!(matches!(error, ConnectorError::Inconsistent { .. }), "{error}");
    assert!(error.to_string().contains("--fresh"), "{error}");

    assert!(ParquetSink::holds_output(dir.path()).unwrap());
    ParquetSink::clear(dir.path()).unwrap();
    assert!(!ParquetSink::holds_output(dir.path()).unwrap());
    let mut left: Vec<String> =
        fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["_manifest-wide.json", "_spool", "notes.txt", "part-mine.parquet"]);
    open(dir.path(), NEVER, None).unwrap();
    ParquetSink::clear(&dir.path().join("not there")).unwrap();
}

/// A folder with a checkpoint that needs 6 rows of spool 2, one shown file, and the token.
fn interrupted() -> (TempDir, Vec<u8>) {
    let dir = tempdir().unwrap();
    let mut sink = open(dir.path(), NEVER, None).unwrap();
    sink.write(&rows(0..4)).unwrap();
    sink.finish().unwrap();
    sink.write(&rows(4..10)).unwrap();
    let token = sink.prepare().unwrap();
    sink.commit(&token).unwrap();
    (dir, token)
}

#[test]
fn a_spool_that_is_missing_short_or_changed_is_named_with_what_to_do() {
    for (harm, word) in [("missing", "No such file"), ("short", "not whole"), ("changed", "checksum")] {
        let (dir, token) = interrupted();
        let spool = dir.path().join("_spool/spool-w00-000002.spool");
        let mut bytes = fs::read(&spool).unwrap();
        match harm {
            "missing" => fs::remove_file(&spool).unwrap(),
            "short" => fs::write(&spool, &bytes[..bytes.len() - 1]).unwrap(),
            _ => {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                fs::write(&spool, &bytes).unwrap();
            }
        }
        let error = open(dir.path(), NEVER, Some(&token)).unwrap_err();
        assert!(matches!(error, ConnectorError::Inconsistent { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("spool-w00-000002") && text.contains(word) && text.contains("--fresh"), "{text}");
        assert_eq!(visible(dir.path()), [0, 1, 2, 3], "a refused folder is left as it is");
    }
}

#[test]
fn a_spool_with_other_columns_is_refused() {
    let (dir, token) = interrupted();
    let other = Arc::new(Schema::new(vec![Field::new("offset", DataType::Int64, false)]));
    let error = ParquetSink::open(dir.path(), 0, other, 1, 1, Some(&token)).unwrap_err();
    assert!(error.to_string().contains("other columns"), "{error}");
}

#[test]
fn a_visible_file_that_nobody_lists_is_refused() {
    let (dir, token) = interrupted();
    fs::remove_file(dir.path().join("_manifest-w00.json")).unwrap();
    // The token itself lists the file, so this is only a commit that was cut short.
    let mut sink = open(dir.path(), NEVER, Some(&token)).unwrap();
    let later = sink.prepare().unwrap();
    drop(sink);
    fs::remove_file(dir.path().join("_manifest-w00.json")).unwrap();
    let error = open(dir.path(), NEVER, Some(&later)).unwrap_err();
    assert!(error.to_string().contains("part-w00-000001.parquet"), "{error}");
}

#[test]
fn a_pending_file_that_was_changed_is_refused() {
    let dir = tempdir().unwrap();
    let mut sink = open(dir.path(), NEVER, None).unwrap();
    sink.write(&rows(0..4)).unwrap();
    sink.finish().unwrap();
    let token = sink.prepare().unwrap();
    let pending = dir.path().join("_pending/part-w00-000001.pending");
    let mut bytes = fs::read(&pending).unwrap();
    bytes[20] ^= 1;
    fs::write(&pending, bytes).unwrap();
    let error = open(dir.path(), NEVER, Some(&token)).unwrap_err();
    assert!(error.to_string().contains("was changed"), "{error}");
    fs::remove_file(&pending).unwrap();
    let error = open(dir.path(), NEVER, Some(&token)).unwrap_err();
    assert!(error.to_string().contains("is missing"), "{error}");
}

#[test]
fn bytes_that_are_no_token_are_refused() {
    let dir = tempdir().unwrap();
    for bytes in [&[][..], &[1, 2][..], &[200, 0, 0][..]] {
        let error = open(dir.path(), NEVER, Some(bytes)).unwrap_err();
        assert!(matches!(error, ConnectorError::Inconsistent { .. }), "{error}");
    }
}

#[test]
fn rows_with_other_columns_are_refused() {
    let dir = tempdir().unwrap();
    let mut sink = open(dir.path(), NEVER, None).unwrap();
    let error = sink.write(&rows(0..1).project(&[0]).unwrap()).unwrap_err();
    assert!(error.to_string().contains("columns"), "{error}");
    assert!(sink.prepare().is_err(), "a failed sink takes no checkpoint");
}

#[test]
fn a_folder_that_cannot_be_created_is_named() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = open(&file.join("output"), NEVER, None).unwrap_err();
    assert!(matches!(error, ConnectorError::Create { .. }), "{error}");
    assert!(error.to_string().contains("file/output"), "{error}");
}

/// A file system of half a megabyte; `None` where this user may not mount one.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=512k", "tmpfs"]).arg(dir.path()).output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()));
    }
}

#[test]
fn a_full_disk_is_an_error_and_nothing_is_half_visible() {
    let Some(disk) = SmallDisk::mount() else {
        println!("skipped: no right to mount a small file system");
        return;
    };
    let dir = disk.0.path().join("assignments");
    let mut saved = Saved::default();
    let mut sink = open(&dir, Roll { bytes: 60_000, age: Duration::MAX }, None).unwrap();
    let mut next = 0;
    let error = loop {
        let step = sink.write(&rows(next..next + 1000)).and_then(|()| {
            next += 1000;
            let token = sink.prepare()?;
            saved = Saved { next, token: Some(token.clone()) };
            sink.commit(&token)
        });
        match step {
            Ok(()) => assert!(next < 1_000_000, "the disk is not full"),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("No space left"), "{error}");
    assert!(error.to_string().contains("assignments"), "{error}");
    let seen = visible(&dir);
    assert!(seen.len() as i64 <= saved.next);
    assert_eq!(seen, (0..seen.len() as i64).collect::<Vec<_>>());
    check_manifest(&dir);
    drop(sink);

    // With room again, the run goes on from its checkpoint.
    let larger = Command::new("mount").args(["-o", "remount,size=4m"]).arg(disk.0.path()).status().unwrap();
    assert!(larger.success());
    let mut sink = open(&dir, NEVER, saved.token.as_deref()).unwrap();
    sink.write(&rows(saved.next..saved.next + 10)).unwrap();
    sink.finish().unwrap();
    let token = sink.prepare().unwrap();
    sink.commit(&token).unwrap();
    assert_eq!(visible(&dir), (0..saved.next + 10).collect::<Vec<_>>());
    check_rest(&dir);
    drop(sink);
}

#[test]
fn every_column_type_survives_the_way_back_from_a_file_to_a_spool() {
    let item = Arc::new(Field::new("item", DataType::Float32, true));
    let word = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let extras: Vec<FieldRef> = [
        Field::new("label", DataType::Int64, true),
        Field::new("room", word, true),
        Field::new("features", DataType::FixedSizeList(Arc::clone(&item), 2), true),
        Field::new("history", DataType::List(item), true),
        Field::new("seen", DataType::Timestamp(TimeUnit::Millisecond, None), true),
        Field::new("day", DataType::Date32, true),
        Field::new("raw", DataType::Binary, true),
    ]
    .into_iter()
    .map(Arc::new)
    .collect();
    let schema = assignment_schema(&extras).unwrap();
    let column = |field: &FieldRef| -> ArrayRef {
        match field.name().as_str() {
            "offset" => Arc::new(Int64Array::from(vec![5, 6])),
            "room" => Arc::new(DictionaryArray::<Int8Type>::from_iter([Some("attic"), None])),
            _ if field.is_nullable() => new_null_array(field.data_type(), 2),
            _ => new_filled(field.data_type()),
        }
    };
    let rows = RecordBatch::try_new(SchemaRef::clone(&schema), schema.fields().iter().map(column).collect()).unwrap();

    let dir = tempdir().unwrap();
    let mut sink = ParquetSink::open(dir.path(), 0, SchemaRef::clone(&schema), 1, 60, None).unwrap();
    sink.write(&rows).unwrap();
    let token = sink.prepare().unwrap();
    sink.write(&rows).unwrap();
    sink.finish().unwrap();
    let later = sink.prepare().unwrap();
    sink.commit(&later).unwrap();
    assert!(!dir.path().join("_spool/spool-w00-000001.spool").exists());
    drop(sink);

    let mut sink = ParquetSink::open(dir.path(), 0, schema, 1, 60, Some(&token)).unwrap();
    assert!(visible_files(dir.path()).is_empty());
    sink.finish().unwrap();
    let token = sink.prepare().unwrap();
    sink.commit(&token).unwrap();
    let file = fs::File::open(dir.path().join("part-w00-000001.parquet")).unwrap();
    let read: Vec<RecordBatch> =
        ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(Result::unwrap).collect();
    assert_eq!(read, [rows]);
}

/// Two values of a type that may not be null.
fn new_filled(data_type: &DataType) -> ArrayRef {
    match data_type {
        DataType::Utf8 => Arc::new(StringArray::from(vec!["a", "b"])),
        DataType::Int32 => Arc::new(Int32Array::from(vec![1, 2])),
        DataType::Int64 => Arc::new(Int64Array::from(vec![1, 2])),
        DataType::Float32 => Arc::new(Float32Array::from(vec![0.5, f32::MAX])),
        DataType::Boolean => Arc::new(BooleanArray::from(vec![true, false])),
        other => panic!("no sample of {other}"),
    }
}
