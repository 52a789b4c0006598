use super::*;

const RECORDED: &str = include_str!("vllm.txt");

fn metrics() -> Metrics {
    Metrics::new(
        "other",
        Timestamp::from_millisecond(1_795_332_628_889).unwrap(),
    )
}

fn value(text: &str, head: &str) -> f64 {
    let line = text.lines().find(|line| line.starts_with(head));
    let line = line.unwrap_or_else(|| panic!("{head} is missing"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

fn is(text: &str, head: &str, expected: f64) {
    assert!((value(text, head) - expected).abs() < 1e-9, "{head}");
}

#[test]
fn every_recorded_family_and_sample_is_there_in_its_order() {
    let text = metrics().text();
    let ours: Vec<String> = text
        .lines()
        .filter(|line| line.contains("vllm:"))
        .map(|line| {
            if line.starts_with('#') {
                return line.to_owned();
            }
            line.rsplit_once(' ')
                .unwrap()
                .0
                .replace("\"other\"", "\"tiny\"")
        })
        .collect();
    assert_eq!(ours, RECORDED.lines().collect::<Vec<_>>());
}

#[test]
fn numbers_are_written_as_pythons_client_writes_them() {
    let written = [
        0.0,
        6577.0,
        1_003_618_304.0,
        1_795_332_628.889_260_5,
        0.022_1,
    ]
    .map(float);
    assert_eq!(
        written,
        [
            "0.0",
            "6577.0",
            "1.003618304e+09",
            "1.7953326288892605e+09",
            "0.0221"
        ]
    );
}

#[test]
fn counts_are_those_of_what_happened() {
    let metrics = metrics();
    metrics.queue(3, 2);
    metrics.step(16);
    metrics.step(1);
    metrics.prefilled(15, 5);
    metrics.first_token(0.03);
    metrics.further_token(0.005);
    metrics.finished(&Finished {
        by_length: true,
        prompt: 15,
        cached: 5,
        generated: 2,
        max_tokens: 2,
        choices: 1,
        queue: 0.5,
        prefill: 0.03,
        decode: 0.005,
    });
    let text = metrics.text();
    for (head, expected) in [
        ("vllm:num_requests_running{", 3.0),
        ("vllm:num_requests_waiting{", 2.0),
        ("vllm:iteration_tokens_total_count", 2.0),
        ("vllm:iteration_tokens_total_sum", 17.0),
        (
            "vllm:iteration_tokens_total_bucket{engine=\"0\",le=\"8.0\"",
            1.0,
        ),
        ("vllm:prompt_tokens_total", 15.0),
        ("vllm:prompt_tokens_cached_total", 5.0),
        ("vllm:generation_tokens_total", 2.0),
        (
            "vllm:request_success_total{engine=\"0\",finished_reason=\"length\"",
            1.0,
        ),
        (
            "vllm:request_success_total{engine=\"0\",finished_reason=\"abort\"",
            0.0,
        ),
        (
            "vllm:time_to_first_token_seconds_bucket{engine=\"0\",le=\"0.04\"",
            1.0,
        ),
        ("vllm:e2e_request_latency_seconds_sum", 0.535),
        (
            "vllm:engine_sleep_state{engine=\"0\",model_name=\"other\",sleep_state=\"awake\"",
            1.0,
        ),
        ("vllm:cache_config_info", 1.0),
    ] {
        is(&text, head, expected);
    }
}

#[test]
fn http_requests_are_counted_by_route_except_those_that_the_recording_leaves_out() {
    let metrics = metrics();
    let request = HttpRequest {
        handler: "/v1/models",
        method: "GET",
        status: 200,
        request_bytes: 0,
        response_bytes: 449,
        seconds: 0.001,
    };
    metrics.http(&request);
    metrics.http(&HttpRequest {
        handler: "/health",
        ..request
    });
    let text = metrics.text();
    assert!(!text.contains("/health"));
    let head = "http_requests_total{handler=\"/v1/models\",method=\"GET\",status=\"2xx\"}";
    is(&text, head, 1.0);
    is(
        &text,
        "http_response_size_bytes_sum{handler=\"/v1/models\"}",
        449.0,
    );
    is(
        &text,
        "http_request_duration_highr_seconds_bucket{le=\"0.01\"}",
        1.0,
    );
}
