//! The settings that a checkpoint cannot carry across.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Settings by name, each as the text of its value. Two runs may share checkpoints if their digests are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(BTreeMap<String, String>);

impl Digest {
    /// Adds a setting.
    pub fn insert(&mut self, setting: impl Into<String>, value: impl Into<String>) {
        self.0.insert(setting.into(), value.into());
    }

    /// The settings, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(setting, value)| (setting.as_str(), value.as_str()))
    }

    /// What a change from these settings to `new` changes, by name.
    pub fn differences(&self, new: &Self) -> Vec<Difference> {
        let names: std::collections::BTreeSet<&String> = self.0.keys().chain(new.0.keys()).collect();
        names
            .into_iter()
            .filter(|name| self.0.get(*name) != new.0.get(*name))
            .map(|name| Difference {
                setting: name.clone(),
                old: self.0.get(name).cloned(),
                new: new.0.get(name).cloned(),
            })
            .collect()
    }
}

impl<S: Into<String>, V: Into<String>> FromIterator<(S, V)> for Digest {
    fn from_iter<I: IntoIterator<Item = (S, V)>>(settings: I) -> Self {
        Self(settings.into_iter().map(|(setting, value)| (setting.into(), value.into())).collect())
    }
}

/// A setting that is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its name.
    pub setting: String,
    /// Its value in the checkpoint, if it was set.
    pub old: Option<String>,
    /// Its value now, if it is set.
    pub new: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "unset".to_owned());
        write!(f, "`{}` was {} and is {}", self.setting, shown(&self.old), shown(&self.new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_what_changed_came_and_went() {
        let old: Digest = [("a", "1"), ("b", "2"), ("c", "3")].into_iter().collect();
        let new: Digest = [("b", "2"), ("c", "4"), ("d", "5")].into_iter().collect();
        let texts: Vec<String> = old.differences(&new).iter().map(Difference::to_string).collect();
        assert_eq!(texts, ["`a` was 1 and is unset", "`c` was 3 and is 4", "`d` was unset and is 5"]);
        assert!(old.differences(&old).is_empty());
    }
}
