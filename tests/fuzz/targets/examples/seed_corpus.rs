//! Writes the inputs that the fuzzer begins with: the sample's own files, and the frozen bundles.
//!
//! ```text
//! cargo run -p maas-fuzz-targets --example seed_corpus -- tests/fuzz/corpus
//! ```
//!
//! One folder for each target. Inputs that are there stay; what the fuzzer finds is added by
//! `tests/scripts/fuzz.sh`. Some are right but for one thing, so that a check that is lost is missed at
//! once: `cargo test -p maas-tests --test corpus`.

use std::{fs, io::Write as _};

use camino::{Utf8Path, Utf8PathBuf};
use flate2::{Compression, write::GzEncoder};
use maas_bundle::sample::Sample;
use maas_fuzz_targets::{SEPARATOR, archive::archive, metadata::next_root};

/// Where inputs go.
struct Corpus(Utf8PathBuf);

impl Corpus {
    fn add(&self, target: &str, name: &str, bytes: impl AsRef<[u8]>) {
        let folder = self.0.join(target);
        fs::create_dir_all(&folder).expect("a folder can be made");
        fs::write(folder.join(name), bytes).expect("a file can be written");
    }
}

fn main() {
    let folder = std::env::args().nth(1).expect("the folder of the corpus");
    let corpus = Corpus(folder.into());
    let sample = Sample::new(7).expect("a sample can be built");
    metadata(&corpus, &sample);
    bills(&corpus, &sample);
    volumes(&corpus);
    models(&corpus);
    images(&corpus);
    texts(&corpus, &sample);
    boms(&corpus);
    for (name, bytes) in maas_fuzz_targets::backup::seeds() {
        corpus.add("backup_file", name, bytes);
    }
}

fn metadata(corpus: &Corpus, sample: &Sample) {
    let bytes = |name: &str| {
        let path = sample.metadata(name);
        sample.media[0].bytes(&path).expect("the sample has it")
    };
    let [root, timestamp, snapshot, targets] = [
        "1.root.json",
        "timestamp.json",
        "7.snapshot.json",
        "7.targets.json",
    ]
    .map(bytes);
    let all = [
        ("root", root),
        ("timestamp", timestamp),
        ("snapshot", snapshot),
        ("targets", targets),
    ];
    for (which, (name, bytes)) in (0..).zip(all) {
        let behind = |bytes: &[u8]| [&[which], bytes].concat();
        corpus.add("bundle_metadata", name, behind(bytes));
        let other = [bytes, b" "].concat();
        corpus.add(
            "bundle_metadata",
            &format!("{name}-other-rendering"),
            behind(&other),
        );
        let file: serde_json::Value = serde_json::from_slice(bytes).expect("JSON");
        corpus.add(
            "signed_metadata",
            name,
            behind(file["signed"].to_string().as_bytes()),
        );
    }
    roots(corpus, root);
    repositories(corpus, [timestamp, snapshot, targets]);
}

fn roots(corpus: &Corpus, root: &[u8]) {
    corpus.add("root", "sample", root);
    corpus.add("root", "next", next_root());
    let bad = repository().join("bundle/golden/bad");
    for attack in [
        "algorithm-confusion",
        "one-key-under-two-ids",
        "root-of-somebody-else",
    ] {
        for (path, bytes) in below(&bad.join(attack)) {
            if path.ends_with("metadata/1.root.json") {
                corpus.add("root", attack, &bytes);
            }
        }
    }
}

fn repositories(corpus: &Corpus, [timestamp, snapshot, targets]: [&[u8]; 3]) {
    let next = next_root();
    let road = [
        (b'r', &next[..]),
        (b'e', b""),
        (b't', timestamp),
        (b's', snapshot),
        (b'g', targets),
    ];
    let road = road.map(|(kind, bytes)| [&[kind], bytes].concat());
    corpus.add("foreign_metadata", "whole", road.join(SEPARATOR));
    corpus.add("foreign_metadata", "first-root", road[2..].join(SEPARATOR));
    let later = |road: &[Vec<u8>]| {
        let road = road.join(SEPARATOR);
        String::from_utf8_lossy(&road).replace("\"expires\": \"20", "\"expires\": \"30")
    };
    corpus.add("foreign_metadata", "later-root", later(&road[..1]));
    corpus.add("foreign_metadata", "later", later(&road[2..]));
    let before = [&b"b"[..], timestamp].concat();
    corpus.add(
        "foreign_metadata",
        "before",
        [&[before], &road[2..]].concat().join(SEPARATOR),
    );
    for case in [
        "simple-rsa",
        "pem-encoded-ecdsa-sig-keys",
        "cross-sign-root/1.root.json",
    ] {
        let path = repository().join("tests/foreign/tough").join(case);
        let path = if path.is_dir() {
            path.join("root.json")
        } else {
            path
        };
        let bytes = fs::read(path).expect("a case of tough");
        corpus.add(
            "foreign_metadata",
            &case.replace('/', "-"),
            [&b"1"[..], &bytes].concat(),
        );
    }
}

fn bills(corpus: &Corpus, sample: &Sample) {
    let bill = String::from_utf8(sample.bill().1).expect("a bill is text");
    corpus.add("bill", "sample", &bill);
    let folded = "\"files\": [\n        {\n          \"path\": \"CONFIG.json\",\n          \"blob\": \"@\"\n        },";
    let config = bill.split("\"path\": \"config.json\",").nth(1);
    let config = config.and_then(|rest| rest.split('"').nth(3));
    let folded = folded.replace('@', config.expect("the sample has a config.json"));
    corpus.add(
        "bill",
        "two-names-folded",
        bill.replacen("\"files\": [", &folded, 1),
    );
    let twice = bill.replacen('{', "{ \"unknown\": [{\"a\": 1, \"a\": 2}],", 1);
    corpus.add("bill", "unknown-member-twice", twice);
    let bad = repository().join("bundle/golden/bad");
    for attack in [
        "key-twice-in-the-bill",
        "not-a-number",
        "parts-that-lack-bytes",
        "path-case",
        "size-of-2-to-63",
    ] {
        for (path, bytes) in below(&bad.join(attack)) {
            if path.as_str().ends_with(".bundle.json") {
                corpus.add("bill", attack, &bytes);
            }
        }
    }
    for seed in 0..6_u8 {
        let bytes: Vec<u8> = (0..64)
            .map(|at: u8| at.wrapping_mul(37 + seed).wrapping_add(seed))
            .collect();
        corpus.add("bill_edits", &format!("seed-{seed}"), &bytes);
        corpus.add("medium", &format!("seed-{seed}"), &bytes);
    }
}

fn volumes(corpus: &Corpus) {
    let one = Sample::new(7).expect("a sample can be built");
    let two = Sample::on_volumes(7, 2).expect("a sample can be built");
    for (name, media) in [
        ("one", &one.media[0]),
        ("first", &two.media[0]),
        ("second", &two.media[1]),
    ] {
        let bytes = media
            .bytes("MAAS/sample-7/volume.json")
            .expect("a volume has it");
        corpus.add("volume_json", name, bytes);
        let text = String::from_utf8_lossy(bytes);
        let other = text.replacen("sample-7 1 of", "Sample-7 1 of", 1);
        corpus.add("volume_json", &format!("{name}-other-label"), other);
    }
}

fn models(corpus: &Corpus) {
    let weights = |header: &str, data: usize| {
        [
            &(header.len() as u64).to_le_bytes(),
            header.as_bytes(),
            &vec![0; data],
        ]
        .concat()
    };
    let two = r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,2],"data_offsets":[8,16]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"c":{"dtype":"F4","shape":[2],"data_offsets":[16,17]},"d":{"dtype":"U8","shape":[0],"data_offsets":[17,17]}}"#;
    corpus.add("safetensors", "four-tensors", weights(two, 17));
    corpus.add("safetensors", "none", weights("{}", 0));
    corpus.add(
        "safetensors",
        "scalar",
        weights(
            r#"{"x":{"dtype":"I64","shape":[],"data_offsets":[0,8]}} "#,
            8,
        ),
    );
    corpus.add(
        "safetensors",
        "overlap",
        weights(&two.replace("[8,16]", "[4,12]"), 17),
    );
    let overlap = r#"{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":[4,12]}}"#;
    corpus.add("safetensors", "overlap-to-the-end", weights(overlap, 12));
    let twice = r#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#;
    corpus.add("safetensors", "name-twice", weights(twice, 0));
    let shape = overlap
        .replace("[4,12]", "[8,16]")
        .replace("[8],\"data_offsets\":[0", "[9],\"data_offsets\":[0");
    corpus.add("safetensors", "other-shape", weights(&shape, 16));
    corpus.add(
        "model_settings",
        "plain",
        r#"{"model_type": "llama", "max_position_embeddings": 2048, "rope": {"a": [1.5e3, null]}}"#,
    );
    corpus.add(
        "model_settings",
        "code",
        r#"{"auto_map": {"AutoModel": "modeling.Model"}}"#,
    );
    corpus.add(
        "model_settings",
        "escaped",
        r#"{"x": {"auto_map": 1}, "auto\u005fmap": null}"#,
    );
    corpus.add("shard_index", "right", r#"{"metadata": {"total_size": 8}, "weight_map": {"a": "model.safetensors", "b": "model.safetensors"}}"#);
    corpus.add(
        "shard_index",
        "missing",
        r#"{"weight_map": {"a": "model-00001-of-00002.safetensors"}}"#,
    );
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(bytes).expect("memory can be written");
    gzip.finish().expect("memory can be written")
}

fn images(corpus: &Corpus) {
    let tar = archive(&[("etc/motd", b"A sample layer.\n")]);
    let config =
        br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["@diff"]}}"#;
    let manifest = |packing: &str| {
        format!(
            r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"@config","size":@n_config}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar{packing}","digest":"@layer","size":@n_layer}}]}}"#
        )
    };
    let index = br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"@manifest","size":@n_manifest,"platform":{"architecture":"amd64","os":"linux"},"annotations":{"org.opencontainers.image.ref.name":"example.org/engine:1"}}]}"#;
    let nested = br#"{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"@layer","size":@n_layer},{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"@manifest","size":@n_manifest,"platform":{"architecture":"arm64","os":"linux"}}]}"#;
    let files = |first: u8, parts: &[&[u8]]| [&[first], &parts.join(SEPARATOR)[..]].concat();
    let (plain, packed) = (manifest(""), manifest("+gzip"));
    corpus.add(
        "image_archive",
        "oci",
        files(2, &[&tar, config, plain.as_bytes(), index]),
    );
    corpus.add(
        "image_archive",
        "oci-gzip",
        files(2, &[&gzip(&tar), config, packed.as_bytes(), index]),
    );
    corpus.add(
        "image_archive",
        "oci-nested",
        files(2, &[index, config, plain.as_bytes(), nested]),
    );
    let docker =
        br#"[{"Config":"config.json","RepoTags":["example.org/engine:1"],"Layers":["layer.tar"]}]"#;
    corpus.add("image_archive", "docker", files(3, &[&tar, config, docker]));
    corpus.add(
        "image_archive",
        "docker-gzip",
        files(3, &[&gzip(&tar), config, docker]),
    );
    let other =
        String::from_utf8_lossy(config).replace("@diff", &format!("sha256:{}", "0".repeat(64)));
    corpus.add(
        "image_archive",
        "docker-other-layer",
        files(3, &[&tar, other.as_bytes(), docker]),
    );
    let empty = [
        ("manifest.json", &br#"[{"Config":"c","Layers":[]}]"#[..]),
        (
            "c",
            br#"{"architecture":"amd64","os":"linux","rootfs":{"diff_ids":[]}}"#,
        ),
    ];
    corpus.add("image_archive", "raw", files(0, &[&archive(&empty)]));
    corpus.add("image_archive", "repaired", files(1, &[&archive(&empty)]));
    layers(corpus);
}

fn layers(corpus: &Corpus) {
    let dpkg = b"Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nSource: glibc (2.36-9)\nVersion: 2.36-9+deb12u4\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n";
    let lower = archive(&[
        (
            "etc/os-release",
            b"ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n",
        ),
        ("var/lib/dpkg/status", dpkg),
        (
            "usr/lib/python3/dist-packages/x-1.dist-info/METADATA",
            b"Metadata-Version: 2.1\nName: x\nVersion: 1\nLicense: MIT\n\nA text.\n",
        ),
    ]);
    let upper = archive(&[
        ("usr/lib/python3/dist-packages/.wh.x-1.dist-info", b""),
        (
            "app/node_modules/@s/y/package.json",
            br#"{"name": "@s/y", "version": "2.0.0", "license": "ISC"}"#,
        ),
        (
            "lib/apk/db/installed",
            b"P:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\no:musl\n\n",
        ),
        ("opt/.wh..wh..opq", b""),
    ]);
    let mut pax = archive(&[("x", b"28 path=etc/os-release-long\n"), ("y", b"ID=x\n")]);
    pax[156] = b'x';
    let mut long = archive(&[
        ("././@LongLink", b"var/lib/dpkg/status.d/base\0"),
        ("z", dpkg),
    ]);
    long[156] = b'L';
    let files = |parts: &[&[u8]]| [b"1", &parts.join(SEPARATOR)[..]].concat();
    corpus.add("image_scan", "two-layers", files(&[&lower, &upper]));
    corpus.add("image_scan", "pax", files(&[&pax]));
    corpus.add("image_scan", "long-name", files(&[&long]));
    unpacked(corpus, &[&lower, &upper, &pax, &long]);
}

/// Headers whose type and link are set by hand; their checksums are made right by the target.
fn unpacked(corpus: &Corpus, sound: &[&[u8]]) {
    let files = |parts: &[&[u8]]| [b"1", &parts.join(SEPARATOR)[..]].concat();
    let kinds = |entries: &[(&str, u8, &str)]| {
        let names: Vec<_> = entries.iter().map(|(name, ..)| (*name, &b""[..])).collect();
        let mut bytes = archive(&names);
        for (header, (_, kind, link)) in bytes.chunks_mut(512).zip(entries) {
            header[156] = *kind;
            header[157..157 + link.len()].copy_from_slice(link.as_bytes());
        }
        bytes
    };
    corpus.add("image_layer", "two-layers", files(&sound[..2]));
    corpus.add("image_layer", "pax", files(&sound[2..3]));
    corpus.add("image_layer", "long-name", files(&sound[3..]));
    let links = kinds(&[
        ("usr/lib", b'5', ""),
        ("lib", b'2', "usr/lib"),
        ("out", b'2', "../../../canary"),
        ("lib/file", b'0', ""),
        ("hard", b'1', "lib/file"),
        ("hard-out", b'1', "out"),
        ("pipe", b'6', ""),
    ]);
    let over = kinds(&[
        ("lib/.wh..wh..opq", b'0', ""),
        ("out", b'5', ""),
        ("out/file", b'0', ""),
        (".wh.hard", b'0', ""),
        ("pipe", b'2', "out/file"),
    ]);
    corpus.add("image_layer", "links", files(&[&links, &over]));
    let through = kinds(&[("x", b'2', "../../../canary"), ("x/file", b'0', "")]);
    corpus.add("image_layer", "through-a-link", files(&[&through]));
    let up = kinds(&[("../../../canary/file", b'0', "")]);
    corpus.add("image_layer", "up", files(&[&up]));
    let device = kinds(&[("null", b'3', "")]);
    corpus.add("image_layer", "device", files(&[&device]));
}

fn texts(corpus: &Corpus, sample: &Sample) {
    corpus.add("keys", "public", sample.keys[0].public().to_pem());
    corpus.add("keys", "plain", sample.keys[0].unsafe_to_plain_pem());
    let p256 = Sample::signed_with(7, maas_bundle::Algorithm::EcdsaP256).expect("a sample");
    corpus.add("keys", "public-p256", p256.keys[0].public().to_pem());
    corpus.add("keys", "plain-p256", p256.keys[0].unsafe_to_plain_pem());
    let sealed = sample.keys[0]
        .to_pem("a passphrase", &[7; 32])
        .expect("a passphrase");
    corpus.add("keys", "encrypted", sealed);
    corpus.add("recipe", "sample", Sample::recipe(7));
    for (path, bytes) in below(&repository().join("bundle/recipes")) {
        corpus.add(
            "recipe",
            path.file_name().expect("a file has a name"),
            bytes,
        );
    }
    for (path, bytes) in below(&repository().join("models-manifest")) {
        if path.extension() == Some("toml") && path.components().count() == 1 {
            corpus.add(
                "model_manifest",
                path.file_name().expect("a file has a name"),
                bytes,
            );
        }
    }
    let fingerprint = sample.root.fingerprint();
    corpus.add("fingerprint", "printed", fingerprint.to_string());
    corpus.add(
        "fingerprint",
        "digest",
        fingerprint.digest().to_string().to_uppercase(),
    );
    corpus.add("fingerprint", "words", fingerprint.words());
    let between = fingerprint.to_string().replacen(' ', "_", 1);
    corpus.add("fingerprint", "another-mark-between", between);
}

fn boms(corpus: &Corpus) {
    corpus.add("sbom_summary", "small", br#"{"bomFormat":"CycloneDX","specVersion":"1.6","serialNumber":"urn:uuid:1","metadata":{"timestamp":"2026","component":{"type":"container","name":"engine","components":[{"type":"file","name":"f"}]},"properties":[{"name":"maas:completeness","value":"all"}]},"components":[{"type":"library","group":"g","name":"n","version":"1","purl":"pkg:npm/n","licenses":[{"license":{"id":"MIT"}},{"expression":"MIT OR ISC"}],"components":[{"type":"library","name":"m"}]}],"compositions":[{"aggregate":"complete"}]}"#);
    let card = "---\nlicense: apache-2.0\nlicense_name: x\nbase_model:\n- a/b\n- \"c/d\"\nlanguage: [en, de]\ndatasets:\n  - e\n---\n# A model\n";
    let config = br#"{"model_type": "llama", "architectures": ["Llama"], "max_position_embeddings": 2048, "torch_dtype": "bfloat16", "quantization_config": {"quant_method": "fp8"}}"#;
    corpus.add(
        "model_card",
        "both",
        [card.as_bytes(), config].join(SEPARATOR),
    );
    corpus.add(
        "model_card",
        "quoted",
        "---\nbase_model: 'a''b' # c\nlicense: |\n  text\ntags: [\"x, y\", z]\n---",
    );
}

/// Every file below a folder, by its path there.
fn below(folder: &Utf8Path) -> Vec<(Utf8PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in next.read_dir_utf8().expect("a folder can be listed") {
            let path = entry.expect("an entry has a name").into_path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("it is below").to_owned();
                files.push((name, fs::read(&path).expect("a file can be read")));
            }
        }
    }
    files
}

fn repository() -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(3)
        .expect("the crate lies in the repository")
        .to_owned()
}
