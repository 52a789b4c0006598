//! What the agent remembers from round to round: GPUs that were there, and XIDs.

use std::collections::{BTreeMap, btree_map::Entry};

use jiff::Timestamp;
use maas_types::{Gpu, GpuUuid, XidEvent};

use crate::{
    probe::{Reading, unidentified_words},
    watch::Heard,
};

/// How many XIDs are kept per GPU. A GPU that has told 64 is past diagnosis by its list.
const MAX_XIDS: usize = 64;

/// Everything that outlives a round.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Every GPU seen since the agent started, as it was last.
    known: BTreeMap<GpuUuid, Gpu>,
}

impl Memory {
    /// Completes a reading: GPUs that are missing or lost are listed with what is known about them,
    /// and every GPU with its XIDs. Returns the GPUs by index, and those that nobody knows.
    pub(crate) fn complete(
        &mut self,
        reading: Reading,
        heard: Heard,
        now: Timestamp,
    ) -> (Vec<Gpu>, Vec<String>) {
        let mut missing: Vec<GpuUuid> = self.known.keys().cloned().collect();
        for gpu in reading.gpus {
            missing.retain(|uuid| *uuid != gpu.uuid);
            self.refresh(gpu);
        }
        let mut unidentified = Vec::new();
        for (index, why) in reading.silent {
            let at_index = |uuid: &GpuUuid| self.known[uuid].index == index;
            match missing.iter().position(at_index) {
                Some(position) => self.lose(&missing.swap_remove(position), why),
                None => unidentified.push(unidentified_words(index, &why)),
            }
        }
        for uuid in missing {
            self.lose(&uuid, "NVML no longer lists it".to_owned());
        }
        self.hear(heard, now);

        let mut gpus: Vec<Gpu> = self.known.values().cloned().collect();
        gpus.sort_by_key(|gpu| gpu.index);
        (gpus, unidentified)
    }

    /// Takes a GPU as it was read just now.
    fn refresh(&mut self, mut gpu: Gpu) {
        match self.known.entry(gpu.uuid.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(gpu);
            }
            Entry::Occupied(mut entry) => {
                let before = entry.get_mut();
                gpu.xids = std::mem::take(&mut before.xids);
                // What a GPU is does not change; a card that is being lost may not tell it any more.
                if gpu.name.is_empty() {
                    gpu.name = std::mem::take(&mut before.name);
                }
                if gpu.pci_bus_id.is_empty() {
                    gpu.pci_bus_id = std::mem::take(&mut before.pci_bus_id);
                }
                if gpu.memory_total == 0 {
                    gpu.memory_total = before.memory_total;
                    gpu.memory_used = before.memory_used;
                }
                *before = gpu;
            }
        }
    }

    /// Keeps of a GPU that did not answer only what it is, and how much memory was used last.
    fn lose(&mut self, uuid: &GpuUuid, why: String) {
        if let Some(gpu) = self.known.get_mut(uuid) {
            gpu.utilization_percent = None;
            gpu.temperature_celsius = None;
            gpu.power_milliwatts = None;
            gpu.ecc = None;
            gpu.processes.clear();
            gpu.unreadable = vec![why];
        }
    }

    fn hear(&mut self, heard: Heard, now: Timestamp) {
        for (uuid, xid) in heard.xids {
            if let Some(gpu) = self.known.get_mut(&uuid) {
                if gpu.xids.len() == MAX_XIDS {
                    gpu.xids.remove(0);
                }
                gpu.xids.push(XidEvent { xid, seen: now });
            }
        }
        for (uuid, why) in heard.deaf {
            if let Some(gpu) = self.known.get_mut(&uuid) {
                gpu.unreadable.push(format!("XID events: {why}"));
            }
        }
    }
}

#[cfg(test)]
mod tests;
