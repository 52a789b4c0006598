use std::collections::BTreeMap;

use maas_types::Exit;
use proptest::prelude::*;

use super::*;

/// A model in memory.
#[derive(Debug, Clone)]
struct Folder(BTreeMap<String, Vec<u8>>);

impl ModelFiles for Folder {
    fn list(&self) -> Vec<(BlobPath, u64)> {
        let files = self.0.iter();
        files
            .map(|(path, bytes)| (path.parse().unwrap(), bytes.len() as u64))
            .collect()
    }

    fn head(&self, path: &BlobPath, limit: u64) -> io::Result<Vec<u8>> {
        let bytes = &self.0[path.as_str()];
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(bytes[..bytes.len().min(limit)].to_vec())
    }
}

/// A safetensors file with this header and so many bytes of data.
fn weights(header: &str, data: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.resize(file.len() + data, 7);
    file
}

const GOOD: &str = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[8,20]},"none":{"dtype":"I64","shape":[0],"data_offsets":[20,20]}}  "#;

fn good() -> Folder {
    Folder(BTreeMap::from([
        (
            "config.json".to_owned(),
            b"{\"model_type\":\"tiny\"}".to_vec(),
        ),
        ("tokenizer.json".to_owned(), b"{}".to_vec()),
        ("model.safetensors".to_owned(), weights(GOOD, 20)),
    ]))
}

fn with(path: &str, bytes: impl Into<Vec<u8>>) -> Folder {
    let mut folder = good();
    folder.0.insert(path.to_owned(), bytes.into());
    folder
}

fn without(path: &str) -> Folder {
    let mut folder = good();
    folder.0.remove(path).unwrap();
    folder
}

fn judge(folder: &Folder) -> Result<(), ModelError> {
    check_model(&"tiny".parse().unwrap(), folder, RemoteCode::Refused)
}

fn refused(folder: &Folder) -> (Exit, String) {
    let error = judge(folder).unwrap_err();
    (error.exit(), error.to_string())
}

#[test]
fn a_whole_model_of_weights_settings_and_words_is_taken() {
    judge(&good()).unwrap();
    for (path, bytes) in [
        ("README.md", &b"# Tiny"[..]),
        ("LICENSE", b"Apache"),
        ("chat_template.jinja", b"{{ messages }}"),
        ("1_Pooling/config.json", b"{}"),
        ("tokenizer.model", b"\x0a\x0b\x0c"),
        ("picture.png", b"\x89PNG\r\n"),
        ("other.gguf", b"GGUF\x03\0\0\0"),
    ] {
        judge(&with(path, bytes)).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}

#[test]
fn weights_may_begin_with_what_looks_like_another_format() {
    // Lengths of headers whose first bytes are the magic of a pickle, gzip, bzip2, a program, a script.
    for length in [0x0280, 0x0580, 0x8b1f, 0x68_5a42, 0x5a4d, 0x2123] {
        let padded = GOOD.to_owned() + &" ".repeat(length - GOOD.len());
        let file = weights(&padded, 20);
        judge(&with("model.safetensors", file)).unwrap_or_else(|e| panic!("{length:#x}: {e}"));
    }
}

#[test]
fn pickles_archives_and_programs_are_refused_under_any_name() {
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    let cases: [(&str, &[u8]); 18] = [
        ("pytorch_model.bin", b"anything"),
        ("consolidated.00.PTH", b"anything"),
        ("scores.npy", b""),
        ("vocab.txt", b"\x80\x02}q\x00."),
        ("merges.txt", b"\x80\x05\x95"),
        ("extra.safetensors", b"\x80\x04\x95\0\0\0\0\0\0\0\0"),
        ("notes.md", b"PK\x03\x04torch"),
        ("empty.txt", b"PK\x05\x06"),
        ("a.json", b"\x1f\x8b\x08"),
        ("b.json", b"BZh9"),
        ("c.json", b"\xfd7zXZ\x00"),
        ("d.json", b"\x28\xb5\x2f\xfd"),
        ("e.json", b"\x93NUMPY\x01"),
        ("f.txt", b"\x89HDF\r\n\x1a\n"),
        ("kernel.txt", b"\x7fELF\x02"),
        ("lib.so", b""),
        ("run.sh", b"#!/bin/sh\n"),
        ("g.txt", &tar),
    ];
    for (path, bytes) in cases {
        let (exit, text) = refused(&with(path, bytes));
        assert_eq!(exit, Exit::Policy, "{path}: {text}");
        assert!(text.contains(path), "{text}");
    }
}

#[test]
fn code_travels_only_where_the_manifest_says_so() {
    for (path, bytes) in [
        ("modeling_tiny.py", &b"import os"[..]),
        ("deep/Down.PY", b"#!/usr/bin/python3"),
        (
            "config.json",
            br#"{"auto_map":{"AutoConfig":"tiny.Config"}}"#,
        ),
        ("tokenizer_config.json", br#"{"auto_map":{}}"#),
        ("video_preprocessor_config.json", br#"{"auto_map":{}}"#),
        ("config.json", br#"{"text_config":{"auto_map":{}}}"#),
        ("config.json", br#"{"parts":[{"custom_pipelines":{}}]}"#),
        ("speedups.pyx", b"cdef int x"),
    ] {
        let folder = with(path, bytes);
        let (exit, text) = refused(&folder);
        assert_eq!(exit, Exit::Policy, "{path}: {text}");
        check_model(&"tiny".parse().unwrap(), &folder, RemoteCode::Allowed).unwrap();
    }
    judge(&with("config.json", br#"{"auto_map":null}"#)).unwrap();
}

fn assert_damaged(weights: Vec<u8>, want: &str) {
    let (exit, text) = refused(&with("model.safetensors", weights));
    assert_eq!(exit, Exit::Content, "{text}");
    assert!(text.contains(want), "want {want}: {text}");
}

#[test]
fn a_header_that_is_none_is_damage() {
    let cases = [
        (Vec::new(), "too short"),
        (vec![1, 0, 0], "too short"),
        (weights("", 0), "does not begin with `{`"),
        (weights(" {}", 0), "does not begin with `{`"),
        (u64::MAX.to_le_bytes().to_vec(), "more than the 100000000"),
        (100_u64.to_le_bytes().to_vec(), "and the file only 8"),
        (weights("{}", 1), "its tensors have 0 bytes, and its data 1"),
        (weights("{]", 0), "its header is wrong"),
        (weights("{} x", 0), "its header is wrong"),
    ];
    for (bytes, want) in cases {
        assert_damaged(bytes, want);
    }
}

#[test]
fn a_tensor_that_is_not_where_or_what_it_says_is_damage() {
    let place = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#""dtype":"{dtype}","shape":[{shape}],"data_offsets":[{offsets}]"#)
    };
    let cases = [
        (place("F32", "2", "0,8"), 7, "data 7"),
        (place("F32", "2", "0,8"), 9, "data 9"),
        (place("F32", "3", "0,8"), 8, "shape does not"),
        (place("F4", "3", "0,1"), 1, "shape does not"),
        (place("F32", "2", "8,0"), 8, "shape does not"),
        (place("U8", "2", "1,3"), 3, "begins at byte 1"),
        (
            place("U8", "4294967296,4294967296", "0,0"),
            0,
            "shape does not",
        ),
        (
            place("U8", "2", "18446744073709551615,1"),
            3,
            "shape does not",
        ),
        (place("O", "2", "0,2"), 2, "unknown variant"),
        (place("U8", "-2", "0,2"), 2, "invalid value"),
        (place("U8", "2", "0,2") + r#","x":1"#, 2, "unknown field"),
    ];
    for (tensor, data, want) in cases {
        assert_damaged(weights(&format!("{{\"a\":{{{tensor}}}}}"), data), want);
    }
    let two = |name: &str, first: &str, second: &str| {
        format!("{{\"a\":{{{first}}},\"{name}\":{{{second}}}}}")
    };
    let twice = two("a", &place("U8", "1", "0,1"), &place("U8", "1", "1,2"));
    assert_damaged(weights(&twice, 2), "`a` stands there twice");
    let overlap = two("b", &place("U8", "2", "0,2"), &place("U8", "2", "1,3"));
    let want = "begins at byte 1 of the data, and the one before it ends at 2";
    assert_damaged(weights(&overlap, 3), want);
}

#[test]
fn what_an_engine_would_ask_a_hub_for_must_be_there() {
    for (path, want) in [
        ("config.json", "it has no config.json"),
        ("tokenizer.json", "it has no tokenizer"),
        ("model.safetensors", "it has no weights"),
    ] {
        let (exit, text) = refused(&without(path));
        assert_eq!(exit, Exit::Content);
        assert!(text.contains(want), "{text}");
    }
    let index = |shard: &str| {
        let text = format!(r#"{{"metadata":{{}},"weight_map":{{"a":"{shard}"}}}}"#);
        with("model.safetensors.index.json", text)
    };
    judge(&index("model.safetensors")).unwrap();
    for shard in [
        "model-00002-of-00002.safetensors",
        "../model.safetensors",
        "/etc/passwd",
    ] {
        let (_, text) = refused(&index(shard));
        assert!(text.contains("which is not there"), "{text}");
    }
    let (exit, text) = refused(&with("x.index.json", "[]"));
    assert_eq!(exit, Exit::Content);
    assert!(text.contains("not the JSON"), "{text}");
}

proptest! {
    /// Any change of one byte of a header, and any other file, is judged without a panic; what is
    /// taken covers its data.
    #[test]
    fn no_bytes_make_it_panic(at in 0..GOOD.len() + 8, byte: u8, cut in 0..400_usize) {
        let mut file = weights(GOOD, 20);
        file[at] = byte;
        file.truncate(cut.max(1));
        drop(judge(&with("model.safetensors", file)));
    }

    #[test]
    fn noise_is_never_weights(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(judge(&with("model.safetensors", noise)).is_err());
    }
}

#[test]
fn a_header_that_other_readers_would_not_take_is_refused() {
    let tensor = r#""w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}"#;
    judge(&with(
        "model.safetensors",
        weights(
            &format!(r#"{{"__metadata__":{{"format":"pt"}},{tensor}}}"#),
            4,
        ),
    ))
    .unwrap();
    for header in [
        format!(r#"{{"__metadata__":7,{tensor}}}"#),
        format!(r#"{{"__metadata__":{{"a":1}},{tensor}}}"#),
        format!(r#"{{"__metadata__":{{"a":"1","a":"2"}},{tensor}}}"#),
        r#"{"w":["U8",[4],[0,4]]}"#.to_owned(),
        r#"{"w":{"dtype":{"U8":null},"shape":[4],"data_offsets":[0,4]}}"#.to_owned(),
    ] {
        let (exit, text) = refused(&with("model.safetensors", weights(&header, 4)));
        assert_eq!(exit, Exit::Content, "{header}: {text}");
    }
    let mut latin = weights(&format!(r#"{{"__metadata__":{{"a":"?"}},{tensor}}}"#), 4);
    let at = latin.iter().position(|byte| *byte == b'?').unwrap();
    latin[at] = 0xff;
    assert_eq!(refused(&with("model.safetensors", latin)).0, Exit::Content);
}
