//! The live page: what the metrics say, for people.
//!
//! It is drawn here from the same text that Prometheus reads; in the browser a few lines fetch it again every two seconds.

use std::fmt::Write;

use super::samples::Samples;
use crate::stats::drift::Signal;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What is shown.
pub(super) struct View<'a> {
    /// All series in the Prometheus text format.
    pub(super) exposition: &'a str,
    /// Why the process should be restarted, if it should.
    pub(super) liveness: Result<(), String>,
    /// Why rows are not being processed, if they are not.
    pub(super) readiness: Result<(), String>,
    /// Seconds since the epoch.
    pub(super) now: f64,
}

/// The page as one HTML document that loads nothing but itself.
pub(super) fn render(view: &View<'_>) -> String {
    let samples = Samples::of(view.exposition);
    let name = escape(samples.label("evenkeel_build_info", "pipeline"));
    let (version, backend) =
        (samples.label("evenkeel_build_info", "version"), samples.label("evenkeel_build_info", "backend"));
    let state = match (&view.liveness, &view.readiness) {
        (Err(reason), _) => format!("<span class=\"state not\">dead: {}</span>", escape(reason)),
        (_, Err(reason)) => format!("<span class=\"state not\">not ready: {}</span>", escape(reason)),
        _ => "<span class=\"state\">ready</span>".to_owned(),
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; connect-src 'self'\">\n\
         <noscript><meta http-equiv=\"refresh\" content=\"2\"></noscript>\n<link rel=\"icon\" href=\"data:,\">\n\
         <title>{name} · evenkeel</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <p class=\"lost-note\" role=\"status\">No answer: the run has ended or cannot be reached. These are its last numbers.</p>\n\
         <main>\n<header><p>evenkeel</p><h1>{name}</h1>{state}</header>\n{}<div class=\"pair\">\n{}{}</div>\n</main>\n\
         <footer>evenkeel {} on {}, every 2 s · <a href=\"metrics\">metrics</a> · <a href=\"livez\">livez</a> · \
         <a href=\"readyz\">readyz</a></footer>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        figures(&samples, view.now),
        shares(&samples),
        drift(&samples),
        escape(version),
        escape(backend),
    )
}

fn figures(samples: &Samples, now: f64) -> String {
    let mut html = String::from("<dl class=\"figures\">");
    let mut figure = |name: &str, attributes: &str, value: String, small: &str| {
        write!(html, "<div><dt>{name}</dt><dd{attributes}>{value}<small>{small}</small></dd></div>")
            .expect("a string takes any text");
    };
    let rows = |stage| samples.with("evenkeel_rows_total", "stage", stage);
    let bad = |bad: bool| if bad { " class=\"bad\"" } else { "" };
    let version = samples.value("evenkeel_model_version");
    let read = rows("read");
    figure("rows read", &format!(" id=\"rows\" data-rows=\"{read}\""), count(read), "");
    figure("rows assigned", "", count(rows("assigned")), &format!("{} learned from", count(rows("learned"))));
    figure("model version", "", count(version), if version > 0.0 { "" } else { "warming up" });
    let evenness = |name| if version > 0.0 { format!("{:.3}", samples.value(name)) } else { "–".to_owned() };
    figure("evenness (NE)", "", evenness("evenkeel_balance_entropy_ratio"), "1 = even");
    figure("imbalance factor", "", evenness("evenkeel_balance_imbalance_factor"), "1 = even");
    figure("displaced rows", "", percent(samples.value("evenkeel_displaced_rows_ratio")), "by the bounds");
    figure("reconstruction error", "", format!("{:.4}", samples.value("evenkeel_reconstruction_error")), "");
    let reasons: Vec<String> = (samples.by("evenkeel_dead_letters_total", "reason").into_iter())
        .filter(|(_, rows)| *rows > 0.0)
        .map(|(reason, rows)| format!("{} {}", escape(reason), count(rows)))
        .collect();
    let dead = samples.sum("evenkeel_dead_letters_total");
    figure("dead letters", bad(dead > 0.0), count(dead), &reasons.join(", "));
    let alarms = samples.sum("evenkeel_drift_alarms_total");
    figure("drift alarms", bad(alarms > 0.0), count(alarms), "");
    let kept = samples.value("evenkeel_checkpoint_last_success_timestamp_seconds");
    let took = format!("took {:.3} s", samples.value("evenkeel_checkpoint_duration_seconds"));
    match kept > 0.0 {
        true => figure("last checkpoint", "", format!("{} ago", age(now - kept)), &took),
        false => figure("last checkpoint", "", "–".to_owned(), "none yet"),
    }
    html.push_str("</dl>\n");
    html
}

fn shares(samples: &Samples) -> String {
    let shares = samples.by("evenkeel_cluster_share_ratio", "cluster");
    let mut html = String::from("<section id=\"shares\"><h2>Shares of the recent rows</h2>");
    if samples.value("evenkeel_model_version") <= 0.0 {
        html.push_str("<p class=\"note\">No model yet: rows are held until the warm-up is over.</p></section>\n");
        return html;
    }
    html.push_str("<p class=\"note\">By cluster; the dashed line is an even share.</p><div class=\"bars\">");
    let folded = samples.value("evenkeel_series_dropped_total") / 2.0;
    let others = shares.iter().filter(|(cluster, _)| *cluster == "other").count() as f64;
    let even = 1.0 / (shares.len() as f64 - others + folded);
    let widest = shares.iter().map(|(_, share)| *share).fold(2.0 * even, f64::max);
    for (cluster, share) in &shares {
        write!(
            html,
            "<b>{}</b><div class=\"track\" style=\"--share:{:.2}%;--even:{:.2}%\"><i></i></div><span>{}</span>",
            escape(cluster),
            100.0 * share / widest,
            100.0 * even / widest,
            percent(*share)
        )
        .expect("a string takes any text");
    }
    html.push_str("</div></section>\n");
    html
}

fn drift(samples: &Samples) -> String {
    let mut html = String::from(
        "<section id=\"drift\"><h2>Drift</h2><p class=\"note\">Score of each signal at its last check.</p>\
         <table><tr><th>signal</th><th>score</th><th>alarms</th></tr>",
    );
    for signal in Signal::ALL.map(Signal::name) {
        let (score, alarms) = (
            samples.with("evenkeel_drift_score", "signal", signal),
            samples.with("evenkeel_drift_alarms_total", "signal", signal),
        );
        let bad = if alarms > 0.0 { " class=\"bad\"" } else { "" };
        write!(html, "<tr><td>{signal}</td><td>{score:.4}</td><td{bad}>{}</td></tr>", count(alarms))
            .expect("a string takes any text");
    }
    html.push_str("</table></section>\n");
    html
}

/// A whole number with thousands separators.
fn count(number: f64) -> String {
    let digits = format!("{:.0}", number.max(0.0));
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A duration in its two largest units; a clock that was set back shows none.
fn age(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// The text with everything that means something to HTML written out.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::stats::drift::Score;
    use crate::telemetry::{Exposition, Labels, Metrics, install};

    fn telemetry(clusters: usize) -> (Metrics, Exposition) {
        let labels = Labels {
            pipeline: "<har>",
            version: "1.2.3",
            backend: "flex",
            clusters,
            reasons: &["missing"],
            partitions: &[],
        };
        install(&labels).unwrap()
    }

    fn page(exposition: &Exposition) -> String {
        let (liveness, readiness) = (Ok(()), Ok(()));
        render(&View { exposition: &exposition.render(), liveness, readiness, now: 1_000_090.0 })
    }

    fn figure<'a>(page: &'a str, name: &str) -> &'a str {
        let rest = page.split(&format!("<dt>{name}</dt><dd")).nth(1).unwrap_or_else(|| panic!("no {name}\n{page}"));
        rest.split("</dd>").next().unwrap().split_once('>').unwrap().1
    }

    #[test]
    fn before_the_first_model_nothing_is_called_even_or_uneven() {
        let page = page(&telemetry(3).1);
        assert_eq!(figure(&page, "evenness (NE)"), "–<small>1 = even</small>");
        assert_eq!(figure(&page, "last checkpoint"), "–<small>none yet</small>");
        assert!(page.contains("No model yet") && !page.contains("class=\"track\""));
        assert!(!page.contains("class=\"bad\""));
    }

    #[test]
    fn the_page_shows_what_the_metrics_say() {
        let (metrics, exposition) = telemetry(4);
        metrics.rows_read.increment(1_234_567);
        metrics.model_version.set(12.0);
        metrics.shares(&[0.5, 0.25, 0.125, 0.125]);
        metrics.dead_letters("missing", 3);
        metrics.checkpoint_succeeded(1_000_000.0, Duration::from_millis(20));
        metrics.drift(&[Score { signal: Signal::Shares, score: 0.25, threshold: None, alarming: true, alarms: 2 }]);
        let page = page(&exposition);
        assert!(page.contains("id=\"rows\" data-rows=\"1234567\">1,234,567<"));
        assert_eq!(figure(&page, "model version"), "12<small></small>");
        assert_eq!(figure(&page, "evenness (NE)"), "0.875<small>1 = even</small>");
        assert_eq!(figure(&page, "dead letters"), "3<small>missing 3</small>");
        assert_eq!(figure(&page, "last checkpoint"), "1 min 30 s ago<small>took 0.020 s</small>");
        assert!(page.contains(
            "<b>0</b><div class=\"track\" style=\"--share:100.00%;--even:50.00%\"><i></i></div><span>50.0 %</span>"
        ));
        assert!(page.contains("--share:25.00%;--even:50.00%"));
        assert!(page.contains("<td>shares</td><td>0.2500</td><td class=\"bad\">2</td>"));
    }

    #[test]
    fn an_even_share_counts_the_clusters_without_a_series_too() {
        let (metrics, exposition) = telemetry(128);
        metrics.model_version.set(1.0);
        metrics.shares(&[1.0 / 128.0; 128]);
        // The folded half takes the whole width; an even share is a 64th of that.
        assert!(page(&exposition).contains("<b>other</b><div class=\"track\" style=\"--share:100.00%;--even:1.56%\">"));
    }

    #[test]
    fn text_cannot_become_markup_and_reasons_are_told() {
        let text = telemetry(2).1.render();
        let show = |liveness, readiness| render(&View { exposition: &text, liveness, readiness, now: 0.0 });
        let page = show(Ok(()), Err("no <input>".to_owned()));
        assert!(page.contains("<h1>&lt;har&gt;</h1>") && !page.contains("<har>"));
        assert!(page.contains("not ready: no &lt;input&gt;"));
        assert!(show(Err("worker 1".to_owned()), Err(String::new())).contains("dead: worker 1"));
    }

    #[test]
    fn ages_are_told_in_their_two_largest_units() {
        for (seconds, told) in
            [(-5.0, "0 s"), (59.9, "59 s"), (61.0, "1 min 1 s"), (7_260.0, "2 h 1 min"), (1e5, "1 d 3 h")]
        {
            assert_eq!(age(seconds), told);
        }
    }
}
