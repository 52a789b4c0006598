use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::strict::{self, Page};

/// `GET /metrics` of a real vLLM 0.32.0, one engine core, as it came.
const VLLM: &str = include_str!("../../fixtures/vllm-0.32.0.txt");

fn relay(bodies: &[&[u8]]) -> String {
    let model: ModelName = "tiny".parse().unwrap();
    let ids: Vec<EngineId> = (0..bodies.len())
        .map(|i| format!("tiny-{i}").parse().unwrap())
        .collect();
    let scrapes: Vec<_> = ids
        .iter()
        .zip(bodies)
        .map(|(engine, body)| EngineScrape {
            engine,
            model: &model,
            body: Some(body),
        })
        .collect();
    let mut page = Exposition::default();
    write(&mut page, &scrapes);
    page.finish()
}

fn read(bodies: &[&[u8]]) -> Page {
    let text = relay(bodies);
    strict::read(&text).unwrap_or_else(|wrong| panic!("{wrong}\n{text}"))
}

/// How many lines of an engine were left out.
fn dropped(page: &Page, engine: &str) -> u64 {
    let lines = page.value("maas_relay_dropped_lines", &[("engine", engine)]);
    format!("{lines}").parse().unwrap()
}

/// The relayed samples as `name{labels} value`, without the two labels that are always there.
fn samples(page: &Page) -> Vec<String> {
    let families = page
        .families
        .iter()
        .filter(|(name, _)| name.starts_with("vllm:"));
    families
        .flat_map(|(_, family)| &family.samples)
        .map(|sample| {
            let own = sample
                .labels
                .iter()
                .filter(|(name, _)| !name.starts_with("maas_"));
            let own: Vec<String> = own.map(|(name, value)| format!("{name}={value}")).collect();
            format!("{}{{{}}} {}", sample.name, own.join(","), sample.value)
        })
        .collect()
}

#[test]
fn everything_of_a_real_engine_is_relayed_and_nothing_else() {
    let page = read(&[VLLM.as_bytes()]);
    assert_eq!(dropped(&page, "tiny-0"), 0);
    let sent = VLLM
        .lines()
        .filter(|line| line.starts_with("vllm:"))
        .count();
    assert_eq!(samples(&page).len(), sent);
    assert!(sent > 300, "{sent}");
    let strangers = page
        .families
        .keys()
        .filter(|name| !name.starts_with("vllm:"));
    assert_eq!(
        strangers.collect::<Vec<_>>(),
        ["maas_relay_dropped_lines", "maas_relay_up"]
    );

    let running = &page.families["vllm:num_requests_running"];
    assert_eq!(running.kind, "gauge");
    let labels: Vec<_> = running.samples[0].labels.iter().collect();
    let labels: Vec<_> = labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(
        labels,
        [
            "engine=0",
            "maas_engine=tiny-0",
            "maas_model=tiny",
            "model_name=tiny"
        ]
    );
}

#[test]
fn engines_share_a_family_and_keep_their_series_apart() {
    let text = |value| {
        format!(
            "# HELP vllm:x_seconds Some time.\n\
             # TYPE vllm:x_seconds histogram\n\
             vllm:x_seconds_bucket{{engine=\"0\",le=\"10.0\"}} {value}\n\
             vllm:x_seconds_bucket{{engine=\"0\",le=\"+Inf\"}} {value}\n\
             vllm:x_seconds_sum{{engine=\"0\"}} 1.5\n\
             vllm:x_seconds_count{{engine=\"0\"}} {value}\n"
        )
    };
    let merged = relay(&[text("1.0").as_bytes(), text("2.0").as_bytes()]);
    insta::assert_snapshot!(merged, @r#"
    # HELP maas_relay_up 1 if the engine's own metrics could be read for this page.
    # TYPE maas_relay_up gauge
    maas_relay_up{engine="tiny-0",model="tiny"} 1
    maas_relay_up{engine="tiny-1",model="tiny"} 1
    # HELP maas_relay_dropped_lines Lines of the engine's metrics that are malformed or contradictory and are left out of this page.
    # TYPE maas_relay_dropped_lines gauge
    maas_relay_dropped_lines{engine="tiny-0",model="tiny"} 0
    maas_relay_dropped_lines{engine="tiny-1",model="tiny"} 0
    # HELP vllm:x_seconds Some time.
    # TYPE vllm:x_seconds histogram
    vllm:x_seconds_bucket{maas_engine="tiny-0",maas_model="tiny",engine="0",le="10.0"} 1.0
    vllm:x_seconds_bucket{maas_engine="tiny-0",maas_model="tiny",engine="0",le="+Inf"} 1.0
    vllm:x_seconds_sum{maas_engine="tiny-0",maas_model="tiny",engine="0"} 1.5
    vllm:x_seconds_count{maas_engine="tiny-0",maas_model="tiny",engine="0"} 1.0
    vllm:x_seconds_bucket{maas_engine="tiny-1",maas_model="tiny",engine="0",le="10.0"} 2.0
    vllm:x_seconds_bucket{maas_engine="tiny-1",maas_model="tiny",engine="0",le="+Inf"} 2.0
    vllm:x_seconds_sum{maas_engine="tiny-1",maas_model="tiny",engine="0"} 1.5
    vllm:x_seconds_count{maas_engine="tiny-1",maas_model="tiny",engine="0"} 2.0
    "#);
}

#[test]
fn an_engine_that_did_not_answer_is_down_and_not_zero() {
    let (engine, model) = ("a-0".parse().unwrap(), "a".parse().unwrap());
    let mut page = Exposition::default();
    let scrape = EngineScrape {
        engine: &engine,
        model: &model,
        body: None,
    };
    write(&mut page, &[scrape]);
    insta::assert_snapshot!(page.finish(), @r#"
    # HELP maas_relay_up 1 if the engine's own metrics could be read for this page.
    # TYPE maas_relay_up gauge
    maas_relay_up{engine="a-0",model="a"} 0
    "#);
}

#[test]
fn a_line_that_is_not_in_the_format_is_left_out_and_counted() {
    let long = format!("vllm:a{{x=\"{}\"}} 1", "y".repeat(line::MAX_LINE_BYTES));
    for bad in [
        "vllm:a",
        "vllm:a{} ",
        "vllm:a 1 1795000000",
        "vllm:a  1",
        "vllm:a\t1",
        "vllm:a one",
        "vllm:a inf",
        "vllm:a nan",
        "vllm:a 1e999",
        "vllm:a 0x10",
        "vllm:a 1_000",
        "vllm:a{x=\"1\",} 1",
        "vllm:a{x=\"1\" ,y=\"2\"} 1",
        "vllm:a{x=\"1\",x=\"2\"} 1",
        "vllm:a{x=\"\\t\"} 1",
        "vllm:a{x=\"\\\"} 1",
        "vllm:a{x=\"\u{1b}[2J\"} 1",
        "vllm:a{x=1} 1",
        "vllm:a{1x=\"1\"} 1",
        "vllm:a{__name__=\"up\"} 1",
        "vllm:a{maas_engine=\"other-0\"} 1",
        "vllm:a{maas_model=\"other\"} 1",
        "vllm:a{x=\"1\"} 1\r",
        "vllm:a{x=\"1\"} 1 # {trace=\"1\"} 1",
        "vllm:a-b 1",
        "vllm: 1",
        "vllm:unannounced 1",
        "# TYPE vllm:a",
        "# TYPE vllm:b info",
        "# TYPE vllm:b gauge gauge",
        "# HELP vllm:a A \\t tab.",
        &long,
    ] {
        let body = format!("# TYPE vllm:a gauge\n{bad}\nvllm:a{{good=\"yes\"}} 7\n");
        let page = read(&[body.as_bytes()]);
        assert_eq!(samples(&page), ["vllm:a{good=yes} 7"], "{bad:?}");
        assert_eq!(dropped(&page, "tiny-0"), 1, "{bad:?}");
    }
    let not_utf8 = b"# TYPE vllm:a gauge\nvllm:a{x=\"\xff\"} 1\nvllm:a 7\n";
    assert_eq!(samples(&read(&[not_utf8])), ["vllm:a{} 7"]);
}

#[test]
fn the_first_of_two_that_contradict_each_other_wins() {
    for (body, kept) in [
        (
            "# TYPE vllm:a gauge\n# TYPE vllm:a counter\nvllm:a 1\n",
            "vllm:a{} 1",
        ),
        (
            "# TYPE vllm:a gauge\n# TYPE vllm:a gauge\nvllm:a 1\n",
            "vllm:a{} 1",
        ),
        ("# TYPE vllm:a gauge\nvllm:a 1\nvllm:a 2\n", "vllm:a{} 1"),
        (
            "# TYPE vllm:a gauge\nvllm:a{x=\"1\",y=\"2\"} 1\nvllm:a{y=\"2\",x=\"1\"} 2\n",
            "vllm:a{x=1,y=2} 1",
        ),
        (
            "# TYPE vllm:a histogram\n# TYPE vllm:a_count counter\nvllm:a_count 1\n",
            "vllm:a_count{} 1",
        ),
        (
            "# TYPE vllm:a_sum counter\n# TYPE vllm:a histogram\nvllm:a_sum 1\n",
            "vllm:a_sum{} 1",
        ),
        (
            "# TYPE vllm:a histogram\nvllm:a_bucket{le=\"many\"} 1\nvllm:a_sum 1\n",
            "vllm:a_sum{} 1",
        ),
        (
            "# TYPE vllm:a histogram\nvllm:a 1\nvllm:a_sum 1\n",
            "vllm:a_sum{} 1",
        ),
    ] {
        let page = read(&[body.as_bytes()]);
        assert_eq!(samples(&page), [kept], "{body}");
        assert_eq!(dropped(&page, "tiny-0"), 1, "{body}");
    }
}

#[test]
fn an_engine_cannot_speak_in_a_family_of_another_type_or_without_announcing_it() {
    let first = "# TYPE vllm:a gauge\nvllm:a 1\n";
    let second = "# TYPE vllm:a counter\nvllm:a 2\n";
    let third = "vllm:a 3\n";
    let page = read(&[first.as_bytes(), second.as_bytes(), third.as_bytes()]);
    assert_eq!(samples(&page), ["vllm:a{} 1"]);
    assert_eq!(dropped(&page, "tiny-0"), 0);
    assert_eq!(dropped(&page, "tiny-1"), 2);
    assert_eq!(dropped(&page, "tiny-2"), 1);
}

#[test]
fn only_the_first_megabyte_of_a_page_is_looked_at() {
    let mut body = String::from("# TYPE vllm:a gauge\n");
    let mut lines = 0_u64;
    while body.len() <= MAX_SCRAPE_BYTES {
        writeln!(body, "vllm:a{{x=\"{lines:0>1000}\"}} 1").unwrap();
        lines += 1;
    }
    let page = read(&[body.as_bytes()]);
    assert_eq!(samples(&page).len() as u64, lines - 1);
    assert_eq!(dropped(&page, "tiny-0"), 1);

    let endless = vec![b'v'; MAX_SCRAPE_BYTES + 1];
    assert_eq!(dropped(&read(&[&endless]), "tiny-0"), 1);
}

/// Lines that nearly are in the format: pieces of it in any order.
fn nearly_lines() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("# HELP "),
        Just("# TYPE "),
        Just("vllm:a"),
        Just("vllm:a_count"),
        Just("vllm:b"),
        Just(" "),
        Just("{"),
        Just("}"),
        Just("le=\"1\""),
        Just("x=\"1\""),
        Just("maas_engine=\"z\""),
        Just(","),
        Just("\\"),
        Just("\""),
        Just("\\n"),
        Just(" gauge"),
        Just(" counter"),
        Just(" histogram"),
        Just(" summary"),
        Just(" 1"),
        Just(" +Inf"),
        Just("\u{7}"),
        Just("\n"),
        Just("\n"),
        Just("\n# TYPE vllm:a histogram\n"),
        Just("\n# TYPE vllm:b gauge\n"),
        Just("\nvllm:b{x=\"1\"} 1\n"),
        Just("\nvllm:a_bucket{le=\"1\"} 1\n"),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes())
}

/// The real page with some bytes overwritten.
fn damaged_page() -> impl Strategy<Value = Vec<u8>> {
    let damage = prop::collection::vec((0..VLLM.len(), any::<u8>()), 0..200);
    damage.prop_map(|damage| {
        let mut page = VLLM.as_bytes().to_vec();
        for (at, byte) in damage {
            page[at] = byte;
        }
        page
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn whatever_engines_send_the_page_is_valid(
        bodies in prop::collection::vec(nearly_lines(), 1..4),
    ) {
        let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
        prop_assert!(strict::read(&relay(&bodies)).is_ok());
    }
}

proptest! {
    // A real page is long; fewer of them find as much.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_damaged_page_beside_a_good_one_makes_a_valid_page(damaged in damaged_page()) {
        let page = strict::read(&relay(&[VLLM.as_bytes(), &damaged])).unwrap();
        prop_assert_eq!(dropped(&page, "tiny-0"), 0);
    }
}
