//! Long lists in messages.

/// The first few of `names`, and how many more there are.
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
    fn long_lists_are_cut_and_counted() {
        assert_eq!(some_of(["a", "b"]), "a, b");
        let names: Vec<String> = (0..10).map(|i| i.to_string()).collect();
        assert_eq!(some_of(names.iter().map(String::as_str)), "0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
    }
}
