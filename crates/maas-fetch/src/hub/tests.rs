use std::{collections::BTreeMap, os::unix::fs::symlink, sync::Arc};

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use maas_types::Exit;
use serde_json::json;
use tokio::time::{Duration, Instant};

use super::*;
use crate::{
    Silent,
    content::{ContentId, Hasher, Sums, sha256},
    loopback::{self, Heard, Seen, Server, chain, cut, file, redirect, serve, status, wire},
};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const REPO: &str = "acme/tiny";

/// What the hub and the store of large files do with a file, instead of giving it.
type Fault = dyn Fn(&Seen, usize, &[u8]) -> Option<Response> + Send + Sync;

/// A hub with a store of large files on another port.
struct Site {
    hub: Server,
    store: Server,
}

/// Files by path. What ends in `.safetensors` or `.bin` is kept in the store of large files.
type Files = BTreeMap<&'static str, Vec<u8>>;

fn files() -> Files {
    let weights: Vec<_> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    [
        ("config.json", b"{\"a\": 1}\n".to_vec()),
        ("model.safetensors", weights),
        ("sub/empty.txt", Vec::new()),
    ]
    .into()
}

/// Any, to ask for sums in git's terms.
const OF_GIT: ContentId = ContentId::GitBlob([0; 20]);

fn sums(bytes: &[u8]) -> Sums {
    let mut hasher = Hasher::new(OF_GIT, bytes.len() as u64);
    hasher.update(bytes);
    hasher.finish()
}

fn is_large(path: &str) -> bool {
    let path = path.split('?').next().unwrap();
    [".safetensors", ".bin"]
        .iter()
        .any(|end| path.ends_with(end))
}

fn entry(path: &str, bytes: &[u8]) -> serde_json::Value {
    let git = sums(bytes).in_terms_of(OF_GIT).to_string();
    let oid = git.strip_prefix("git:").unwrap();
    let mut entry = json!({"type": "file", "path": path, "size": bytes.len(), "oid": oid});
    if is_large(path) {
        let oid = sha256(bytes).hex();
        entry["lfs"] = json!({"oid": oid, "size": bytes.len(), "pointerSize": 134});
    }
    entry
}

async fn site(files: Files) -> Site {
    faulty(files, |_, _, _| None).await
}

/// `fault` is asked for each file, at the hub (small files) and the store (large ones).
async fn faulty(
    files: Files,
    fault: impl Fn(&Seen, usize, &[u8]) -> Option<Response> + Send + Sync + 'static,
) -> Site {
    let (files, fault): (_, Arc<Fault>) = (Arc::new(files), Arc::new(fault));
    let (large, large_fault) = (Arc::clone(&files), Arc::clone(&fault));
    let store = serve(move |seen, earlier| {
        let name = seen
            .path
            .split(['?', '/'])
            .find(|part| is_large(part))
            .unwrap();
        let bytes = &large[name];
        let etag = format!("\"{}\"", sha256(bytes).short());
        large_fault(seen, earlier, bytes).unwrap_or_else(|| file(seen, bytes, &etag))
    })
    .await;
    let store_url = store.url.clone();
    let hub = serve(move |seen, earlier| {
        let path = seen.path.as_str();
        if path == "/api/models/acme/tiny/revision/main" {
            return loopback::json(&json!({"sha": COMMIT, "id": REPO}));
        }
        if path == format!("/api/models/acme/tiny/tree/{COMMIT}?recursive=true") {
            let entries: Vec<_> = files
                .iter()
                .map(|(path, bytes)| entry(path, bytes))
                .collect();
            return loopback::json(&entries.into());
        }
        let prefix = format!("/acme/tiny/resolve/{COMMIT}/");
        let Some(name) = path.strip_prefix(&prefix) else {
            return status(404);
        };
        if is_large(name) {
            return redirect(&format!("{store_url}/{name}?X-Signature=secret"));
        }
        let bytes = &files[name];
        fault(seen, earlier, bytes).unwrap_or_else(|| file(seen, bytes, "W/\"weak\""))
    })
    .await;
    Site { hub, store }
}

fn request() -> ModelRequest {
    ModelRequest {
        repo: REPO.parse().unwrap(),
        revision: "main".to_owned(),
        selection: Selection::default(),
    }
}

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

impl Site {
    async fn fetch(&self, into: &Utf8Path) -> Result<FetchedModel, FetchError> {
        self.fetch_as(&request(), into, &Silent).await
    }

    async fn fetch_as(
        &self,
        request: &ModelRequest,
        into: &Utf8Path,
        progress: &dyn Progress,
    ) -> Result<FetchedModel, FetchError> {
        let endpoint = self.hub.url.parse().unwrap();
        let hub = Hub::at(wire(), endpoint, Some(Secret::new("hf_token")));
        hub.fetch_model(request, into, progress).await
    }
}

fn names(model: &FetchedModel) -> Vec<&str> {
    model.files.iter().map(|file| file.path.as_str()).collect()
}

// === The good road ===

#[tokio::test]
async fn a_model_arrives_with_its_commit_and_the_sums_of_what_was_written() {
    let site = site(files()).await;
    let (_keep, into) = loopback::folder();
    let heard = Heard::default();
    let model = site.fetch_as(&request(), &into, &heard).await.unwrap();
    assert_eq!(model.commit, COMMIT);
    for (file, (path, bytes)) in model.files.iter().zip(files()) {
        assert_eq!(file.path.as_str(), path);
        assert_eq!(fs_err::read(into.join(path)).unwrap(), bytes);
        assert_eq!(
            (file.size, file.sha256),
            (bytes.len() as u64, sha256(&bytes))
        );
    }
    assert_eq!((model.bytes_downloaded, model.bytes_reused), (1_200_009, 0));
    assert_eq!((heard.total(), heard.advanced()), (1_200_009, 1_200_009));
    assert_eq!(heard.notes(), [format!("`main` is now {COMMIT}")]);
    assert_eq!(model.strangers, [""; 0]);
}

#[tokio::test]
async fn the_token_goes_to_the_hub_and_to_no_other_port() {
    let site = site(files()).await;
    let (_keep, into) = loopback::folder();
    site.fetch(&into).await.unwrap();
    let token = Some("Bearer hf_token".to_owned());
    assert!(
        site.hub
            .seen("")
            .iter()
            .all(|seen| seen.authorization == token)
    );
    assert_eq!(site.store.seen("").len(), 1);
    assert!(
        site.store
            .seen("")
            .iter()
            .all(|seen| seen.authorization.is_none())
    );
}

#[tokio::test]
async fn a_second_run_asks_for_no_file() {
    let site = site(files()).await;
    let (_keep, into) = loopback::folder();
    site.fetch(&into).await.unwrap();
    let before = site.hub.seen("resolve").len();
    let heard = Heard::default();
    let model = site.fetch_as(&request(), &into, &heard).await.unwrap();
    assert_eq!(site.hub.seen("resolve").len(), before);
    assert_eq!((model.bytes_downloaded, model.bytes_reused), (0, 1_200_009));
    assert_eq!(heard.advanced(), heard.total());
}

#[tokio::test]
async fn a_file_that_was_damaged_here_comes_again_and_no_other() {
    let site = site(files()).await;
    let (_keep, into) = loopback::folder();
    site.fetch(&into).await.unwrap();
    fs_err::write(into.join("config.json"), b"{\"a\": 2}\n").unwrap();
    let model = site.fetch(&into).await.unwrap();
    assert_eq!(model.bytes_downloaded, 9);
    assert_eq!(
        fs_err::read(into.join("config.json")).unwrap(),
        files()["config.json"]
    );
}

#[tokio::test]
async fn files_that_lie_there_without_a_memory_are_hashed_and_kept() {
    let site = site(files()).await;
    let (_keep, into) = loopback::folder();
    site.fetch(&into).await.unwrap();
    fs_err::remove_file(into.join(".maas-fetch/verified.json")).unwrap();
    assert_eq!(site.fetch(&into).await.unwrap().bytes_downloaded, 0);
}

#[tokio::test]
async fn what_an_earlier_run_left_goes_and_what_others_left_is_told() {
    let site = site(files()).await;
    let (_keep, into) = loopback::folder();
    site.fetch(&into).await.unwrap();
    fs_err::write(into.join("notes.txt"), "mine").unwrap();
    let mut request = request();
    request.selection.exclude = patterns(&["sub/"]);
    let heard = Heard::default();
    let model = site.fetch_as(&request, &into, &heard).await.unwrap();
    assert!(!into.join("sub/empty.txt").exists());
    assert_eq!(model.strangers, ["notes.txt"]);
    assert!(into.join("notes.txt").exists());
    assert!(
        heard
            .notes()
            .contains(&"removed `sub/empty.txt`, which is no longer wanted".to_owned())
    );
}

// === Connections that fail ===

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

// === Content that is wrong ===

#[tokio::test]
async fn wrong_bytes_come_twice_and_then_fail_and_nothing_of_them_stays() {
    for small in [true, false] {
        let site = faulty(files(), move |seen, _, bytes| {
            let concerned = is_large(&seen.path) != small && bytes.len() > 1;
            concerned.then(|| vec![b'x'; bytes.len()].into_response())
        })
        .await;
        let (_keep, into) = loopback::folder();
        let heard = Heard::default();
        let error = site.fetch_as(&request(), &into, &heard).await.unwrap_err();
        let name = if small {
            "config.json"
        } else {
            "model.safetensors"
        };
        let text = error.to_string();
        let algorithm = if small { "is git:" } else { "is sha256:" };
        assert!(text.contains(name) && text.contains(algorithm), "{text}");
        assert!(!text.contains("secret"), "{text}");
        assert_eq!(error.exit(), Exit::Content);
        assert_eq!(site.hub.seen(name).len(), 2);
        assert!(!into.join(name).exists());
        let parts = fs_err::read_dir(into.join(".maas-fetch")).unwrap();
        let names: Vec<_> = parts.map(|entry| entry.unwrap().file_name()).collect();
        let left = names
            .iter()
            .filter(|name| name.to_string_lossy().ends_with(".part"));
        // The other lane may have been stopped half-way; its part is for the next run.
        assert!(left.count() <= 1, "{names:?}");
        assert!(heard.advanced() <= heard.total());
    }
}

#[tokio::test]
async fn wrong_bytes_that_come_once_are_forgiven() {
    let site = faulty(files(), |seen, earlier, bytes| {
        let wrong = is_large(&seen.path) && earlier == 0;
        wrong.then(|| vec![b'x'; bytes.len()].into_response())
    })
    .await;
    let (_keep, into) = loopback::folder();
    let heard = Heard::default();
    let model = site.fetch_as(&request(), &into, &heard).await.unwrap();
    assert_eq!(model.files[1].sha256, sha256(&files()["model.safetensors"]));
    assert_eq!(heard.advanced(), heard.total());
    assert!(
        heard
            .notes()
            .iter()
            .any(|note| note.contains("starting it once more"))
    );
}

#[tokio::test]
async fn a_file_without_end_is_left_at_one_byte_too_many() {
    let site = faulty(files(), |seen, _, _| {
        is_large(&seen.path).then(|| {
            let chunk = Ok::<_, std::io::Error>(vec![7_u8; 1 << 16]);
            let endless = stream::repeat_with(move || chunk.as_ref().unwrap().clone());
            axum::body::Body::from_stream(endless.map(Ok::<_, std::io::Error>)).into_response()
        })
    })
    .await;
    let (_keep, into) = loopback::folder();
    let error = site.fetch(&into).await.unwrap_err();
    assert!(
        error.to_string().contains("has more than 1200000 bytes"),
        "{error}"
    );
    assert_eq!(error.exit(), Exit::Content);
}

#[tokio::test]
async fn a_file_of_another_length_is_not_even_read() {
    let site = faulty(files(), |seen, _, bytes| {
        is_large(&seen.path).then(|| bytes[1..].to_vec().into_response())
    })
    .await;
    let (_keep, into) = loopback::folder();
    let error = site.fetch(&into).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("has 1199999 bytes, announced were 1200000"),
        "{error}"
    );
}

#[tokio::test]
async fn packed_content_is_refused() {
    let site = faulty(files(), |seen, _, bytes| {
        let headers = [(header::CONTENT_ENCODING, "gzip")];
        is_large(&seen.path).then(|| (headers, bytes.to_vec()).into_response())
    })
    .await;
    let (_keep, into) = loopback::folder();
    let error = site.fetch(&into).await.unwrap_err();
    assert!(error.to_string().contains("packed with `gzip`"), "{error}");
}

// === Who may ===

async fn refused(code: u16, reason: &'static str, token: Option<&str>) -> FetchError {
    let hub = serve(move |_, _| {
        let headers = [
            ("x-error-code", reason),
            ("x-error-message", "words of the hub"),
        ];
        (StatusCode::from_u16(code).unwrap(), headers).into_response()
    })
    .await;
    let hub = Hub::at(wire(), hub.url.parse().unwrap(), token.map(Secret::new));
    let (_keep, into) = loopback::folder();
    hub.fetch_model(&request(), &into, &Silent)
        .await
        .unwrap_err()
}

#[tokio::test]
async fn a_refusal_says_whether_token_or_licence_is_missing() {
    for (code, reason, token, exit, text) in [
        (
            401,
            "GatedRepo",
            None,
            Exit::NotAllowed,
            "no token was given",
        ),
        (
            403,
            "GatedRepo",
            None,
            Exit::NotAllowed,
            "no token was given",
        ),
        (
            401,
            "",
            Some("hf_x"),
            Exit::NotAllowed,
            "the token is not valid",
        ),
        (
            403,
            "GatedRepo",
            Some("hf_x"),
            Exit::NotAllowed,
            "has not accepted the licence",
        ),
        (
            401,
            "RepoNotFound",
            None,
            Exit::NotFound,
            "no such repository that is public",
        ),
        (
            404,
            "RevisionNotFound",
            None,
            Exit::NotFound,
            "main of `acme/tiny` is not there",
        ),
    ] {
        let error = refused(code, reason, token).await;
        assert_eq!(error.exit(), exit, "{error}");
        assert!(error.to_string().contains(text), "{error}");
        assert!(error.hint().is_some());
        let all = format!("{} {error:?}", chain(&error));
        assert!(!all.contains("hf_x"), "{all}");
    }
    let error = refused(401, "GatedRepo", None).await;
    assert!(
        chain(&error).contains("words of the hub"),
        "{}",
        chain(&error)
    );
}

#[tokio::test]
async fn a_token_that_cannot_be_one_is_refused_before_anything_is_asked() {
    let error = refused(200, "", Some("a\nb")).await;
    assert!(error.to_string().contains("the token"), "{error}");
}

// === What a hub says about a revision ===

async fn hub_that_says(revision: serde_json::Value, tree: serde_json::Value) -> Server {
    serve(move |seen, _| {
        let answer = if seen.path.contains("/revision/") {
            &revision
        } else {
            &tree
        };
        loopback::json(answer)
    })
    .await
}

async fn fails_with(revision: serde_json::Value, tree: serde_json::Value) -> FetchError {
    let hub = hub_that_says(revision, tree).await;
    let (_keep, into) = loopback::folder();
    let of = Hub::at(wire(), hub.url.parse().unwrap(), None);
    let error = of
        .fetch_model(&request(), &into, &Silent)
        .await
        .unwrap_err();
    assert_eq!(hub.seen("resolve"), []);
    error
}

fn pinned() -> serde_json::Value {
    json!({"sha": COMMIT})
}

#[tokio::test]
async fn a_revision_that_is_no_commit_is_refused() {
    for sha in ["main", "0123", "../../etc/passwd", &COMMIT.to_uppercase()] {
        let error = fails_with(json!({"sha": sha}), json!([])).await;
        assert!(error.to_string().contains("is no commit"), "{error}");
        assert_eq!(error.exit(), Exit::Content);
    }
}

#[tokio::test]
async fn a_commit_that_was_asked_for_cannot_be_answered_with_another() {
    let hub = hub_that_says(json!({"sha": "f".repeat(40)}), json!([])).await;
    let (_keep, into) = loopback::folder();
    let mut request = request();
    COMMIT.clone_into(&mut request.revision);
    let of = Hub::at(wire(), hub.url.parse().unwrap(), None);
    let error = of.fetch_model(&request, &into, &Silent).await.unwrap_err();
    assert!(
        error.to_string().contains("it answers with ffff"),
        "{error}"
    );
}

#[tokio::test]
async fn names_that_no_bundle_holds_are_refused_before_the_first_file() {
    for path in [
        "../x",
        "/etc/passwd",
        "a/../../x",
        "a\\b",
        "ü.json",
        "a b",
        "x.",
        "a//b",
    ] {
        let error = fails_with(pinned(), json!([entry(path, b"x")])).await;
        assert_eq!(error.exit(), Exit::Policy, "{path}: {error}");
    }
    for (one, other) in [("Config.json", "config.json"), ("a", "a/b"), ("A", "a/b")] {
        let tree = json!([entry(one, b"x"), entry(other, b"x")]);
        let error = fails_with(pinned(), tree).await;
        assert!(matches!(error, FetchError::SameName { .. }), "{error}");
    }
}

#[tokio::test]
async fn lists_that_make_no_sense_are_refused() {
    let mut link = entry("a", b"x");
    link["type"] = "symlink".into();
    let mut no_name = entry("a", b"x");
    no_name["oid"] = "zz".into();
    let mut no_digest = entry("a.bin", b"x");
    no_digest["lfs"]["oid"] = "../x".into();
    for tree in [
        json!({}),
        json!([link]),
        json!([no_name]),
        json!([no_digest]),
        json!([1]),
    ] {
        let error = fails_with(pinned(), tree).await;
        assert!(matches!(error, FetchError::Malformed { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_model_that_does_not_fit_is_refused_before_its_first_byte() {
    let mut huge = entry("model.safetensors", b"x");
    huge["lfs"]["size"] = (1_u64 << 60).into();
    let error = fails_with(pinned(), json!([huge, huge_of("b.safetensors")])).await;
    assert!(matches!(error, FetchError::NoSpace { .. }), "{error}");
    assert_eq!(error.exit(), Exit::NoSpace);
}

fn huge_of(path: &str) -> serde_json::Value {
    let mut huge = entry(path, b"x");
    huge["lfs"]["size"] = u64::MAX.into();
    huge
}

#[tokio::test]
async fn a_list_of_several_pages_is_read_to_its_end() {
    let hub = serve(|seen, _| {
        if seen.path.contains("/revision/") {
            return loopback::json(&pinned());
        }
        if seen.path.contains("resolve") {
            return b"x".to_vec().into_response();
        }
        let page = seen
            .path
            .split("cursor=")
            .nth(1)
            .map_or(0, |n| n.parse().unwrap());
        let name = format!("file-{page}.txt");
        let mut response = loopback::json(&json!([entry(&name, b"x")]));
        if page < 3 {
            let own = seen.path.split('?').next().unwrap();
            let link = format!("<{own}?cursor={}>; rel=\"next\"", page + 1);
            response
                .headers_mut()
                .insert(header::LINK, link.parse().unwrap());
        }
        response
    })
    .await;
    let (_keep, into) = loopback::folder();
    let of = Hub::at(wire(), hub.url.parse().unwrap(), None);
    let model = of.fetch_model(&request(), &into, &Silent).await.unwrap();
    assert_eq!(
        names(&model),
        ["file-0.txt", "file-1.txt", "file-2.txt", "file-3.txt"]
    );
}

#[tokio::test]
async fn a_next_page_elsewhere_is_not_asked_for_and_sees_no_token() {
    let elsewhere = serve(|_, _| loopback::json(&json!([]))).await;
    let link = format!("<{}/next>; rel=\"next\"", elsewhere.url);
    let hub = serve(move |seen, _| {
        if seen.path.contains("/revision/") {
            return loopback::json(&pinned());
        }
        let mut response = loopback::json(&json!([entry("a", b"x")]));
        response
            .headers_mut()
            .insert(header::LINK, link.parse().unwrap());
        response
    })
    .await;
    let (_keep, into) = loopback::folder();
    let of = Hub::at(wire(), hub.url.parse().unwrap(), Some(Secret::new("hf_x")));
    let error = of
        .fetch_model(&request(), &into, &Silent)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("next page is elsewhere"),
        "{error}"
    );
    assert_eq!(elsewhere.seen(""), []);
}

// === Which files ===

async fn chosen(paths: &[&'static str], selection: Selection) -> Vec<String> {
    let files = paths
        .iter()
        .map(|path| (*path, path.as_bytes().to_vec()))
        .collect();
    let site = site(files).await;
    let (_keep, into) = loopback::folder();
    let mut request = request();
    request.selection = selection;
    let model = site.fetch_as(&request, &into, &Silent).await.unwrap();
    names(&model).into_iter().map(str::to_owned).collect()
}

const TWICE: [&str; 5] = [
    ".gitattributes",
    "config.json",
    "model.safetensors",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

#[tokio::test]
async fn pickles_are_left_out_where_there_are_safetensors() {
    let default = Selection::default;
    assert_eq!(
        chosen(&TWICE, default()).await,
        ["config.json", "model.safetensors"]
    );
    let only = ["config.json", "pytorch_model.bin"];
    assert_eq!(chosen(&only, default()).await, only);
    let all = Selection {
        weights: Weights::All,
        ..default()
    };
    assert_eq!(chosen(&TWICE, all).await, TWICE[1..]);
}

#[tokio::test]
async fn patterns_choose_and_dotted_names_are_never_chosen() {
    let selection = Selection {
        include: patterns(&["*.json", ".*"]),
        exclude: patterns(&["*.index.json"]),
        weights: Weights::All,
    };
    assert_eq!(chosen(&TWICE, selection).await, ["config.json"]);
}

#[tokio::test]
async fn patterns_that_leave_nothing_are_a_mistake() {
    let site = site(files()).await;
    let (_keep, into) = loopback::folder();
    let mut request = request();
    request.selection.include = patterns(&["*.gguf"]);
    let error = site.fetch_as(&request, &into, &Silent).await.unwrap_err();
    assert_eq!(error.exit(), Exit::NotFound);
    assert!(error.to_string().contains("it has 3 files"), "{error}");
}

// === The folder ===

#[tokio::test]
async fn one_folder_is_filled_by_one_process() {
    let site = site(files()).await;
    let (_keep, into) = loopback::folder();
    let _held = Workspace::open(&into).unwrap();
    let error = site.fetch(&into).await.unwrap_err();
    assert!(matches!(error, FetchError::Busy { .. }), "{error}");
    assert_eq!(error.exit(), Exit::Busy);
}

#[tokio::test]
async fn nothing_is_written_through_a_link() {
    let site = site(files()).await;
    let (_keep, into) = loopback::folder();
    let (_other, elsewhere) = loopback::folder();
    fs_err::write(elsewhere.join("x"), "precious").unwrap();
    symlink(elsewhere.join("x"), into.join("config.json")).unwrap();
    let error = site.fetch(&into).await.unwrap_err();
    assert!(matches!(error, FetchError::InTheWay { .. }), "{error}");
    assert_eq!(
        fs_err::read_to_string(elsewhere.join("x")).unwrap(),
        "precious"
    );
}
