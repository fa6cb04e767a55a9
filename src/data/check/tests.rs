use super::super::{FeatureError, FeatureParameters, Features, Missing, WindowParameters};

fn vectors() -> FeatureParameters {
    FeatureParameters { columns: vec!["features".into()], ..FeatureParameters::default() }
}

fn windows() -> FeatureParameters {
    let window = WindowParameters {
        sensors: vec![["ax", "ay", "az"].map(String::from)],
        rate_hz: 50.0,
        length_s: 2.56,
        hop_s: 1.28,
        lateness_s: 0.0,
        extractor: "statistics".into(),
        label_share: 0.8,
    };
    FeatureParameters { window: Some(window), ..FeatureParameters::default() }
}

fn error(change: impl FnOnce(&mut FeatureParameters)) -> FeatureError {
    let mut parameters = vectors();
    change(&mut parameters);
    parameters.check().unwrap_err()
}

fn window_error(change: impl FnOnce(&mut WindowParameters)) -> FeatureError {
    let mut parameters = windows();
    change(parameters.window.as_mut().unwrap());
    parameters.check().unwrap_err()
}

fn valid(parameters: FeatureParameters) -> Features {
    parameters.check().unwrap()
}

#[test]
fn features_need_columns_or_a_window() {
    assert_eq!(error(|p| p.columns.clear()), FeatureError::NoColumns);
}

#[test]
fn columns_and_a_window_exclude_each_other() {
    assert_eq!(error(|p| p.window = windows().window), FeatureError::ColumnsAndWindow);
}

#[test]
fn a_window_needs_sensors() {
    assert_eq!(window_error(|w| w.sensors.clear()), FeatureError::NoSensors);
}

#[test]
fn column_names_are_not_empty() {
    assert_eq!(error(|p| p.keep = vec![String::new()]), FeatureError::EmptyName { key: "features.keep" });
    assert_eq!(window_error(|w| w.sensors[0][2].clear()), FeatureError::EmptyName { key: "features.window.sensors" });
}

#[test]
fn no_column_is_named_twice_by_one_key() {
    let column = "features".to_owned();
    let found = error(|p| p.columns.push("features".into()));
    assert_eq!(found, FeatureError::Repeated { key: "features.columns", column });
    let column = "ax".to_owned();
    let found = window_error(|w| w.sensors.push(["gx", "gy", "ax"].map(String::from)));
    assert_eq!(found, FeatureError::Repeated { key: "features.window.sensors", column });
}

#[test]
fn the_label_is_never_a_feature() {
    assert_eq!(error(|p| p.label = "features".into()), FeatureError::LabelIsFeature { column: "features".into() });
    let mut parameters = windows();
    parameters.label = "az".into();
    assert_eq!(parameters.check().unwrap_err(), FeatureError::LabelIsFeature { column: "az".into() });
}

#[test]
fn there_is_one_output_column_label() {
    let found = error(|p| {
        p.label = "activity".into();
        p.keep = vec!["label".into()];
    });
    assert_eq!(found, FeatureError::TwoLabels { label: "activity".into() });
    let mut parameters = vectors();
    parameters.keep = vec!["label".into()];
    assert!(parameters.check().is_ok(), "without a label column the name is free");
}

#[test]
fn the_gap_is_positive() {
    for value in [0.0, -1.0] {
        assert_eq!(error(|p| p.max_gap_s = value), FeatureError::NotPositive { key: "features.max_gap_s", value });
    }
}

#[test]
fn shrinking_rows_are_not_negative() {
    let found = error(|p| p.scale.shrink_rows = -1.0);
    assert_eq!(found, FeatureError::Negative { key: "features.scale.shrink_rows", value: -1.0 });
}

#[test]
fn rate_length_and_hop_are_positive() {
    let found =
        [window_error(|w| w.rate_hz = 0.0), window_error(|w| w.length_s = 0.0), window_error(|w| w.hop_s = 0.0)];
    let keys = ["features.window.rate_hz", "features.window.length_s", "features.window.hop_s"];
    assert_eq!(found, keys.map(|key| FeatureError::NotPositive { key, value: 0.0 }));
    assert!(matches!(window_error(|w| w.rate_hz = f64::NAN), FeatureError::NotPositive { .. }));
}

#[test]
fn a_window_has_two_readings_or_more() {
    let found = window_error(|w| w.length_s = 0.02);
    assert_eq!(found, FeatureError::WindowTooShort { length_s: 0.02, rate_hz: 50.0, readings: 1 });
}

#[test]
fn a_hop_has_a_reading_or_more() {
    assert_eq!(window_error(|w| w.hop_s = 0.009), FeatureError::HopTooShort { hop_s: 0.009, rate_hz: 50.0 });
}

#[test]
fn a_hop_may_be_longer_than_the_window() {
    let mut parameters = windows();
    parameters.window.as_mut().unwrap().hop_s = 10.0;
    assert_eq!(valid(parameters).window().unwrap().hop(), 500);
}

#[test]
fn lateness_is_not_negative() {
    let found = window_error(|w| w.lateness_s = -0.5);
    assert_eq!(found, FeatureError::Negative { key: "features.window.lateness_s", value: -0.5 });
}

#[test]
fn lateness_needs_event_time() {
    assert_eq!(window_error(|w| w.lateness_s = 2.0), FeatureError::LatenessWithoutTime { lateness_s: 2.0 });
}

#[test]
fn a_label_covers_more_than_half_of_its_window() {
    for value in [0.5, 1.01] {
        assert_eq!(window_error(|w| w.label_share = value), FeatureError::LabelShare { value });
    }
}

#[test]
fn an_unknown_extractor_is_named_with_the_nearest_one() {
    let found = window_error(|w| w.extractor = "statistic".into());
    assert_eq!(
        found.to_string(),
        "`features.window.extractor` is `statistic`, which does not exist, did you mean `statistics`?"
    );
}

#[test]
fn a_window_is_counted_in_readings() {
    let features = valid(windows());
    let window = features.window().unwrap();
    assert_eq!((window.length(), window.hop(), window.lateness_ns()), (128, 64, 0));
    assert_eq!(features.max_gap_ns(), 5_000_000_000);
    assert_eq!(features.missing(), Missing::Reject);
}

#[test]
fn wanted_columns_are_every_column_once() {
    let mut parameters = windows();
    parameters.key = vec!["subject".into(), "side".into()];
    parameters.time = "t".into();
    parameters.series = "series".into();
    parameters.label = "activity".into();
    parameters.keep = vec!["subject".into(), "t".into(), "place".into(), "ax".into()];
    let wanted = ["ax", "ay", "az", "subject", "side", "t", "series", "activity", "place"];
    assert_eq!(valid(parameters).wanted_columns(), wanted);
}

mod against_a_schema {
    use std::sync::Arc;

    use arrow_schema::{DataType, Field, Schema, TimeUnit};

    use super::*;

    fn schema() -> Schema {
        let item = Arc::new(Field::new_list_field(DataType::Float32, true));
        Schema::new(vec![
            Field::new("features", DataType::FixedSizeList(item, 3), false),
            Field::new("subject", DataType::Int32, false),
            Field::new("time", DataType::Timestamp(TimeUnit::Millisecond, None), false),
            Field::new("activity", DataType::Utf8, true),
        ])
    }

    fn all() -> FeatureParameters {
        FeatureParameters { key: vec!["subject".into()], time: "time".into(), label: "activity".into(), ..vectors() }
    }

    #[test]
    fn a_schema_with_all_columns_is_accepted() {
        assert_eq!(valid(all()).check_schema(&schema()), Ok(()));
    }

    #[test]
    fn a_missing_column_is_named_with_the_nearest_one() {
        let features = valid(FeatureParameters { key: vec!["subjct".into()], ..all() });
        let found = features.check_schema(&schema()).unwrap_err().to_string();
        assert_eq!(found, "the input has no column `subjct` (`features.key`), did you mean `subject`?");
        let features = valid(FeatureParameters { keep: vec!["temperature".into()], ..all() });
        let found = features.check_schema(&schema()).unwrap_err().to_string();
        assert_eq!(found, "the input has no column `temperature` (`features.keep`)");
    }

    #[test]
    fn a_column_of_another_type_is_named_with_what_is_needed() {
        let features = valid(FeatureParameters { time: "activity".into(), label: String::new(), ..all() });
        let found = features.check_schema(&schema()).unwrap_err().to_string();
        assert_eq!(
            found,
            "column `activity` (`features.time`) is Utf8: a timestamp, or int64 nanoseconds since the epoch, is needed"
        );
        let features = valid(FeatureParameters { key: vec!["features".into()], ..all() });
        assert!(matches!(features.check_schema(&schema()), Err(FeatureError::WrongType { key: "features.key", .. })));
    }

    #[test]
    fn extras_are_the_label_under_its_output_name_and_the_kept_columns() {
        let features = valid(FeatureParameters { keep: vec!["time".into()], ..all() });
        let fields = features.extra_fields(&schema()).unwrap();
        let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["label", "time"]);
        assert_eq!(fields[0].data_type(), &DataType::Utf8);
    }

    #[test]
    fn features_are_named_after_columns_and_places() {
        let parameters = FeatureParameters { columns: vec!["subject".into(), "features".into()], ..vectors() };
        let names = valid(parameters).feature_names(&schema(), 4);
        assert_eq!(names, ["subject", "features[0]", "features[1]", "features[2]"]);
        assert_eq!(valid(windows()).feature_names(&schema(), 75).len(), 75);
    }
}
