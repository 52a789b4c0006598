use proptest::prelude::*;

use super::*;

const README: &str = "---\nlicense: gemma # see below\nbase_model:\n- google/gemma-3\n- \"other/base\"\n\
    datasets: [one/set, 'two/set']\nlanguage:\n  - en\n  - de\ntags:\n    - chat\nmodel-index:\n- name: x\n  results:\n    - task: y\n\
    pipeline_tag: text-generation\n---\nlicense: not this\n";
const CONFIG: &str = r#"{"model_type": "gemma3", "architectures": ["Gemma3ForCausalLM"],
    "text_config": {"max_position_embeddings": 32768}, "torch_dtype": "bfloat16",
    "quantization_config": {"quant_method": "fp8"}}"#;

fn manifest() -> ModelManifest {
    let text = "name = 'tiny'\ntitle = 'Tiny'\nlicence = 'Apache-2.0'\norigin = 'a hub'\ntask = 'generate'\ncontext = 2048\n[engine]\n";
    toml::from_str(text).unwrap()
}

fn file(path: &str, byte: u8) -> FileFact {
    FileFact {
        path: path.parse().unwrap(),
        digest: Digest::from_bytes([byte; 32]),
        size: 10,
    }
}

fn facts<'a>(manifest: &'a ModelManifest, files: &'a [FileFact]) -> ModelFacts<'a> {
    ModelFacts {
        manifest,
        oci_manifest: Digest::from_bytes([0xaa; 32]),
        files,
        measured: None,
        config: None,
        readme: None,
        publisher: None,
        source: None,
    }
}

fn json(bom: &Bom) -> String {
    String::from_utf8(bom.to_json()).unwrap()
}

#[test]
fn a_models_bill_tells_what_was_checked_from_what_is_claimed() {
    let (manifest, files) = (
        manifest(),
        [file("model.safetensors", 2), file("config.json", 1)],
    );
    let measured = Measured {
        parameters: 12,
        dtypes: [("BF16".to_owned(), 8), ("F32".to_owned(), 4)].into(),
        bytes: 32,
    };
    let facts = ModelFacts {
        measured: Some(&measured),
        config: Some(CONFIG.as_bytes()),
        readme: Some(README.as_bytes()),
        publisher: Some("Somebody"),
        source: Some(SourceRevision {
            repository: "https://example.org/some body/model",
            commit: "abcdef",
        }),
        ..facts(&manifest, &files)
    };
    insta::assert_snapshot!(json(&model(&facts, Timestamp::UNIX_EPOCH)));
}

#[test]
fn a_model_without_config_and_readme_has_a_short_bill() {
    let manifest = manifest();
    let bom = json(&model(&facts(&manifest, &[]), Timestamp::UNIX_EPOCH));
    for absent in [
        "pedigree",
        "architectureFamily",
        "maas:parameters",
        "datasets",
        "readme",
    ] {
        assert!(!bom.contains(absent), "{absent}");
    }
}

#[test]
fn the_order_of_files_changes_nothing() {
    let manifest = manifest();
    let (ab, ba) = ([file("a", 1), file("b", 2)], [file("b", 2), file("a", 1)]);
    let bill = |files| model(&facts(&manifest, files), Timestamp::UNIX_EPOCH);
    assert_eq!(bill(&ab), bill(&ba));
}

#[test]
fn front_matter_gives_scalars_and_lists_and_passes_over_the_rest() {
    let read = |text: &str| FrontMatter::read(text.as_bytes());
    let all = |front: &FrontMatter, key| front.all(key).map(str::to_owned).collect::<Vec<_>>();
    let front = read(README);
    assert_eq!(all(&front, "license"), ["gemma"]);
    assert_eq!(all(&front, "base_model"), ["google/gemma-3", "other/base"]);
    assert_eq!(all(&front, "datasets"), ["one/set", "two/set"]);
    assert_eq!(all(&front, "language"), ["en", "de"]);
    assert_eq!(all(&front, "tags"), ["chat"]);
    let windows = read(&README.replace('\n', "\r\n"));
    assert_eq!(windows, front);
    for nothing in [
        "# Title\n---\nlicense: mit\n---\n",
        "---\nlicense: &a\n---\n",
        "---\nlicense: |\n  text\n---\n",
        "---\nlicense: ~\n---\n",
        "---\n  license: mit\n---\n",
        "---\nlicense:\n  name: mit\n---\n",
        "",
    ] {
        assert_eq!(read(nothing), FrontMatter::default(), "{nothing}");
    }
    let many: Vec<_> = (0..500).map(|n| format!("- {n}\n")).collect();
    let many = format!("---\ntags:\n{}", many.concat());
    assert_eq!(all(&read(&many), "tags").len(), 100);
}

proptest! {
    #[test]
    fn any_config_and_readme_give_a_bill(config: Vec<u8>, readme in "(---\n)?((license|tags|datasets): ?)?\\PC{0,40}\n?(- \\PC{0,20})?") {
        let manifest = manifest();
        let facts = ModelFacts { config: Some(&config), readme: Some(readme.as_bytes()), ..facts(&manifest, &[]) };
        let bom = model(&facts, Timestamp::UNIX_EPOCH);
        prop_assert!(crate::summary(&bom.to_json()).is_ok());
    }
}
