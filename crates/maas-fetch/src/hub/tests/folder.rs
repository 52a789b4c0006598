//! The folder.

use super::*;

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
