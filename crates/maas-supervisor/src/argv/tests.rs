use maas_types::{EngineSettings, ModelManifest, Task};

use super::*;
use crate::settings::{BackEnd, DevicePolicy, StopEngines};

fn wish() -> Wish {
    let engine = EngineSettings {
        gpus: 1,
        replicas: 1,
        gpu_memory: None,
        args: Vec::new(),
        env: BTreeMap::new(),
        start_timeout_seconds: 60,
    };
    Wish {
        manifest: ModelManifest {
            name: "tiny".parse().unwrap(),
            title: "Tiny".to_owned(),
            licence: "Apache-2.0".to_owned(),
            origin: None,
            task: Task::Generate,
            context: 2048,
            remote_code: false,
            engine,
        },
        folder: "/srv/models/tiny".into(),
        content: None,
        root: None,
    }
}

fn settings(kind: EngineKind) -> Settings {
    Settings {
        device: DevicePolicy::Auto,
        kind,
        back_end: BackEnd::Direct,
        vllm: "/opt/vllm/bin/vllm".into(),
        appliance: "/usr/local/bin/maas-appliance".into(),
        simulate: Some("slow-load=1".to_owned()),
        stop_engines: StopEngines::Never,
        remote_code: false,
        drain_seconds: 30,
    }
}

fn spelled(
    kind: EngineKind,
    wish: &Wish,
    place: &Place,
    root: &str,
) -> Result<EngineSpec, ArgvError> {
    let id = "tiny-0".parse().unwrap();
    let berth = Berth {
        id: &id,
        generation: None,
        place,
    };
    spec(&settings(kind), &Layout::new(root), wish, &berth)
}

fn gpus(count: u32) -> Place {
    Place::Gpus {
        uuids: (0..count)
            .map(|i| format!("GPU-{i}").parse().unwrap())
            .collect(),
        total: 80_000_000_000,
    }
}

#[test]
fn a_real_engine_on_two_gpus_is_spelled_out() {
    let mut wish = wish();
    wish.manifest.engine.args = vec!["--dtype".to_owned(), "bfloat16".to_owned()];
    wish.manifest.engine.gpu_memory = Some(20_000_000_000);
    let spec = spelled(EngineKind::Vllm, &wish, &gpus(2), "/").unwrap();
    insta::assert_snapshot!(format!("{} {}", spec.program, spec.args.join(" ")), @"/opt/vllm/bin/vllm serve /srv/models/tiny --served-model-name tiny --uds /run/maas-appliance/engines/tiny-0/sock --max-model-len 2048 --shutdown-timeout 30 --enable-prompt-tokens-details --enable-log-requests --disable-access-log-for-endpoints /health,/metrics --allowed-media-domains nowhere.invalid --tensor-parallel-size 2 --gpu-memory-utilization 0.2500 --dtype bfloat16");
    let env: Vec<_> = spec
        .env
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    insta::assert_snapshot!(env.join("\n"), @"
    CUDA_CACHE_PATH=/var/lib/maas-appliance/engines/cache/tiny-0/cuda
    CUDA_VISIBLE_DEVICES=GPU-0,GPU-1
    DG_JIT_CACHE_DIR=/var/lib/maas-appliance/engines/cache/tiny-0/deepgemm
    DO_NOT_TRACK=1
    FLASHINFER_WORKSPACE_BASE=/var/lib/maas-appliance/engines/cache/tiny-0/flashinfer
    GLOO_SOCKET_IFNAME=lo
    HF_DATASETS_OFFLINE=1
    HF_HOME=/var/lib/maas-appliance/engines/cache/tiny-0/huggingface
    HF_HUB_DISABLE_TELEMETRY=1
    HF_HUB_OFFLINE=1
    HOME=/var/lib/maas-appliance/engines/cache/tiny-0/home
    LANG=C.UTF-8
    NCCL_SOCKET_IFNAME=lo
    PATH=/opt/vllm/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    PYTHONUNBUFFERED=1
    TORCHINDUCTOR_CACHE_DIR=/var/lib/maas-appliance/engines/cache/tiny-0/inductor
    TRANSFORMERS_OFFLINE=1
    TRITON_CACHE_DIR=/var/lib/maas-appliance/engines/cache/tiny-0/triton
    VLLM_CACHE_ROOT=/var/lib/maas-appliance/engines/cache/tiny-0/vllm
    VLLM_CONFIG_ROOT=/var/lib/maas-appliance/engines/cache/tiny-0/config/vllm
    VLLM_DO_NOT_TRACK=1
    VLLM_HOST_IP=127.0.0.1
    VLLM_LOGGING_LEVEL=INFO
    VLLM_MEDIA_URL_ALLOW_REDIRECTS=0
    VLLM_NO_USAGE_STATS=1
    VLLM_SERVER_DEV_MODE=0
    XDG_CACHE_HOME=/var/lib/maas-appliance/engines/cache/tiny-0/xdg
    XDG_CONFIG_HOME=/var/lib/maas-appliance/engines/cache/tiny-0/config
    ");
}

#[test]
fn a_simulated_engine_is_our_own_program_with_the_same_options() {
    let real = spelled(EngineKind::Vllm, &wish(), &Place::Cpu, "/").unwrap();
    let simulated = spelled(EngineKind::Simulated, &wish(), &Place::Cpu, "/").unwrap();
    assert_eq!(simulated.program, "/usr/local/bin/maas-appliance");
    assert_eq!(simulated.args[0], "simulated-engine");
    assert_eq!(simulated.args[1..], real.args[1..]);
    assert_eq!(simulated.env["MAAS_SIMULATE"], "slow-load=1");
    assert!(!real.env.contains_key("MAAS_SIMULATE"));
    assert!(!real.env.contains_key("CUDA_VISIBLE_DEVICES"));
}

#[test]
fn flags_that_are_ours_are_refused_in_every_spelling() {
    for flag in [
        "--port",
        "--port=9",
        "--por",
        "--host",
        "--uds",
        "--uds=/x",
        "--model",
        "--served_model_name=x",
        "--served-model",
        "--max-model-len",
        "--max_model_len=9",
        "-tp",
        "-tp=2",
        "-tp2",
        "--tensor-parallel-size",
        "--device-ids",
        "--config",
        "--conf=x",
        "--api-key",
        "--ssl-keyfile",
        "--enable-log-outputs",
        "--grpc",
        "--trust-remote-code",
        "--trust-remote",
        "--otlp-traces-endpoint=x",
        "--data-parallel-address",
        "--data_parallel_size=2",
        "-dp2",
        "--worker-cls",
        "--allowed-local-media-path=/",
        "--allowed-media-domains=x",
    ] {
        let mut wish = wish();
        wish.manifest.engine.args = vec![flag.to_owned()];
        let result = spelled(EngineKind::Vllm, &wish, &Place::Cpu, "/");
        assert!(matches!(result, Err(ArgvError::Flag { .. })), "{flag}");
    }
}

#[test]
fn other_flags_pass_as_they_stand() {
    let flags = [
        "--enforce-eager",
        "--dtype",
        "bfloat16",
        "--max-num-seqs=8",
        "-O3",
        "--kv-cache-dtype",
        "fp8",
        "-1",
        "--gpu-memory-utilization=0.5",
        "--model-impl=vllm",
        "--config-format=hf",
    ];
    let mut wish = wish();
    wish.manifest.engine.args = flags.map(str::to_owned).into();
    let spec = spelled(EngineKind::Vllm, &wish, &Place::Cpu, "/").unwrap();
    assert_eq!(spec.args[spec.args.len() - flags.len()..], flags);
}

#[test]
fn refusals_are_sentences() {
    let refusal = |change: &dyn Fn(&mut Wish), root: &str| {
        let mut wish = wish();
        change(&mut wish);
        spelled(EngineKind::Vllm, &wish, &Place::Cpu, root)
            .unwrap_err()
            .to_string()
    };
    let long = format!("/{}", "r".repeat(80));
    let shown = [
        refusal(
            &|w| w.manifest.engine.args = vec!["--host=0.0.0.0".to_owned()],
            "/",
        ),
        refusal(
            &|w| w.manifest.engine.args = vec!["--api-key".to_owned()],
            "/",
        ),
        refusal(
            &|w| {
                w.manifest.engine.gpu_memory = Some(1);
                w.manifest.engine.args = vec!["--gpu_memory_utilization=1".to_owned()];
            },
            "/",
        ),
        refusal(
            &|w| w.manifest.engine.env = [("HF_HUB_OFFLINE".to_owned(), "0".to_owned())].into(),
            "/",
        ),
        refusal(
            &|w| w.manifest.engine.env = [("A=\u{1b}".to_owned(), String::new())].into(),
            "/",
        ),
        refusal(&|w| w.manifest.engine.args = vec!["a\0b".to_owned()], "/"),
        refusal(&|w| w.manifest.engine.replicas = 65, "/"),
        refusal(&|_| {}, &long),
    ];
    insta::assert_snapshot!(shown.join("\n"), @r"
    the manifest of `tiny` has the engine flag `--host=0.0.0.0`, which the appliance sets itself
    the manifest of `tiny` has the engine flag `--api-key`, but the gateway is what checks keys
    the manifest of `tiny` has the engine flag `--gpu_memory_utilization=1`, but it also sets `gpu_memory`; say it once
    the manifest of `tiny` sets the variable `HF_HUB_OFFLINE`: only settings of vLLM, PyTorch, CUDA, NCCL and their like may be set, and none that names a file, a program or an address
    the variable `A=\u{1b}` of `tiny` is not one that a process can have
    an argument of `tiny` holds a zero byte
    the manifest of `tiny` asks for 65 replicas, and one host takes at most 64
    the socket path `/rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr/run/maas-appliance/engines/tiny-0/sock` has 120 bytes, and Linux takes at most 107 (choose a shorter --root)
    ");
}

#[test]
fn a_flag_is_refused_in_every_spelling() {
    for flag in [
        "--kv-events-config.publisher=zmq",
        "--kv_transfer_config.kv_connector_module_path",
        "--logits-processors+",
        "--distributed-executor-backend=here.Executor",
        "--pipeline-parallel-size",
        "-pp2",
        "-r1",
        "--node",
    ] {
        let mut wish = wish();
        wish.manifest.engine.args = vec![flag.to_owned()];
        let refused = spelled(EngineKind::Vllm, &wish, &gpus(1), "/");
        assert!(matches!(refused, Err(ArgvError::Flag { .. })), "{flag}");
    }
    for flag in ["--no-enable-prefix-caching", "--dtype=bfloat16", "-O3"] {
        let mut wish = wish();
        wish.manifest.engine.args = vec![flag.to_owned()];
        spelled(EngineKind::Vllm, &wish, &gpus(1), "/").expect(flag);
    }
}

#[test]
fn only_variables_of_the_engines_libraries_that_load_and_open_nothing_may_be_set() {
    for (name, may) in [
        ("VLLM_CPU_KVCACHE_SPACE", true),
        ("PYTORCH_CUDA_ALLOC_CONF", true),
        ("TOKENIZERS_PARALLELISM", true),
        ("NCCL_DEBUG", true),
        ("NCCL_DEBUG_FILE", false),
        ("NCCL_NET_PLUGIN", false),
        ("VLLM_NCCL_SO_PATH", false),
        ("CUDA_INJECTION64_PATH", false),
        ("TRITON_PTXAS_PATH", false),
        ("VLLM_DEBUG_LOG_API_SERVER_RESPONSE", false),
        ("VLLM_USE_MODELSCOPE", false),
        ("VLLM_API_KEY", false),
        ("GCONV_PATH", false),
        ("LD_PRELOAD", false),
        ("HTTPS_PROXY", false),
        ("CC", false),
    ] {
        let mut wish = wish();
        wish.manifest.engine.env = [(name.to_owned(), "1".to_owned())].into();
        let spelled = spelled(EngineKind::Vllm, &wish, &gpus(1), "/");
        assert_eq!(spelled.is_ok(), may, "{name}");
    }
}

#[test]
fn no_variable_that_keeps_an_engine_offline_can_be_changed() {
    let spec = spelled(EngineKind::Vllm, &wish(), &gpus(1), "/").unwrap();
    for name in spec.env.keys().filter(|n| n.as_str() != "LANG") {
        assert!(!may_be_set(name), "{name}");
    }
}

#[test]
fn no_variable_loads_code_opens_a_way_out_or_tells_what_clients_say() {
    for name in [
        "LD_PRELOAD",
        "PYTHONPATH",
        "https_proxy",
        "ALL_PROXY",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "VLLM_DEBUG_LOG_API_SERVER_RESPONSE",
        "VLLM_LOGGING_CONFIG_PATH",
        "VLLM_PLUGINS",
        "VLLM_DP_MASTER_IP",
        "VLLM_TRACE_FUNCTION",
        "HF_TOKEN",
    ] {
        assert!(!may_be_set(name), "{name}");
    }
    for name in [
        "VLLM_CPU_KVCACHE_SPACE",
        "VLLM_ATTENTION_BACKEND",
        "VLLM_USE_V1",
        "OMP_NUM_THREADS",
        "NCCL_P2P_DISABLE",
        "PYTORCH_ALLOC_CONF",
    ] {
        assert!(may_be_set(name), "{name}");
    }
}

#[test]
fn a_share_of_a_gpu_is_never_rounded_up() {
    assert_eq!(share(20_000_000_000, 80_000_000_000), "0.2500");
    assert_eq!(share(33, 100_000), "0.0003");
    assert_eq!(share(2, 3), "0.6666");
    assert_eq!(share(9, 3), "1.0");
    assert_eq!(share(9, 0), "1.0");
}

#[test]
fn code_that_comes_with_a_model_runs_where_manifest_and_site_both_say_so() {
    let layout = Layout::new("/srv/root");
    let id: EngineId = "tiny-0".parse().unwrap();
    let berth = Berth {
        id: &id,
        generation: None,
        place: &Place::Cpu,
    };
    let spelled = |manifest: bool, site: bool| {
        let mut settings = settings(EngineKind::Vllm);
        settings.remote_code = site;
        let mut wish = wish();
        wish.manifest.remote_code = manifest;
        spec(&settings, &layout, &wish, &berth)
            .map(|spec| spec.args.iter().any(|arg| arg == "--trust-remote-code"))
    };
    assert_eq!(spelled(false, false), Ok(false));
    assert_eq!(spelled(false, true), Ok(false));
    assert_eq!(spelled(true, true), Ok(true));
    assert!(matches!(
        spelled(true, false),
        Err(ArgvError::RemoteCode { .. })
    ));
}
