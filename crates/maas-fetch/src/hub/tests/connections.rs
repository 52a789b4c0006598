//! Connections that fail.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_cut_connection_goes_on_where_it_stopped() {
    let site = faulty(files(), |seen, earlier, bytes| {
        let good = file(seen, bytes, "\"strong\"");
        (is_large(&seen.path) || bytes.len() > 100).then(|| {
            if earlier < 3 {
                cut(good, 100_000, bytes)
            } else {
                file(seen, bytes, "\"strong\"")
            }
        })
    })
    .await;
    let (_keep, into) = loopback::folder();
    let heard = Heard::default();
    let model = site.fetch_as(&request(), &into, &heard).await.unwrap();
    let ranges = [
        None,
        Some("bytes=100000-"),
        Some("bytes=200000-"),
        Some("bytes=300000-"),
    ];
    assert_eq!(
        site.store.ranges(""),
        ranges.map(|range| range.map(str::to_owned))
    );
    let last = site.store.seen("").pop().unwrap();
    assert_eq!(last.if_range.as_deref(), Some("\"strong\""));
    // Each byte once.
    assert_eq!(model.bytes_downloaded, 1_200_009);
    assert_eq!(heard.advanced(), heard.total());
    assert_eq!(
        heard
            .notes()
            .iter()
            .filter(|note| note.contains("broke"))
            .count(),
        3
    );
}

#[tokio::test(start_paused = true)]
async fn a_line_that_breaks_often_but_brings_bytes_is_not_given_up() {
    let site = faulty(files(), |seen, _, bytes| {
        let good = file(seen, bytes, "\"strong\"");
        let far = seen
            .range
            .as_deref()
            .is_some_and(|range| range.len() == "bytes=1100000-".len());
        (is_large(&seen.path) && !far).then(|| cut(good, 60_000, bytes))
    })
    .await;
    let (_keep, into) = loopback::folder();
    site.fetch(&into).await.unwrap();
    assert!(site.store.seen("").len() > 10);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_gave_up_is_continued_by_the_next() {
    let site = faulty(files(), |seen, earlier, bytes| match earlier {
        _ if !is_large(&seen.path) => None,
        0 => Some(cut(file(seen, bytes, "\"strong\""), 500_000, bytes)),
        1..=6 => Some(status(503)),
        _ => None,
    })
    .await;
    let (_keep, into) = loopback::folder();
    let error = site.fetch(&into).await.unwrap_err();
    assert!(
        matches!(error, FetchError::GaveUp { attempts: 6, .. }),
        "{error:?}"
    );
    assert_eq!(error.exit(), Exit::Failed);
    let model = site.fetch(&into).await.unwrap();
    assert_eq!(
        site.store.ranges("").last().unwrap().as_deref(),
        Some("bytes=500000-")
    );
    // One byte of the second run for each that was missing.
    assert!(model.bytes_reused >= 500_000, "{model:?}");
    assert_eq!(
        fs_err::read(into.join("model.safetensors")).unwrap(),
        files()["model.safetensors"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_file_that_changed_at_the_server_starts_anew() {
    let site = faulty(files(), |seen, earlier, bytes| match earlier {
        _ if !is_large(&seen.path) => None,
        0 => Some(cut(
            file(seen, &vec![7; bytes.len()], "\"old\""),
            500_000,
            &vec![7; bytes.len()],
        )),
        _ => Some(file(seen, bytes, "\"new\"")),
    })
    .await;
    let (_keep, into) = loopback::folder();
    let model = site.fetch(&into).await.unwrap();
    assert_eq!(site.store.seen("").len(), 2);
    assert_eq!(model.bytes_downloaded, 1_200_009 + 500_000);
}

#[tokio::test(start_paused = true)]
async fn a_server_without_ranges_is_taken_from_the_start() {
    let site = faulty(files(), |seen, earlier, bytes| match earlier {
        _ if !is_large(&seen.path) => None,
        0 => Some(cut(file(seen, bytes, "\"a\""), 500_000, bytes)),
        _ => Some(bytes.to_vec().into_response()),
    })
    .await;
    let (_keep, into) = loopback::folder();
    let heard = Heard::default();
    site.fetch_as(&request(), &into, &heard).await.unwrap();
    assert_eq!(heard.advanced(), heard.total());
}

#[tokio::test(start_paused = true)]
async fn a_range_that_was_not_asked_for_is_not_taken() {
    let site = faulty(files(), |seen, earlier, bytes| match earlier {
        _ if !is_large(&seen.path) => None,
        0 => Some(cut(file(seen, bytes, "\"a\""), 500_000, bytes)),
        1 => {
            let range = format!("bytes 0-{}/{}", bytes.len() - 1, bytes.len());
            let headers = [(header::CONTENT_RANGE, range)];
            Some((StatusCode::PARTIAL_CONTENT, headers, bytes.to_vec()).into_response())
        }
        _ => None,
    })
    .await;
    let (_keep, into) = loopback::folder();
    site.fetch(&into).await.unwrap();
    let ranges = [None, Some("bytes=500000-"), None];
    assert_eq!(
        site.store.ranges(""),
        ranges.map(|range| range.map(str::to_owned))
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_busy_is_asked_again_when_it_says() {
    for (value, seconds) in [("7", 7), ("Wed, 21 Oct 2015 07:28:30 GMT", 30)] {
        let site = faulty(files(), move |_, earlier, _| {
            let date = (header::DATE, "Wed, 21 Oct 2015 07:28:00 GMT");
            let headers = [date, (header::RETRY_AFTER, value)];
            (earlier == 0).then(|| (StatusCode::TOO_MANY_REQUESTS, headers).into_response())
        })
        .await;
        let (_keep, into) = loopback::folder();
        let start = Instant::now();
        site.fetch(&into).await.unwrap();
        // The two lanes wait at the same time; the third file waits after them.
        let waited = start.elapsed().as_secs();
        assert!(
            (seconds..=2 * seconds + 1).contains(&waited),
            "{value}: {waited}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_wants_us_back_tomorrow_is_not_waited_for() {
    let site = faulty(files(), |_, _, _| {
        let headers = [(header::RETRY_AFTER, "86400")];
        Some((StatusCode::SERVICE_UNAVAILABLE, headers).into_response())
    })
    .await;
    let (_keep, into) = loopback::folder();
    let start = Instant::now();
    let error = site.fetch(&into).await.unwrap_err();
    assert!(start.elapsed() < Duration::from_mins(1));
    assert!(
        error.to_string().contains("asks us to wait 86400 s"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_falls_silent_is_left_and_asked_again() {
    let site = faulty(files(), |seen, earlier, bytes| {
        let some = bytes[..1000.min(bytes.len())].to_vec();
        (is_large(&seen.path) && earlier == 0).then(|| {
            let first = stream::iter([Ok::<_, std::io::Error>(some)]);
            let silence = stream::pending();
            axum::body::Body::from_stream(first.chain(silence)).into_response()
        })
    })
    .await;
    let (_keep, into) = loopback::folder();
    let heard = Heard::default();
    site.fetch_as(&request(), &into, &heard).await.unwrap();
    let silent = |note: &String| note.contains("has said nothing for 60 s");
    assert_eq!(
        heard.notes().iter().filter(|note| silent(note)).count(),
        1,
        "{:?}",
        heard.notes()
    );
    assert_eq!(
        site.store.ranges("").last().unwrap().as_deref(),
        Some("bytes=1000-")
    );
}

#[tokio::test(start_paused = true)]
async fn a_signed_link_that_has_expired_is_asked_for_anew() {
    let site = faulty(files(), |seen, earlier, _| {
        (is_large(&seen.path) && earlier == 0).then(|| status(403))
    })
    .await;
    let (_keep, into) = loopback::folder();
    site.fetch(&into).await.unwrap();
    assert_eq!(site.hub.seen("model.safetensors").len(), 2);
}
