use tempfile::tempdir;

use super::*;
use crate::checkpoint::{Decision, Digest, Local, resolve};

fn plan() -> Digest {
    [("model.clusters", "6")].into_iter().collect()
}

fn sample(id: u64) -> Checkpoint {
    Checkpoint {
        id,
        epoch: id * 10,
        digest: plan(),
        workers: 1,
        replica: vec![id as u8; 1000],
        locals: vec![Local { featurizer: vec![7; 50], sinks: vec![vec![8; 20]] }],
        ..Checkpoint::default()
    }
}

fn files(dir: &Path) -> Vec<String> {
    let mut found = names(dir).unwrap();
    found.sort();
    found
}

fn flip(path: &Path, from_the_end: usize) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() - from_the_end;
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn the_newest_are_kept_and_loaded_as_they_were_written() {
    let dir = tempdir().unwrap();
    let store = Store::open(&dir.path().join("run/checkpoints"), 3).unwrap();
    for id in 1..=5 {
        assert_eq!(store.write(&sample(id)).unwrap(), store.path(id));
    }
    assert_eq!(
        files(&dir.path().join("run/checkpoints")),
        ["checkpoint-00000003.ek", "checkpoint-00000004.ek", "checkpoint-00000005.ek"]
    );
    assert_eq!(store.load(5).unwrap(), sample(5));
    assert_eq!(resolve(&store.verify().unwrap(), &plan()), Decision::Resume { id: 5 });
    let listed = list(&dir.path().join("run/checkpoints")).unwrap();
    assert_eq!(listed.iter().map(|listed| listed.id).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!(listed[0].header.as_ref().unwrap().epoch, 30);
    assert_eq!(inspect(&store.path(4)).unwrap().sections.iter().map(|section| section.bytes).sum::<u64>(), 1070);
}

#[test]
fn a_damaged_newest_is_fallen_back_from_and_set_aside() {
    let dir = tempdir().unwrap();
    let store = Store::open(dir.path(), 3).unwrap();
    for id in 1..=3 {
        store.write(&sample(id)).unwrap();
    }
    flip(&store.path(3), 1);
    let Decision::FallBack { bad, to } = resolve(&store.verify().unwrap(), &plan()) else { panic!("not noticed") };
    assert_eq!((bad.len(), bad[0].0, to), (1, 3, 2));
    assert!(bad[0].1.contains("checkpoint-00000003.ek") && bad[0].1.contains("sink 0 of worker 0"), "{}", bad[0].1);
    assert!(store.load(3).is_err());

    store.set_aside(3).unwrap();
    assert_eq!(resolve(&store.verify().unwrap(), &plan()), Decision::Resume { id: 2 });
    store.write(&sample(3)).unwrap();
    assert_eq!(resolve(&store.verify().unwrap(), &plan()), Decision::Resume { id: 3 });
    assert!(files(dir.path()).contains(&"checkpoint-00000003.ek.damaged".to_owned()));
}

#[test]
fn a_half_written_file_is_not_a_checkpoint_and_is_removed_at_the_next_start() {
    let dir = tempdir().unwrap();
    let store = Store::open(dir.path(), 3).unwrap();
    store.write(&sample(1)).unwrap();
    fs::write(dir.path().join("checkpoint-00000002.ek.tmp"), "torn").unwrap();
    assert_eq!(resolve(&store.verify().unwrap(), &plan()), Decision::Resume { id: 1 });
    Store::open(dir.path(), 3).unwrap();
    assert_eq!(files(dir.path()), ["checkpoint-00000001.ek"]);
}

#[test]
fn a_later_format_is_found_and_refused() {
    let dir = tempdir().unwrap();
    let store = Store::open(dir.path(), 3).unwrap();
    store.write(&sample(1)).unwrap();
    let mut bytes = fs::read(store.path(1)).unwrap();
    bytes[8] += 1;
    let crc = crc32fast::hash(&bytes[..20]);
    bytes[20..24].copy_from_slice(&crc.to_le_bytes());
    fs::write(store.path(1), bytes).unwrap();
    let Decision::Refuse { reason } = resolve(&store.verify().unwrap(), &plan()) else { panic!("accepted") };
    assert!(reason.to_string().contains("format 2"), "{reason}");
    assert!(matches!(list(dir.path()).unwrap()[0].header, Err(CheckpointError::Newer { .. })));
}

#[test]
fn a_renamed_checkpoint_is_not_taken_for_another() {
    let dir = tempdir().unwrap();
    let store = Store::open(dir.path(), 3).unwrap();
    store.write(&sample(1)).unwrap();
    fs::rename(store.path(1), store.path(9)).unwrap();
    let error = store.load(9).unwrap_err();
    assert!(error.to_string().contains("checkpoint-00000001.ek"), "{error}");
    assert!(matches!(store.verify().unwrap()[0].verdict, Verdict::Damaged { .. }));
}

#[test]
fn clear_removes_checkpoints_and_nothing_else() {
    let dir = tempdir().unwrap();
    let store = Store::open(dir.path(), 3).unwrap();
    store.write(&sample(1)).unwrap();
    store.write(&sample(2)).unwrap();
    store.set_aside(1).unwrap();
    for name in ["checkpoint-00000003.ek.tmp", "notes.txt", "checkpoint-1.ek"] {
        fs::write(dir.path().join(name), "").unwrap();
    }
    clear(dir.path()).unwrap();
    assert_eq!(files(dir.path()), ["checkpoint-1.ek", "notes.txt"]);
    clear(&dir.path().join("not there")).unwrap();
}

#[test]
fn a_checkpoint_that_cannot_be_written_leaves_the_older_ones() {
    let dir = tempdir().unwrap();
    let store = Store::open(dir.path(), 1).unwrap();
    store.write(&sample(1)).unwrap();
    fs::create_dir(dir.path().join("checkpoint-00000002.ek.tmp")).unwrap();
    let error = store.write(&sample(2)).unwrap_err();
    assert!(error.to_string().contains("checkpoint-00000002.ek"), "{error}");
    assert_eq!(store.load(1).unwrap(), sample(1));
}

#[test]
fn states_of_too_few_workers_are_refused() {
    let dir = tempdir().unwrap();
    let store = Store::open(dir.path(), 1).unwrap();
    let error = store.write(&Checkpoint { workers: 2, ..sample(1) }).unwrap_err();
    assert!(matches!(error, CheckpointError::Invalid { id: 1, .. }), "{error}");
}

#[test]
fn a_folder_that_cannot_be_created_or_is_missing_is_named() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::open(&file.join("checkpoints"), 1).unwrap_err();
    assert!(
        matches!(error, CheckpointError::Create { .. }) && error.to_string().contains("file/checkpoints"),
        "{error}"
    );
    let error = verify(&dir.path().join("nowhere")).unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
}
