use super::*;
use crate::report::{DriftPoint, Point, Position, SharePoint};

fn full() -> Report {
    let text = |text: &str| text.to_owned();
    Report {
        title: text("watch <7> & \"more\""),
        summary: vec![(text("rows"), text("3,605")), (text("a<b"), text("x&y"))],
        scatter: vec![
            Point { x: 0.0, y: 1.0, cluster: 0, label: Some(text("<i>PEN</i>")) },
            Point { x: 2.0, y: 1.5, cluster: 3, label: None },
        ],
        shares: vec![SharePoint {
            from: Position::Time(0),
            until: Position::Time(60_000_000_000),
            rows: vec![(0, 1_234), (3, 77)],
        }],
        drift: vec![DriftPoint {
            at: Position::Time(30_000_000_000),
            signal: text("<svg onload=x>"),
            score: 2.5,
            threshold: Some(1.25),
            alarm: true,
            cluster: None,
            top_features: vec![text("<b>ax</b>")],
        }],
        confusion: Some(Confusion {
            clusters: vec![0, 3],
            labels: vec![text("<i>PEN</i>"), text("ABD")],
            counts: vec![60, 10, 5, 25],
            matched: vec![Some(0), Some(1)],
        }),
    }
}

#[test]
fn each_part_may_be_missing() {
    let parts = [
        ("embedding", Report { scatter: Vec::new(), ..full() }),
        ("shares", Report { shares: Vec::new(), ..full() }),
        ("drift", Report { drift: Vec::new(), ..full() }),
        ("confusion", Report { confusion: None, ..full() }),
    ];
    for (id, report) in parts {
        let html = render(&report);
        assert!(html.contains(&format!("<section id=\"{id}\" class=\"absent\">")), "{id}");
        assert_eq!(html.matches("class=\"absent\"").count(), 1, "{id}");
    }
    let empty = render(&Report::default());
    assert_eq!(empty.matches("class=\"absent\"").count(), 4);
    assert!(!empty.contains("<svg") && !empty.contains("<dl"));
}

#[test]
fn names_cannot_become_markup() {
    let html = render(&full());
    for markup in ["<7>", "a<b", "x&y", "<i>PEN", "<svg onload", "<b>ax"] {
        assert!(!html.contains(markup), "{markup}");
    }
    assert!(html.contains("<h1>watch &lt;7&gt; &amp; &quot;more&quot;</h1>"));
}

#[test]
fn the_numbers_are_those_of_the_input() {
    let html = render(&full());
    for number in
        ["<dd>3,605</dd>", ">1,234<", ">77<", ">2.5<", ">1.25<", "1970-01-01 00:00:30", ">60</text>", ">25</text>"]
    {
        assert!(html.contains(number), "{number}");
    }
    assert!(html.contains("85.0 % of the labelled rows"), "60 + 25 of 100");
}

#[test]
fn the_page_is_self_contained_and_balanced() {
    let html = render(&full());
    assert!(
        !html.contains("<script") && !html.contains("http://") && !html.contains("https://") && !html.contains("url(")
    );
    for tag in
        ["section", "svg", "g", "table", "tr", "td", "div", "ul", "li", "figure", "text", "title", "dl", "details"]
    {
        let opened = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn the_same_report_gives_the_same_page() {
    assert_eq!(render(&full()), render(&full()));
}
