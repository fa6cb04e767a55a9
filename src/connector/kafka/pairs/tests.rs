use super::super::hub::Room;
use super::*;
use crate::connector::format::{Decoded, Message};
use crate::data::{Origins, RawMessages};

/// What an input that began with so many partitions, and has so many now, makes of messages.
fn read(topic: &str, (began, now): (usize, i32), messages: &[&str]) -> PairBatch {
    let schema = members().fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect::<Vec<_>>();
    let mut decoder = json_decoder("pairs", Arc::new(Schema::new(schema)), 1_000);
    let mut raw = RawMessages::default();
    messages.iter().for_each(|text| raw.push(Some(b"k"), Some(text.as_bytes()), Vec::new(), None));
    let views: Vec<Message<'_>> = messages
        .iter()
        .map(|text| Message { key: None, value: Some(text.as_bytes()), partition: 3, offset: 0, timestamp_ms: None })
        .collect();
    let Decoded { batch, origins, rejects } = decoder.decode(&views).unwrap();
    assert_eq!(rejects, []);
    let offsets = origins.iter().map(|message| 40 + *message as i64).collect();
    let indices = origins.iter().map(|message| *message as u32).collect();
    let records = Records {
        batch,
        source: Arc::from("pairs"),
        partition: 3,
        first_offset: 40,
        first_sequence: 0,
        picked: None,
        origins: Some(Origins { messages: Arc::new(raw), indices, offsets }),
    };
    let hub = Arc::new(Hub::new(1, 1, Room { rows: 1, bytes: 1 }, 0, Position::default()));
    let mut found = PairBatch::default();
    for number in 0..now {
        hub.open(&Partition { topic: Arc::from("rows"), number }, 0);
    }
    RowNames { topics: Topics::parse(topic).unwrap(), hub, lone: began == 1 }.sort(&records, &mut found);
    found
}

fn end(source: &str, partition: i32, offset: i64) -> Coordinates {
    Coordinates { source: source.into(), partition, offset }
}

#[test]
fn what_goes_without_saying_may_be_left_out() {
    let short = r#"{"first_offset": 7, "second_offset": 2, "link": "must"}"#;
    let found = read("rows", (1, 1), &[short]);
    assert_eq!(found.pairs, [([end("rows", 0, 7), end("rows", 0, 2)], true)]);
    let whole = r#"{"first_source": "a1", "first_partition": 2, "first_offset": 7, "second_source": "a2",
        "second_partition": 0, "second_offset": 7, "link": "cannot", "by": "someone"}"#;
    let found = read("^a", (4, 4), &[whole]);
    assert_eq!(found.pairs, [([end("a1", 2, 7), end("a2", 0, 7)], false)]);
    assert_eq!(found.rejected, []);
}

#[test]
fn what_is_no_pair_is_a_dead_letter_that_says_why() {
    let whole =
        r#"{"first_partition": 0, "first_offset": 7, "second_partition": 0, "second_offset": 2, "link": "must"}"#;
    for (topic, old, new, reason, part) in [
        ("rows", "must", "maybe", "unknown_link", "`link` is \"maybe\""),
        ("rows", r#""link": "must""#, r#""link": null"#, "incomplete_pair", "`link` is missing"),
        ("rows", r#""first_offset": 7, "#, "", "incomplete_pair", "`first_offset` is missing"),
        (
            "rows",
            r#""second_partition": 0, "#,
            "",
            "incomplete_pair",
            "`second_partition` is missing; it can be left out",
        ),
        ("^r", "must", "must", "incomplete_pair", "`first_source` is missing"),
        (
            "rows",
            r#""first_offset""#,
            r#""first_source": "other", "first_offset""#,
            "impossible_pair",
            "no topic of the input",
        ),
        ("rows", ": 2", ": -1", "impossible_pair", "`second_offset` is -1"),
        ("rows", ": 2", ": 7", "impossible_pair", "the same row"),
    ] {
        let text = whole.replace(old, new);
        let found = read(topic, (2, 2), &[whole, &text]);
        let letter = found.rejected.last().unwrap();
        assert_eq!(letter.reason, reason, "{text}");
        assert!(PAIR_REASONS.contains(&reason) && letter.detail.contains(part), "{}", letter.detail);
        assert_eq!(letter.coordinates, end("pairs", 3, 41));
        assert_eq!(letter.origin.as_ref().unwrap().message().value, Some(text.as_bytes()));
        // The one before it is read all the same.
        assert_eq!(found.pairs.len(), usize::from(topic == "rows"));
    }
}

#[test]
fn a_partition_is_named_as_soon_as_there_may_be_another() {
    let short = r#"{"first_offset": 7, "second_offset": 2, "link": "must"}"#;
    for partitions in [(2, 2), (1, 2)] {
        assert_eq!(read("rows", partitions, &[short]).rejected[0].reason, "incomplete_pair");
    }
}
