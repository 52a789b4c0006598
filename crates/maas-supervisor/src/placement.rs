//! Which engine runs on which GPU. Pure: models and facts in, places or reasons out.
//!
//! First fit, in the order of the generation: simple, deterministic, and good enough until memory is
//! planned from weights and caches. What runs is never moved; what ran before goes back to where it
//! was if that still fits.

mod ground;

use std::collections::BTreeMap;

use maas_types::{ByteSize, EngineId, GpuUuid};

pub(crate) use ground::{GpuFact, Ground, Owner, ground};

use crate::settings::Wish;

/// One engine that wants a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Demand {
    pub(crate) id: EngineId,
    /// How many GPUs it spans.
    pub(crate) gpus: u32,
    /// Bytes that it needs on each of them; `None` for all there is.
    pub(crate) memory: Option<u64>,
}

/// Where an engine runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the one slot of a CPU host. It may hold several engines: the kernel shares cores and
    /// memory among them, and the slot has no limit of its own.
    Cpu,
    /// On these GPUs alone.
    Gpus {
        uuids: Vec<GpuUuid>,
        /// Memory of the smallest of them, bytes.
        total: u64,
    },
}

/// What became of a demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Placement {
    Placed(Place),
    /// There is no place, for this reason.
    Unplaced(String),
}

/// Where an engine is or was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Held {
    /// It runs there and stays there.
    Runs(Vec<GpuUuid>),
    /// It ran there, and its caches are warm for that kind of GPU.
    Ran(Vec<GpuUuid>),
}

/// Replicas of one model on one host. Eight GPUs with eight engines each; a manifest that asks for
/// more has a slip of the pen, and gets one engine that says so.
pub(crate) const MOST_REPLICAS: u32 = 64;

/// The engines that a list of models wants, in order.
pub(crate) fn demands(wishes: &[Wish]) -> Vec<(EngineId, &Wish)> {
    wishes
        .iter()
        .flat_map(|wish| {
            let replicas = match wish.manifest.engine.replicas {
                too_many if too_many > MOST_REPLICAS => 1,
                replicas => replicas,
            };
            (0..replicas).map(move |replica| {
                let id = format!("{}-{replica}", wish.manifest.name);
                (id.parse().expect("a model name and a number fit"), wish)
            })
        })
        .collect()
}

impl Demand {
    pub(crate) fn new(id: EngineId, wish: &Wish) -> Self {
        Self {
            id,
            gpus: wish.manifest.engine.gpus.max(1),
            memory: wish.manifest.engine.gpu_memory,
        }
    }
}

/// Places every demand that is not running. Those that run are in the answer only as the room that
/// they take.
pub(crate) fn place(
    demands: &[Demand],
    held: &BTreeMap<EngineId, Held>,
    ground: &Ground,
) -> BTreeMap<EngineId, Placement> {
    let waiting = demands
        .iter()
        .filter(|d| !matches!(held.get(&d.id), Some(Held::Runs(_))));
    let facts = match ground {
        Ground::Cpu => {
            return waiting
                .map(|d| (d.id.clone(), Placement::Placed(Place::Cpu)))
                .collect();
        }
        Ground::Unknown(reason) => {
            return waiting
                .map(|d| (d.id.clone(), Placement::Unplaced(reason.clone())))
                .collect();
        }
        Ground::Gpus(facts) => facts,
    };
    let mut room = Room::new(facts);
    for demand in demands {
        if let Some(Held::Runs(gpus)) = held.get(&demand.id) {
            room.reserve(demand, gpus);
        }
    }
    // Back to where they were first: nobody may take such a place before them.
    let mut placements = BTreeMap::new();
    for demand in waiting.clone() {
        if let Some(Held::Ran(gpus)) = held.get(&demand.id)
            && let Some(place) = room.put_back(demand, gpus)
        {
            placements.insert(demand.id.clone(), Placement::Placed(place));
        }
    }
    for demand in waiting {
        let free = || room.place(demand);
        placements.entry(demand.id.clone()).or_insert_with(free);
    }
    placements
}

/// The share of a GPU that must be free for an engine that wants all of it, per mille. vLLM 0.33
/// refuses to start with less than its `--gpu-memory-utilization`, 0.92 by default; one per cent
/// more for what its own context takes.
const WHOLE: u64 = 930;

/// GPUs and what is spoken for on them.
struct Room<'a> {
    gpus: Vec<Slot<'a>>,
}

struct Slot<'a> {
    fact: &'a GpuFact,
    /// Bytes promised to our own engines.
    reserved: u64,
}

impl Slot<'_> {
    fn free(&self) -> u64 {
        let spoken_for = self.fact.foreign.saturating_add(self.reserved);
        self.fact.total.saturating_sub(spoken_for)
    }

    fn fits(&self, demand: &Demand) -> bool {
        if let Some(memory) = demand.memory {
            return self.free() >= memory;
        }
        let wanted = u128::from(self.fact.total) * u128::from(WHOLE) / 1000;
        self.reserved == 0 && u128::from(self.free()) >= wanted
    }
}

fn count(demand: &Demand) -> usize {
    usize::try_from(demand.gpus).unwrap_or(usize::MAX)
}

impl<'a> Room<'a> {
    fn new(facts: &'a [GpuFact]) -> Self {
        let slot = |fact| Slot { fact, reserved: 0 };
        Self {
            gpus: facts.iter().map(slot).collect(),
        }
    }

    fn reserve(&mut self, demand: &Demand, uuids: &[GpuUuid]) {
        for slot in self
            .gpus
            .iter_mut()
            .filter(|s| uuids.contains(&s.fact.uuid))
        {
            let taken = demand.memory.unwrap_or(slot.fact.total);
            slot.reserved = slot.reserved.saturating_add(taken);
        }
    }

    fn put_back(&mut self, demand: &Demand, before: &[GpuUuid]) -> Option<Place> {
        let fits = |uuid: &GpuUuid| {
            let slot = self.gpus.iter().find(|s| s.fact.uuid == *uuid);
            slot.is_some_and(|slot| slot.fits(demand))
        };
        let fits = before.len() == count(demand) && before.iter().all(fits);
        fits.then(|| self.take(demand, before.to_vec()))
    }

    fn place(&mut self, demand: &Demand) -> Placement {
        match self.choose(demand) {
            Some(uuids) => Placement::Placed(self.take(demand, uuids)),
            None => Placement::Unplaced(self.refusal(demand)),
        }
    }

    fn take(&mut self, demand: &Demand, uuids: Vec<GpuUuid>) -> Place {
        self.reserve(demand, &uuids);
        let chosen = self.gpus.iter().filter(|s| uuids.contains(&s.fact.uuid));
        let total = chosen.map(|s| s.fact.total).min().unwrap_or(0);
        Place::Gpus { uuids, total }
    }

    fn choose(&self, demand: &Demand) -> Option<Vec<GpuUuid>> {
        let count = count(demand);
        let fitting: Vec<&GpuFact> = self
            .gpus
            .iter()
            .filter(|slot| slot.fits(demand))
            .map(|slot| slot.fact)
            .collect();
        // The GPUs of one engine must be alike: the slowest and smallest rules the others.
        fitting.iter().find_map(|first| {
            let alike = fitting
                .iter()
                .filter(|f| (&f.name, f.total) == (&first.name, first.total));
            let uuids: Vec<_> = alike.take(count).map(|f| f.uuid.clone()).collect();
            (uuids.len() == count).then_some(uuids)
        })
    }

    /// Why there is no place, with what stands on each GPU.
    fn refusal(&self, demand: &Demand) -> String {
        let want = match demand.memory {
            Some(memory) => format!("{} free", ByteSize(memory)),
            None => "nothing else on it".to_owned(),
        };
        let count = match demand.gpus {
            1 => "a GPU".to_owned(),
            n => format!("{n} GPUs of one kind, each"),
        };
        let found: Vec<_> = self
            .gpus
            .iter()
            .map(|slot| {
                format!(
                    "GPU {} has {} of {} free ({} held by others, {} by our engines)",
                    slot.fact.index,
                    ByteSize(slot.free()),
                    ByteSize(slot.fact.total),
                    ByteSize(slot.fact.foreign),
                    ByteSize(slot.reserved.min(slot.fact.total)),
                )
            })
            .collect();
        format!("needs {count} with {want}; {}", found.join("; "))
    }
}

#[cfg(test)]
mod tests;
