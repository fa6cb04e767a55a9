//! The name that was probably meant.

/// The one of `names` that was probably meant by `written`: the fewest edits away, case ignored, if that is few enough
/// (1, and 1 more for every 4 characters).
pub(crate) fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = written.to_lowercase();
    let edits = |name: &str| strsim::damerau_levenshtein(&lower, &name.to_lowercase());
    let (edits, name) = names.into_iter().map(|name| (edits(name), name)).min()?;
    (edits <= 1 + written.chars().count() / 4).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likest_name_is_found_whatever_its_case() {
        assert_eq!(nearest("Feature", ["label", "features", "subject"]), Some("features"));
        assert_eq!(nearest("evne", ["balanced", "even"]), Some("even"));
    }

    #[test]
    fn nothing_is_found_for_something_else_entirely() {
        assert_eq!(nearest("zzz", ["label", "features"]), None);
        assert_eq!(nearest("kmeans", ["even", "ae-cm"]), None);
        assert_eq!(nearest("x", []), None);
    }
}
