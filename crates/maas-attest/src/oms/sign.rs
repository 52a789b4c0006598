//! Signing a model with a key, as model-signing 1.1 does.

use serde::Serialize;

use super::{
    ContentError, ManifestError, Method, NEVER_SIGNED, OmsError, PREDICATE, SHARD_BYTES,
    SignedFile, compare,
    manifest::{Predicate, Resource, Serialization, objection, root},
};
use crate::{
    SigningKey, bundle,
    dsse::Envelope,
    json::plain,
    statement::{self, Subject},
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Statement<'a> {
    #[serde(rename = "_type")]
    kind: &'a str,
    subject: [Subject; 1],
    predicate_type: &'a str,
    predicate: Predicate,
}

/// Signs these files under a name for the model, and returns the bytes of the signature file. Equal
/// arguments give equal bytes, but for the signature itself, which has a random part.
///
/// The files must not have the paths that OMS never signs (6.2); the signature file is not one of
/// them.
pub fn sign(
    model: &str,
    files: &[SignedFile<'_>],
    method: Method,
    key: &SigningKey,
) -> Result<Vec<u8>, OmsError> {
    let predicate = predicate(files, method)?;
    if model.is_empty() {
        return Err(ManifestError::Nameless.into());
    }
    let statement = Statement {
        kind: statement::TYPE,
        subject: [Subject::new(model, root(&predicate.resources, method)?)],
        predicate_type: PREDICATE,
        predicate,
    };
    let payload = serde_json::to_vec(&statement).expect("texts and numbers are always JSON");
    let envelope = Envelope::seal(payload, |message| key.sign(message));
    Ok(bundle::write(&key.public().hint(), &envelope))
}

fn predicate(files: &[SignedFile<'_>], method: Method) -> Result<Predicate, OmsError> {
    for file in files {
        if let Some(why) = objection(file.path) {
            let name = plain(file.path);
            return Err(ManifestError::Name { name, why }.into());
        }
        if let Some(rule) = NEVER_SIGNED
            .iter()
            .find(|rule| compare::covers(rule, file.path))
        {
            return Err(ContentError::LeftOut {
                path: file.path.to_owned(),
                rule: (*rule).to_owned(),
            }
            .into());
        }
    }
    // A map by name is in the order that the specification wants (6.4): by Unicode code points.
    let resources: Vec<_> = compare::resources(files.iter(), method)?
        .into_iter()
        .map(|(name, digest)| Resource::new(name, digest, method))
        .collect();
    if resources.is_empty() {
        return Err(ManifestError::Empty.into());
    }
    let (name, shard_size) = match method {
        Method::Files => ("files", None),
        Method::Shards => ("shards", Some(SHARD_BYTES)),
    };
    Ok(Predicate {
        resources,
        serialization: Serialization {
            method: name.to_owned(),
            hash_type: "sha256".to_owned(),
            shard_size,
            allow_symlinks: false,
            ignore_paths: NEVER_SIGNED.map(str::to_owned).into(),
        },
    })
}
