//! The good road.

use super::*;

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
