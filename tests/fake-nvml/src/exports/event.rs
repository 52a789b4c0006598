//! Events: XIDs, and nothing else.

use std::{
    ffi::{c_uint, c_ulonglong},
    thread::sleep,
    time::Duration,
};

use crate::{
    abi::{Code, Device, EVENT_XID, EventData, EventSet, NO_INSTANCE, Return},
    answer::{PAUSE, code, of_device, of_gpu, of_system, put},
    state::{scenario, state},
};

const WAIT: &str = "nvmlEventSetWait_v2";

/// # Safety
///
/// `set` is null or points to memory for a handle.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlEventSetCreate(set: *mut EventSet) -> Return {
    of_system("nvmlEventSetCreate", |_| {
        // SAFETY: the caller's promise.
        unsafe { put(set, state().create_set()) }
    })
}

#[unsafe(no_mangle)]
extern "C" fn nvmlDeviceRegisterEvents(
    device: Device,
    event_types: c_ulonglong,
    set: EventSet,
) -> Return {
    of_device("nvmlDeviceRegisterEvents", device, |gpu| {
        if event_types != EVENT_XID {
            return Err(Code::NotSupported);
        }
        let mut state = state();
        let registered = state.sets.get_mut(&set.addr());
        let registered = registered.ok_or(Code::InvalidArgument)?;
        registered.push(gpu.uuid.clone());
        Ok(())
    })
}

/// # Safety
///
/// `data` is null or points to memory for an `nvmlEventData_t`.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlEventSetWait_v2(
    set: EventSet,
    data: *mut EventData,
    timeout_ms: c_uint,
) -> Return {
    let refused = of_system(WAIT, |_| Ok(()));
    if refused != Code::Success as Return {
        return refused;
    }
    let timeout = Duration::from_millis(timeout_ms.into());
    let mut waited = Duration::ZERO;
    loop {
        match next_event(set) {
            // SAFETY: the caller's promise.
            Ok(Some(event)) => return code(unsafe { put(data, event) }),
            Ok(None) if waited >= timeout => return Code::Timeout as Return,
            Ok(None) => {}
            Err(failed) => return failed as Return,
        }
        sleep(PAUSE);
        waited += PAUSE;
    }
}

#[unsafe(no_mangle)]
extern "C" fn nvmlEventSetFree(set: EventSet) -> Return {
    of_system("nvmlEventSetFree", |_| {
        let freed = state().sets.remove(&set.addr());
        freed.map(|_| ()).ok_or(Code::InvalidArgument)
    })
}

/// The oldest XID that was not told yet, of the GPUs in a set. What was told stays told, even to a
/// set that is made later: an event happens once.
fn next_event(set: EventSet) -> Result<Option<EventData>, Code> {
    let uuids = state().sets.get(&set.addr()).cloned();
    let uuids = uuids.ok_or(Code::InvalidArgument)?;
    for uuid in uuids {
        let mut event = None;
        // A GPU that is lost tells why before it says that it is lost.
        let lost = scenario()?
            .gpu(&uuid)
            .map(|gpu| event = untold(&uuid, &gpu.xids))
            .is_none();
        if let Some(xid) = event {
            return Ok(Some(EventData {
                device: state().handle(&uuid),
                kind: EVENT_XID,
                data: xid,
                gpu_instance_id: NO_INSTANCE,
                compute_instance_id: NO_INSTANCE,
            }));
        }
        if lost {
            return Err(Code::GpuIsLost);
        }
        of_gpu(WAIT, &uuid, |_| Ok(()))?;
    }
    Ok(None)
}

fn untold(uuid: &str, xids: &[u64]) -> Option<u64> {
    let mut state = state();
    let told = state.told.entry(uuid.to_owned()).or_default();
    let xid = xids.get(*told).copied();
    *told = (*told + usize::from(xid.is_some())).min(xids.len());
    xid
}
