use object_store::memory::InMemory;
use object_store::{ObjectStoreExt, PutPayload};
use tempfile::TempDir;

use super::*;
use crate::connector::sample::{all_rows, mixed, write};
use crate::connector::{Pace, ParquetCatalog, ParquetSource, Share};

/// A store with these objects, each a Parquet file of consecutive ids.
fn bucket(keys: &[&str], rows: i64) -> Arc<Bucket> {
    let bucket = Bucket::new("s3://bucket".to_owned(), Arc::new(InMemory::new())).unwrap();
    let dir = TempDir::new().unwrap();
    for (i, key) in (0..).zip(keys) {
        let path = write(&dir.path().join("x.parquet"), &mixed(i * rows..(i + 1) * rows), 40);
        put(&bucket, key, std::fs::read(path).unwrap());
    }
    Arc::new(bucket)
}

fn put(bucket: &Bucket, key: &str, content: Vec<u8>) {
    bucket.runtime.block_on(bucket.store.put(&Path::parse(key).unwrap(), PutPayload::from(content))).unwrap();
}

fn names(bucket: &Arc<Bucket>, key: &str) -> Vec<String> {
    let mut names: Vec<String> = bucket.resolve(key).unwrap().iter().map(|file| file.name.to_string()).collect();
    names.sort();
    names
}

#[test]
fn objects_globs_and_folders_are_found() {
    let bucket = bucket(&["d/s=1/a.parquet", "d/s=2/b.parquet", "d/_tmp/c.parquet", "d/notes.txt", "e.parquet"], 1);
    let both = ["s3://bucket/d/s=1/a.parquet", "s3://bucket/d/s=2/b.parquet"];
    assert_eq!(names(&bucket, "d/s=1/a.parquet"), both[..1]);
    for key in ["d", "d/", "d/s=*", "d/*/*.parquet", "d/**/*.parquet"] {
        assert_eq!(names(&bucket, key), both, "{key}");
    }
    assert_eq!(names(&bucket, "*.parquet"), ["s3://bucket/e.parquet"]);
    assert_eq!(bucket.resolve("d/s=2").unwrap()[0].partitions, [("s".to_owned(), Some("2".to_owned()))]);
}

#[test]
fn a_url_without_objects_says_what_is_there() {
    let bucket = bucket(&["d/notes.txt"], 1);
    let said = |key: &str| bucket.resolve(key).unwrap_err().to_string();
    assert_eq!(said("x.parquet"), "no input: s3://bucket/x.parquet does not exist");
    assert!(said("d").contains("holds no *.parquet or *.parq file among 1 objects"));
    assert!(said("d/*.parquet").contains("matches none of 1 objects"));
}

#[test]
fn remote_rows_are_the_local_ones_for_several_threads() {
    let bucket = bucket(&["d/s=1/a.parquet", "d/s=2/b.parquet"], 300);
    let mut files = bucket.resolve("d").unwrap();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let catalog = Arc::new(ParquetCatalog::of_files(files, 16).unwrap());
    let columns: Vec<String> = ["s", "id", "fixed"].map(str::to_owned).into();
    let workers: Vec<_> = (0..3)
        .map(|index| {
            let (catalog, columns) = (Arc::clone(&catalog), columns.clone());
            let share = Share { index, peers: 3 };
            std::thread::spawn(move || {
                all_rows(&mut ParquetSource::open(catalog, columns, share, Pace::Ordered { rows: 50 }).unwrap())
            })
        })
        .collect();
    let mut rows: Vec<_> = workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect();
    rows.sort_by_key(|(sequence, ..)| *sequence);
    assert_eq!(rows.iter().map(|(_, _, id)| *id).collect::<Vec<_>>(), (0..600).collect::<Vec<_>>());
    assert_eq!(&*rows[300].1.source, "s3://bucket/d/s=2/b.parquet");
}

#[test]
fn unannounced_bytes_are_read_too() {
    let bucket = bucket(&[], 0);
    let content: Vec<u8> = (0..200_000_u32).map(|i| (i % 251) as u8).collect();
    put(&bucket, "x", content.clone());
    let object = bucket.resolve("x").unwrap();
    let Place::Remote(object) = &object[0].place else { panic!("objects are remote") };
    let mut file = object.open();
    assert_eq!(file.get_bytes(70_000, 1000).unwrap(), content[70_000..71_000]);
    file.prefetch(&[10..20, 100..200]).unwrap();
    assert_eq!(file.get_bytes(120, 50).unwrap(), content[120..170]);
    assert_eq!(file.get_bytes(190, 50).unwrap(), content[190..240]);
    let mut read = Vec::new();
    file.get_read(15).unwrap().read_to_end(&mut read).unwrap();
    assert_eq!(read, content[15..]);
    assert!(file.get_bytes(199_990, 50).is_err());
}

#[test]
fn an_address_that_is_none_is_named() {
    let said = resolve("s3://no bucket/x.parquet").unwrap_err().to_string();
    assert!(said.contains("s3://no bucket/x.parquet is not a valid address"), "{said}");
}
