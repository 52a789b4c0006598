//! What all exported functions have in common: the scenario's faults come first, then the answer.

use std::{
    ffi::{c_char, c_uint},
    thread::sleep,
    time::Duration,
};

use crate::{
    abi::{Code, Device, Return},
    scenario::{Gpu, Scenario},
    state::{scenario, state},
};

/// How often a blocked or waiting call looks at the scenario again. Short beside the deadlines that
/// tests set, long beside the reading of a small file.
pub(crate) const PAUSE: Duration = Duration::from_millis(5);

/// Answers a call that is about no GPU.
pub(crate) fn of_system(
    function: &str,
    answer: impl FnOnce(&Scenario) -> Result<(), Code>,
) -> Return {
    code(unblocked(function, None).and_then(|scenario| {
        scenario.fault(function)?;
        initialized()?;
        answer(&scenario)
    }))
}

/// Answers `nvmlInit_v2` and its like, the only calls that may come first.
pub(crate) fn of_init(function: &str) -> Return {
    code(unblocked(function, None).and_then(|scenario| {
        scenario.fault(function)?;
        state().users += 1;
        Ok(())
    }))
}

/// Answers a call about a GPU.
pub(crate) fn of_device(
    function: &str,
    device: Device,
    answer: impl FnOnce(&Gpu) -> Result<(), Code>,
) -> Return {
    let uuid = state().uuid(device);
    code(uuid.and_then(|uuid| of_gpu(function, &uuid, answer)))
}

/// Answers a call about the GPU of that name.
pub(crate) fn of_gpu(
    function: &str,
    uuid: &str,
    answer: impl FnOnce(&Gpu) -> Result<(), Code>,
) -> Result<(), Code> {
    let scenario = unblocked(function, Some(uuid))?;
    scenario.fault(function)?;
    initialized()?;
    let gpu = scenario.gpu(uuid).ok_or(Code::GpuIsLost)?;
    gpu.fault(function)?;
    answer(gpu)
}

/// The scenario, as soon as it does not block this call.
fn unblocked(function: &str, uuid: Option<&str>) -> Result<Scenario, Code> {
    loop {
        let scenario = scenario()?;
        let gpu = uuid.and_then(|uuid| scenario.gpu(uuid));
        if !scenario.blocks(function) && !gpu.is_some_and(|gpu| gpu.blocks(function)) {
            return Ok(scenario);
        }
        sleep(PAUSE);
    }
}

fn initialized() -> Result<(), Code> {
    if state().users == 0 {
        return Err(Code::Uninitialized);
    }
    Ok(())
}

pub(crate) fn code(result: Result<(), Code>) -> Return {
    result.map_or_else(|code| code as Return, |()| Code::Success as Return)
}

/// Writes an answer where the caller wants it.
///
/// # Safety
///
/// `out` is null or points to memory for a `T`.
pub(crate) unsafe fn put<T>(out: *mut T, value: T) -> Result<(), Code> {
    if out.is_null() {
        return Err(Code::InvalidArgument);
    }
    // SAFETY: not null, so the caller promises memory for a `T`.
    unsafe { out.write(value) };
    Ok(())
}

/// Writes a C string where the caller wants it.
///
/// # Safety
///
/// `out` is null or points to memory for `length` characters.
pub(crate) unsafe fn put_text(out: *mut c_char, length: c_uint, text: &str) -> Result<(), Code> {
    if out.is_null() {
        return Err(Code::InvalidArgument);
    }
    if length as usize <= text.len() {
        return Err(Code::InsufficientSize);
    }
    for (index, byte) in text.bytes().chain([0]).enumerate() {
        // SAFETY: not null, and `index` is at most `text.len()`, which is below `length`.
        let at = unsafe { out.add(index) };
        // SAFETY: within the memory that the caller promises.
        unsafe { at.write(byte.cast_signed()) };
    }
    Ok(())
}
