//! Initialisation and the host as a whole.

use std::ffi::{CStr, c_char, c_int, c_uint};

use crate::{
    abi::{Code, Device, Return},
    answer::{code, of_gpu, of_init, of_system, put, put_text},
    state::{scenario, state},
};

#[unsafe(no_mangle)]
extern "C" fn nvmlInit_v2() -> Return {
    of_init("nvmlInit_v2")
}

#[unsafe(no_mangle)]
extern "C" fn nvmlInitWithFlags(_flags: c_uint) -> Return {
    of_init("nvmlInitWithFlags")
}

#[unsafe(no_mangle)]
extern "C" fn nvmlShutdown() -> Return {
    of_system("nvmlShutdown", |_| {
        state().users -= 1;
        Ok(())
    })
}

/// # Safety
///
/// `version` is null or points to memory for `length` characters.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlSystemGetDriverVersion(version: *mut c_char, length: c_uint) -> Return {
    of_system("nvmlSystemGetDriverVersion", |scenario| {
        // SAFETY: the caller's promise.
        unsafe { put_text(version, length, &scenario.driver) }
    })
}

/// # Safety
///
/// `version` is null or points to memory for `length` characters.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlSystemGetNVMLVersion(version: *mut c_char, length: c_uint) -> Return {
    of_system("nvmlSystemGetNVMLVersion", |scenario| {
        let text = format!("{}.{}", scenario.cuda / 1000, scenario.driver);
        // SAFETY: the caller's promise.
        unsafe { put_text(version, length, &text) }
    })
}

/// # Safety
///
/// `version` is null or points to memory for a number.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlSystemGetCudaDriverVersion_v2(version: *mut c_int) -> Return {
    of_system("nvmlSystemGetCudaDriverVersion_v2", |scenario| {
        // SAFETY: the caller's promise.
        unsafe { put(version, scenario.cuda) }
    })
}

/// # Safety
///
/// `count` is null or points to memory for a number.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetCount_v2(count: *mut c_uint) -> Return {
    of_system("nvmlDeviceGetCount_v2", |scenario| {
        let gpus = c_uint::try_from(scenario.gpus.len()).map_err(|_| Code::Unknown)?;
        // SAFETY: the caller's promise.
        unsafe { put(count, gpus) }
    })
}

/// # Safety
///
/// `device` is null or points to memory for a handle.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetHandleByIndex_v2(index: c_uint, device: *mut Device) -> Return {
    const NAME: &str = "nvmlDeviceGetHandleByIndex_v2";
    code(scenario().and_then(|scenario| {
        let gpu = scenario.gpus.get(index as usize);
        let uuid = &gpu.ok_or(Code::InvalidArgument)?.uuid;
        // SAFETY: the caller's promise.
        of_gpu(NAME, uuid, |_| unsafe { put(device, state().handle(uuid)) })
    }))
}

/// # Safety
///
/// `uuid` is null or a C string; `device` is null or points to memory for a handle.
#[unsafe(no_mangle)]
unsafe extern "C" fn nvmlDeviceGetHandleByUUID(uuid: *const c_char, device: *mut Device) -> Return {
    const NAME: &str = "nvmlDeviceGetHandleByUUID";
    if uuid.is_null() {
        return Code::InvalidArgument as Return;
    }
    // SAFETY: not null, so the caller promises a C string.
    let uuid = unsafe { CStr::from_ptr(uuid) };
    code(scenario().and_then(|scenario| {
        let uuid = uuid.to_str().map_err(|_| Code::InvalidArgument)?;
        scenario.gpu(uuid).ok_or(Code::NotFound)?;
        // SAFETY: the caller's promise.
        of_gpu(NAME, uuid, |_| unsafe { put(device, state().handle(uuid)) })
    }))
}
