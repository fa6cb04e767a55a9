//! `--name value` pairs of a benchmark's command line.

use std::path::PathBuf;
use std::str::FromStr;

/// The value of `--name`, or `default`. Cargo adds a bare `--bench`, which is nobody's.
pub fn argument<T: FromStr>(name: &str, default: T) -> T {
    let flag = format!("--{name}");
    let mut words = std::env::args().skip_while(|word| *word != flag).skip(1);
    match words.next() {
        None => default,
        Some(word) => word.parse().unwrap_or_else(|_| panic!("--{name} {word}: not understood")),
    }
}

/// The folder with the data sets; they are not part of the repository.
pub fn data_folder() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    argument("data", root.join("../shared/data"))
}
