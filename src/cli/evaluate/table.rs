//! An evaluation as text for people.

use super::super::table::aligned;
use super::scores::{Evaluation, Scores};

/// Two aligned tables: scores by part of the rows, and the clusters.
pub(super) fn render(evaluation: &Evaluation) -> String {
    let parts: Vec<(&str, &Scores)> = [
        ("all", Some(&evaluation.all)),
        ("prequential", evaluation.prequential.as_ref()),
        ("second half", evaluation.prequential_second_half.as_ref()),
    ]
    .into_iter()
    .filter_map(|(name, scores)| Some((name, scores?)))
    .collect();
    let line = |name: &str, cell: &dyn Fn(&Scores) -> String| {
        std::iter::once(name.to_owned()).chain(parts.iter().map(|(_, scores)| cell(scores))).collect::<Vec<_>>()
    };
    let score = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
    let mut head = vec![String::new()];
    head.extend(parts.iter().map(|(name, _)| (*name).to_owned()));
    let scores = [
        head,
        line("rows", &|s| s.rows.to_string()),
        line("scored rows", &|s| s.scored.to_string()),
        line("ACC", &|s| score(s.acc)),
        line("NMI (arithmetic)", &|s| score(s.nmi_arithmetic)),
        line("NMI (max)", &|s| score(s.nmi_max)),
        line("ARI", &|s| score(s.ari)),
        line("NE of clusters", &|s| score(Some(s.ne_clusters))),
        line("NE of labels", &|s| score(s.ne_labels)),
        line("imbalance factor", &|s| score(Some(s.imbalance_factor))),
    ];
    let mut clusters = vec![["cluster", "rows", "share", "label", "agreeing"].map(str::to_owned).to_vec()];
    clusters.extend(evaluation.clusters.iter().map(|cluster| {
        let label = cluster.label.clone().unwrap_or_else(|| "-".to_owned());
        let agreeing = cluster.agreeing.map_or_else(|| "-".to_owned(), |rows| rows.to_string());
        vec![cluster.cluster.to_string(), cluster.rows.to_string(), format!("{:.4}", cluster.share), label, agreeing]
    }));
    format!("{}\n{}", aligned(&scores), aligned(&clusters))
}
