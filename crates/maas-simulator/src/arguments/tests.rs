use super::*;

fn read(args: &str) -> Result<Arguments, String> {
    let args: Vec<String> = args.split_whitespace().map(str::to_owned).collect();
    Arguments::read(&args)
}

#[test]
fn the_options_that_matter_are_obeyed() {
    let read = read(
        "models/tiny --served-model-name tiny small --uds /run/e.sock --max-model-len 2048 \
         --max_num_seqs=4 --shutdown-timeout 30 --enable-prompt-tokens-details \
         --no-enable-prefix-caching --disable-access-log-for-endpoints /health,/metrics",
    )
    .unwrap();
    assert_eq!(read.listen, Listen::Unix("/run/e.sock".into()));
    let settings = read.settings;
    assert_eq!(settings.served_names, ["tiny", "small"]);
    assert_eq!((settings.max_model_len, settings.max_num_seqs), (2048, 4));
    assert_eq!(settings.shutdown_timeout, Duration::from_secs(30));
    assert!(settings.prompt_tokens_details.is_on() && !settings.prefix_caching.is_on());
    assert_eq!(settings.quiet_paths, ["/health", "/metrics"]);
}

#[test]
fn every_other_option_of_vllm_is_accepted_with_its_values() {
    let read = read(
        "models/tiny --tensor-parallel-size 2 -tp 2 --dtype bfloat16 --enforce-eager --api-key a b \
         --kv-cache-memory-bytes 1G --compilation-config {\"level\":3} --hf-token \
         --compilation-config.level 3 --seed -1 --port 8001",
    )
    .unwrap();
    assert_eq!(read.listen, Listen::Tcp(([127, 0, 0, 1], 8001).into()));
    assert_eq!(read.settings.served_names, ["models/tiny"]);
    assert!(OPTIONS.lines().count() > 300);
}

#[test]
fn what_vllm_does_not_know_is_refused_as_it_refuses() {
    insta::assert_snapshot!(read("models/tiny --gpu-memory 3").unwrap_err(), @r"
    usage: vllm serve [model_tag] [options]
    vllm serve: error: unrecognized arguments: --gpu-memory 3
    ");
    for (args, why) in [
        ("models/tiny other", "unrecognized arguments: other"),
        ("models/tiny --uds", "argument --uds: expected one argument"),
        (
            "models/tiny --max-model-len many",
            "argument --max-model-len: invalid int value: 'many'",
        ),
        (
            "models/tiny --enforce-eager=yes",
            "ignored explicit argument",
        ),
        ("--port 1", "required: model_tag"),
        ("models/tiny --runner train", "invalid choice: 'train'"),
    ] {
        let error = read(args).unwrap_err();
        assert!(error.contains(why), "{args}: {error}");
    }
}
