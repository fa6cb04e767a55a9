use serde::{Deserialize, Serialize};

use super::*;
use crate::data::Secret;
use crate::learner::{PerKey, Target};

const SMALL: &str = "\
[pipeline]
name = \"har\"
[source.parquet]
paths = [\"har.parquet\"]
[model]
clusters = 6
";

fn config(text: &str, sets: &[&str]) -> Result<Config, ConfigError> {
    let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
    parse("p.toml", text, &sets, &|name| match name {
        "CLUSTERS" => Some("4".to_owned()),
        "PLANT" => Some("north".to_owned()),
        _ => None,
    })
}

fn message(text: &str, sets: &[&str]) -> String {
    config(text, sets).unwrap_err().to_string()
}

#[test]
fn a_small_file_gets_every_default() {
    let config = config(SMALL, &[]).unwrap();
    assert_eq!((config.pipeline.seed, config.pipeline.workers, config.pipeline.shutdown_grace_s), (7, 0, 30));
    assert_eq!((config.model.encoder.as_slice(), config.model.embedding), ([256, 128].as_slice(), 32));
    assert_eq!((config.balance.target, config.balance.per_key), (Target::Uniform, PerKey::Fading));
    assert_eq!((config.checkpoint.every_rows, config.checkpoint.keep), (5000, 3));
    assert_eq!(config.serve, None);
}

#[test]
fn an_empty_serve_table_means_the_default_address() {
    let config = config(&format!("{SMALL}[serve]\n"), &[]).unwrap();
    assert_eq!(config.serve.unwrap().listen, "127.0.0.1:9464");
}

#[test]
fn a_syntax_error_names_file_line_and_column() {
    let message = message("[pipeline]\nname = har\n", &[]);
    assert!(message.starts_with("p.toml:2:8: "), "{message}");
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest_name() {
    assert_eq!(
        message(&format!("{SMALL}objectiv = \"even\"\n"), &[]),
        "p.toml:7: unknown key `model.objectiv`; did you mean `model.objective`?"
    );
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_what_is_expected() {
    assert_eq!(
        message(&SMALL.replace("= 6", "= \"six\""), &[]),
        "p.toml:6: `model.clusters`: invalid type: string \"six\", expected a whole number, 0 or more"
    );
    assert_eq!(
        message(&SMALL.replace("= 6", "= -1"), &[]),
        "p.toml:6: `model.clusters`: invalid value: integer `-1`, expected a whole number, 0 or more"
    );
    assert_eq!(
        message(&format!("{SMALL}[balance]\ntarget = \"even\"\n"), &[]),
        "p.toml:8: `balance.target`: invalid value: string \"even\", expected \"uniform\", \"observed\" or a list of shares"
    );
    assert_eq!(
        message(&format!("{SMALL}[features]\nkey = 5\n"), &[]),
        "p.toml:8: `features.key`: expected a string or a list of strings"
    );
    assert_eq!(
        message(&format!("{SMALL}[balance]\nper_key = \"fadign\"\n"), &[]),
        "p.toml:8: `balance.per_key`: unknown variant `fadign`, expected one of `off`, `fading`, `constant`"
    );
    assert_eq!(
        message(&SMALL.replace("[source.parquet]\npaths = [\"har.parquet\"]", "[source]\nparquet = 1"), &[]),
        "p.toml:4: `source.parquet`: invalid type: integer `1`, expected the table of ParquetSourceParameters"
    );
}

#[test]
fn a_missing_key_is_named_with_its_table() {
    assert_eq!(message(&SMALL.replace("clusters = 6", ""), &[]), "p.toml:5: `model.clusters` is missing");
    assert_eq!(message("[pipeline]\nname = \"a\"\n", &[]), "p.toml: `source` is missing");
}

#[test]
fn an_override_wins_over_the_file_and_makes_missing_tables() {
    let sets = ["model.clusters=9", "learning.passes = 3", "pipeline.name=2024", "features.key=[\"a\", \"b\"]"];
    let config = config(SMALL, &sets).unwrap();
    assert_eq!((config.model.clusters, config.learning.passes), (9, 3));
    assert_eq!(config.pipeline.name, "2024");
    assert_eq!(config.features.key, ["a", "b"]);
}

#[test]
fn an_override_that_is_no_toml_is_a_string() {
    let sets = ["checkpoint.dir=/tmp/a b", "balance.target=observed", "pipeline.name=\"quoted\""];
    let config = config(SMALL, &sets).unwrap();
    assert_eq!(config.checkpoint.dir.unwrap().to_str().unwrap(), "/tmp/a b");
    assert_eq!(config.balance.target, Target::Observed);
    assert_eq!(config.pipeline.name, "quoted");
}

#[test]
fn a_wrong_override_is_blamed_on_the_command_line() {
    assert_eq!(message(SMALL, &["model.clusters"]), "--set model.clusters: expected section.key=value");
    assert_eq!(message(SMALL, &["model.=1"]), "--set model.=1: expected section.key=value");
    assert_eq!(
        message(SMALL, &["model.clusters.x=1"]),
        "--set model.clusters.x=1: `clusters` is a integer, not a table"
    );
    assert_eq!(
        message(SMALL, &["model.cluster=1"]),
        "--set: unknown key `model.cluster`; did you mean `model.clusters`?"
    );
    assert!(message(SMALL, &["model.clusters=six"]).starts_with("--set: `model.clusters`: invalid type: string"));
}

#[test]
fn variables_are_replaced_in_values_and_read_as_numbers_where_those_are_wanted() {
    let text = SMALL.replace("= 6", "= \"${CLUSTERS}\"").replace("\"har\"", "\"${PLANT}-${CLUSTERS}\"");
    let config = config(&text.replace("har.parquet", "${DATA:-data}/$$x.parquet"), &[]).unwrap();
    assert_eq!(config.model.clusters, 4);
    assert_eq!(config.pipeline.name, "north-4");
    assert_eq!(config.source.parquet.unwrap().paths, ["data/$x.parquet"]);
}

#[test]
fn an_unset_variable_is_named_with_its_key_and_line() {
    assert_eq!(
        message(&SMALL.replace("\"har\"", "\"${SITE:?name the site}\""), &[]),
        "p.toml:2: `pipeline.name`: the environment variable SITE is not set: name the site"
    );
}

#[test]
fn the_effective_configuration_reads_back_as_itself() {
    let text = format!("{SMALL}[balance]\ntarget = [0.5, 0.5]\nmin_share = 0.1\n[objective]\nalpha = 1.5\n[serve]\n");
    let config = config(&text, &[]).unwrap();
    let written = config.to_toml().unwrap();
    assert_eq!(super::parse::<Config>("p.toml", &written, &[], &|_| None).unwrap(), config, "{written}");
}

#[test]
fn a_missing_file_is_not_a_configuration_fault() {
    let error = load(Path::new("there/is/none.toml"), &[]).unwrap_err();
    assert!(matches!(error, ConfigError::NoInput { file } if file == "there/is/none.toml"));
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    broker: Broker,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Broker {
    user: String,
    password: Option<Secret>,
}

fn login(text: &str) -> Result<Login, ConfigError> {
    parse("p.toml", text, &[], &|_| None)
}

#[test]
fn a_secret_can_come_from_a_file_and_is_not_printed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "hunter2\n").unwrap();
    let login = login(&format!("[broker]\nuser = \"a\"\npassword_file = '{}'\n", file.display())).unwrap();
    assert_eq!(login.broker.password.as_ref().unwrap().reveal(), "hunter2");
    let printed = format!("{login:?} {}", toml::to_string(&login).unwrap());
    assert!(!printed.contains("hunter2") && printed.contains("<redacted>"), "{printed}");
}

#[test]
fn a_secret_is_given_once_and_only_secrets_have_files() {
    let twice = login("[broker]\nuser = \"a\"\npassword = \"x\"\npassword_file = \"y\"\n").unwrap_err();
    assert!(twice.to_string().starts_with("p.toml:4: `broker.password_file`: `broker.password` is given as well"));
    let missing = login("[broker]\nuser = \"a\"\npassword_file = \"there/is/none\"\n").unwrap_err();
    assert_eq!(missing.to_string(), "p.toml:3: `broker.password_file`: cannot read there/is/none");
    let not_secret = login("[broker]\nuser_file = \"a\"\n").unwrap_err();
    assert!(not_secret.to_string().contains("unknown key `broker.user_file`"));
}
