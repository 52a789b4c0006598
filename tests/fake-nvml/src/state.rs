//! What the fake remembers in its process, and where it finds its scenario.

use std::{
    collections::BTreeMap,
    ffi::{CStr, c_char, c_int, c_void},
    mem::MaybeUninit,
    ptr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use camino::{Utf8Path, Utf8PathBuf};

use crate::{
    abi::{Code, Device, EventSet},
    scenario::Scenario,
};

/// Everything that is not in the scenario.
pub(crate) struct State {
    /// How often NVML was initialised and not shut down.
    pub(crate) users: usize,
    /// UUIDs that have a handle: handle 1 is the first. NVML's handles stay what they are while
    /// indices change.
    handles: Vec<String>,
    /// Event sets by handle, each with the UUIDs that are registered in it.
    pub(crate) sets: BTreeMap<usize, Vec<String>>,
    /// The handle that was given last.
    last_set: usize,
    /// How many of a GPU's XIDs were told.
    pub(crate) told: BTreeMap<String, usize>,
    /// What was last said about an invalid scenario.
    complaint: String,
}

static STATE: Mutex<State> = Mutex::new(State {
    users: 0,
    handles: Vec::new(),
    sets: BTreeMap::new(),
    last_set: 0,
    told: BTreeMap::new(),
    complaint: String::new(),
});

/// The state. Do not hold it while a call blocks: other calls must go on.
pub(crate) fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// The handle of a GPU.
    pub(crate) fn handle(&mut self, uuid: &str) -> Device {
        let known = self.handles.iter().position(|known| known == uuid);
        let index = known.unwrap_or_else(|| {
            self.handles.push(uuid.to_owned());
            self.handles.len() - 1
        });
        ptr::without_provenance_mut(index + 1)
    }

    /// The GPU behind a handle.
    pub(crate) fn uuid(&self, device: Device) -> Result<String, Code> {
        let index = device.addr().checked_sub(1);
        let uuid = index.and_then(|index| self.handles.get(index));
        uuid.cloned().ok_or(Code::InvalidArgument)
    }

    /// A new, empty event set.
    pub(crate) fn create_set(&mut self) -> EventSet {
        self.last_set += 1;
        self.sets.insert(self.last_set, Vec::new());
        ptr::without_provenance_mut(self.last_set)
    }

    fn complain(&mut self, complaint: String) {
        if self.complaint != complaint {
            eprintln!("fake-nvml: {complaint}");
            self.complaint = complaint;
        }
    }
}

/// The scenario as it is now.
pub(crate) fn scenario() -> Result<Scenario, Code> {
    let library = library_path();
    if library.as_ref().is_some_and(|library| !library.exists()) {
        // The test that made this copy has ended, and its agent has not noticed yet.
        return Err(Code::Unknown);
    }
    let read = || -> Result<Scenario, String> {
        let path = scenario_path(library.as_deref())?;
        let text = fs_err::read_to_string(&path).map_err(|error| error.to_string())?;
        Scenario::parse(&text).map_err(|error| format!("{path}: {error}"))
    };
    read().map_err(|complaint| {
        state().complain(complaint);
        Code::Unknown
    })
}

fn scenario_path(library: Option<&Utf8Path>) -> Result<Utf8PathBuf, String> {
    let beside = library.map(|library| Utf8PathBuf::from(format!("{library}.json")));
    if let Some(beside) = beside.as_ref().filter(|path| path.exists()) {
        return Ok(beside.clone());
    }
    std::env::var_os("FAKE_NVML_SCENARIO")
        .and_then(|path| path.into_string().ok())
        .map(Utf8PathBuf::from)
        .ok_or_else(|| {
            let beside = beside.as_deref().map_or("<library>.json", Utf8Path::as_str);
            format!("no scenario: neither `{beside}` nor FAKE_NVML_SCENARIO is there")
        })
}

/// `Dl_info` of `dlfcn.h`
#[repr(C)]
struct DlInfo {
    file_name: *const c_char,
    file_base: *mut c_void,
    symbol_name: *const c_char,
    symbol_address: *mut c_void,
}

unsafe extern "C" {
    fn dladdr(address: *const c_void, info: *mut DlInfo) -> c_int;
}

/// The path by which this library was loaded.
fn library_path() -> Option<Utf8PathBuf> {
    let mut info = MaybeUninit::<DlInfo>::uninit();
    let inside = (&raw const STATE).cast::<c_void>();
    // SAFETY: `inside` lies in a loaded object, and `info` is memory for a `Dl_info`.
    let found = unsafe { dladdr(inside, info.as_mut_ptr()) };
    if found == 0 {
        return None;
    }
    // SAFETY: `dladdr` fills the whole of it when it does not return 0.
    let info = unsafe { info.assume_init() };
    if info.file_name.is_null() {
        return None;
    }
    // SAFETY: the loader's name of the object is a C string that lives as long as the object, and
    // this function is part of the object.
    let name = unsafe { CStr::from_ptr(info.file_name) };
    name.to_str().ok().map(Utf8PathBuf::from)
}
