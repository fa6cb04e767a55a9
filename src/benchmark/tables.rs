//! The tables of a pipeline file that a suite may hold.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema as schema};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

/// Tables of a pipeline file; their keys are checked when data, method and line are put together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tables {
    /// `[features]`
    #[serde(skip_serializing_if = "Table::is_empty")]
    #[schemars(schema_with = "any")]
    pub features: Table,
    /// `[model]`
    #[serde(skip_serializing_if = "Table::is_empty")]
    #[schemars(schema_with = "any")]
    pub model: Table,
    /// `[objective]`
    #[serde(skip_serializing_if = "Table::is_empty")]
    #[schemars(schema_with = "any")]
    pub objective: Table,
    /// `[refine]`
    #[serde(skip_serializing_if = "Table::is_empty")]
    #[schemars(schema_with = "any")]
    pub refine: Table,
    /// `[balance]`
    #[serde(skip_serializing_if = "Table::is_empty")]
    #[schemars(schema_with = "any")]
    pub balance: Table,
    /// `[learning]`
    #[serde(skip_serializing_if = "Table::is_empty")]
    #[schemars(schema_with = "any")]
    pub learning: Table,
    /// `[supervision]`
    #[serde(skip_serializing_if = "Table::is_empty")]
    #[schemars(schema_with = "any")]
    pub supervision: Table,
}

fn any(_: &mut SchemaGenerator) -> Schema {
    schema!({ "type": "object" })
}

impl Tables {
    /// All tables as one, empty ones left out.
    #[must_use]
    pub fn together(&self) -> Table {
        let named = [
            ("features", &self.features),
            ("model", &self.model),
            ("objective", &self.objective),
            ("refine", &self.refine),
            ("balance", &self.balance),
            ("learning", &self.learning),
            ("supervision", &self.supervision),
        ];
        let filled = named.into_iter().filter(|(_, table)| !table.is_empty());
        filled.map(|(name, table)| (name.to_owned(), Value::Table(table.clone()))).collect()
    }
}

/// Puts `above` over `below`: tables are merged, everything else is replaced.
pub(super) fn overlay(below: &mut Table, above: &Table) {
    for (key, value) in above {
        match (below.get_mut(key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => overlay(below, above),
            _ => {
                below.insert(key.clone(), value.clone());
            }
        }
    }
}
