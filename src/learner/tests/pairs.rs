//! Pairs of rows, from labels, a list and live.

use super::*;

/// Rows of a pool without structure, labelled by the sign of one of many features: only the pairs can tell.
#[test]
fn pairs_teach_what_the_data_does_not_show() {
    let mut rng = stream(31, "noise", 0);
    let mut rows = arrivals(480);
    for arrival in &mut rows {
        let features = (0..6).map(|_| rng.random_range(-1.0..1.0f32)).collect();
        arrival.row = Arc::new(Row { features, ..Row::clone(&arrival.row) });
    }
    let side = |arrival: &Arrival| i32::from(arrival.row.features[2] > 0.0);
    let sides: Int32Array = rows.iter().map(|arrival| Some(side(arrival))).collect();
    let batch = Arc::new(RecordBatch::try_from_iter([("label", Arc::new(sides) as ArrayRef)]).unwrap());
    for (i, arrival) in rows.iter_mut().enumerate() {
        arrival.extras = Some((Arc::clone(&batch), i));
    }
    let accuracy = |supervised: bool| {
        let mut settings = taught();
        settings.model.clusters = 2;
        settings.learning = LearningParameters { warmup_rows: 480, warmup_steps: 400, ..settings.learning };
        settings.supervision = settings.supervision.filter(|_| supervised);
        let (learners, assigned) = run(settings, 1, &rows);
        let pairs = &learners[0].online.as_ref().unwrap().pairs;
        assert_eq!(pairs.is_empty(), !supervised);
        assigned.iter().map(|row| (row.cluster, side(&row.arrival))).collect::<Contingency<u32, i32>>().accuracy()
    };
    let (with, without) = (accuracy(true), accuracy(false));
    assert!(with > 0.9 && with > without + 0.1, "{with} with pairs, {without} without");
}

#[test]
fn the_store_keeps_pairs_and_raises_multipliers_between_fits() {
    let mut settings = taught();
    settings.learning.refresh_steps = 0;
    let rows = labelled(arrivals(600));
    let mut learners = learners(&Arc::new(settings), 1);
    epoch(&mut learners, &rows[..120]);
    let pairs = |learner: &Learner| learner.online.as_ref().unwrap().pairs.clone();
    let first = pairs(&learners[0]);
    assert!((30..=90).contains(&first.len()), "{}", first.len());
    rows[120..].chunks(16).for_each(|rows| drop(epoch(&mut learners, rows)));
    let last = pairs(&learners[0]);
    assert!(last.len() > 3 * first.len());
    assert!(last.pairs().iter().all(|pair| (1.0..=2.0).contains(&pair.multiplier)));
    assert!(last.pairs().iter().any(|pair| pair.multiplier > 1.0));
    for pair in last.pairs() {
        assert_eq!(group_of(&pair.first.0) == group_of(&pair.second.0), pair.link == Link::Must);
    }
}

/// Pairs of rows of one group and of two, the first of them at most `apart` rows before the second.
fn said(rows: u64, apart: u64) -> Vec<RowPair> {
    let mut rng = stream(17, "pairs", 0);
    let all = arrivals(rows);
    let mut pairs = |number: u64| {
        let second = rows / 90 * number + 1;
        let first = rng.random_range(second.saturating_sub(apart)..second);
        let ends = [first, second].map(|number| &all[number as usize].row);
        (ends.map(|row| row.coordinates.clone()), group_of(ends[0]) == group_of(ends[1]))
    };
    (0..90).map(&mut pairs).collect()
}

/// Whoever speaks up while the stream goes on, and what is said before the rows of an epoch.
fn spoken(rows: &[Arrival], when: impl Fn(usize) -> Vec<RowPair>) -> (Learner, Vec<Assigned>) {
    let mut settings = taught();
    settings.supervision.as_mut().unwrap().teacher = Teacher::Live { ordered: true };
    let settings = Arc::new(settings);
    let mut learners = learners(&settings, 2);
    let mut assigned = Vec::new();
    for (number, rows) in rows.chunks(16).enumerate() {
        let pairs = when(number);
        if !pairs.is_empty() {
            learners.iter_mut().for_each(|learner| learner.pair(pairs.clone()));
        }
        assigned.extend(epoch(&mut learners, rows));
        let bytes = learners[0].snapshot();
        assert_eq!(learners[1].snapshot(), bytes, "replicas differ after epoch {number}");
        // A crash now and then.
        if number % 5 == 3 {
            let again = |index| {
                let (part, nursery) = (Part { index, peers: 2 }, Nursery::default());
                Learner::restore(&bytes, Arc::clone(&settings), part, nursery, open(backend()).unwrap()).unwrap()
            };
            learners = vec![again(0), again(1)];
            assert_eq!(learners[1].snapshot(), bytes);
        }
    }
    assigned.sort_by_key(|row| row.arrival.row.sequence);
    (learners.remove(0), assigned)
}

fn stored(learner: &Learner) -> Vec<(i64, i64, Link)> {
    let offset = |(row, _): &(Arc<Row>, u32)| row.coordinates.offset;
    let pairs = learner.online.as_ref().unwrap().pairs.pairs().iter();
    pairs.map(|pair| (offset(&pair.first), offset(&pair.second), pair.link)).collect()
}

#[test]
fn pairs_that_are_said_before_their_rows_teach_what_a_list_does() {
    let (rows, pairs) = (arrivals(480), said(480, 40));
    let (learner, live) = spoken(&rows, |number| if number == 0 { pairs.clone() } else { Vec::new() });
    let mut listed = taught();
    let link = |must| if must { Link::Must } else { Link::Cannot };
    let list = pairs.iter().map(|(ends, must)| ListedPair { ends: ends.clone(), link: link(*must) });
    listed.supervision.as_mut().unwrap().teacher = Teacher::Pairs(Arc::new(PairList::new(list.collect())));
    let (learners, assigned) = run(listed, 2, &rows);
    let bits = |rows: &[Assigned]| rows.iter().map(|r| (r.cluster, r.distance.to_bits())).collect::<Vec<_>>();
    assert_eq!(stored(&learner), stored(&learners[0]));
    assert_eq!(bits(&live), bits(&assigned));
    let counts = learner.status().pairs.unwrap();
    assert_eq!((counts.taken, counts.made), (90, 90));
    // Silence is another model.
    let (silent, alone) = spoken(&rows, |_| Vec::new());
    assert!(stored(&silent).is_empty() && bits(&alone) != bits(&live));
}

#[test]
fn pairs_that_are_said_long_after_their_rows_find_those_that_are_remembered() {
    let (rows, pairs) = (arrivals(480), said(480, 480));
    let end = |pair: &RowPair| pair.0[1].offset as usize;
    // Three epochs after the second of their rows; the reservoir holds about a third of all.
    let due = |number: usize| pairs.iter().filter(|pair| end(pair) / 16 + 3 == number).cloned().collect();
    let (learner, _) = spoken(&rows, due);
    let counts = learner.status().pairs.unwrap();
    assert_eq!(counts.taken, counts.made + counts.gone);
    assert!(counts.made > 20 && counts.gone > 5, "{counts:?}");
    assert_eq!(stored(&learner).len() as u64, counts.made);
    for (first, second, link) in stored(&learner) {
        let said = pairs.iter().find(|(ends, _)| (ends[0].offset, ends[1].offset) == (first, second)).unwrap();
        assert_eq!(said.1, link == Link::Must);
    }
}
