//! Flags and variables that a manifest may not have, because of the threats that stand at the top of `argv.rs`.

use maas_types::EngineSettings;

use super::{CACHES, OFFLINE};

const OURS: &str = "which the appliance sets itself";
const NETWORK: &str = "but engines speak plain HTTP on a Unix socket and nothing else";
const CONTENT: &str = "which would write what clients say into the log";

const CODE: &str = "which would run code that came with the model (`remote_code = true` says so)";

/// Flags of `vllm serve` that a manifest may not have, and why.
const REFUSED: [(&str, &str); 43] = [
    ("--model", OURS),
    ("--served-model-name", OURS),
    ("--max-model-len", OURS),
    ("--uds", OURS),
    ("--host", OURS),
    ("--port", OURS),
    ("--tensor-parallel-size", "which follows from `gpus`"),
    ("-tp", "which follows from `gpus`"),
    ("--pipeline-parallel-size", "which follows from `gpus`"),
    ("-pp", "which follows from `gpus`"),
    ("--distributed-executor-backend", OURS),
    ("--device-ids", "but GPUs are chosen by the supervisor"),
    ("--shutdown-timeout", OURS),
    ("--config", "which could set anything; spell the flags out"),
    ("--api-key", "but the gateway is what checks keys"),
    ("--ssl-keyfile", NETWORK),
    ("--ssl-certfile", NETWORK),
    ("--ssl-ca-certs", NETWORK),
    ("--headless", NETWORK),
    ("--grpc", NETWORK),
    ("--grpc-port", NETWORK),
    ("--otlp-traces-endpoint", NETWORK),
    ("--master-addr", NETWORK),
    ("--master-port", NETWORK),
    ("--kv-transfer-config", NETWORK),
    ("--ec-transfer-config", NETWORK),
    ("--kv-events-config", NETWORK),
    ("--weight-transfer-config", NETWORK),
    ("--allowed-media-domains", OURS),
    (
        "--allowed-local-media-path",
        "which would let clients read the host's files",
    ),
    ("--hf-token", NETWORK),
    ("--enable-log-outputs", CONTENT),
    ("--enable-log-deltas", CONTENT),
    ("--log-config-file", CONTENT),
    ("--max-log-len", CONTENT),
    ("--trust-remote-code", CODE),
    ("--worker-cls", CODE),
    ("--worker-extension-cls", CODE),
    ("--scheduler-cls", CODE),
    ("--logits-processors", CODE),
    ("--middleware", CODE),
    ("--tool-parser-plugin", CODE),
    ("--reasoning-parser-plugin", CODE),
];

/// The same for families of flags, by what they begin with: one engine is one process tree on the
/// GPUs that the supervisor has given it.
const REFUSED_FAMILIES: [&str; 6] = [
    "--data-parallel",
    "-dp",
    "--node-rank",
    "-r",
    "--nnodes",
    "-n",
];

/// The same question as `gpu_memory`, asked twice.
const MEMORY: [&str; 2] = ["--gpu-memory-utilization", "--device-memory-utilization"];

/// Why a manifest may not have `arg`; `None` if it may.
pub(super) fn refused(arg: &str, engine: &EngineSettings) -> Option<&'static str> {
    if !arg.starts_with('-') {
        return None;
    }
    // vLLM takes `--flag.member value` and `--flag.member+ value` for a flag whose value is JSON.
    let flag = arg
        .split(['=', '.', '+'])
        .next()
        .unwrap_or(arg)
        .replace('_', "-");
    // `--por` means `--port` to argparse; `-t` alone means nothing, and `--` nothing to us.
    let means = |full: &str| {
        full == flag
            || (flag.len() > 2 && flag.starts_with("--") && full.starts_with(flag.as_str()))
    };
    if engine.gpu_memory.is_some() && MEMORY.iter().any(|m| means(m)) {
        return Some("but it also sets `gpu_memory`; say it once");
    }
    if REFUSED_FAMILIES
        .iter()
        .any(|start| flag.starts_with(start) || means(start))
    {
        return Some("but GPUs are chosen by the supervisor");
    }
    // `-tp2` is `-tp 2`.
    let short = |full: &str| !full.starts_with("--") && flag.starts_with(full);
    REFUSED
        .iter()
        .find(|(full, _)| means(full) || short(full))
        .map(|(_, why)| *why)
}

/// Whether a manifest may set this variable: a setting of a library that an engine is made of, which
/// loads no code, opens no way out, and writes down nothing of what clients say.
pub(super) fn may_be_set(name: &str) -> bool {
    const STARTS: [&str; 14] = [
        "CUDA_",
        "DG_",
        "FLASHINFER_",
        "GLOO_",
        "MKL_",
        "NCCL_",
        "OMP_",
        "PYTORCH_",
        "SAFETENSORS_",
        "TOKENIZERS_",
        "TORCHINDUCTOR_",
        "TORCH_",
        "TRITON_",
        "VLLM_",
    ];
    /// Parts of names that take a file, a program or an address: `NCCL_NET_PLUGIN`,
    /// `VLLM_NCCL_SO_PATH`, `CUDA_INJECTION64_PATH`, `TRITON_CACHE_MANAGER`, `NCCL_DEBUG_FILE`,
    /// `VLLM_DP_MASTER_IP`, `VLLM_DEBUG_LOG_API_SERVER_RESPONSE`, `VLLM_USAGE_STATS_SERVER`, …
    const PARTS: [&str; 23] = [
        "ADDR",
        "BACKEND_LIB",
        "DIR",
        "FILE",
        "HOME",
        "INJECTION",
        "INSECURE",
        "KEY",
        "MANAGER",
        "MEDIA_CONNECTOR",
        "MODELSCOPE",
        "PATH",
        "PLUGIN",
        "RUNTIME_LORA",
        "SERVER",
        "TRACE",
        "USAGE",
        "VLLM_DEBUG",
        "_HOST",
        "_IP",
        "_LOG",
        "_PORT",
        "_SO_",
    ];
    let ours = OFFLINE.iter().chain(&CACHES);
    STARTS.iter().any(|start| name.starts_with(start))
        && !PARTS.iter().any(|part| name.contains(part))
        && name != "CUDA_VISIBLE_DEVICES"
        && !ours.clone().any(|(ours, _)| *ours == name)
}
