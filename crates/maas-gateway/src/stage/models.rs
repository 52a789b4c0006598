//! `/v1/models`: one body that OpenAI's and Anthropic's clients both understand, filtered by key.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use maas_keys::Principal;
use maas_types::{EngineEntry, EngineKind, ModelName};
use serde::Serialize;

use crate::{
    engine::table::View,
    refusal::{Refusal, quoted},
    route::Scope,
};

/// Everything both APIs want to know of a model.
#[derive(Debug, Serialize)]
struct Model<'a> {
    id: &'a ModelName,
    object: &'static str,
    created: i64,
    owned_by: &'static str,
    r#type: &'static str,
    display_name: &'a ModelName,
    created_at: Timestamp,
    /// Continue reads it (`data[0].max_model_len`), vLLM's own page has it.
    max_model_len: Option<u64>,
    max_input_tokens: Option<u64>,
    max_tokens: Option<u64>,
}

#[derive(Debug, Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Model<'a>>,
    has_more: bool,
    first_id: Option<&'a ModelName>,
    last_id: Option<&'a ModelName>,
}

impl<'a> Model<'a> {
    fn new(entry: &'a EngineEntry) -> Self {
        Self {
            id: &entry.model,
            object: "model",
            created: entry.since.as_second(),
            owned_by: match entry.kind {
                EngineKind::Vllm => "vllm",
                EngineKind::Simulated => "simulated",
            },
            r#type: "model",
            display_name: &entry.model,
            created_at: entry.since,
            max_model_len: entry.max_model_len,
            max_input_tokens: entry.max_model_len,
            max_tokens: entry.max_model_len,
        }
    }
}

/// The models that the key may use and that some engine is there for, by name.
fn visible<'a>(view: &'a View, who: &Principal, scope: &Scope) -> Vec<Model<'a>> {
    let mut models: BTreeMap<&ModelName, &EngineEntry> = BTreeMap::new();
    for engine in &view.engines {
        let entry = &engine.entry;
        let in_scope = match scope {
            Scope::All => true,
            Scope::One(model) => *model == entry.model,
        };
        if in_scope && who.may_use(&entry.model) {
            // The eldest replica, so that `created` stands still while others restart.
            let eldest = models.entry(&entry.model).or_insert(entry);
            if entry.since < eldest.since {
                *eldest = entry;
            }
        }
    }
    models.into_values().map(Model::new).collect()
}

/// `GET /v1/models`
pub(crate) fn list(view: &View, who: &Principal, scope: &Scope) -> Bytes {
    let data = visible(view, who, scope);
    let list = List {
        object: "list",
        first_id: data.first().map(|model| model.id),
        last_id: data.last().map(|model| model.id),
        has_more: false,
        data,
    };
    json(&list)
}

/// `GET /v1/models/{id}`
pub(crate) fn one(view: &View, who: &Principal, scope: &Scope, id: &str) -> Result<Bytes, Refusal> {
    let models = visible(view, who, scope);
    let model = models.iter().find(|model| model.id.as_str() == id);
    model
        .map(json)
        .ok_or_else(|| Refusal::UnknownModel { model: quoted(id) })
}

fn json(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value)
        .expect("names, numbers and instants are JSON")
        .into()
}
