//! The model card (`CycloneDX` 1.6, `modelCard`).

use maas_types::Task;
use serde_json::{Value, json};

use super::{Measured, config::Config, front_matter::FrontMatter};
use crate::basis::Basis;

/// What a card is made of.
pub(super) struct Card<'a> {
    pub(super) task: Task,
    pub(super) config: &'a Config,
    pub(super) front: &'a FrontMatter,
    pub(super) measured: Option<&'a Measured>,
}

impl Card<'_> {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "modelParameters": self.parameters(),
            "properties": self.properties(),
        })
    }

    fn parameters(&self) -> Value {
        let (task, answer) = match self.task {
            Task::Generate => ("text-generation", "text"),
            Task::Embed => ("feature-extraction", "embedding"),
        };
        let task = self.front.all("pipeline_tag").next().unwrap_or(task);
        let mut parameters = json!({ "task": task });
        if let Some(family) = &self.config.family {
            parameters["architectureFamily"] = family.as_str().into();
        }
        if let Some(architecture) = &self.config.architecture {
            parameters["modelArchitecture"] = architecture.as_str().into();
        }
        let datasets: Vec<_> = self
            .front
            .all("datasets")
            .map(|name| json!({ "type": "dataset", "name": name }))
            .collect();
        if !datasets.is_empty() {
            parameters["datasets"] = datasets.into();
        }
        parameters["inputs"] = json!([{ "format": "text" }]);
        parameters["outputs"] = json!([{ "format": answer }]);
        parameters
    }

    /// Each statement of the card with its ground.
    fn properties(&self) -> Vec<Value> {
        let mut properties = vec![json!(Basis::AuthorsClaim.of("modelParameters"))];
        let mut say = |name: &str, value: &str| {
            properties.push(json!({ "name": format!("maas:{name}"), "value": value }));
        };
        if let Some(measured) = self.measured {
            say("parameters", &measured.parameters.to_string());
            say("tensor-bytes", &measured.bytes.to_string());
            for (dtype, count) in &measured.dtypes {
                say(&format!("parameters:{dtype}"), &count.to_string());
            }
        }
        for key in ["language", "tags", "library_name"] {
            for value in self.front.all(key) {
                say(&format!("readme:{key}"), value);
            }
        }
        if self.measured.is_some() {
            for field in ["parameters", "tensor-bytes"] {
                properties.push(json!(Basis::CheckedAgainstBytes.of(field)));
            }
        }
        if ["language", "tags", "library_name"]
            .iter()
            .any(|key| self.front.all(key).next().is_some())
        {
            properties.push(json!(Basis::AuthorsClaim.of("readme")));
        }
        properties
    }
}
