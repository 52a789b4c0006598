//! Content that is not what was signed, and content that was signed and must not be.

use serde_json::{Value, json};

use super::{Attack, a_blob, set};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const TOKENIZER: &str = "tokenizer/tokenizer.json";

pub(super) fn attacks() -> Vec<Attack> {
    let mut all = bytes();
    all.extend(sums());
    all.extend(models());
    all
}

fn bytes() -> Vec<Attack> {
    vec![
        Attack::new("blob-bit", "one flipped bit", |sample| {
            let path = a_blob(sample);
            sample.media[0].change(&path, |bytes| bytes[0] ^= 1);
        }),
        Attack::new("blob-short", "a file that ends early", |sample| {
            let path = a_blob(sample);
            sample.media[0].change(&path, |bytes| bytes.truncate(bytes.len() - 1));
        }),
        Attack::new("blob-long", "a file that goes on", |sample| {
            let path = a_blob(sample);
            sample.media[0].change(&path, |bytes| bytes.push(0));
        }),
        Attack::new("blob-gone", "a file that is not there", |sample| {
            let path = a_blob(sample);
            sample.media[0].files.remove(&path);
        }),
        Attack::new(
            "blobs-swapped",
            "two files that have changed places",
            |sample| {
                let files = &mut sample.media[0].files;
                let paths: Vec<_> = files
                    .keys()
                    .filter(|path| path.contains("/blobs/"))
                    .cloned()
                    .collect();
                let (a, b) = (files[&paths[0]].clone(), files[&paths[1]].clone());
                files.insert(paths[0].clone(), b);
                files.insert(paths[1].clone(), a);
            },
        ),
        Attack::new(
            "bill-changed",
            "a bill that is not the signed one",
            |sample| {
                let (path, _) = sample.bill();
                sample.media[0].change(&path, |bytes| {
                    let text = String::from_utf8(bytes.clone()).unwrap();
                    *bytes = text.replace("\"7.0.0\"", "\"7.0.1\"").into();
                });
            },
        ),
    ]
}

fn sums() -> Vec<Attack> {
    let blob = |bill: &mut Value, at: usize| -> Value { bill["blobs"][at].clone() };
    vec![
        Attack::new(
            "size-of-2-to-63",
            "a size that overflows 64 bits with the next one",
            |sample| {
                sample.forge_bill_value(|bill| {
                    set(bill, "/blobs/0/size", u64::MAX >> 1);
                    set(bill, "/blobs/1/size", u64::MAX >> 1);
                });
            },
        ),
        Attack::new("size-below-zero", "a size below zero", |sample| {
            sample.forge_bill_value(|bill| set(bill, "/blobs/0/size", -1));
        }),
        Attack::new(
            "parts-that-lack-bytes",
            "parts that do not make up their blob",
            |sample| {
                sample.forge_bill_value(|bill| {
                    let digest = bill["blobs"][0]["digest"].clone();
                    bill["blobs"][0]["size"] = json!(2_000_000_001_u64);
                    bill["blobs"][0]["parts"] = json!([{"digest": digest, "size": 1_000_000_000}]);
                });
            },
        ),
        Attack::new("parts-of-a-small-blob", "a small file in parts", |sample| {
            sample.forge_bill_value(|bill| {
                let (digest, size) = (
                    bill["blobs"][0]["digest"].clone(),
                    bill["blobs"][0]["size"].clone(),
                );
                bill["blobs"][0]["parts"] = json!([{"digest": digest, "size": size}]);
            });
        }),
        Attack::new("blob-twice", "a blob that is listed twice", |sample| {
            sample.forge_bill_value(|bill| {
                let first = blob(bill, 0);
                bill["blobs"].as_array_mut().unwrap().insert(0, first);
            });
        }),
        Attack::new("blob-of-nothing", "a blob that nothing names", |sample| {
            sample.forge_bill_value(|bill| {
                let digest = format!("sha256:{}", "f".repeat(64));
                bill["blobs"]
                    .as_array_mut()
                    .unwrap()
                    .push(json!({"digest": digest, "size": 1}));
            });
        }),
        Attack::new(
            "digest-that-is-not-listed",
            "a model file whose blob is not listed",
            |sample| {
                let digest = format!("sha256:{}", "0".repeat(64));
                sample.forge_bill_value(|bill| set(bill, "/models/0/files/0/blob", digest));
            },
        ),
        Attack::new(
            "program-of-the-host",
            "another program than the one that lies beside",
            |sample| {
                sample.forge_bill_value(|bill| {
                    let other = bill["models"][0]["files"][0]["blob"].clone();
                    set(bill, "/binary", other);
                });
            },
        ),
        Attack::new(
            "manifest-of-another-size",
            "an image manifest of another size than its blob",
            |sample| {
                sample.forge_bill_value(|bill| set(bill, "/images/0/manifest_size", 1));
            },
        ),
        Attack::new(
            "unknown-setting-of-an-engine",
            "a setting that would change how an engine runs",
            |sample| {
                sample.forge_bill_value(|bill| {
                    bill["models"][0]["manifest"]["engine"]["preload"] = json!("evil.so");
                });
            },
        ),
    ]
}

/// A pickle of protocol 4 that would run `os.system`, as far as it need go to be one.
const PICKLE: &[u8] = b"\x80\x04\x95\x1d\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94.";

fn models() -> Vec<Attack> {
    let weights = |name, what, bytes: Vec<u8>| {
        Attack::new(name, what, move |sample| {
            sample.forge_model_file(WEIGHTS, WEIGHTS, &bytes);
        })
    };
    vec![
        weights(
            "pickle-as-safetensors",
            "a pickle under the name of weights",
            PICKLE.to_vec(),
        ),
        Attack::new(
            "pickle-as-text",
            "a pickle under a harmless name",
            |sample| {
                sample.forge_model_file(TOKENIZER, "tokenizer/vocab.txt", PICKLE);
            },
        ),
        Attack::new(
            "pickle-by-name",
            "weights that only a pickle loader opens",
            |sample| {
                sample.forge_model_file(TOKENIZER, "pytorch_model.bin", b"anything");
            },
        ),
        Attack::new(
            "zip-as-json",
            "an archive under the name of settings",
            |sample| {
                sample.forge_model_file(TOKENIZER, TOKENIZER, b"PK\x03\x04archive/data.pkl");
            },
        ),
        Attack::new(
            "program-in-a-model",
            "a program among a model's files",
            |sample| {
                sample.forge_model_file(TOKENIZER, "tokenizer/helper", b"\x7fELF\x02\x01\x01");
            },
        ),
        Attack::new(
            "remote-code",
            "code that comes with the model, without leave",
            |sample| {
                sample.forge_model_file(TOKENIZER, "modeling_evil.py", b"import os\n");
            },
        ),
        Attack::new("auto-map", "settings that name code of a hub", |sample| {
            sample.forge_model_file(
                CONFIG,
                CONFIG,
                b"{\"auto_map\": {\"AutoModel\": \"evil/repo--m.M\"}}\n",
            );
        }),
        weights("safetensors-header-bomb", "a header of 2^62 bytes", {
            let mut bytes = (1_u64 << 62).to_le_bytes().to_vec();
            bytes.extend(b"{}");
            bytes
        }),
        weights(
            "safetensors-overlap",
            "two tensors over the same bytes",
            tensors(
                r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}"#,
                6,
            ),
        ),
        weights(
            "safetensors-gap",
            "bytes that no tensor owns",
            tensors(
                r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}"#,
                8,
            ),
        ),
        weights(
            "safetensors-beyond-the-end",
            "a tensor that ends behind the file",
            tensors(
                r#"{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}"#,
                4,
            ),
        ),
        weights(
            "safetensors-name-twice",
            "one tensor under two meanings",
            tensors(
                r#"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}}"#,
                8,
            ),
        ),
        weights(
            "safetensors-shape",
            "a shape that is not the size of its data",
            tensors(
                r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,4]}}"#,
                4,
            ),
        ),
        Attack::new(
            "no-tokenizer",
            "a model without a tokenizer, which an engine would ask a hub for",
            |sample| {
                sample.forge_model_file(TOKENIZER, "notes.md", b"nothing here\n");
            },
        ),
    ]
}

fn tensors(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}
