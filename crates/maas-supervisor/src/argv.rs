//! One engine, spelled out: program, arguments, environment. Pure.
//!
//! Threats: a manifest comes from a bundle, and its author may be careless or, with a stolen key,
//! hostile. A flag or variable could make an engine listen on the network, serve under another
//! model's name, log what clients write, run code that came with the weights, or call out. Defence:
//! what decides these in vLLM 0.32 is ours to set, and a manifest that sets it too is refused, in
//! every spelling that vLLM's parser takes (`--flag=value`, `--served_model_name`, `--por` for
//! `--port`, `--flag.member`). Variables are those of the libraries that an engine is made of, and
//! only such as name no file, program or address. A client could make an engine fetch an address of the internal network by an
//! `image_url`: only domains that do not exist are allowed (RFC 6761, 6.4). What a later vLLM adds is
//! not known here; the unit's missing network is the second wall.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use maas_types::{EngineId, EngineKind, GenerationId, Layout, ModelName};

use self::refusals::{may_be_set, refused};
use crate::{
    placement::{MOST_REPLICAS, Place},
    settings::{SIMULATED_VERB, Settings, Wish},
    spec::EngineSpec,
};

mod refusals;

/// Why a model cannot be run as its manifest wants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ArgvError {
    #[error("the manifest of `{model}` has the engine flag `{flag}`, {why}")]
    Flag {
        model: ModelName,
        flag: String,
        why: &'static str,
    },
    #[error(
        "the manifest of `{model}` sets the variable `{name}`: only settings of vLLM, PyTorch, CUDA, NCCL and \
         their like may be set, and none that names a file, a program or an address"
    )]
    Variable { model: ModelName, name: String },
    #[error("the variable `{name}` of `{model}` is not one that a process can have")]
    VariableForm { model: ModelName, name: String },
    #[error(
        "the manifest of `{model}` asks for {replicas} replicas, and one host takes at most {MOST_REPLICAS}"
    )]
    Replicas { model: ModelName, replicas: u32 },
    #[error(
        "code comes with `{model}`, and this site does not let it run (`remote_code` under [policy])"
    )]
    RemoteCode { model: ModelName },
    #[error("an argument of `{model}` holds a zero byte")]
    ZeroByte { model: ModelName },
    #[error(
        "the socket path `{path}` has {} bytes, and Linux takes at most {} (choose a shorter --root)",
        path.as_str().len(), Layout::LONGEST_SOCKET
    )]
    Socket { path: Utf8PathBuf },
}

/// Where clients may let an engine fetch images from: nowhere.
const NO_DOMAIN: &str = "nowhere.invalid";

/// Never dial out, never report (`field/supervisor.md` 6). Without the last three vLLM and NCCL
/// choose the host's outside address for talking to themselves.
const OFFLINE: [(&str, &str); 13] = [
    ("HF_HUB_OFFLINE", "1"),
    ("HF_DATASETS_OFFLINE", "1"),
    ("HF_HUB_DISABLE_TELEMETRY", "1"),
    ("TRANSFORMERS_OFFLINE", "1"),
    ("VLLM_NO_USAGE_STATS", "1"),
    ("VLLM_DO_NOT_TRACK", "1"),
    ("DO_NOT_TRACK", "1"),
    // At DEBUG, vLLM logs prompts.
    ("VLLM_LOGGING_LEVEL", "INFO"),
    // Opens /sleep, /collective_rpc and the like to whoever reaches the socket.
    ("VLLM_SERVER_DEV_MODE", "0"),
    // An allowed domain could redirect to one that is not.
    ("VLLM_MEDIA_URL_ALLOW_REDIRECTS", "0"),
    ("VLLM_HOST_IP", "127.0.0.1"),
    ("NCCL_SOCKET_IFNAME", "lo"),
    ("GLOO_SOCKET_IFNAME", "lo"),
];

/// Compile caches, kept between runs of one engine, by variable.
const CACHES: [(&str, &str); 11] = [
    ("HOME", "home"),
    ("XDG_CACHE_HOME", "xdg"),
    ("XDG_CONFIG_HOME", "config"),
    ("HF_HOME", "huggingface"),
    ("VLLM_CACHE_ROOT", "vllm"),
    ("VLLM_CONFIG_ROOT", "config/vllm"),
    ("TRITON_CACHE_DIR", "triton"),
    ("TORCHINDUCTOR_CACHE_DIR", "inductor"),
    ("CUDA_CACHE_PATH", "cuda"),
    ("DG_JIT_CACHE_DIR", "deepgemm"),
    ("FLASHINFER_WORKSPACE_BASE", "flashinfer"),
];

/// Names an engine in the environment of all its processes.
pub(crate) const ID_VARIABLE: &str = "MAAS_ENGINE_ID";

/// Names its spec there. The path is unique on the host, an engine's id is so only below one root.
pub(crate) const SPEC_VARIABLE: &str = "MAAS_ENGINE_SPEC";

/// By these two an engine's processes are found whatever became of their parents.
pub(crate) fn marker(spec: &Utf8Path) -> String {
    format!("{SPEC_VARIABLE}={spec}")
}

/// Where an engine is to run and what its files are called.
#[derive(Debug)]
pub(crate) struct Berth<'a> {
    pub(crate) id: &'a EngineId,
    pub(crate) generation: Option<GenerationId>,
    pub(crate) place: &'a Place,
}

/// Spells an engine out.
pub(crate) fn spec(
    settings: &Settings,
    layout: &Layout,
    wish: &Wish,
    berth: &Berth<'_>,
) -> Result<EngineSpec, ArgvError> {
    check(wish)?;
    if wish.manifest.remote_code && !settings.remote_code {
        return Err(ArgvError::RemoteCode {
            model: wish.manifest.name.clone(),
        });
    }
    let id = berth.id;
    let socket = layout.engine_socket(id);
    if socket.as_str().len() > Layout::LONGEST_SOCKET {
        return Err(ArgvError::Socket { path: socket });
    }
    let program = settings.program().clone();
    let cache = layout.engine_cache().join(id.as_str());
    let gpus = match berth.place {
        Place::Cpu => Vec::new(),
        Place::Gpus { uuids, .. } => uuids.clone(),
    };
    Ok(EngineSpec {
        schema: EngineSpec::SCHEMA.to_owned(),
        id: id.clone(),
        generation: berth.generation,
        manifest: wish.manifest.clone(),
        folder: wish.folder.clone(),
        content: wish.content,
        kind: settings.kind,
        gpus,
        args: arguments(settings, wish, &socket, berth.place),
        env: environment(settings, wish, &program, &cache, berth.place),
        program,
        socket,
        log: layout.engine_log(id),
        cache,
        root: wish.root.as_ref().map(|root| root.folder.clone()),
        start_timeout_seconds: wish.manifest.engine.start_timeout_seconds,
        drain_seconds: settings.drain_seconds,
    })
}

fn check(wish: &Wish) -> Result<(), ArgvError> {
    let model = &wish.manifest.name;
    let engine = &wish.manifest.engine;
    if engine.replicas > MOST_REPLICAS {
        return Err(ArgvError::Replicas {
            model: model.clone(),
            replicas: engine.replicas,
        });
    }
    for arg in &engine.args {
        if arg.contains('\0') {
            return Err(ArgvError::ZeroByte {
                model: model.clone(),
            });
        }
        if let Some(why) = refused(arg, engine) {
            return Err(ArgvError::Flag {
                model: model.clone(),
                flag: arg.chars().take(80).flat_map(char::escape_debug).collect(),
                why,
            });
        }
    }
    for (name, value) in &engine.env {
        let shown = || name.chars().take(80).flat_map(char::escape_debug).collect();
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(ArgvError::VariableForm {
                model: model.clone(),
                name: shown(),
            });
        }
        if !may_be_set(name) {
            return Err(ArgvError::Variable {
                model: model.clone(),
                name: shown(),
            });
        }
    }
    Ok(())
}

fn arguments(settings: &Settings, wish: &Wish, socket: &Utf8Path, place: &Place) -> Vec<String> {
    let manifest = &wish.manifest;
    let verb = match settings.kind {
        EngineKind::Vllm => "serve",
        EngineKind::Simulated => SIMULATED_VERB,
    };
    let mut args: Vec<String> = [
        verb,
        wish.folder.as_str(),
        "--served-model-name",
        manifest.name.as_str(),
        "--uds",
        socket.as_str(),
        "--max-model-len",
        &manifest.context.to_string(),
        // 0 would cut off what is in flight.
        "--shutdown-timeout",
        &settings.drain_seconds.to_string(),
        // The bill separates cached prompt tokens.
        "--enable-prompt-tokens-details",
        // A request's id in the engine's log; prompts are only logged at DEBUG.
        "--enable-log-requests",
        "--disable-access-log-for-endpoints",
        "/health,/metrics",
        "--allowed-media-domains",
        NO_DOMAIN,
    ]
    .map(str::to_owned)
    .into();
    if let Place::Gpus { uuids, total } = place {
        if uuids.len() > 1 {
            args.extend(["--tensor-parallel-size".to_owned(), uuids.len().to_string()]);
        }
        if let Some(memory) = manifest.engine.gpu_memory {
            args.extend(["--gpu-memory-utilization".to_owned(), share(memory, *total)]);
        }
    }
    if manifest.remote_code {
        args.push("--trust-remote-code".to_owned());
    }
    args.extend(manifest.engine.args.iter().cloned());
    args
}

/// The share of a GPU's memory that `memory` is, with four digits, rounded down so that engines
/// side by side never claim more than there is.
fn share(memory: u64, total: u64) -> String {
    let parts = u128::from(memory) * 10_000 / u128::from(total.max(1));
    match parts {
        0..10_000 => format!("0.{parts:04}"),
        _ => "1.0".to_owned(),
    }
}

fn environment(
    settings: &Settings,
    wish: &Wish,
    program: &Utf8Path,
    cache: &Utf8Path,
    place: &Place,
) -> BTreeMap<String, String> {
    let mut env = wish
        .root
        .as_ref()
        .map_or_else(BTreeMap::new, |r| r.env.clone());
    env.extend(wish.manifest.engine.env.clone());
    let mut set = |name: &str, value: String| env.insert(name.to_owned(), value);
    for (name, value) in OFFLINE {
        set(name, value.to_owned());
    }
    for (name, folder) in CACHES {
        set(name, cache.join(folder).into_string());
    }
    let own_folder = program.parent().map_or("/usr/bin", Utf8Path::as_str);
    set(
        "PATH",
        format!("{own_folder}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    );
    set("LANG", "C.UTF-8".to_owned());
    // Its last words would otherwise die in a buffer with it.
    set("PYTHONUNBUFFERED", "1".to_owned());
    if let Place::Gpus { uuids, .. } = place {
        let uuids: Vec<_> = uuids.iter().map(AsRef::as_ref).collect();
        set("CUDA_VISIBLE_DEVICES", uuids.join(","));
    }
    if settings.kind == EngineKind::Simulated
        && let Some(simulate) = &settings.simulate
    {
        set("MAAS_SIMULATE", simulate.clone());
    }
    env
}

#[cfg(test)]
mod tests;
