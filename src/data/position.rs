//! Where an input without an end has been read to.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The row of a partition that comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// Offset of its message.
    pub offset: i64,
    /// How many rows of that message have been taken already.
    pub row: u32,
}

/// The next row of every partition, and how many rows were taken before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The run that counts from here; a fresh start is another run.
    pub run: String,
    /// Rows taken from all partitions since the run began: the sequence number of the next row.
    pub sequence: u64,
    /// Messages that gave no row, from all partitions since the run began.
    pub rejected: u64,
    /// Topic → partition → next row.
    pub partitions: BTreeMap<String, BTreeMap<i32, Place>>,
    /// Topic → partition → the offset at which the run began to read it.
    pub begun: BTreeMap<String, BTreeMap<i32, i64>>,
}

impl Position {
    /// The place in one partition, if it has ever been read.
    pub fn place(&self, topic: &str, partition: i32) -> Option<Place> {
        self.partitions.get(topic)?.get(&partition).copied()
    }

    /// Moves the place in one partition; the first one is where the run began to read it.
    pub fn set(&mut self, topic: &str, partition: i32, place: Place) {
        let known = self.partitions.get_mut(topic).and_then(|partitions| partitions.get_mut(&partition));
        if let Some(known) = known {
            *known = place;
            return;
        }
        self.partitions.entry(topic.to_owned()).or_default().insert(partition, place);
        self.begun.entry(topic.to_owned()).or_default().insert(partition, place.offset);
    }

    /// Topic, partition and place of all partitions.
    pub fn places(&self) -> impl Iterator<Item = (&str, i32, Place)> {
        self.partitions.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(move |(partition, place)| (topic.as_str(), *partition, *place))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_json() {
        let mut position = Position { run: "5f".to_owned(), sequence: 12, ..Position::default() };
        position.set("a", 3, Place { offset: 40, row: 2 });
        position.set("a", 10, Place { offset: 1, row: 0 });
        let text = serde_json::to_string(&position).unwrap();
        assert_eq!(serde_json::from_str::<Position>(&text).unwrap(), position);
        assert_eq!(position.place("a", 3), Some(Place { offset: 40, row: 2 }));
        assert_eq!(position.place("b", 3), None);
        assert_eq!(position.places().map(|(_, partition, _)| partition).collect::<Vec<_>>(), [3, 10]);
    }
}
