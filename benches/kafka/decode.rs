//! Messages to batches, nothing else.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use evenkeel::connector::format::{Format, Message, decoder};

use super::support::arguments::argument;
use super::support::cpu;
use super::topic::Topic;

/// Messages decoded at once: `source.kafka.batch_rows`.
const GROUP: usize = 1024;
/// Arrow messages decoded at once: 8 MB of the large ones, as the reader takes them.
const ARROW_GROUP: usize = 14;

/// Rows per second of processor time.
pub struct Decoded {
    pub ours: f64,
    /// Of `orjson.loads` in a loop; `None` for other formats and where there is no orjson.
    pub orjson: Option<f64>,
}

/// The best of the rounds of each, in turns.
pub fn best(topic: &Topic, rounds: usize) -> Decoded {
    let message = |payload| Message { key: None, value: Some(payload), partition: 0, offset: 0, timestamp_ms: None };
    let messages: Vec<Message> = topic.payloads.iter().map(|payload| message(payload)).collect();
    let arrow = topic.options.format == Format::ArrowIpc;
    let mut decoder = decoder(&topic.options).unwrap();
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.jsonl", topic.name));
    let json = topic.options.format == Format::Json;
    if json {
        fs::write(&file, topic.payloads.join(&b'\n')).unwrap();
    }
    // A pass long enough for a clock that ticks every few milliseconds.
    let passes = (200_000_000 / (topic.rows * topic.row_bytes())).max(1);
    let (mut ours, mut theirs) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..rounds {
        let start = cpu::of_this_thread();
        for _ in 0..passes {
            let groups = messages.chunks(if arrow { ARROW_GROUP } else { GROUP });
            let rows: usize = groups.map(|group| decoder.decode(group).unwrap().batch.num_rows()).sum();
            assert_eq!(rows, topic.rows);
        }
        ours = ours.min((cpu::of_this_thread() - start) / passes as f64);
        if json && let Some(seconds) = orjson(&file) {
            theirs = theirs.min(seconds);
        }
    }
    if json {
        fs::remove_file(&file).unwrap();
    }
    let rows = topic.rows as f64;
    Decoded { ours: rows / ours, orjson: theirs.is_finite().then_some(rows / theirs) }
}

/// Processor time that `orjson.loads` takes for every line of a file.
fn orjson(file: &std::path::Path) -> Option<f64> {
    const SCRIPT: &str = "
import sys, time, orjson
lines = open(sys.argv[1], 'rb').read().split(b'\\n')
start = time.thread_time()
for line in lines:
    orjson.loads(line)
print(time.thread_time() - start)
";
    let python = argument("python", "python3".to_owned());
    let output = Command::new(&python).args(["-c", SCRIPT]).arg(file).output().ok()?;
    let seconds = String::from_utf8(output.stdout).ok()?.trim().parse().ok();
    if seconds.is_none() {
        eprintln!("orjson was not measured: `{python} -c 'import orjson'` does not work");
    }
    seconds
}
