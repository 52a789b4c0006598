//! The signed list of files: predicate, names, root digest.

use std::collections::BTreeMap;

use maas_types::Digest;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::Number;

use super::{ManifestError, Method, NEVER_SIGNED, OLD_PREDICATE, OmsError, PREDICATE, SHARD_BYTES};
use crate::{digest_of, json::plain, statement::Statement};

const HASH: &str = "sha256";

/// What the reference implementation calls the algorithm of a shard, and compares it with. The
/// specification wants plain `sha256` (6.3.2). Both are read, and this is written, because a
/// signature that nobody verifies is of no use.
const SHARD_HASH: &str = "sha256-sharded-1000000000";

/// A manifest whose every rule holds.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) model: String,
    pub(super) root: Digest,
    pub(super) method: Method,
    /// Names of files, or `path:start:end` of shards.
    pub(super) resources: BTreeMap<String, Digest>,
    /// Paths that the signer left out, with all that is below them.
    pub(super) ignored: Vec<String>,
}

/// The predicate (5.2). Members that later versions may add are ignored.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Predicate {
    pub(super) resources: Vec<Resource>,
    pub(super) serialization: Serialization,
}

/// A file or shard (5.2.1). "Verifiers MUST ignore unrecognized fields."
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Resource {
    pub(super) name: String,
    pub(super) digest: String,
    pub(super) algorithm: String,
}

/// How files became resources (5.2.2). An unknown member would be a rule that is not known here, so it
/// is refused.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Serialization {
    pub(super) method: String,
    pub(super) hash_type: String,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "whole_number"
    )]
    pub(super) shard_size: Option<u64>,
    pub(super) allow_symlinks: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) ignore_paths: Vec<String>,
}

/// The reference implementation's predicate goes through a protobuf `Struct`, whose numbers are
/// doubles, so its shard size is written `1000000000.0`.
fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let Some(number) = Option::<Number>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let text = number.to_string();
    let whole = text.strip_suffix(".0").unwrap_or(&text).parse();
    whole
        .map(Some)
        .map_err(|_| D::Error::custom("a size that is not a whole number of bytes"))
}

/// Reads the manifest out of a statement whose signature is good (8.3, 8.4).
pub(super) fn read(statement: &Statement) -> Result<Manifest, OmsError> {
    match statement.predicate_type.as_str() {
        PREDICATE => {}
        OLD_PREDICATE => return Err(OmsError::OldVersion),
        other => {
            let found = plain(other);
            return Err(ManifestError::Predicate { found }.into());
        }
    }
    let subject = statement.subject()?;
    let signed = subject.sha256()?;
    if subject.name.is_empty() {
        return Err(ManifestError::Nameless.into());
    }
    let predicate: Predicate = statement.predicate()?;
    let method = predicate.serialization.method()?;
    let ignored = predicate.serialization.ignored()?;
    let computed = root(&predicate.resources, method)?;
    if computed != signed {
        return Err(ManifestError::Root { signed, computed }.into());
    }
    Ok(Manifest {
        model: plain(&subject.name),
        root: signed,
        method,
        resources: by_name(predicate.resources, method)?,
        ignored,
    })
}

impl Serialization {
    fn method(&self) -> Result<Method, ManifestError> {
        sha256_only(&self.hash_type)?;
        if self.allow_symlinks {
            return Err(ManifestError::Symlinks);
        }
        match (self.method.as_str(), self.shard_size) {
            ("files", None) => Ok(Method::Files),
            ("shards", Some(SHARD_BYTES)) => Ok(Method::Shards),
            ("files", Some(_)) => Err(ManifestError::SizeOfNoShards),
            ("shards", found) => Err(ManifestError::ShardSize { found }),
            (other, _) => Err(ManifestError::Method {
                found: plain(other),
            }),
        }
    }

    /// The paths left out: those of the signer, and those that always are (6.2, 11.2).
    fn ignored(&self) -> Result<Vec<String>, ManifestError> {
        for rule in &self.ignore_paths {
            // 6.2.1: "MUST NOT contain glob characters, leading `/`, or `../` components".
            let globs = rule.contains(['*', '?', '[']).then_some("it is a pattern");
            if let Some(why) = objection(rule).or(globs) {
                let rule = plain(rule);
                return Err(ManifestError::Ignored { rule, why });
            }
        }
        let always = NEVER_SIGNED.map(str::to_owned);
        Ok(self.ignore_paths.iter().cloned().chain(always).collect())
    }
}

/// The digest over all digests, in the order of the list (6.5.1). The list is sorted by name in the
/// specification and by path component in the reference implementation (`a/b` before `a.b`), so its
/// own order is taken and none is demanded.
pub(super) fn root(resources: &[Resource], method: Method) -> Result<Digest, ManifestError> {
    let mut digests = Vec::with_capacity(32 * resources.len());
    for resource in resources {
        digests.extend(resource.digest(method)?.as_bytes());
    }
    Ok(digest_of(&digests))
}

impl Resource {
    pub(super) fn new(name: String, digest: Digest, method: Method) -> Self {
        let algorithm = match method {
            Method::Files => HASH,
            Method::Shards => SHARD_HASH,
        };
        Self {
            name,
            digest: digest.hex(),
            algorithm: algorithm.to_owned(),
        }
    }

    fn digest(&self, method: Method) -> Result<Digest, ManifestError> {
        if method == Method::Files || self.algorithm != SHARD_HASH {
            sha256_only(&self.algorithm)?;
        }
        Digest::from_hex(&self.digest).map_err(|_| ManifestError::Digest {
            name: plain(&self.name),
        })
    }
}

fn sha256_only(found: &str) -> Result<(), ManifestError> {
    if found == HASH {
        Ok(())
    } else {
        Err(ManifestError::Hash {
            found: plain(found),
        })
    }
}

fn by_name(
    resources: Vec<Resource>,
    method: Method,
) -> Result<BTreeMap<String, Digest>, ManifestError> {
    if resources.is_empty() {
        return Err(ManifestError::Empty);
    }
    let mut map = BTreeMap::new();
    for resource in resources {
        let digest = resource.digest(method)?;
        let path = match method {
            Method::Files => Some(resource.name.as_str()),
            Method::Shards => shard_path(&resource.name),
        };
        let objection = path.map_or(Some("it does not end in `:start:end`"), objection);
        if let Some(why) = objection {
            let name = plain(&resource.name);
            return Err(ManifestError::Name { name, why });
        }
        let name = plain(&resource.name);
        if map.insert(resource.name, digest).is_some() {
            return Err(ManifestError::Twice { name });
        }
    }
    Ok(map)
}

/// The path of `path:start:end`: names may have colons, so the last two count (6.3.2).
fn shard_path(name: &str) -> Option<&str> {
    let (rest, end) = name.rsplit_once(':')?;
    let (path, start) = rest.rsplit_once(':')?;
    let decimal = |text: &str| {
        text.parse::<u64>()
            .is_ok_and(|number| number.to_string() == text)
    };
    (decimal(start) && decimal(end)).then_some(path)
}

/// Which rule a path breaks (6.1.2). Paths are compared byte for byte and never opened; these rules
/// keep a path that another reader would fold into a second one out of what is signed.
pub(super) fn objection(path: &str) -> Option<&'static str> {
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return Some("it has control characters or backslashes");
    }
    path.split('/').find_map(|component| match component {
        "" => Some("a component is empty (absolute path, `//` or a trailing `/`)"),
        "." => Some("`.` names no file (model-signing before 1.0.1 signed a single file so)"),
        ".." => Some("it climbs out of the model"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_plain() {
        for good in ["a", "a/b.c", "..a", ".hidden", "a:b", "ü/模"] {
            assert_eq!(objection(good), None, "{good}");
        }
        for bad in [
            "", "/a", "a/", "a//b", ".", "a/./b", "..", "a/../b", "../a", "a\\b", "a\0", "a\n",
        ] {
            assert!(objection(bad).is_some(), "{bad:?}");
        }
    }

    #[test]
    fn the_last_two_numbers_are_the_shard() {
        assert_eq!(shard_path("w.bin:0:5"), Some("w.bin"));
        assert_eq!(shard_path("a:b:0:5"), Some("a:b"));
        for bad in [
            "w", "w:0", "w:0:", "w::5", "w:00:5", "w:+0:5", "w:0:5 ", "w:-1:5", "w:0:x",
        ] {
            assert_eq!(shard_path(bad), None, "{bad}");
        }
    }
}
