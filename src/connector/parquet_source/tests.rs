use std::fs;

use arrow_array::{Int64Array, StringArray};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::connector::ParquetSourceParameters;
use crate::connector::sample::{all_rows, ids, mixed, write};

const ALONE: Share = Share { index: 0, peers: 1 };
const COLUMNS: [&str; 5] = ["id", "fixed", "ragged", "scalar", "name"];

/// 23 rows in two files with rows and one without, row groups of at most 4.
fn input() -> TempDir {
    let dir = TempDir::new().unwrap();
    write(&dir.path().join("a.parquet"), &mixed(0..10), 4);
    write(&dir.path().join("b.parquet"), &mixed(10..10), 4);
    write(&dir.path().join("c.parquet"), &mixed(10..23), 4);
    dir
}

fn catalog(dir: &TempDir, batch_rows: usize) -> Arc<ParquetCatalog> {
    let paths = vec![dir.path().to_string_lossy().into_owned()];
    Arc::new(ParquetCatalog::open(&ParquetSourceParameters { paths, batch_rows }, &[]).unwrap())
}

fn source(catalog: &Arc<ParquetCatalog>, columns: &[&str], share: Share, pace: Pace) -> ParquetSource {
    let columns = columns.iter().map(|&column| column.to_owned()).collect();
    ParquetSource::open(Arc::clone(catalog), columns, share, pace).unwrap()
}

fn rows(source: &mut ParquetSource, epoch: u64) -> Vec<Records> {
    match source.read(epoch).unwrap() {
        Polled::Rows(records) => records,
        Polled::Exhausted | Polled::Pending => panic!("epoch {epoch} is in the input"),
    }
}

/// Everything that tells one epoch from another.
fn seen(records: &[Records]) -> Vec<(String, i64, u64, RecordBatch)> {
    records.iter().map(|r| (r.source.to_string(), r.first_offset, r.first_sequence, r.batch.clone())).collect()
}

#[test]
fn epochs_are_consecutive_rows_cut_at_row_groups() {
    let dir = input();
    let mut source = source(&catalog(&dir, 3), &["id"], ALONE, Pace::Ordered { rows: 7 });
    assert_eq!(source.total_rows(), Some(23));
    let cut: Vec<_> = rows(&mut source, 1).iter().map(|r| (r.first_offset, r.first_sequence, ids(&r.batch))).collect();
    assert_eq!(cut, [(7, 7, vec![7]), (8, 8, vec![8, 9]), (0, 10, vec![10, 11, 12, 13])]);
    let last: Vec<i64> = rows(&mut source, 3).iter().flat_map(|r| ids(&r.batch)).collect();
    assert_eq!(last, [21, 22]);
    assert!(matches!(source.read(4).unwrap(), Polled::Exhausted));
    assert!(matches!(source.read(u64::MAX).unwrap(), Polled::Exhausted));
}

#[test]
fn only_the_wanted_columns_are_read_in_the_wanted_order() {
    let dir = input();
    let wanted = ["scalar", "id", "scalar", "fixed"];
    let mut source = source(&catalog(&dir, 3), &wanted, ALONE, Pace::Ordered { rows: 4 });
    let batch = &rows(&mut source, 0)[0].batch;
    let names: Vec<_> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["scalar", "id", "fixed"]);
    assert_eq!(batch, &mixed(0..4).project(&[3, 0, 1]).unwrap());
}

#[test]
fn lists_and_scalars_pass_untouched() {
    let dir = input();
    let mut source = source(&catalog(&dir, 2), &COLUMNS, ALONE, Pace::Ordered { rows: 4 });
    assert_eq!(rows(&mut source, 1)[0].batch, mixed(4..8));
}

#[test]
fn rows_can_be_counted_without_any_column() {
    let dir = input();
    let mut source = source(&catalog(&dir, 3), &[], ALONE, Pace::Ordered { rows: 7 });
    let counts: Vec<_> = (0..4).map(|epoch| rows(&mut source, epoch).iter().map(Records::len).sum::<usize>()).collect();
    assert_eq!(counts, [7, 7, 7, 2]);
}

#[test]
fn folder_names_are_columns() {
    let dir = TempDir::new().unwrap();
    write(&dir.path().join("subject=7/side=left/a.parquet"), &mixed(0..3), 4);
    write(&dir.path().join("subject=12/side=__HIVE_DEFAULT_PARTITION__/a.parquet"), &mixed(3..5), 4);
    let wanted = ["side", "id", "subject"];
    let mut source = source(&catalog(&dir, 3), &wanted, ALONE, Pace::Ordered { rows: 9 });
    let records = rows(&mut source, 0);
    let expected = [(None, 12, vec![3, 4]), (Some("left"), 7, vec![0, 1, 2])];
    for (record, (side, subject, id)) in records.iter().zip(expected) {
        let n = id.len();
        assert_eq!(ids(&record.batch), id);
        assert_eq!(record.batch.column(0).as_ref(), &StringArray::from(vec![side; n]));
        assert_eq!(record.batch.column(2).as_ref(), &Int64Array::from(vec![subject; n]));
    }
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].batch.schema(), records[1].batch.schema());
}

#[test]
fn a_folder_name_wins_over_a_column_of_the_file() {
    let dir = TempDir::new().unwrap();
    write(&dir.path().join("name=7/a.parquet"), &mixed(0..2), 4);
    let mut source = source(&catalog(&dir, 3), &["name", "scalar"], ALONE, Pace::Ordered { rows: 9 });
    let batch = &rows(&mut source, 0)[0].batch;
    assert_eq!(batch.column(0).as_ref(), &Int64Array::from(vec![7, 7]));
    assert_eq!(batch.column(1), mixed(0..2).column(3));
}

#[test]
fn starting_at_any_epoch_reads_what_an_uninterrupted_run_reads() {
    let dir = input();
    for batch_rows in [1, 3, 100] {
        let catalog = catalog(&dir, batch_rows);
        for pace in [Pace::Ordered { rows: 3 }, Pace::Free { rows: 3 }] {
            for share in [ALONE, Share { index: 0, peers: 2 }, Share { index: 1, peers: 2 }] {
                let mut whole = source(&catalog, &COLUMNS, share, pace);
                let epochs: Vec<_> = (0..)
                    .map_while(|epoch| match whole.read(epoch).unwrap() {
                        Polled::Rows(records) => Some(seen(&records)),
                        Polled::Exhausted | Polled::Pending => None,
                    })
                    .collect();
                for first in 0..epochs.len() {
                    let mut resumed = source(&catalog, &COLUMNS, share, pace);
                    for (epoch, expected) in epochs.iter().enumerate().skip(first) {
                        assert_eq!(&seen(&rows(&mut resumed, epoch as u64)), expected, "from {first} at {epoch}");
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn neither_workers_nor_batch_rows_change_what_is_read(
        peers in 1_usize..4, batch_rows in 1_usize..9, rows in 1_usize..12, free in any::<bool>(),
    ) {
        let dir = input();
        let catalog = catalog(&dir, batch_rows);
        let pace = if free { Pace::Free { rows } } else { Pace::Ordered { rows } };
        let mut read: Vec<_> = (0..peers)
            .flat_map(|index| {
                let own = all_rows(&mut source(&catalog, &["id"], Share { index, peers }, pace));
                assert!(own.is_sorted_by_key(|(sequence, ..)| *sequence));
                own
            })
            .collect();
        read.sort_by_key(|(sequence, ..)| *sequence);
        for (expected, (sequence, coordinates, id)) in (0_i64..).zip(&read) {
            let (file, offset) = if expected < 10 { ("a.parquet", expected) } else { ("c.parquet", expected - 10) };
            prop_assert_eq!((*sequence as i64, *id, coordinates.offset), (expected, expected, offset));
            prop_assert!(coordinates.source.ends_with(file) && coordinates.partition == 0);
        }
        prop_assert_eq!(read.len(), 23);
    }
}

#[test]
fn records_do_not_depend_on_batch_rows() {
    let dir = input();
    let records = |batch_rows| {
        let mut source = source(&catalog(&dir, batch_rows), &COLUMNS, ALONE, Pace::Ordered { rows: 5 });
        (0..5).map(|epoch| seen(&rows(&mut source, epoch))).collect::<Vec<_>>()
    };
    let expected = records(4096);
    for batch_rows in [0, 1, 2, 3, 4] {
        assert_eq!(records(batch_rows), expected, "{batch_rows} rows a batch");
    }
}

#[test]
fn a_worker_without_row_groups_waits_or_is_done() {
    let dir = TempDir::new().unwrap();
    write(&dir.path().join("a.parquet"), &mixed(0..3), 4);
    let catalog = catalog(&dir, 3);
    let idle = Share { index: 1, peers: 2 };
    assert!(rows(&mut source(&catalog, &["id"], idle, Pace::Ordered { rows: 2 }), 1).is_empty());
    let mut free = source(&catalog, &["id"], idle, Pace::Free { rows: 2 });
    assert!(matches!(free.read(0).unwrap(), Polled::Exhausted));
}

#[test]
fn damage_in_the_middle_is_named_by_file_and_row() {
    let dir = TempDir::new().unwrap();
    let path = write(&dir.path().join("a.parquet"), &mixed(0..300), 100);
    let catalog = catalog(&dir, 10);
    let damaged = byte_range(catalog.files[0].metadata.metadata().row_group(1).column(0)).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[damaged.start as usize..damaged.end as usize].fill(0xff);
    fs::write(&path, &bytes).unwrap();
    let mut source = source(&catalog, &["id"], ALONE, Pace::Ordered { rows: 50 });
    assert_eq!(ids(&rows(&mut source, 1)[0].batch), (50..100).collect::<Vec<i64>>());
    let said = source.read(2).unwrap_err().to_string();
    assert!(said.contains(&path) && said.contains("row 100 or after it (row group 1)"), "{said}");
}

#[test]
fn a_file_that_changes_during_the_run_is_named() {
    let dir = input();
    let catalog = catalog(&dir, 3);
    let mut source = source(&catalog, &["id"], ALONE, Pace::Ordered { rows: 10 });
    rows(&mut source, 0);
    write(&dir.path().join("c.parquet"), &mixed(10..1000), 4);
    let said = source.read(1).unwrap_err().to_string();
    assert!(said.contains("c.parquet") && said.contains("must not change during a run"), "{said}");
}

#[test]
fn an_unknown_column_is_refused_when_the_source_is_opened() {
    let dir = input();
    let refused = ParquetSource::open(catalog(&dir, 3), vec!["idd".to_owned()], ALONE, Pace::Free { rows: 1 });
    let said = refused.err().unwrap().to_string();
    assert!(said.contains("column `idd`") && said.contains("did you mean `id`?"), "{said}");
}

#[test]
fn only_the_decoded_batch_is_held() {
    let dir = TempDir::new().unwrap();
    write(&dir.path().join("a.parquet"), &mixed(0..100), 100);
    let mut source = source(&catalog(&dir, 10), &["id"], ALONE, Pace::Ordered { rows: 4 });
    for epoch in 0..25 {
        rows(&mut source, epoch);
        let held = source.cursor.as_ref().and_then(|cursor| cursor.batch.as_ref()).map_or(0, RecordBatch::num_rows);
        assert!(held < 10, "{held} rows after epoch {epoch}");
    }
    assert!(source.cursor.is_none(), "the file is read and closed");
}
