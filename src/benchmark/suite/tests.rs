use super::*;

const SUITE: &str = r#"
title = "A table"
[data.digits]
title = "Digits"
set.features = { columns = ["features"], label = "label", scale = { method = "none" } }
set.model = { clusters = 10 }
[method.even]
set.model = { encoder = [64], embedding = 8 }
set.learning = { warmup_steps = 100 }
[method.even-wide]
like = "even"
neighbours = true
set.model = { encoder = [128] }
[method.k-means]
baseline = { kind = "k-means", restarts = 5 }
[[line]]
method = "even-wide"
data = "digits"
orders = ["natural", "rotated 3"]
set.learning = { warmup_steps = 7 }
published = { acc = 50.5, source = "table 1" }
[[line]]
method = "k-means"
data = "digits"
"#;

fn load(text: &str) -> Result<Suite, Error> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("small.toml");
    std::fs::write(&file, text).unwrap();
    Suite::load(&file)
}

fn fault(text: &str) -> String {
    let error = load(text).unwrap_err().to_string();
    error.split_once("small.toml: ").map_or(error.clone(), |(_, problem)| problem.to_owned())
}

#[test]
fn a_line_has_the_settings_of_its_data_under_those_of_its_method_under_its_own() {
    let suite = load(SUITE).unwrap();
    assert_eq!((suite.name.as_str(), suite.seeds, suite.lines.len()), ("small", 5, 3));
    let line = &suite.lines[1];
    assert_eq!(line.identity(), ("even-wide".to_owned(), "digits".to_owned(), "rotated 3".to_owned()));
    assert_eq!((line.data_title.as_str(), line.neighbours, line.published.acc), ("Digits", true, Some(50.5)));
    let plan = line.plan(Path::new("d.parquet")).unwrap();
    assert_eq!((plan.model().encoder.as_slice(), plan.model().embedding), (&[128][..], 8));
    assert_eq!((plan.model().clusters, plan.learning().warmup_steps), (10, 7));
    assert_eq!(suite.lines[2].baseline.as_ref().map(|baseline| baseline.restarts), Some(5));
    assert_eq!(suite.lines[2].order, None);
}

#[test]
fn faults_are_said_with_the_line_that_has_them() {
    let said = fault(&SUITE.replace("set.model = { encoder = [64]", "set.model = { encodr = [64]"));
    assert_eq!(said, "even-wide on digits: unknown key `model.encodr`; did you mean `model.encoder`?");
    let said =
        fault(&SUITE.replace("set.model = { encoder = [64]", "set.model = { objective = \"evn\", encoder = [64]"));
    assert!(
        said.starts_with("even-wide on digits: ") && said.contains("`model.objective` \"evn\" is unknown"),
        "{said}"
    );
    let said = fault(&SUITE.replace("method = \"k-means\"", "method = \"kmeans\""));
    assert_eq!(said, "a line names the method `kmeans`, which this file does not have; did you mean `k-means`?");
    let said = fault(&SUITE.replace("\"rotated 3\"", "\"upside down\""));
    assert!(said.starts_with("even-wide on digits: `upside down` is no order"), "{said}");
    let said = fault(&SUITE.replace("title = \"A table\"", "title = \"A table\"\nseed = 3"));
    assert!(said.ends_with("small.toml:3: unknown key `seed`; did you mean `seeds`?"), "{said}");
    let said = fault(&format!("{SUITE}\n[[line]]\nmethod = \"k-means\"\ndata = \"digits\"\n"));
    assert!(said.contains("k-means on digits stands there twice"), "{said}");
    let said = fault(&SUITE.replace("like = \"even\"", "like = \"even-wide\""));
    assert!(said.contains("`like` must name a method that is not like another one itself"), "{said}");
    let streamed = "[[line]]\norders = [\"natural\"]\nmethod = \"k-means\"";
    let said = fault(&SUITE.replace("[[line]]\nmethod = \"k-means\"", streamed));
    assert!(said.contains("a method without a network has all rows at once: leave `orders` out"), "{said}");
}

#[test]
fn a_suite_that_is_not_there_is_no_input() {
    assert_eq!(Suite::load(Path::new("nowhere/suite.toml")).unwrap_err().exit_code(), 66);
}
