//! What was used, for bills and for people.

use std::collections::BTreeMap;

use jiff::civil::Date;
use maas_types::Usage;
use serde::{Deserialize, Serialize};

use crate::ledger::Row;

/// By what usage is added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageBy {
    /// By team.
    Team,
    /// By the model that answered.
    Model,
    /// By key id.
    Key,
    /// By the site's calendar day.
    Day,
}

/// Which usage is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageQuery {
    /// By what it is added up.
    pub by: UsageBy,
    /// First day, of the site's time zone.
    pub from: Date,
    /// Last day, included.
    pub to: Date,
}

/// What was used. Requests count on the day of their admission; running ones are not included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageReport {
    /// By what it is added up.
    pub by: UsageBy,
    /// First day.
    pub from: Date,
    /// Last day, included.
    pub to: Date,
    /// One per team, model, key or day with any request, by name.
    pub rows: Vec<UsageRow>,
    /// All rows together.
    pub total: UsageRow,
}

/// One line of a [`UsageReport`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRow {
    /// A team, a model, a key's id or a date; `total` in the last line.
    pub name: String,
    /// Settled requests, refused and failed ones included.
    pub requests: u64,
    /// Their tokens.
    pub usage: Usage,
}

/// What a database query and the rows not yet in the database give together.
#[derive(Debug, Default)]
pub(crate) struct Sums(BTreeMap<String, (u64, Usage)>);

impl Sums {
    pub(crate) fn add(&mut self, name: String, requests: u64, usage: Usage) {
        let sum = self.0.entry(name).or_default();
        sum.0 = sum.0.saturating_add(requests);
        sum.1 = sum.1 + usage;
    }

    pub(crate) fn add_row(&mut self, query: &UsageQuery, row: &Row) {
        if (query.from..=query.to).contains(&row.date) {
            let name = match query.by {
                UsageBy::Team => row.who.record.team.to_string(),
                UsageBy::Model => row.ask.model.to_string(),
                UsageBy::Key => row.who.record.id.to_string(),
                UsageBy::Day => row.date.to_string(),
            };
            self.add(name, 1, row.usage);
        }
    }

    pub(crate) fn report(self, query: &UsageQuery) -> UsageReport {
        let rows: Vec<_> = self
            .0
            .into_iter()
            .map(|(name, (requests, usage))| UsageRow {
                name,
                requests,
                usage,
            })
            .collect();
        let total = rows.iter().fold(UsageRow::default(), |sum, row| UsageRow {
            name: "total".to_owned(),
            requests: sum.requests.saturating_add(row.requests),
            usage: sum.usage + row.usage,
        });
        UsageReport {
            by: query.by,
            from: query.from,
            to: query.to,
            rows,
            total: UsageRow {
                name: "total".to_owned(),
                ..total
            },
        }
    }
}
