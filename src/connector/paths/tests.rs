use tempfile::TempDir;

use super::*;

fn tree(files: &[&str]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for file in files {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    dir
}

fn under(dir: &TempDir, path: &str) -> String {
    format!("{}/{path}", dir.path().display())
}

fn resolved(dir: &TempDir, paths: &[&str]) -> Result<Vec<String>, ConnectorError> {
    let paths: Vec<String> = paths.iter().map(|path| under(dir, path)).collect();
    let root = under(dir, "");
    Ok(resolve(&paths)?.iter().map(|file| file.name.strip_prefix(&root).unwrap().to_owned()).collect())
}

fn message(dir: &TempDir, path: &str) -> String {
    resolved(dir, &[path]).unwrap_err().to_string()
}

#[test]
fn files_are_sorted_and_not_repeated_however_they_are_written() {
    let dir = tree(&["b.parquet", "a.parquet", "sub/c.parquet"]);
    let spelled = resolved(&dir, &["sub/../b.parquet", "./b.parquet", "sub", "*.parquet", "a.parquet"]).unwrap();
    assert_eq!(spelled, ["a.parquet", "b.parquet", "sub/c.parquet"]);
}

#[test]
fn a_folder_is_walked_and_hidden_names_are_skipped() {
    let dir = tree(&[
        "d/2/x.parq",
        "d/1/y.PARQUET",
        "d/readme.md",
        "d/_temporary/z.parquet",
        "d/.hidden.parquet",
        "d/table.parquet/part-0.parquet",
    ]);
    let expected = ["d/1/y.PARQUET", "d/2/x.parq", "d/table.parquet/part-0.parquet"];
    assert_eq!(resolved(&dir, &["d"]).unwrap(), expected);
    assert_eq!(resolved(&dir, &["d/"]).unwrap(), expected);
}

#[test]
fn a_glob_takes_files_and_folders_but_no_hidden_ones_unless_asked() {
    let dir = tree(&["s=1/a.parquet", "s=2/b.parquet", "t/c.parquet", "_old/d.parquet", "s=1/_SUCCESS", "s=1/.crc"]);
    assert_eq!(resolved(&dir, &["s=*"]).unwrap(), ["s=1/a.parquet", "s=2/b.parquet"]);
    assert_eq!(resolved(&dir, &["s=1/*"]).unwrap(), ["s=1/a.parquet"]);
    assert_eq!(resolved(&dir, &["**/*.parquet"]).unwrap(), ["s=1/a.parquet", "s=2/b.parquet", "t/c.parquet"]);
    assert_eq!(resolved(&dir, &["_o*/*.parquet"]).unwrap(), ["_old/d.parquet"]);
}

#[test]
fn a_file_whose_name_looks_like_a_glob_is_a_file() {
    let dir = tree(&["run[1].parquet", "run1.parquet"]);
    assert_eq!(resolved(&dir, &["run[1].parquet"]).unwrap(), ["run[1].parquet"]);
}

#[cfg(unix)]
#[test]
fn folders_that_link_in_a_circle_end() {
    let dir = tree(&["d/a.parquet"]);
    std::os::unix::fs::symlink(dir.path().join("d"), dir.path().join("d/again")).unwrap();
    assert_eq!(resolved(&dir, &["d"]).unwrap(), ["d/a.parquet"]);
}

#[test]
fn hive_folders_are_read_from_the_whole_path() {
    let dir = tree(&["subject=7/side=left/key=value.parquet"]);
    let files = resolve(&[under(&dir, "subject=7")]).unwrap();
    let expected = [("subject", "7"), ("side", "left")].map(|(key, value)| (key.to_owned(), Some(value.to_owned())));
    assert_eq!(files[0].partitions, expected);
}

#[test]
fn a_missing_file_is_named_with_the_nearest_one() {
    let dir = tree(&["har_features.parquet", "labels.csv"]);
    let said = message(&dir, "har_feature.parquet");
    assert!(said.contains("har_feature.parquet does not exist"), "{said}");
    assert!(said.contains(&format!("did you mean `{}`", under(&dir, "har_features.parquet"))), "{said}");
    let said = message(&dir, "nowhere/x.parquet");
    assert!(said.contains("nor does its folder; paths are relative to the working directory"), "{said}");
}

#[test]
fn a_glob_without_match_says_so() {
    let dir = tree(&["a.csv", "empty/notes.txt"]);
    assert!(message(&dir, "*.parquet").contains("*.parquet matches nothing"));
    assert!(message(&dir, "emp*").contains("matches only folders without"));
    assert!(message(&dir, "a[.parquet").contains("is not a valid glob"));
}

#[test]
fn a_folder_without_parquet_says_what_it_holds() {
    let dir = tree(&["d/a.csv", "d/b.txt", "d/_hidden.parquet"]);
    let said = message(&dir, "d");
    assert!(said.contains("holds no *.parquet or *.parq file (only a.csv, b.txt)"), "{said}");
    fs::create_dir(dir.path().join("e")).unwrap();
    assert!(message(&dir, "e").contains("nothing else either"));
}

#[test]
fn no_paths_and_unknown_schemes_are_refused() {
    assert!(resolve(&[]).unwrap_err().to_string().contains("source.parquet.paths is empty"));
    let said = resolve(&["ftp://host/x.parquet".to_owned()]).unwrap_err().to_string();
    assert!(said.contains("unknown scheme `ftp`"), "{said}");
    let dir = tree(&["a.parquet"]);
    assert_eq!(resolve(&[format!("file://{}", under(&dir, "a.parquet"))]).unwrap().len(), 1);
}

#[cfg(not(feature = "s3"))]
#[test]
fn an_object_store_without_its_feature_names_the_feature() {
    let said = resolve(&["s3://bucket/x.parquet".to_owned()]).unwrap_err().to_string();
    assert!(said.contains("s3://bucket/x.parquet") && said.contains("--features s3"), "{said}");
}
