//! What a checkpoint remembers about bounded input.

use serde::{Deserialize, Serialize};

/// The files of an input in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputDigest {
    /// One entry per file.
    pub files: Vec<FileDigest>,
}

/// What identifies the content of a file without reading it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDigest {
    /// Path as text.
    pub name: String,
    /// Size.
    pub bytes: u64,
    /// Row count.
    pub rows: u64,
}

impl InputDigest {
    /// The first difference between this input and the one that was `saved`, in words.
    pub fn difference(&self, saved: &Self) -> Option<String> {
        for (now, then) in self.files.iter().zip(&saved.files) {
            if now.name != then.name {
                return Some(format!("{} stands where {} was", now.name, then.name));
            }
            if now != then {
                let size = |file: &FileDigest| format!("{} rows in {} bytes", file.rows, file.bytes);
                return Some(format!("{} has {} and had {}", now.name, size(now), size(then)));
            }
        }
        let (now, then) = (self.files.len(), saved.files.len());
        match now.cmp(&then) {
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(format!("{} is new", self.files[then].name)),
            std::cmp::Ordering::Less => Some(format!("{} is gone", saved.files[now].name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_put_into_words() {
        let digest = |files: &[(&str, u64, u64)]| InputDigest {
            files: files.iter().map(|&(name, bytes, rows)| FileDigest { name: name.to_owned(), bytes, rows }).collect(),
        };
        let saved = digest(&[("a", 100, 10), ("b", 200, 20)]);
        assert_eq!(saved.difference(&saved), None);
        let said = |files: &[_]| digest(files).difference(&saved).unwrap();
        assert_eq!(said(&[("a", 100, 10)]), "b is gone");
        assert_eq!(said(&[("a", 100, 10), ("b", 200, 20), ("c", 1, 1)]), "c is new");
        assert_eq!(said(&[("a", 100, 10), ("c", 200, 20)]), "c stands where b was");
        assert_eq!(said(&[("a", 101, 11), ("b", 200, 20)]), "a has 11 rows in 101 bytes and had 10 rows in 100 bytes");
    }
}
