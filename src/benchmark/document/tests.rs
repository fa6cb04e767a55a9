use super::*;
use crate::benchmark::{Records, plan, summarise};

fn suite(folder: &Path) -> Suite {
    let file = folder.join("tiny.toml");
    let text = "title = \"A table\"\nabout = \"A paper.\"\n[data.a]\nset.features = { columns = [\"x\"], label = \"y\" }\n\
                set.model = { clusters = 3 }\n[method.m]\n[[line]]\nmethod = \"m\"\ndata = \"a\"\n\
                published = { acc = 50.0, nmi = 40.0, source = \"table 2\" }\n";
    std::fs::write(&file, text).unwrap();
    Suite::load(&file).unwrap()
}

#[test]
fn a_section_is_written_between_its_markers_and_nothing_else_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let suite = suite(folder.path());
    let records = Records::open(&folder.path().join("none.parquet")).unwrap();
    let plan = plan(&suite, &Default::default(), &records, "", 5, false, None).unwrap();
    let summaries = summarise(&suite, &plan, &records);
    let file = Path::new("results.md");
    let first = document("# Results\n", file, &suite, &summaries).unwrap();
    let expected = "# Results\n\n<!-- benchmark tiny: begin -->\n## A table\n\nA paper.\n\n\
                    | method | data | ACC | published | published NMI |\n|---|---|---|---|---|\n\
                    | m | a | not run | 50.00 | 40.00 |\n\nPublished: table 2.\n\n<!-- benchmark tiny: end -->\n";
    assert_eq!(first, expected);
    let around = format!("{first}\nAfterwards.\n");
    assert_eq!(document(&around, file, &suite, &summaries).unwrap(), around);
    let torn = around.replace("tiny: end", "tiny: and");
    let error = document(&torn, file, &suite, &summaries).unwrap_err().to_string();
    assert!(error.starts_with("results.md: line `<!-- benchmark tiny: begin -->` is not followed by"), "{error}");
}
