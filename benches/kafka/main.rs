//! What Kafka costs: decoding alone, a raw consumer alone, the frozen model alone, and all of it end to end.
//!
//! ```text
//! cargo bench --bench kafka -- [--python PATH] [--rounds N] [--scale F] [--only decode|flow|memory] [--width N] [--format F]
//! ```
//!
//! The rows are random: 32 or 561 features, a device and a time. What is compared is measured in turns, the best of the rounds of
//! each, because a machine is seldom idle. `orjson.loads` in a loop over the same bytes is the yardstick of the JSON decoder, where
//! a Python with orjson is to be had. What one thread does is also told in rows per second of its time on a processor, which is the
//! same on a busy machine. `--scale 0.1` takes a tenth of the rows; the formats are Json, Avro and ArrowIpc.

mod alone;
mod decode;
mod end_to_end;
mod memory;
mod rows;
mod topic;

#[path = "../../tests/support/kafka/mod.rs"]
mod kafka;
#[path = "../support/mod.rs"]
mod support;

use evenkeel::connector::format::Format;
use support::arguments::argument;
use support::program::Rates;
use topic::Topic;

/// How often a topic is read before anything is measured.
const WARM_UP: usize = 3;
const FORMATS: [Format; 3] = [Format::Json, Format::Avro, Format::ArrowIpc];

fn main() {
    support::allocator::keep_pages();
    if let Some(given) = memory::Given::from_arguments() {
        return memory::measure(&given);
    }
    let only: String = argument("only", String::new());
    let wanted = |part| only.is_empty() || only == part;
    let rounds = argument("rounds", 3);
    if only != "memory" {
        println!("| features | format | what | rows/s | rows per CPU second |\n|---|---|---|---|---|");
    }
    let mut ratios = Vec::new();
    let (one_width, one_format): (usize, String) = (argument("width", 0), argument("format", String::new()));
    for (width, format) in [32, 561].into_iter().flat_map(|width| FORMATS.map(|format| (width, format))) {
        let other =
            one_width > 0 && one_width != width || !one_format.is_empty() && one_format != format!("{format:?}");
        if other || only == "memory" {
            continue;
        }
        let topic = Topic::new(width, format);
        if wanted("decode") {
            decode(&topic, rounds, &mut ratios);
        }
        if wanted("flow") {
            flow(&topic, rounds, &mut ratios);
        }
    }
    ratios.iter().for_each(|ratio| println!("\n{ratio}"));
    if wanted("memory") {
        let topic = Topic::new(32, Format::ArrowIpc);
        topic.produce();
        println!("\n{}", memory::of(&topic));
    }
}

fn decode(topic: &Topic, rounds: usize, ratios: &mut Vec<String>) {
    let decoded = decode::best(topic, rounds);
    topic.line(&format!("decoding alone, {} bytes a row", topic.row_bytes()), None, Some(decoded.ours));
    if let Some(theirs) = decoded.orjson {
        topic.line("`orjson.loads` alone", None, Some(theirs));
        let ratio = decoded.ours / theirs;
        ratios.push(format!("{} features: JSON is decoded {ratio:.2} times as fast as by orjson", topic.width));
    }
}

fn flow(topic: &Topic, rounds: usize, ratios: &mut Vec<String>) {
    let model = alone::Model::new(topic.width);
    topic.produce();
    let trained = end_to_end::learning(topic);
    // A broker that was just started compiles what it runs, on the same processors.
    for _ in 0..WARM_UP {
        alone::consume(topic);
    }
    let (mut consumed, mut encoded, mut frozen) = (0.0_f64, (0.0_f64, 0.0_f64), Rates::default());
    for round in 0..rounds {
        consumed = consumed.max(alone::consume(topic));
        let (wall, cpu) = model.rate();
        encoded = (encoded.0.max(wall), encoded.1.max(cpu));
        frozen = frozen.best(end_to_end::frozen(topic, &trained, round));
    }
    topic.line("raw consumer alone", Some(consumed), None);
    topic.line("frozen model alone", Some(encoded.0), Some(encoded.1));
    topic.line("learning off, end to end; its worker", Some(frozen.wall), Some(frozen.worker));
    topic.line("learning off; its reading thread", None, Some(frozen.reader));
    topic.line("learning off; its writing thread", None, Some(frozen.writer));
    topic.line("learning on, end to end; its worker", Some(trained.rates.wall), Some(trained.rates.worker));
    ratios.push(format!(
        "{} features, {:?}: learning off reaches {:.1} % of the slower of consumer and model by wall time; by processor time its \
         slowest thread allows {:.1} % of the model's rate",
        topic.width,
        topic.options.format,
        100.0 * frozen.wall / consumed.min(encoded.0),
        100.0 * frozen.worker.min(frozen.reader).min(frozen.writer) / encoded.1
    ));
}
