//! What TUF names in "goals to protect against", and tricks with signatures and JSON.

use maas_bundle::{Algorithm, Floors, Metadata, PrivateKey, RootFile, sample::Sample};
use serde_json::{Value, json};

use super::{Attack, bundle_path, put, remove, set, too_late};

const TIMESTAMP: &str = "timestamp.json";
const TARGETS: &str = "7.targets.json";

pub(super) fn attacks() -> Vec<Attack> {
    let mut all = signatures();
    all.extend(versions());
    all.extend(roots());
    all.extend(documents());
    all
}

fn key(byte: u8) -> PrivateKey {
    Sample::key(byte)
}

fn signatures() -> Vec<Attack> {
    vec![
        Attack::new("unsigned", "nobody has signed", |sample| {
            sample.forge(TIMESTAMP, &[], |_| {});
        }),
        Attack::new(
            "unknown-signers",
            "arbitrary install: signed by keys of the attacker's own",
            |sample| sample.forge(TIMESTAMP, &[&key(8), &key(9)], |_| {}),
        ),
        Attack::new(
            "stranger-beside-trusted",
            "a stranger's signature beside enough trusted ones",
            |sample| sample.forge(TIMESTAMP, &[&key(1), &key(2), &key(9)], |_| {}),
        ),
        Attack::new("wrong-signature", "a signed file was changed", |sample| {
            let path = sample.metadata(TARGETS);
            sample.media[0].change(&path, |bytes| {
                let text = String::from_utf8(bytes.clone()).unwrap();
                *bytes = text.replace("\"length\": ", "\"length\": 1").into();
            });
        }),
        Attack::new(
            "below-threshold",
            "one stolen key where two must sign",
            |sample| sample.forge(TARGETS, &[&key(2)], |_| {}),
        ),
        Attack::new(
            "one-signer-twice",
            "one key's signature twice (CVE-2020-6174)",
            |sample| sample.forge(TIMESTAMP, &[&key(2), &key(2)], |_| {}),
        ),
        Attack::new(
            "signature-of-another-file",
            "the right people's signature of something else",
            |sample| {
                let path = sample.metadata("7.snapshot.json");
                let other: Value =
                    serde_json::from_slice(sample.media[0].bytes(&path).unwrap()).unwrap();
                let path = sample.metadata(TIMESTAMP);
                sample.media[0].change(&path, |bytes| {
                    let mut file: Value = serde_json::from_slice(bytes).unwrap();
                    file["signatures"] = other["signatures"].clone();
                    *bytes = pretty(&file);
                });
            },
        ),
    ]
}

fn versions() -> Vec<Attack> {
    let two = || [key(1), key(2)];
    let mut rollback = Attack::new("rollback", "an older genuine bundle", |_| {});
    rollback.floors = Floors {
        timestamp: 8,
        snapshot: 8,
        targets: 8,
        epoch: 8,
        ..Floors::default()
    };
    let mut epoch = Attack::new(
        "rollback-of-the-epoch",
        "an older genuine bundle after keys were replaced, which the epoch alone tells",
        |_| {},
    );
    epoch.floors.epoch = 8;
    let mut freeze = Attack::new(
        "freeze",
        "a genuine bundle, kept back until it has expired",
        |_| {},
    );
    freeze.now = too_late(freeze.now);
    let mut clock = Attack::new(
        "freeze-with-the-clock-set-back",
        "the same, on a host whose clock was set back",
        |_| {},
    );
    clock.floors.time = too_late(clock.now);
    vec![
        rollback,
        epoch,
        freeze,
        clock,
        Attack::new(
            "fast-forward",
            "a version after which nothing could follow",
            |sample| {
                let [a, b] = two();
                sample.forge(TIMESTAMP, &[&a, &b], |signed| {
                    set(signed, "/version", u64::MAX >> 1);
                });
            },
        ),
        Attack::new(
            "timestamp-of-another-snapshot",
            "mix and match: a timestamp that names another snapshot",
            |sample| {
                let [a, b] = two();
                sample.forge(TIMESTAMP, &[&a, &b], |signed| {
                    set(signed, "/meta/snapshot.json/version", 6);
                });
            },
        ),
        Attack::new(
            "version-that-is-not-named",
            "mix and match: targets of another version under the named one's file name",
            |sample| {
                let [a, b] = two();
                sample.forge(TARGETS, &[&a, &b], |signed| set(signed, "/version", 8));
            },
        ),
        Attack::new(
            "metadata-of-another-release",
            "mix and match: all metadata of a newer release in this one's folder",
            |sample| {
                let other = Sample::new(8).unwrap();
                for (path, content) in &other.media[0].files {
                    if path.contains("/metadata/") || path.contains("/targets/") {
                        let path = path.replace("sample-8", "sample-7");
                        put(sample, 0, &path, content.clone());
                    }
                }
            },
        ),
        Attack::on_volumes(
            "two-signings",
            "mix and match: two sticks of one release, signed by different people",
            2,
            |sample| {
                let mut metadata = Metadata::read(&sample.media[1], &sample.bundle).unwrap();
                metadata.sign(&sample.keys[2]).unwrap();
                metadata.write(&mut sample.media[1]).unwrap();
            },
        ),
        Attack::new(
            "bill-of-another-bundle",
            "wrong software: the bill of another bundle, properly signed",
            |sample| sample.forge_bill_value(|bill| set(bill, "/bundle", "sample-8")),
        ),
        Attack::new(
            "other-epoch",
            "an epoch that is not the metadata's version",
            |sample| sample.forge_bill_value(|bill| set(bill, "/epoch", 9)),
        ),
        Attack::new(
            "other-product",
            "wrong software: another product's bundle",
            |sample| sample.forge_bill_value(|bill| set(bill, "/product", "fridge")),
        ),
        Attack::new(
            "other-machine",
            "wrong software: for another architecture",
            |sample| sample.forge_bill_value(|bill| set(bill, "/requires/arch", "aarch64")),
        ),
        Attack::new(
            "created-after-it-expires",
            "a time of building that would push the host's time floor beyond every expiry",
            |sample| {
                sample.forge_bill_value(|bill| set(bill, "/created", "2099-01-01T00:00:00Z"));
            },
        ),
    ]
}

/// A root with these keys, signed by these.
fn root(keys: &[u8], signers: &[u8], after: Option<&RootFile>) -> RootFile {
    let now = Sample::new(7).unwrap().now;
    let publics: Vec<_> = keys.iter().map(|byte| *key(*byte).public()).collect();
    let mut root = match after {
        None => RootFile::init(&publics, 2, now),
        Some(before) => before.rotate(&publics, 2, now),
    }
    .unwrap();
    for byte in signers {
        root.sign(&key(*byte), after).unwrap();
    }
    root
}

fn roots() -> Vec<Attack> {
    let first = || root(&[1, 2, 3], &[1, 2], None);
    vec![
        Attack::new(
            "root-of-somebody-else",
            "trust root replaced by the stick",
            |sample| {
                let path = sample.metadata("1.root.json");
                put(sample, 0, &path, root(&[7, 8, 9], &[7, 8], None).bytes());
                for file in [TIMESTAMP, "7.snapshot.json", TARGETS] {
                    sample.forge(file, &[&key(7), &key(8)], |_| {});
                }
            },
        ),
        Attack::new(
            "root-2-without-the-old-keys",
            "a second root that only its own keys have signed",
            |sample| {
                let next = root(&[7, 8, 9], &[7, 8], Some(&first()));
                let path = sample.metadata("2.root.json");
                put(sample, 0, &path, next.bytes());
                for file in [TIMESTAMP, "7.snapshot.json", TARGETS] {
                    sample.forge(file, &[&key(7), &key(8)], |_| {});
                }
            },
        ),
        Attack::new(
            "root-2-without-its-own-keys",
            "a second root that only the old keys have signed",
            |sample| {
                let next = root(&[7, 8, 9], &[1, 2], Some(&first()));
                let path = sample.metadata("2.root.json");
                put(sample, 0, &path, next.bytes());
            },
        ),
        Attack::new("root-gap", "a chain of roots with a gap", |sample| {
            let second = root(&[1, 2, 3], &[1, 2], Some(&first()));
            let third = root(&[1, 2, 3], &[1, 2], Some(&second));
            let path = sample.metadata("3.root.json");
            put(sample, 0, &path, third.bytes());
        }),
        Attack::new(
            "one-key-under-two-ids",
            "a second root in which one key stands under two ids, to meet a threshold of two",
            |sample| {
                let next = root(&[1, 2, 3], &[1, 2], Some(&first()));
                let path = sample.metadata("2.root.json");
                put(sample, 0, &path, next.bytes());
                sample.forge("2.root.json", &[&key(1), &key(2)], |signed| {
                    let ids: Vec<String> = signed["keys"]
                        .as_object()
                        .unwrap()
                        .keys()
                        .cloned()
                        .collect();
                    let first = signed["keys"][&ids[0]].clone();
                    signed["keys"][&ids[1]] = first;
                });
            },
        ),
        Attack::new(
            "algorithm-confusion",
            "a second root with an ECDSA key that is labelled Ed25519",
            |sample| {
                let p256 = PrivateKey::generate(Algorithm::EcdsaP256, [5; 32].into());
                let now = sample.now;
                let publics = [*key(1).public(), *key(2).public(), *p256.public()];
                let mut next = first().rotate(&publics, 2, now).unwrap();
                next.sign(&key(1), Some(&first())).unwrap();
                let path = sample.metadata("2.root.json");
                put(sample, 0, &path, next.bytes());
                sample.forge("2.root.json", &[&key(1), &key(2)], |signed| {
                    for object in signed["keys"].as_object_mut().unwrap().values_mut() {
                        object["keytype"] = json!("ed25519");
                    }
                });
            },
        ),
    ]
}

fn documents() -> Vec<Attack> {
    let two = || [key(1), key(2)];
    vec![
        Attack::new(
            "endless-metadata",
            "a timestamp that is longer than any may be",
            |sample| {
                let path = sample.metadata(TIMESTAMP);
                put(sample, 0, &path, vec![b' '; (1 << 20) + 1]);
            },
        ),
        Attack::new(
            "other-hash-algorithm",
            "the bill named by SHA-512 alone",
            |sample| {
                let [a, b] = two();
                sample.forge(TARGETS, &[&a, &b], |signed| {
                    remove(signed, "/targets/bundle.json/hashes", "sha256");
                    signed["targets"]["bundle.json"]["hashes"]["sha512"] = json!("00".repeat(64));
                });
            },
        ),
        Attack::new(
            "second-target",
            "targets that name another file beside the bill",
            |sample| {
                let [a, b] = two();
                sample.forge(TARGETS, &[&a, &b], |signed| {
                    let bill = signed["targets"]["bundle.json"].clone();
                    signed["targets"]["../../etc/passwd"] = bill;
                });
            },
        ),
        Attack::new(
            "key-twice-in-the-bill",
            "a bill that two readers understand differently",
            |sample| {
                sample.forge_bill(|text| {
                    *text = text.replacen("\"epoch\": 7,", "\"epoch\": 7,\n  \"epoch\": 8,", 1);
                });
            },
        ),
        Attack::new(
            "deep-nesting",
            "a bill that would eat the parser's stack",
            |sample| {
                sample.forge_bill(|text| {
                    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
                    *text = text.replacen('{', &format!("{{\"x\": {deep},"), 1);
                });
            },
        ),
        Attack::new(
            "bytes-after-the-end",
            "a bill with a second document behind it",
            |sample| sample.forge_bill(|text| text.push_str("{}")),
        ),
        Attack::new("not-a-number", "a size that is no number", |sample| {
            sample.forge_bill(|text| {
                *text = text.replacen("\"size\": ", "\"size\": 1e400, \"x\": ", 1);
            });
        }),
        Attack::new(
            "escape-sequences",
            "a bundle that moves the operator's cursor",
            |sample| {
                sample.forge_bill_value(|bill| {
                    set(bill, "/critical", json!(["\u{1b}[2J\u{202e}all is well"]));
                });
            },
        ),
        Attack::new(
            "newer-format",
            "a format that this version does not know",
            |sample| sample.forge_bill_value(|bill| set(bill, "/format", "maas-bundle/2")),
        ),
        Attack::new(
            "unknown-critical-feature",
            "a feature that must be known and is not",
            |sample| sample.forge_bill_value(|bill| set(bill, "/critical", json!(["dedupe"]))),
        ),
        Attack::new(
            "changed-volume-hint",
            "an unsigned hint that sends the operator for a stick that is not there",
            |sample| {
                let path = bundle_path(sample, "volume.json");
                sample.media[0].change(&path, |bytes| {
                    let text = String::from_utf8(bytes.clone()).unwrap();
                    *bytes = text.replace("\"volume\": 1", "\"volume\": 2").into();
                    bytes.push(b' ');
                });
            },
        ),
        Attack::new(
            "changed-index",
            "a tag that leads another tool to another image",
            |sample| {
                let path = bundle_path(sample, "index.json");
                sample.media[0].change(&path, |bytes| {
                    let text = String::from_utf8(bytes.clone()).unwrap();
                    *bytes = text.replace("\"engine\"", "\"other\"").into();
                });
            },
        ),
    ]
}

fn pretty(value: &Value) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).unwrap();
    bytes.push(b'\n');
    bytes
}
