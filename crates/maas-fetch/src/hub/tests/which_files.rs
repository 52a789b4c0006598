//! Which files.

use super::*;

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
