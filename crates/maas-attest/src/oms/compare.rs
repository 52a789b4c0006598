//! Signed files against shipped files.

use std::collections::BTreeMap;

use maas_types::Digest;

use super::{ContentError, Manifest, Method, SHARD_BYTES, ShippedFiles, SignedFile};

/// Both sets must be the same, name for name and digest for digest (8.4, steps 8 and 9).
pub(super) fn same(manifest: &Manifest, shipped: &ShippedFiles<'_>) -> Result<(), ContentError> {
    let compared = || {
        let files = shipped.files.iter();
        files.filter(|file| Some(file.path) != shipped.signature)
    };
    for file in compared() {
        let covers = |rule: &&String| covers(rule, file.path);
        if let Some(rule) = manifest.ignored.iter().find(covers) {
            return Err(ContentError::LeftOut {
                path: file.path.to_owned(),
                rule: rule.clone(),
            });
        }
    }
    let found = resources(compared(), manifest.method)?;
    for (name, signed) in &manifest.resources {
        let name = name.clone();
        match found.get(&name) {
            None => return Err(ContentError::Missing { name }),
            Some(found) if found != signed => {
                let (signed, found) = (*signed, *found);
                return Err(ContentError::Differs {
                    name,
                    signed,
                    found,
                });
            }
            Some(_) => {}
        }
    }
    let extra = found
        .into_keys()
        .find(|name| !manifest.resources.contains_key(name));
    extra.map_or(Ok(()), |name| Err(ContentError::NotSigned { name }))
}

/// An entry covers a path and everything below it (6.2.1).
pub(super) fn covers(rule: &str, path: &str) -> bool {
    path.strip_prefix(rule)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What a signer would list for these files.
pub(super) fn resources<'a>(
    files: impl Iterator<Item = &'a SignedFile<'a>>,
    method: Method,
) -> Result<BTreeMap<String, Digest>, ContentError> {
    let mut map = BTreeMap::new();
    let mut paths = std::collections::BTreeSet::new();
    for file in files {
        if !paths.insert(file.path) {
            return Err(ContentError::Twice {
                path: file.path.to_owned(),
            });
        }
        match method {
            Method::Files => {
                map.insert(file.path.to_owned(), file.sha256);
            }
            Method::Shards => map.extend(shards(file)?),
        }
    }
    Ok(map)
}

/// The shards of a file (6.3.2). A file of no bytes has none; one that fits a shard is one.
fn shards(file: &SignedFile<'_>) -> Result<Vec<(String, Digest)>, ContentError> {
    let whole = [(file.sha256, file.size)];
    let parts = match file.size {
        0 => &[],
        1..=SHARD_BYTES => &whole[..],
        _ => file.parts,
    };
    let mut start = 0;
    let mut shards = Vec::with_capacity(parts.len());
    for (digest, size) in parts {
        if *size == 0 || *size != SHARD_BYTES.min(file.size - start) {
            break;
        }
        let end = start + size;
        shards.push((format!("{}:{start}:{end}", file.path), *digest));
        start = end;
    }
    if start == file.size && shards.len() == parts.len() {
        Ok(shards)
    } else {
        Err(ContentError::Parts {
            path: file.path.to_owned(),
            size: file.size,
        })
    }
}

#[cfg(test)]
mod tests;
