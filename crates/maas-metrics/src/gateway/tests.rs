use super::*;
use crate::strict;

fn page(metrics: &GatewayMetrics) -> String {
    let mut page = Exposition::default();
    metrics.write(&mut page);
    page.finish()
}

fn model(name: &str) -> ModelName {
    name.parse().unwrap()
}

fn team(name: &str) -> TeamName {
    name.parse().unwrap()
}

fn metrics() -> GatewayMetrics {
    let started = Timestamp::from_second(1_795_000_000).unwrap();
    GatewayMetrics::new("0.1.0", started)
}

#[test]
fn a_settled_request_is_counted_in_the_words_of_the_catalogue() {
    let metrics = metrics();
    let (model, team) = (model("qwen3-8b"), team("blue"));
    let request = metrics.admitted(&model);
    metrics.first_token(&model, Duration::from_millis(90));
    metrics.settled(Settled {
        model: &model,
        team: &team,
        route: Route::ChatCompletions,
        outcome: Outcome::Complete,
        usage: Usage {
            input: 120,
            cached: 100,
            output: 7,
        },
        elapsed: Duration::from_millis(750),
    });
    drop(request);
    metrics.refused(Refusal::Budget);
    metrics.streams_revoked(2);
    let text = page(&metrics);
    let first_token = |bound| {
        let page = strict::read(&text).unwrap();
        page.value("maas_time_to_first_token_seconds_bucket", &[("le", bound)])
    };
    assert!(first_token("0.08").abs() < f64::EPSILON);
    assert!((first_token("0.1") - 1.0).abs() < f64::EPSILON);
    let lines = text.lines().filter(|line| !line.contains("_bucket{"));
    let lines: Vec<&str> = lines.collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    # HELP maas_build_info Always 1; the version of the gateway that answers.
    # TYPE maas_build_info gauge
    maas_build_info{version="0.1.0"} 1
    # HELP maas_gateway_start_time_seconds When the gateway started, Unix time.
    # TYPE maas_gateway_start_time_seconds gauge
    maas_gateway_start_time_seconds 1795000000
    # HELP maas_requests_total Admitted requests, by how they ended.
    # TYPE maas_requests_total counter
    maas_requests_total{model="qwen3-8b",team="blue",route="chat_completions",outcome="complete"} 1
    # HELP maas_tokens_total Tokens billed. Kind cached is a part of input, not beside it.
    # TYPE maas_tokens_total counter
    maas_tokens_total{model="qwen3-8b",team="blue",kind="cached"} 100
    maas_tokens_total{model="qwen3-8b",team="blue",kind="input"} 120
    maas_tokens_total{model="qwen3-8b",team="blue",kind="output"} 7
    # HELP maas_requests_in_flight Admitted requests that have not ended yet.
    # TYPE maas_requests_in_flight gauge
    maas_requests_in_flight{model="qwen3-8b"} 0
    # HELP maas_request_seconds Time from admission to the end of an answer, as the client sees it.
    # TYPE maas_request_seconds histogram
    maas_request_seconds_sum{model="qwen3-8b"} 0.75
    maas_request_seconds_count{model="qwen3-8b"} 1
    # HELP maas_time_to_first_token_seconds Time from admission to the first token sent to the client, of streamed answers.
    # TYPE maas_time_to_first_token_seconds histogram
    maas_time_to_first_token_seconds_sum{model="qwen3-8b"} 0.09
    maas_time_to_first_token_seconds_count{model="qwen3-8b"} 1
    # HELP maas_refusals_total Requests that were refused before any engine saw them.
    # TYPE maas_refusals_total counter
    maas_refusals_total{reason="bad_request"} 0
    maas_refusals_total{reason="budget"} 1
    maas_refusals_total{reason="ledger"} 0
    maas_refusals_total{reason="model_unknown"} 0
    maas_refusals_total{reason="no_engine"} 0
    maas_refusals_total{reason="request_rate"} 0
    maas_refusals_total{reason="too_large"} 0
    maas_refusals_total{reason="unauthenticated"} 0
    # HELP maas_revoked_streams_total Answers cut off because their key was revoked.
    # TYPE maas_revoked_streams_total counter
    maas_revoked_streams_total 2
    "#);
}

#[test]
fn a_request_is_in_flight_until_its_value_is_dropped() {
    let metrics = metrics();
    let model = model("a");
    let in_flight = |metrics| {
        let page = strict::read(&page(metrics)).unwrap();
        page.value("maas_requests_in_flight", &[("model", "a")])
    };
    let first = metrics.admitted(&model);
    let second = metrics.admitted(&model);
    assert!((in_flight(&metrics) - 2.0).abs() < f64::EPSILON);
    drop(first);
    assert!((in_flight(&metrics) - 1.0).abs() < f64::EPSILON);
    drop(second);
    assert!(in_flight(&metrics).abs() < f64::EPSILON);
}

#[test]
fn the_page_does_not_depend_on_the_order_of_events() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let filled = |order: &mut dyn Iterator<Item = &&str>| {
        let metrics = metrics();
        for name in order {
            metrics.first_token(&model(name), Duration::from_secs(1));
            metrics.settled(Settled {
                model: &model(name),
                team: &team(name),
                route: Route::Messages,
                outcome: Outcome::ClientGone,
                usage: Usage::default(),
                elapsed: Duration::from_secs(1),
            });
        }
        page(&metrics)
    };
    let forward = filled(&mut names.iter());
    assert_eq!(forward, filled(&mut names.iter().rev()));
    strict::read(&forward).unwrap();
}

#[test]
fn every_refusal_is_zero_before_the_first() {
    let page = strict::read(&page(&metrics())).unwrap();
    for reason in Refusal::ALL {
        let labels = [("reason", reason.as_str())];
        assert!(page.value("maas_refusals_total", &labels).abs() < f64::EPSILON);
    }
}

#[test]
fn words_are_distinct() {
    let mut words: Vec<&str> = Route::ALL.map(Route::as_str).into();
    words.extend(Refusal::ALL.map(Refusal::as_str));
    let count = words.len();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), count);
}
