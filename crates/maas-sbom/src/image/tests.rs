use proptest::prelude::*;
use tar::{Builder, EntryType, Header};

use super::*;

const OS: &str = "PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\nVERSION_ID=\"12\"\n";
const DPKG: &str = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\n\
    Source: glibc\nVersion: 2.36-9+deb12u4\nDescription: C\n Version: no\n\n\
    Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n\n\
    Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2.15-2+b2\n";
const APK: &str = "C:Q1x=\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\no:musl\np:so:x\n\nP:ssl_client\nV:1.36.1-r29\nA:x86_64\nL:GPL-2.0-only\no:busybox\n";

/// A layer of these files; a name that ends with `/` is a folder, contents that begin with `=` a hard
/// link.
fn layer(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, contents) in files {
        let mut header = Header::new_gnu();
        header.set_mode(0o644);
        if let Some(target) = contents.strip_prefix('=') {
            header.set_entry_type(EntryType::Link);
            header.set_size(0);
            builder.append_link(&mut header, name, target).unwrap();
            continue;
        }
        let is_folder = name.ends_with('/');
        header.set_entry_type(if is_folder {
            EntryType::Directory
        } else {
            EntryType::Regular
        });
        header.set_size(contents.len() as u64);
        builder
            .append_data(&mut header, name, contents.as_bytes())
            .unwrap();
    }
    builder.into_inner().unwrap()
}

fn scan(layers: &[Vec<u8>]) -> Bom {
    let mut scan = ImageScan::new();
    for (at, layer) in (1..).zip(layers) {
        scan.layer(Digest::from_bytes([at; 32]), layer.as_slice())
            .unwrap();
    }
    let facts = ImageFacts {
        name: "engine",
        reference: "example.org/engine:1",
        manifest: Digest::from_bytes([0xee; 32]),
    };
    scan.finish(facts, Timestamp::UNIX_EPOCH)
}

/// Package URL or name of each component, and the first byte of each layer that it came with.
fn listed(layers: &[Vec<u8>]) -> Vec<String> {
    let json: serde_json::Value = serde_json::from_slice(&scan(layers).to_json()).unwrap();
    let component = |component: &serde_json::Value| {
        let name = component["purl"]
            .as_str()
            .or_else(|| component["name"].as_str());
        let mut line = name.unwrap().to_owned();
        for property in component["properties"].as_array().into_iter().flatten() {
            if property["name"] == "maas:layer" {
                line.push(' ');
                line.push_str(&property["value"].as_str().unwrap()[7..9]);
            }
        }
        line
    };
    json["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(component)
        .collect()
}

fn completeness(layers: &[Vec<u8>]) -> String {
    crate::summary(&scan(layers).to_json())
        .unwrap()
        .completeness
        .join("\n")
}

fn python(name: &str) -> String {
    format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nLicense: MIT\n\nName: not this\n")
}

#[test]
fn an_images_bill_lists_what_each_installer_wrote_down() {
    let layers = [
        layer(&[
            ("usr/lib/os-release", OS),
            ("./var/lib/dpkg/status", DPKG),
            (
                "var/lib/dpkg/status.d/tzdata",
                "Package: tzdata\nVersion: 2024a\nArchitecture: all\n",
            ),
        ]),
        layer(&[
            (
                "usr/lib/python3/dist-packages/PyYAML-6.0.egg-info",
                "Name: PyYAML\nVersion: 6.0\nLicense: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License\n",
            ),
            (
                "venv/site-packages/typing_extensions-4.dist-info/METADATA",
                "Name: typing_extensions\nVersion: 4.12.2\nLicense-Expression: PSF-2.0\n\nName: other\n",
            ),
            (
                "app/node_modules/@scope/x/package.json",
                r#"{"name": "@scope/x", "version": "1.0.0", "license": "MIT OR Apache-2.0"}"#,
            ),
            (
                "app/node_modules/old/package.json",
                r#"{"name": "old", "version": "0.1.0", "licenses": [{"type": "BSD"}]}"#,
            ),
        ]),
    ];
    insta::assert_snapshot!(String::from_utf8(scan(&layers).to_json()).unwrap());
}

#[test]
fn an_alpine_image_is_named_as_alpines() {
    let layers = [layer(&[
        ("etc/os-release", "ID=alpine\nVERSION_ID=3.20.0\n"),
        ("usr/lib/os-release", "ID=other\n"),
        ("lib/apk/db/installed", APK),
    ])];
    insta::assert_snapshot!(listed(&layers).join("\n"), @"
    alpine
    pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.0 01
    pkg:apk/alpine/ssl_client@1.36.1-r29?arch=x86_64&distro=alpine-3.20.0 01
    ");
}

#[test]
fn a_whiteout_hides_a_name_and_all_below_it_in_lower_layers_only() {
    let a = "a/x.dist-info/METADATA";
    let lower = layer(&[
        (a, &python("x")),
        ("a/b/y.dist-info/METADATA", &python("y")),
    ]);
    let hide = |name| layer(&[(name, "")]);
    let hidden = |above| listed(&[lower.clone(), above]).len();
    assert_eq!(listed(std::slice::from_ref(&lower)).len(), 2);
    assert_eq!(hidden(hide(".wh.a")), 0);
    assert_eq!(hidden(hide("a/.wh.b")), 1);
    assert_eq!(hidden(hide("a/.wh..wh..opq")), 0);
    assert_eq!(hidden(hide("a/x.dist-info/.wh.METADATA")), 1);
    assert_eq!(hidden(hide("./.wh..wh..opq")), 0);
    // Names that only begin alike, and names that lead elsewhere.
    for other in [
        ".wh.a.b",
        "b/.wh.a",
        ".wh.",
        ".wh...",
        "../.wh.a",
        "c/../.wh.a",
    ] {
        assert_eq!(hidden(layer_with_raw_name(other)), 2, "{other}");
    }
    // In the same layer, whatever the order, a whiteout is about lower layers.
    for files in [
        [("a/.wh..wh..opq", ""), (a, &python("new"))],
        [(a, &python("new")), ("a/.wh..wh..opq", "")],
    ] {
        assert_eq!(
            listed(&[lower.clone(), layer(&files)]),
            ["pkg:pypi/new@1.0 02"]
        );
    }
}

/// `tar::Builder` refuses `..`; a hostile writer does not.
fn layer_with_raw_name(name: &str) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(0);
    header.set_cksum();
    header.as_bytes().to_vec()
}

#[test]
fn a_file_takes_the_place_of_a_folder_and_a_folder_of_a_file() {
    let lower = layer(&[("a/x.egg-info", &python("x"))]);
    assert_eq!(
        listed(&[lower.clone(), layer(&[("a", "a file now")])]).len(),
        0
    );
    assert_eq!(
        listed(&[lower.clone(), layer(&[("a/x.egg-info/", "")])]).len(),
        0
    );
    assert_eq!(listed(&[lower, layer(&[("a/", "")])]).len(), 1);
}

#[test]
fn a_package_keeps_the_layer_that_brought_it_until_it_changes() {
    let later = DPKG.replace("5.2.15-2+b2", "5.2.21")
        + "\nPackage: new\nStatus: install ok installed\nVersion: 1\n";
    let status = "var/lib/dpkg/status";
    let layers = [
        layer(&[(status, DPKG)]),
        layer(&[(status, &later)]),
        layer(&[(status, &later)]),
    ];
    insta::assert_snapshot!(listed(&layers).join("\n"), @"
    pkg:deb/debian/bash@5.2.21?arch=amd64 02
    pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64 01
    pkg:deb/debian/new@1 02
    ");
}

#[test]
fn one_package_in_two_places_is_one_component() {
    let layers = [
        layer(&[("cache/x-1.dist-info/METADATA", &python("x"))]),
        layer(&[
            (
                "venv/x-1.dist-info/METADATA",
                "=cache/x-1.dist-info/METADATA",
            ),
            ("venv/y-1.dist-info/METADATA", "=nowhere"),
        ]),
    ];
    assert_eq!(listed(&layers), ["pkg:pypi/x@1.0 01"]);
    assert!(
        completeness(&layers).ends_with("1 files are not what their names say and are not read.")
    );
}

#[test]
fn an_rpm_database_is_seen_and_said_to_be_unread() {
    let layers = [layer(&[("var/lib/rpm/rpmdb.sqlite", "SQLite format 3")])];
    assert!(completeness(&layers).contains("rpm database present, not read"));
    assert_eq!(listed(&layers).len(), 0);
}

#[test]
fn what_is_too_long_is_left_out_and_counted() {
    let long = format!(
        "{{\"name\": \"x\", \"version\": \"1\", \"x\": \"{}\"}}",
        "x".repeat(1 << 20)
    );
    let manual = python("x") + &"x".repeat(2 << 20);
    let layers = [layer(&[
        ("node_modules/x/package.json", &long),
        ("x-1.dist-info/METADATA", &manual),
        ("node_modules/y/package.json", "{"),
        ("y-1.dist-info/METADATA", "Version: 1\n"),
    ])];
    assert_eq!(listed(&layers), ["pkg:pypi/x@1.0 01"]);
    let said = completeness(&layers);
    assert!(said.contains("1 files were too long"), "{said}");
    assert!(said.contains("2 files are not what"), "{said}");
}

#[test]
fn more_packages_than_the_limit_are_counted_and_not_kept() {
    let one = |n: usize| format!("Package: p{n}\nStatus: install ok installed\nVersion: 1\n\n");
    let many: String = (0..MOST_PACKAGES + 7).map(one).collect();
    let layers = [layer(&[("var/lib/dpkg/status", &many)])];
    let bom = scan(&layers);
    assert_eq!(bom.component_count(), MOST_PACKAGES);
    let said = crate::summary(&bom.to_json())
        .unwrap()
        .completeness
        .join("\n");
    assert!(said.contains("7 packages were beyond the limit"), "{said}");
}

#[test]
fn a_layer_that_is_no_archive_is_refused_by_name() {
    let error = ImageScan::new()
        .layer(Digest::from_bytes([1; 32]), [1; 600].as_slice())
        .unwrap_err();
    insta::assert_snapshot!(error, @"layer sha256:0101010101010101010101010101010101010101010101010101010101010101 is not a tar archive: a header's checksum does not fit");
}

#[test]
fn the_reader_is_read_to_its_end() {
    let mut bytes = layer(&[("x", "y")]);
    bytes.extend(vec![7; 100_000]);
    let mut rest = bytes.as_slice();
    ImageScan::new()
        .layer(Digest::from_bytes([1; 32]), &mut rest)
        .unwrap();
    assert!(rest.is_empty());
}

/// A step in the life of an image.
#[derive(Debug, Clone)]
enum Step {
    Write(&'static str, u8),
    Remove(&'static str),
    Empty(&'static str),
}

const FOLDERS: [&str; 4] = ["a", "a/b", "a/c", "d"];

fn step() -> impl Strategy<Value = Step> {
    let folder = prop::sample::select(FOLDERS.as_slice());
    prop_oneof![
        (folder.clone(), 0_u8..4).prop_map(|(folder, n)| Step::Write(folder, n)),
        folder.clone().prop_map(Step::Remove),
        folder.prop_map(Step::Empty),
    ]
}

proptest! {
    /// Against a model that keeps a plain set of paths.
    #[test]
    fn what_is_listed_is_what_a_file_system_would_hold(steps in prop::collection::vec(step(), 0..12)) {
        let mut model = BTreeMap::new();
        let mut layers = Vec::new();
        for step in steps {
            layers.push(match step {
                Step::Write(folder, n) => {
                    let path = format!("{folder}/p{n}.egg-info");
                    let name = format!("{}-{n}", folder.replace('/', "-"));
                    let file = layer(&[(&path, &python(&name))]);
                    model.insert(path, format!("pkg:pypi/{name}@1.0"));
                    file
                }
                Step::Remove(folder) => {
                    model.retain(|path, _| !path.starts_with(&format!("{folder}/")));
                    let (above, name) = folder.rsplit_once('/').unwrap_or((".", folder));
                    layer(&[(&format!("{above}/.wh.{name}"), "")])
                }
                Step::Empty(folder) => {
                    model.retain(|path, _| !path.starts_with(&format!("{folder}/")));
                    layer(&[(&format!("{folder}/.wh..wh..opq"), "")])
                }
            });
        }
        let mut wanted: Vec<_> = model.into_values().collect();
        wanted.sort();
        let mut found: Vec<_> = listed(&layers).iter().map(|line| line[..line.len() - 3].to_owned()).collect();
        found.sort();
        prop_assert_eq!(found, wanted);
        prop_assert_eq!(scan(&layers).to_json(), scan(&layers).to_json());
    }

    #[test]
    fn any_contents_of_any_file_give_a_bill(contents in any::<Vec<u8>>(), at in 0_usize..6) {
        let contents = String::from_utf8_lossy(&contents);
        let path = [
            "etc/os-release", "var/lib/dpkg/status", "lib/apk/db/installed",
            "x.dist-info/METADATA", "node_modules/x/package.json", "var/lib/rpm/Packages",
        ][at];
        let bom = scan(&[layer(&[(path, &contents)])]);
        prop_assert!(crate::summary(&bom.to_json()).is_ok());
    }

    #[test]
    fn any_bytes_are_an_error_or_nothing(bytes: Vec<u8>) {
        let mut scan = ImageScan::new();
        drop(scan.layer(Digest::from_bytes([1; 32]), bytes.as_slice()));
        prop_assert_eq!(scan.lower.packages(), 0);
    }
}
