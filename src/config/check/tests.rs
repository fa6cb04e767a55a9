use super::super::load::parse;
use super::*;
use crate::objective::{AeCmParameters, EvenParameters, Method};

const SMALL: &str = "\
[pipeline]
name = \"har\"
workers = 3
[source.parquet]
paths = [\"har.parquet\"]
[features]
columns = [\"features\"]
[model]
clusters = 4
";

fn checked(sets: &[&str]) -> Result<Plan, Vec<Rule>> {
    let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
    let config: Config = parse("p.toml", SMALL, &sets, &|_| None).unwrap();
    config.check().map_err(|Rules(broken)| broken)
}

/// The one rule that is broken, and its sentence.
fn broken(sets: &[&str]) -> (Rule, String) {
    let mut rules = checked(sets).unwrap_err();
    assert_eq!(rules.len(), 1, "{rules:?}");
    let rule = rules.remove(0);
    (rule.clone(), rule.to_string())
}

#[test]
fn a_plan_has_every_path_settled() {
    let plan = checked(&["serve.listen=[::1]:80"]).unwrap();
    assert_eq!((plan.name(), plan.workers(), plan.seed()), ("har", 3, 7));
    assert_eq!(plan.run_dir(), "runs/har");
    assert_eq!(plan.checkpoint_dir(), "runs/har/checkpoints");
    assert_eq!(plan.assignments_dir(), "runs/har/assignments");
    assert_eq!(plan.listen(), Some("[::1]:80"));
    let plan = checked(&["pipeline.run_dir=/r", "sink.parquet.dir=out", "pipeline.workers=0"]).unwrap();
    assert_eq!(
        (plan.checkpoint_dir().to_str(), plan.assignments_dir().to_str()),
        (Some("/r/checkpoints"), Some("out"))
    );
    assert_eq!(plan.effective().checkpoint.dir.as_deref(), Some(plan.checkpoint_dir()));
    assert!(plan.workers() >= 1);
}

#[test]
fn all_broken_rules_are_told_at_once() {
    let rules = checked(&["model.clusters=1", "learning.passes=0", "balance.strength=2"]).unwrap_err();
    assert_eq!(rules, [Rule::TooFewClusters(1), Rule::Strength(2.0), Rule::Zero("learning.passes")]);
    assert_eq!(Rules(rules).to_string().lines().count(), 3);
}

#[test]
fn a_name_must_be_a_folder_name() {
    for name in ["", "a/b", ".hidden", "a b"] {
        assert_eq!(broken(&[&format!("pipeline.name={name}")]).0, Rule::Name(name.to_owned()));
    }
}

#[test]
fn a_source_is_needed() {
    let config: Config =
        parse("p.toml", &SMALL.replace("[source.parquet]\npaths = [\"har.parquet\"]", "[source]"), &[], &|_| None)
            .unwrap();
    assert!(config.check().unwrap_err().to_string().contains("[source.parquet]"));
}

#[test]
fn supervision_is_taken_by_objectives_that_learn_from_pairs() {
    let labels = "supervision.label_fraction=0.2";
    let plan = checked(&["model.objective=balanced", "features.label=y", labels]).unwrap();
    assert_eq!(plan.supervision().and_then(|supervision| supervision.label_fraction), Some(0.2));
    checked(&["model.objective=balanced", "supervision.pairs=pairs.parquet"]).unwrap();
    let (rule, sentence) = broken(&["features.label=y", labels]);
    assert!(matches!(rule, Rule::SupervisionUnused { name: "even", .. }), "{rule:?}");
    assert!(sentence.contains("balanced"), "{sentence}");
}

#[test]
fn supervision_has_one_source_and_values_that_make_sense() {
    let broken = |sets: &[&str]| broken(&[&["model.objective=balanced", "features.label=y"], sets].concat()).0;
    assert_eq!(broken(&["supervision.ascent=1.0"]), Rule::SupervisionSource(0));
    let both = ["supervision.label_fraction=0.2", "supervision.pairs=p.parquet"];
    assert_eq!(broken(&both), Rule::SupervisionSource(2));
    let all = ["supervision.label_fraction=0.2", "supervision.pairs=p.parquet", "supervision.pairs_topic=pairs"];
    let rules = checked(&[&["model.objective=balanced", "features.label=y"], &all[..]].concat()).unwrap_err();
    assert!(rules.contains(&Rule::SupervisionSource(3)), "{rules:?}");
    let rule = broken(&["supervision.pairs_topic=pairs"]);
    assert!(matches!(&rule, Rule::Kafka { key, .. } if key == "supervision.pairs_topic"), "{rule:?}");
    assert!(rule.to_string().contains("add [source.kafka]"), "{rule}");
    assert_eq!(broken(&["supervision.label_fraction=0.2", "features.label="]), Rule::SupervisionWithoutLabel);
    let beyond = [
        ("label_fraction", 1.5),
        ("pairs_per_label", 0.0),
        ("batch_share", 0.0),
        ("ascent", -1.0),
        ("multiplier_cap", 0.5),
        ("reseats", 65.0),
    ];
    for (key, value) in beyond {
        let mut sets = vec![format!("supervision.{key}={value}")];
        if key != "label_fraction" {
            sets.push("supervision.label_fraction=0.2".to_owned());
        }
        let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
        let rule = broken(&sets);
        assert!(matches!(rule, Rule::SupervisionRange { key: found, .. } if found == key), "{rule:?}");
    }
    assert_eq!(
        broken(&["supervision.label_fraction=0.2", "supervision.pairs_kept=0"]),
        Rule::Zero("supervision.pairs_kept")
    );
}

#[test]
fn paths_must_name_something() {
    assert_eq!(broken(&["source.parquet.paths=[]"]).0, Rule::NoPaths);
    assert_eq!(broken(&["source.parquet.paths=[\"a\", \" \"]"]).0, Rule::NoPaths);
}

#[test]
fn one_cluster_is_refused_with_the_reason() {
    let (rule, sentence) = broken(&["model.clusters=1"]);
    assert_eq!(rule, Rule::TooFewClusters(1));
    assert!(sentence.contains("nothing to tell apart"), "{sentence}");
}

#[test]
fn every_objective_is_accepted() {
    for name in Method::NAMES {
        let plan = checked(&[&format!("model.objective={name}")]).unwrap();
        assert_eq!(plan.method().name(), *name);
    }
}

#[test]
fn an_unknown_objective_is_answered_with_the_nearest() {
    assert_eq!(broken(&["model.objective=evne"]).1, "`model.objective` \"evne\" is unknown; did you mean \"even\"?");
    assert!(broken(&["model.objective=kmeans"]).1.contains("use one of even, ae-cm"));
}

#[test]
fn refinement_is_recognised_and_refused() {
    assert_eq!(broken(&["refine.share=0.5"]).0, Rule::RefineOff);
    let (rule, sentence) = broken(&["model.refine=clusmatch", "refine.share=1.0"]);
    assert!(matches!(rule, Rule::RefineRange { key: "share", .. }));
    assert_eq!(sentence, "`refine.share` is 1: it is above 0 and below 1");
    assert_eq!(broken(&["model.refine=x"]).0, Rule::UnknownRefine("x".to_owned()));
}

#[test]
fn libtorch_is_answered_with_the_cargo_feature() {
    if cfg!(feature = "libtorch") {
        assert!(checked(&["model.backend=libtorch"]).is_ok());
    } else {
        assert!(broken(&["model.backend=libtorch"]).1.contains("the cargo feature `libtorch`"));
    }
    assert_eq!(broken(&["model.backend=cuda"]).0, Rule::UnknownBackend("cuda".to_owned()));
}

#[test]
fn layers_have_a_width() {
    assert_eq!(broken(&["model.encoder=[64, 0]"]).0, Rule::EncoderWidth);
    assert!(checked(&["model.encoder=[]"]).is_ok());
    assert_eq!(broken(&["model.embedding=0"]).0, Rule::Zero("model.embedding"));
}

#[test]
fn a_target_has_one_share_per_cluster() {
    assert_eq!(broken(&["balance.target=[0.5, 0.5]"]).0, Rule::TargetLength { shares: 2, clusters: 4 });
    assert!(checked(&["balance.target=[0.1, 0.2, 0.3, 0.4]"]).is_ok());
}

#[test]
fn every_share_of_a_target_is_above_zero() {
    assert_eq!(broken(&["balance.target=[0.5, 0.5, 0.0, 0.0]"]).0, Rule::TargetShare(0.0));
}

#[test]
fn a_target_sums_to_one() {
    assert!(matches!(broken(&["balance.target=[0.1, 0.2, 0.3, 0.3]"]).0, Rule::TargetSum(sum) if sum < 0.95));
    assert!(checked(&["balance.target=[0.3333333, 0.3333333, 0.3333333, 0.0000001]"]).is_ok());
    assert!(checked(&["balance.target=[nan, 0.2, 0.3, 0.5]"]).is_err());
}

#[test]
fn bounds_do_not_cross() {
    let sets = ["balance.min_share=0.3", "balance.max_share=0.2"];
    assert_eq!(broken(&sets).0, Rule::BoundsCrossed { min: 0.3, max: 0.2 });
}

#[test]
fn infeasible_bounds_are_refused_with_the_feasible_range() {
    assert_eq!(
        broken(&["balance.min_share=0.3"]).1,
        "`balance.min_share` 0.3 cannot be kept by 4 clusters: it is between 0 and 1/4 = 0.25"
    );
    assert_eq!(
        broken(&["balance.max_share=0.2"]).1,
        "`balance.max_share` 0.2 cannot be kept by 4 clusters: it is between 1/4 = 0.25 and 1"
    );
    assert!(matches!(broken(&["balance.min_share=-0.1"]).0, Rule::MinShare { .. }));
    assert!(matches!(broken(&["balance.max_share=1.5"]).0, Rule::MaxShare { .. }));
    assert!(checked(&["balance.min_share=0.25", "balance.max_share=0.25"]).is_ok());
}

#[test]
fn strength_is_between_off_and_full() {
    assert_eq!(broken(&["balance.strength=1.5"]).0, Rule::Strength(1.5));
    assert!(checked(&["balance.strength=nan"]).is_err());
}

#[test]
fn warmup_holds_a_row_per_cluster() {
    assert_eq!(broken(&["learning.warmup_rows=3"]).0, Rule::WarmupRows { rows: 3, clusters: 4 });
}

#[test]
fn the_reservoir_holds_a_row_per_cluster() {
    assert_eq!(broken(&["learning.reservoir_rows=3"]).0, Rule::ReservoirRows { rows: 3, clusters: 4 });
}

#[test]
fn a_half_life_is_a_duration() {
    assert!(broken(&["features.time=t", "learning.half_life=6 hours"]).1.contains("not a duration"));
}

#[test]
fn a_half_life_needs_event_time() {
    assert_eq!(broken(&["learning.half_life=6h"]).0, Rule::HalfLifeWithoutTime);
}

#[test]
fn challengers_grow_apart() {
    assert_eq!(broken(&["learning.refresh_growth=1"]).0, Rule::RefreshGrowth(1.0));
}

#[test]
fn counts_are_at_least_one() {
    let keys = [
        "learning.passes",
        "learning.chunk_rows",
        "learning.candidates",
        "learning.warmup_steps",
        "source.parquet.batch_rows",
        "sink.parquet.roll_mb",
        "sink.parquet.roll_s",
    ];
    for key in keys {
        assert_eq!(broken(&[&format!("{key}=0")]).0, Rule::Zero(key));
    }
}

#[test]
fn the_rules_of_other_rooms_are_told_as_well() {
    assert_eq!(broken(&["features.columns=[]"]).0, Rule::Features(FeatureError::NoColumns));
    assert_eq!(broken(&["drift.alarm_budget_per_day=0"]).0, Rule::Drift(DriftParameterError::Budget(0.0)));
    for key in ["checkpoint.every_s", "checkpoint.every_rows", "checkpoint.keep"] {
        let sentence = broken(&[&format!("{key}=0")]).1;
        assert!(sentence.starts_with(&format!("`{key}` is 0")), "{sentence}");
    }
}

#[test]
fn a_cap_per_second_needs_event_time() {
    assert_eq!(broken(&["learning.max_rows_per_s=100"]).0, Rule::CapWithoutTime(100));
    assert!(checked(&["learning.max_rows_per_s=100", "features.time=t"]).is_ok());
}

#[test]
fn steps_per_chunk_have_a_limit() {
    assert_eq!(broken(&["learning.steps=1000"]).0, Rule::Steps(1000));
    assert!(checked(&["learning.steps=999"]).is_ok() && checked(&["learning.steps=0"]).is_ok());
}

#[test]
fn a_server_needs_host_and_port() {
    for listen in ["9464", "localhost", "localhost:http", ":80"] {
        assert_eq!(broken(&[&format!("serve.listen={listen}")]).0, Rule::Listen(listen.to_owned()));
    }
}

#[test]
fn the_objective_table_becomes_the_parameters_of_the_method() {
    assert_eq!(*checked(&[]).unwrap().method(), Method::Even(EvenParameters::default()));
    let plan = checked(&["model.objective=ae-cm", "objective.alpha=2", "objective.beta=0.5"]).unwrap();
    let expected = AeCmParameters { alpha: 2.0, beta: 0.5, ..AeCmParameters::default() };
    assert_eq!(*plan.method(), Method::AeCm(expected));
    // The effective configuration has what was left out.
    assert_eq!(plan.effective().objective["pretraining"].as_float(), Some(AeCmParameters::default().pretraining));
    assert_eq!(plan.effective().clone().check().unwrap().method(), plan.method());
}

#[test]
fn a_parameter_of_another_objective_is_refused() {
    assert_eq!(
        broken(&["objective.alpha=1.5"]).1,
        "unknown key `objective.alpha` for `model.objective` \"even\"; there are code_temperature, jitter, mask, temperature"
    );
    assert!(matches!(broken(&["model.objective=ae-cm", "objective.mask=0.1"]).0, Rule::ObjectiveKey { .. }));
}

#[test]
fn a_parameter_of_the_wrong_type_is_named() {
    assert_eq!(
        broken(&["objective.jitter=much"]).1,
        "`objective.jitter`: invalid type: string \"much\", expected a number"
    );
}

#[test]
fn parameters_of_the_objective_have_ranges() {
    let even = [
        ("temperature", "0"),
        ("temperature", "inf"),
        ("code_temperature", "0"),
        ("code_temperature", "1"),
        ("jitter", "-0.1"),
        ("mask", "1"),
        ("mask", "nan"),
    ];
    for (key, value) in even {
        let full = format!("objective.{key}");
        assert!(
            matches!(broken(&[&format!("{full}={value}")]).0, Rule::ObjectiveRange { key: found, .. } if found == key),
            "{full}"
        );
    }
    for (key, value) in [("beta", "-1"), ("lambda", "-1"), ("alpha", "0.9"), ("pretraining", "1")] {
        let full = format!("objective.{key}");
        let rule = broken(&["model.objective=ae-cm", &format!("{full}={value}")]).0;
        assert!(matches!(rule, Rule::ObjectiveRange { key: found, .. } if found == key), "{full}");
    }
}

#[test]
fn orthogonal_centroids_need_room() {
    let sets = ["model.objective=ae-cm", "model.embedding=3"];
    assert_eq!(broken(&sets).0, Rule::Orthonormal { clusters: 4, embedding: 3 });
    assert!(checked(&["model.embedding=3"]).is_ok());
}
