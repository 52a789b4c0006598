//! Models: headers of weights, settings, lists of shards.

use std::{collections::BTreeMap, io};

use maas_bundle::{ModelError, ModelFiles, RemoteCode, check_model};
use maas_types::{BlobPath, ModelName};

use crate::json::{self, Json, NotRead};

/// Weights without tensors.
const EMPTY: &[u8] = b"\x02\0\0\0\0\0\0\0{}";

struct Files<'a>(BTreeMap<BlobPath, &'a [u8]>);

impl ModelFiles for Files<'_> {
    fn list(&self) -> Vec<(BlobPath, u64)> {
        let files = self.0.iter();
        files
            .map(|(path, bytes)| (path.clone(), bytes.len() as u64))
            .collect()
    }

    fn head(&self, path: &BlobPath, limit: u64) -> io::Result<Vec<u8>> {
        let bytes = self.0.get(path).ok_or(io::ErrorKind::NotFound)?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(bytes[..bytes.len().min(limit)].to_vec())
    }
}

/// A model that is right but for these files.
fn check(files: &[(&str, &[u8])], code: RemoteCode) -> Result<(), ModelError> {
    let right: [(&str, &[u8]); 3] = [
        ("config.json", b"{}"),
        ("tokenizer.json", b"{}"),
        ("model.safetensors", EMPTY),
    ];
    let path = |name: &str| name.parse::<BlobPath>().expect("a path");
    let all = right.iter().chain(files);
    let files = Files(all.map(|(name, bytes)| (path(name), *bytes)).collect());
    let model: ModelName = "tiny".parse().expect("a name");
    check_model(&model, &files, code)
}

/// Weights are accepted exactly when this crate's own reading of the header covers the data.
pub fn safetensors(data: &[u8]) {
    let accepted = check(&[("model.safetensors", data)], RemoteCode::Refused);
    match covers(data) {
        Ok(right) => assert_eq!(accepted.is_ok(), right, "{accepted:?}"),
        Err(NotRead::TooDeep) => {}
        Err(NotRead::Malformed) => assert!(accepted.is_err(), "the header is not JSON"),
    }
}

/// The format's README: eight bytes of length, a header, and tensors that follow one another.
fn covers(data: &[u8]) -> Result<bool, NotRead> {
    let Some((length, rest)) = data.split_first_chunk::<8>() else {
        return Ok(false);
    };
    let length = u64::from_le_bytes(*length);
    let Some((header, tensors)) = usize::try_from(length)
        .ok()
        .and_then(|at| rest.split_at_checked(at))
    else {
        return Ok(false);
    };
    if length > 100_000_000 || header.first() != Some(&b'{') {
        return Ok(false);
    }
    let header = json::read(header)?;
    let members = header.members().ok_or(NotRead::Malformed)?;
    let mut names = Vec::new();
    let mut places = Vec::new();
    for (raw, tensor) in members {
        let Some(name) = json::decode(raw) else {
            return Ok(false);
        };
        // What authors say of themselves; neither reader looks into it.
        if name != "__metadata__" {
            let Some(place) = place(tensor) else {
                return Ok(false);
            };
            places.push(place);
        }
        names.push(name);
    }
    names.sort();
    let twice = names.windows(2).any(|pair| pair[0] == pair[1]);
    places.sort_unstable();
    let mut end = 0;
    let follow = places
        .iter()
        .all(|(from, to)| std::mem::replace(&mut end, *to) == *from);
    Ok(!twice && follow && end == tensors.len() as u128)
}

/// Where a tensor lies, when its three members are there, once, and agree.
fn place(tensor: &Json<'_>) -> Option<(u128, u128)> {
    // `serde` reads a structure from a list as well, here and in the format's own reader.
    let (dtype, shape, offsets) = match tensor {
        Json::List(items) => match items.as_slice() {
            [dtype, shape, offsets] => (dtype, shape, offsets),
            _ => return None,
        },
        _ => (
            tensor.get("dtype")?,
            tensor.get("shape")?,
            tensor.get("data_offsets")?,
        ),
    };
    if tensor.members().is_some_and(|members| members.len() != 3) {
        return None;
    }
    let mut bits = bits(&name(dtype)?)?;
    for side in shape.items()? {
        bits = u64::try_from(bits.checked_mul(whole(side)?)?).ok()?.into();
    }
    let [from, to] = offsets.items()? else {
        return None;
    };
    let (from, to) = (whole(from)?, whole(to)?);
    (bits % 8 == 0 && from + bits / 8 == to).then_some((from, to))
}

/// A number that has 64 bits.
fn whole(value: &Json<'_>) -> Option<u128> {
    value
        .whole()
        .filter(|number| *number <= u128::from(u64::MAX))
}

/// The name of a type; `serde` reads `{"F32": null}` as well.
fn name(dtype: &Json<'_>) -> Option<String> {
    match dtype {
        Json::Object(members) => match members.as_slice() {
            [(name, Json::Null)] => json::decode(name),
            _ => None,
        },
        _ => dtype.text(),
    }
}

fn bits(dtype: &str) -> Option<u128> {
    Some(match dtype {
        "F4" => 4,
        "F6_E2M3" | "F6_E3M2" => 6,
        "BOOL" | "U8" | "I8" | "F8_E5M2" | "F8_E4M3" | "F8_E8M0" | "F8_E4M3FNUZ"
        | "F8_E5M2FNUZ" => 8,
        "I16" | "U16" | "F16" | "BF16" => 16,
        "I32" | "U32" | "F32" => 32,
        "C64" | "F64" | "I64" | "U64" => 64,
        _ => return None,
    })
}

/// Settings that are accepted where code is refused name none, as this crate reads them; and what is
/// accepted without code is accepted with it.
pub fn model_settings(data: &[u8]) {
    for file in ["config.json", "tokenizer_config.json"] {
        let refused = check(&[(file, data)], RemoteCode::Refused).is_ok();
        let allowed = check(&[(file, data)], RemoteCode::Allowed).is_ok();
        assert!(allowed || !refused);
        if allowed {
            assert!(
                json::read(data) != Err(NotRead::Malformed),
                "{file} is not JSON"
            );
        }
        if refused && let Ok(settings) = json::read(data) {
            let none = |value: Option<&Json<'_>>| matches!(value, None | Some(Json::Null));
            assert!(none(settings.get("auto_map")), "{file} names code");
            assert!(
                none(settings.items().and_then(<[_]>::first)),
                "{file} names code"
            );
        }
    }
}

/// Shards that an accepted index names are there.
pub fn shard_index(data: &[u8]) {
    let index = "model.safetensors.index.json";
    if check(&[(index, data)], RemoteCode::Refused).is_err() {
        return;
    }
    let Ok(document) = json::read(data) else {
        return;
    };
    let map = document
        .get("weight_map")
        .or(document.items().and_then(<[_]>::first));
    let map = map
        .and_then(Json::members)
        .expect("an index names its shards");
    // Of two with one name the last counts, here and in Python.
    let shards: BTreeMap<_, _> = map
        .iter()
        .map(|(tensor, shard)| (json::decode(tensor), shard.text()))
        .collect();
    for shard in shards.into_values() {
        let there = ["config.json", "tokenizer.json", "model.safetensors", index];
        assert!(
            shard.as_deref().is_some_and(|shard| there.contains(&shard)),
            "{shard:?}"
        );
    }
}
