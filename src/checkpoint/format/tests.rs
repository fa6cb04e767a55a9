use proptest::prelude::*;

use super::*;
use crate::data::Place;

fn sample() -> Checkpoint {
    Checkpoint {
        id: 42,
        epoch: 7,
        pass: 1,
        digest: [("model.clusters", "6")].into_iter().collect(),
        model_version: 3,
        rows: 5000,
        workers: 2,
        finished: false,
        created_unix_s: 1_800_000_000,
        position: None,
        pairs: None,
        replica: (0..100).collect(),
        locals: vec![
            Local { featurizer: vec![1; 30], sinks: vec![vec![2; 20], vec![3; 10]] },
            Local { featurizer: vec![4; 15], sinks: vec![vec![], vec![5; 5]] },
        ],
    }
}

fn bytes(checkpoint: &Checkpoint) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(checkpoint, &mut bytes).unwrap();
    bytes
}

fn load(bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
    Reader::new(bytes, bytes.len() as u64, Path::new("checkpoint-00000042.ek")).checkpoint()
}

fn check(bytes: &[u8]) -> Result<(), CheckpointError> {
    let mut reader = Reader::new(bytes, bytes.len() as u64, Path::new("checkpoint-00000042.ek"));
    let header = reader.header()?;
    reader.check(&header)
}

/// The section that the error of both ways to read names.
fn damaged_section(bytes: &[u8]) -> String {
    let [loaded, checked] = [load(bytes).map(drop), check(bytes)].map(|outcome| match outcome {
        Err(CheckpointError::Damaged { file, section, .. }) => {
            assert_eq!(file, Path::new("checkpoint-00000042.ek"));
            section
        }
        other => panic!("not found to be damaged: {other:?}"),
    });
    assert_eq!(loaded, checked);
    loaded
}

#[test]
fn every_cut_is_found_and_named_by_its_section() {
    let whole = bytes(&sample());
    let states = 100 + 30 + 20 + 10 + 15 + 5;
    let header_end = whole.len() - states;
    for length in 0..whole.len() {
        let from_states = length as i64 - header_end as i64;
        let expected = match length {
            _ if from_states >= 175 => "sink 1 of worker 1",
            _ if from_states >= 160 => "featurizer of worker 1",
            _ if from_states >= 150 => "sink 1 of worker 0",
            _ if from_states >= 130 => "sink 0 of worker 0",
            _ if from_states >= 100 => "featurizer of worker 0",
            _ if from_states >= 0 => "replica",
            PRELUDE.. => "header",
            _ => "prelude",
        };
        assert_eq!(damaged_section(&whole[..length]), expected, "cut to {length} bytes");
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let mut bytes = bytes(&sample());
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        damaged_section(&bytes);
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    load(&bytes).unwrap();
}

#[test]
fn bytes_after_the_end_are_found() {
    let mut bytes = bytes(&sample());
    bytes.push(0);
    assert_eq!(damaged_section(&bytes), "end");
}

#[test]
fn a_later_format_is_not_taken_for_damage() {
    let mut bytes = bytes(&sample());
    bytes[8..12].copy_from_slice(&(FORMAT + 1).to_le_bytes());
    let crc = crc32fast::hash(&bytes[..20]);
    bytes[20..24].copy_from_slice(&crc.to_le_bytes());
    let error = load(&bytes).unwrap_err();
    assert!(matches!(error, CheckpointError::Newer { found, supported: FORMAT, .. } if found == FORMAT + 1), "{error}");
    assert!(error.to_string().contains("checkpoint-00000042.ek"), "{error}");
}

#[test]
fn the_header_can_be_read_by_people() {
    let bytes = bytes(&sample());
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.starts_with("ekcheck\n"));
    assert!(text.contains("\"epoch\": 7") && text.contains("\"model.clusters\": \"6\""), "{text}");
}

fn states() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..200)
}

fn position(topic: &str, id: u64, rows: u64, offset: i64) -> Position {
    let mut position = Position { run: format!("{id:x}"), sequence: rows, ..Position::default() };
    position.set(topic, 3, Place { offset: offset.unsigned_abs() as i64, row: 2 });
    position
}

fn checkpoints() -> impl Strategy<Value = Checkpoint> {
    let local =
        (states(), prop::collection::vec(states(), 0..3)).prop_map(|(featurizer, sinks)| Local { featurizer, sinks });
    let numbers = (any::<u64>(), any::<u64>(), any::<i64>(), any::<u64>(), any::<bool>());
    let digest = prop::collection::btree_map(".{0,8}", ".{0,8}", 0..4);
    (numbers, digest, states(), prop::collection::vec(local, 0..4)).prop_map(
        |((id, epoch, model_version, rows, finished), digest, replica, locals)| Checkpoint {
            id,
            epoch,
            pass: epoch / 2,
            digest: digest.into_iter().collect(),
            model_version,
            rows,
            workers: locals.len() as u32,
            finished,
            created_unix_s: rows / 3,
            // A place in a partition, now and then.
            position: (rows % 2 == 0).then(|| position("topic", id, rows, model_version)),
            pairs: (rows % 3 == 0).then(|| position("pairs", id, rows / 2, model_version / 2)),
            replica,
            locals,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_what_is_read(checkpoint in checkpoints()) {
        prop_assert_eq!(load(&bytes(&checkpoint)).unwrap(), checkpoint);
    }

    #[test]
    fn a_flipped_bit_anywhere_is_found(checkpoint in checkpoints(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = bytes(&checkpoint);
        let at = at.index(bytes.len());
        bytes[at] ^= 1u8 << bit;
        damaged_section(&bytes);
    }

    #[test]
    fn foreign_bytes_are_refused_without_a_panic(bytes in states()) {
        prop_assert!(load(&bytes).is_err());
    }
}
