//! `quality.md`: lines that were measured again replace their predecessors, the others stay.

use std::path::{Path, PathBuf};

use super::score::{Score, spread};

const HEAD: &str = "\
# Clustering quality

The best published batch figure on HAR is 0.853 (accuracy) and uses neither device ids nor time order.

Written by `cargo bench --bench quality`, which runs the program as it is used: a pipeline, one pass over the stream written
as Parquet in the stated order, then `assign` with the last checkpoint over all rows. *Prequential*: what the run itself
wrote before it learned from the row, rows of the warm-up left out, one map from clusters to classes over all of them;
*second half*: the same over the later half. *Final*: the last model over all rows; nothing was chosen by labels.
Percent, mean ± sample deviation over seeds; a seed changes the order of the stream, the network and every draw. Entropy is
that of the clusters' sizes, normalised, beside that of the classes. Rows without a label (HAPT)
and transitions between activities (raw HAPT numbers them after its six activities) are streamed and not scored. Features
are scaled as by default (per device, running), `usps` and `mnist` not at all, `pendigits` over all rows. k-means: all rows
at once, standardised per device (`usps`, `mnist`: not at all), five starts.

What was chosen with the help of labels, once, before these runs: the recipe's constants (on HAR, watch and HAPT) and the weight
of the second term of the score that networks are promoted by. No run sees a label.

| data | order | settings | seeds | prequential ACC | second half ACC | final ACC | lowest | NMI | NMI max | ARI | entropy | of classes | seconds |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
";

/// Figures of the design document, measured with its PyTorch recipe; not of this run.
const ORACLE: &str = "
Documented figures of the PyTorch recipe, final ACC: HAR natural 95.8, shuffled 95.9 (reservoir of all rows); watch natural
96.1 with `constant`, 86.9 with `fading` device balance.
";

/// The file and its lines.
pub struct Report {
    path: PathBuf,
    lines: Vec<String>,
    remarks: Vec<String>,
}

/// The cells that say which line it is.
fn identity(line: &str) -> Vec<&str> {
    line.split('|').skip(1).take(3).map(str::trim).collect()
}

impl Report {
    /// Takes over the lines of an earlier report.
    pub fn open(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let lines = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| data |"));
        let remarks = text.lines().filter(|line| line.starts_with("* "));
        Self {
            path: path.to_owned(),
            lines: lines.map(str::to_owned).collect(),
            remarks: remarks.map(str::to_owned).collect(),
        }
    }

    /// Adds or replaces a line and writes the file.
    pub fn add(&mut self, data: &str, order: &str, settings: &str, scores: &[Score]) {
        let cells = |value: fn(&Score) -> Option<f64>| spread(scores.iter().map(value));
        let lowest = scores.iter().map(|score| score.accuracy).fold(f64::INFINITY, f64::min);
        let seconds = scores.iter().map(|score| score.seconds).sum::<f64>() / scores.len() as f64;
        let line = format!(
            "| {data} | {order} | {settings} | {} | {} | {} | {} | {:.1} | {} | {} | {} | {} | {} | {seconds:.1} |",
            scores.len(),
            cells(|score| score.prequential),
            cells(|score| score.second_half),
            cells(|score| Some(score.accuracy)),
            100.0 * lowest,
            cells(|score| Some(score.nmi)),
            cells(|score| Some(score.nmi_max)),
            cells(|score| Some(score.ari)),
            cells(|score| Some(score.entropy)),
            cells(|score| Some(score.true_entropy)),
        );
        println!("{line}");
        match self.lines.iter_mut().find(|other| identity(other) == identity(&line)) {
            Some(other) => *other = line,
            None => self.lines.push(line),
        }
        self.write();
    }

    /// Adds or replaces a sentence below the table that begins with `topic`.
    pub fn remark(&mut self, topic: &str, text: &str) {
        self.remarks.retain(|remark| !remark.starts_with(&format!("* {topic}")));
        self.remarks.push(format!("* {topic}{text}"));
        self.write();
    }

    fn write(&self) {
        let remarks: String = self.remarks.iter().map(|remark| format!("\n{remark}\n")).collect();
        std::fs::write(&self.path, format!("{HEAD}{}\n{ORACLE}{remarks}", self.lines.join("\n"))).unwrap();
    }
}
