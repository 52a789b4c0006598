use proptest::prelude::*;

use super::*;

/// Lines of a real start of vLLM 0.32, in their order, and where the bar then stands.
const START: [(&str, Stage, u8); 14] = [
    (
        "Triton is installed, but doesn't include CPU backend. Disabling Triton.",
        Stage::Launch,
        0,
    ),
    (
        "(APIServer pid=19715) INFO 11-22 07:26:39 [api_utils.py:286] non-default args: {'model_tag': 'models/tiny'}",
        Stage::Configure,
        3,
    ),
    (
        "(APIServer pid=19715) INFO 11-22 07:27:26 [model.py:733] Resolved architecture: LlamaForCausalLM",
        Stage::Configure,
        3,
    ),
    (
        "(EngineCore pid=22647) INFO 11-22 07:28:12 [core.py:133] Initializing a V1 LLM engine (v0.32.0) with config: model='models/tiny'",
        Stage::Engine,
        6,
    ),
    (
        "(Worker pid=24376) INFO 11-22 07:28:51 [cpu_model_runner.py:68] Starting to load model models/tiny...",
        Stage::Weights,
        10,
    ),
    (
        "Loading safetensors checkpoint shards:   0% Completed | 0/4 [00:00<?, ?it/s]",
        Stage::Weights,
        10,
    ),
    (
        "Loading safetensors checkpoint shards:  50% Completed | 2/4 [00:01<00:01, 1.81it/s]",
        Stage::Weights,
        35,
    ),
    (
        "Loading safetensors checkpoint shards: 100% Completed | 4/4 [00:02<00:00, 1.81it/s]",
        Stage::Weights,
        60,
    ),
    (
        "(Worker pid=24376) INFO 11-22 07:28:51 [default_loader.py:501] Loading weights took 0.01 seconds",
        Stage::Compile,
        60,
    ),
    (
        "(EngineCore pid=22647) INFO 11-22 07:29:54 [shm_broadcast.py:871] No available shared memory broadcast block found in 60 seconds.",
        Stage::Compile,
        60,
    ),
    (
        "(EngineCore pid=22647) INFO 11-22 07:30:24 [kv_cache_utils.py:2327] CPU KV cache size: 2,097,152 tokens, Maximum concurrency for 2,048 tokens per request: 1024.00x",
        Stage::Memory,
        80,
    ),
    (
        "(EngineCore pid=22647) INFO 11-22 07:30:26 [core.py:402] init engine (profile, create kv cache, warmup model) took 93.12 s",
        Stage::Serve,
        95,
    ),
    (
        "(APIServer pid=19715) INFO 11-22 07:30:31 [entry.py:140] Starting vLLM server on http://127.0.0.1:8001",
        Stage::Serve,
        95,
    ),
    (
        "INFO:     Application startup complete.",
        Stage::FirstToken,
        99,
    ),
];

#[test]
fn a_real_start_moves_the_bar_to_the_end() {
    let mut progress = Progress::default();
    for (line, stage, percent) in START {
        progress = progress.after(line);
        assert_eq!(
            (progress.stage, progress.percent),
            (stage, percent),
            "{line}"
        );
    }
}

proptest! {
    #[test]
    fn the_bar_never_falls_and_never_passes_100(lines in prop::collection::vec(
        prop_oneof![
            any::<String>(),
            (0..START.len()).prop_map(|i| START[i].0.to_owned()),
            any::<u64>().prop_map(|n| format!("Loading safetensors checkpoint shards: {n}% Completed | 1/2")),
        ], 0..40)) {
        let mut progress = Progress::default();
        for line in lines {
            let next = progress.after(&line);
            prop_assert!(next.percent >= progress.percent && next.percent <= 100);
            prop_assert!(next.stage >= progress.stage);
            progress = next;
        }
    }
}

fn cause(text: &str) -> Option<String> {
    let mut cause = RootCause::default();
    text.lines().for_each(|line| cause.read(line));
    cause.line()
}

#[test]
fn the_first_exception_is_the_cause_and_those_that_point_at_it_are_not() {
    let text = "\
(EngineCore pid=7) ERROR 11-22 07:26:39 [core.py:900] EngineCore failed to start.
(EngineCore pid=7) ERROR 11-22 07:26:39 [core.py:900] Traceback (most recent call last):
(EngineCore pid=7) ERROR 11-22 07:26:39 [core.py:900]   File \"gpu_worker.py\", line 1, in x
(EngineCore pid=7) ERROR 11-22 07:26:39 [core.py:900] ValueError: Free memory on device cuda:0 (3.1/79.2 GiB) on startup is less than desired
(APIServer pid=6) RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}
";
    insta::assert_snapshot!(cause(text).unwrap(), @"ValueError: Free memory on device cuda:0 (3.1/79.2 GiB) on startup is less than desired");
}

#[test]
fn bad_flags_are_a_cause_and_so_is_the_last_line_of_a_start_that_says_nothing_better() {
    let flags = "usage: vllm serve [model_tag] [options]\nvllm serve: error: unrecognized arguments: --watchdog-config\n";
    insta::assert_snapshot!(cause(flags).unwrap(), @"vllm serve: error: unrecognized arguments: --watchdog-config");
    insta::assert_snapshot!(cause("bad interpreter\n\n").unwrap(), @"bad interpreter");
}

#[test]
fn once_clients_are_answered_only_the_name_of_an_exception_is_kept() {
    let mut cause = RootCause::default();
    cause.read("ImportError: harmless, long ago");
    cause.first_token();
    assert_eq!(cause.line(), None);
    cause.read("INFO 11-22 07:31:14 [loggers.py:335] Engine 000: Running: 0 reqs");
    assert_eq!(cause.line(), None);
    cause.read("(EngineCore pid=7) ERROR 11-22 07:31:15 [a.py:1] ValueError: cannot tokenize 'my secret plan'");
    assert_eq!(cause.line().as_deref(), Some("ValueError"));
}

#[test]
fn an_exception_that_was_survived_for_long_is_not_the_cause() {
    let mut cause = RootCause::default();
    cause.first_token();
    cause.read("KeyError: 1");
    for _ in 0..=STILL_FRESH {
        cause.read("INFO: fine");
    }
    assert_eq!(cause.line(), None);
}

#[test]
fn a_cause_cannot_write_to_the_terminal_and_fits_on_a_screen() {
    let line = cause(&format!("ValueError: \u{1b}[2J{}", "x".repeat(1_000))).unwrap();
    assert!(!line.contains('\u{1b}') && line.len() < 330, "{line}");
}
