//! Finds places for the engines that wait, and starts them.

use std::collections::BTreeMap;

use maas_types::EngineId;

use super::{Event, Supervisor, random};
use crate::{
    argv::{self, Berth},
    clock::Now,
    engine::Engine,
    files,
    placement::{self, Demand, Held, Owner, Place, Placement},
    process::Stat,
    settings::BackEnd,
    spawn,
    spec::{EngineFiles, EngineSpec},
};

impl Supervisor {
    pub(super) fn launch(&mut self, now: Now) {
        if self.wishes.is_none() || !self.engines.values().any(Engine::needs_place) {
            return;
        }
        let order = self.in_order();
        let mut placements = self.placements(&order, now);
        for id in order {
            let waits = self.engines.get(&id).is_some_and(Engine::needs_place);
            match placements.remove(&id) {
                Some(Placement::Placed(place)) if waits => match self.disturber(&id, &place) {
                    None => self.start(&id, &place, now),
                    Some(other) => self.wait(
                        &id,
                        format!("waits for `{other}`, which is changing memory on the same GPU"),
                    ),
                },
                Some(Placement::Unplaced(reason)) if waits => self.wait(&id, reason),
                Some(Placement::Placed(_) | Placement::Unplaced(_)) | None => {}
            }
        }
    }

    fn placements(&self, order: &[EngineId], now: Now) -> BTreeMap<EngineId, Placement> {
        let sessions: BTreeMap<u32, Owner> = self
            .engines
            .values()
            .filter_map(|engine| {
                let memory = engine.wish.manifest.engine.gpu_memory;
                let id = engine.id.clone();
                Some((engine.shim()?.pid, Owner { id, memory }))
            })
            .collect();
        let owner = |pid| sessions.get(&Stat::read(pid)?.session).cloned();
        let report = self.inventory.as_ref();
        let ground = placement::ground(self.settings.device, report, now.wall, owner);
        let engines = order.iter().filter_map(|id| self.engines.get(id));
        // What backs off keeps no place, but what waits and what runs count.
        let demands: Vec<Demand> = engines
            .clone()
            .filter(|e| e.needs_place() || matches!(e.held(), Some(Held::Runs(_))))
            .map(|e| Demand::new(e.id.clone(), &e.wish))
            .collect();
        let held = engines
            .filter_map(|e| Some((e.id.clone(), e.held()?)))
            .collect();
        placement::place(&demands, &held, &ground)
    }

    /// An engine that just now takes or gives back memory where `id` is to be.
    fn disturber(&self, id: &EngineId, place: &Place) -> Option<EngineId> {
        let Place::Gpus { uuids, .. } = place else {
            return None;
        };
        let mut others = self.engines.values().filter(|other| other.id != *id);
        others
            .find(|other| other.disturbs(uuids))
            .map(|other| other.id.clone())
    }

    fn wait(&mut self, id: &EngineId, reason: String) {
        if let Some(engine) = self.engines.get_mut(id) {
            engine.waits(reason);
        }
    }

    fn start(&mut self, id: &EngineId, place: &Place, now: Now) {
        let Some(engine) = self.engines.get_mut(id) else {
            return;
        };
        let generation = self.wishes.as_ref().and_then(|wishes| wishes.generation);
        let berth = Berth {
            id,
            generation,
            place,
        };
        let spec = match argv::spec(&self.settings, &self.layout, &engine.wish, &berth) {
            Ok(spec) => spec,
            Err(error) => return engine.refused(error.to_string(), now),
        };
        let files = EngineFiles::new(&self.layout, id);
        let prepared = prepare(&files, &spec);
        match (&self.settings.back_end, prepared) {
            (BackEnd::Units { launcher }, Ok(())) => {
                let launcher = launcher.clone();
                return self.start_unit(spec, launcher, now);
            }
            (_, Err(error)) => return engine.not_launched(error.to_string(), now, random()),
            (BackEnd::Direct, Ok(())) if spec.root.is_some() => {
                let reason =
                    "it runs in a root file system of its own, which only systemd can give it";
                return engine.refused(reason.to_owned(), now);
            }
            (BackEnd::Direct, Ok(())) => {}
        }
        let started = files.make_own().and_then(|()| {
            let log = spec.log.with_extension("shim.log");
            if let Some(folder) = log.parent() {
                fs_err::create_dir_all(folder)?;
            }
            spawn::shim(&self.settings.appliance, id, &files.spec(), &log)
        });
        match started {
            Ok(shim) => {
                engine.launched(&spec, shim.clone(), now);
                self.watch(id, shim, Event::ShimGone);
            }
            Err(error) => engine.not_launched(error.to_string(), now, random()),
        }
    }
}

/// Writes the spec and removes the status of the run before, whose end is known by now.
fn prepare(files: &EngineFiles, spec: &EngineSpec) -> std::io::Result<()> {
    files::remove(&files.status())?;
    files::replace(&files.spec(), spec)
}
