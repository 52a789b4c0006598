//! The engines' own metrics, `vllm:*`, with labels that say which engine they are from.
//!
//! An engine is not trusted: it runs a model's code. Prometheus throws a whole page away for one bad
//! line, so a broken engine could blind an operator on every other metric. Threats and defences:
//!
//! - *A page without an end, or a line without one.* At most [`MAX_SCRAPE_BYTES`] are looked at, and
//!   a line of at most [`line::MAX_LINE_BYTES`].
//! - *A line that is not in the format*, a value out of range, a time stamp from the future, a
//!   control character: each line is parsed and what does not parse is left out.
//! - *Posing as us or as another engine.* Only families named `vllm:*` pass, and a line that brings a
//!   label `maas_engine` or `maas_model` of its own is left out.
//! - *Contradictions*: a family announced twice, with two types, or whose name is the `_count` of
//!   another; a series given twice. The first wins ([`merge`]). So an engine that lies about a type
//!   can hide that family of the engines behind it; their count of lines left out then shows it.
//!
//! What is left out is counted per engine in `maas_relay_dropped_lines`. Families other than `vllm:*`
//! (Python's and the HTTP server's own) are passed over without being counted.

mod line;
mod merge;

use maas_types::{EngineId, ModelName};

use crate::{catalogue, exposition::Exposition};
use merge::Merge;

/// How much of an engine's page is looked at, bytes. vLLM 0.32 sends 66 kB for one engine core; each
/// further data-parallel rank adds about 45 kB. A caller need not read more than one byte above it.
pub const MAX_SCRAPE_BYTES: usize = 1 << 20;

/// One engine's answer to `GET /metrics`.
#[derive(Debug, Clone, Copy)]
pub struct EngineScrape<'a> {
    /// The engine.
    pub engine: &'a EngineId,
    /// The model that it answers for.
    pub model: &'a ModelName,
    /// The body, as it came; `None` if there was no good answer.
    pub body: Option<&'a [u8]>,
}

/// Writes what the engines said, merged: each family once, with the samples of all engines.
pub(crate) fn write(page: &mut Exposition, scrapes: &[EngineScrape<'_>]) {
    let mut merge = Merge::default();
    let dropped: Vec<Option<u64>> = scrapes
        .iter()
        .map(|scrape| Some(merge.add(scrape, scrape.body?)))
        .collect();

    page.family(&catalogue::RELAY_UP, |family| {
        for scrape in scrapes {
            family.sample(names(scrape), u8::from(scrape.body.is_some()));
        }
    });
    page.family(&catalogue::RELAY_DROPPED, |family| {
        for (scrape, dropped) in scrapes.iter().zip(dropped) {
            if let Some(dropped) = dropped {
                family.sample(names(scrape), dropped);
            }
        }
    });
    merge.write(page);
}

fn names<'a>(scrape: &EngineScrape<'a>) -> [&'a str; 2] {
    [scrape.engine.as_str(), scrape.model.as_str()]
}

#[cfg(test)]
mod tests;
