//! The name that was probably meant.

/// The candidate most like `name` (Jaro-Winkler, case ignored), if one is alike enough to be worth naming.
pub(super) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&name, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// The first few of `names`, and how many more there are: for messages.
pub(super) fn some_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 8;
    let names: Vec<&str> = names.into_iter().collect();
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likest_name_is_found_whatever_its_case() {
        assert_eq!(nearest("Feature", ["label", "features", "subject"]), Some("features"));
        assert_eq!(nearest("zzz", ["label", "features"]), None);
    }

    #[test]
    fn long_lists_are_cut_and_counted() {
        assert_eq!(some_of(["a", "b"]), "a, b");
        let names: Vec<String> = (0..10).map(|i| i.to_string()).collect();
        assert_eq!(some_of(names.iter().map(String::as_str)), "0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
    }
}
