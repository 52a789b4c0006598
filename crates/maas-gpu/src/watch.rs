//! XIDs, as NVML tells them: events that are there once and only for who has asked before.

use std::collections::{BTreeMap, BTreeSet};

use maas_types::{Gpu, GpuUuid};
use nvml_wrapper::{
    EventSet, bitmasks::event::EventTypes, enums::event::XidError, error::NvmlError,
};

use crate::{Probe, error::words};

/// How many events of one GPU are taken per round. NVML queues few; a library that never says
/// "timeout" must not keep the round from ending.
const MAX_PER_ROUND: usize = 64;

/// Stands for an XID that NVML itself cannot name.
const UNKNOWN_XID: u64 = 999;

/// The GPUs that are listened to. One event set each: NVML's wrapper frees a set when one GPU cannot
/// be added to it, and the others would go deaf. A set may be used by one thread only.
#[derive(Debug, Default)]
pub(crate) struct XidWatch<'nvml> {
    /// `None` for a GPU that has no such events.
    sets: BTreeMap<GpuUuid, Option<EventSet<'nvml>>>,
}

/// What was heard in one round.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// XIDs in the order in which they were told.
    pub(crate) xids: Vec<(GpuUuid, u64)>,
    /// GPUs that cannot be listened to now, with NVML's words.
    pub(crate) deaf: Vec<(GpuUuid, String)>,
}

impl<'nvml> XidWatch<'nvml> {
    /// Takes what has happened since the last round, and starts to listen to those of `gpus` that it
    /// does not listen to yet. Never waits.
    pub(crate) fn round(&mut self, probe: &'nvml Probe, gpus: &[Gpu]) -> Heard {
        // A GPU that is no longer among them is still heard: why it is gone is told as an XID.
        let mut uuids: BTreeSet<GpuUuid> = self.sets.keys().cloned().collect();
        uuids.extend(gpus.iter().map(|gpu| gpu.uuid.clone()));
        let mut heard = Heard::default();
        for uuid in uuids {
            let result = self
                .listen(probe, &uuid)
                .and_then(|set| set.map_or(Ok(()), |set| drain(probe, &uuid, set, &mut heard)));
            if let Err(error) = result {
                // After a reset the old set is silent; the next round makes a new one.
                probe.calls().begin("nvmlEventSetFree");
                self.sets.remove(&uuid);
                heard.deaf.push((uuid, words(&error)));
            }
        }
        heard
    }

    fn listen(
        &mut self,
        probe: &'nvml Probe,
        uuid: &GpuUuid,
    ) -> Result<Option<&EventSet<'nvml>>, NvmlError> {
        if !self.sets.contains_key(uuid) {
            let set = register(probe, uuid)?;
            self.sets.insert(uuid.clone(), set);
        }
        Ok(self.sets.get(uuid).and_then(Option::as_ref))
    }
}

fn register<'nvml>(
    probe: &'nvml Probe,
    uuid: &GpuUuid,
) -> Result<Option<EventSet<'nvml>>, NvmlError> {
    let device = probe.device(uuid)?;
    let calls = probe.calls();
    let set = calls.call("nvmlEventSetCreate", || probe.nvml().create_event_set())?;
    let registered = calls.call("nvmlDeviceRegisterEvents", || {
        device.register_events(EventTypes::CRITICAL_XID_ERROR, set)
    });
    match registered {
        Ok(set) => Ok(Some(set)),
        Err(failed) if matches!(failed.error, NvmlError::NotSupported) => Ok(None),
        Err(failed) => Err(failed.error),
    }
}

fn drain(
    probe: &Probe,
    uuid: &GpuUuid,
    set: &EventSet<'_>,
    heard: &mut Heard,
) -> Result<(), NvmlError> {
    for _ in 0..MAX_PER_ROUND {
        let event = match probe.calls().call("nvmlEventSetWait_v2", || set.wait(0)) {
            Ok(event) => event,
            Err(NvmlError::Timeout) => return Ok(()),
            Err(error) => return Err(error),
        };
        match event.event_data {
            Some(XidError::Value(xid)) => heard.xids.push((uuid.clone(), xid)),
            Some(XidError::Unknown) => heard.xids.push((uuid.clone(), UNKNOWN_XID)),
            None => {}
        }
    }
    Ok(())
}
