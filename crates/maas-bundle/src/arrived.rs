//! A look into what arrived, beyond its digests: models, and what makers have signed. It is for the person at
//! the door: a stick may answer otherwise when it is read again, so a host looks once more at what it has
//! stored.

use std::io::{self, Read as _};

use maas_types::Digest;

use crate::{
    Bundle, Endorsement, EndorsementError, Located, Media, ModelError, Object, Verified,
    check_endorsements, check_models, locate,
};

/// A signature and what it stands on are some kilobytes; an image's index too.
const LARGEST_SIGNATURE: u64 = 4 << 20;

/// Why something that arrived as it was signed may still not be installed.
#[derive(Debug, thiserror::Error)]
pub enum ArrivedError {
    /// A model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A maker's signature.
    #[error(transparent)]
    Endorsement(#[from] EndorsementError),
}

impl ArrivedError {
    /// The exit code that answers this.
    pub fn exit(&self) -> maas_types::Exit {
        match self {
            Self::Model(error) => error.exit(),
            Self::Endorsement(error) => error.exit(),
        }
    }
}

/// Looks into everything that is on these volumes. A delta leaves content out that only its host has:
/// there is nothing to look into then, and the answer is empty.
pub fn look_into(
    bundle: &Verified<Bundle>,
    media: &[&dyn Media],
) -> Result<Vec<Endorsement>, ArrivedError> {
    let Ok(located) = locate(bundle, media) else {
        return Ok(Vec::new()); // What cannot be listed is a finding about the contents.
    };
    if !located.missing().is_empty() {
        return Ok(Vec::new());
    }
    let head = |digest: &Digest, limit: u64| {
        let mut bytes = Vec::new();
        for object in objects(&located, digest)? {
            let left = limit - bytes.len() as u64;
            let volume = media[object.medium];
            let file = volume.open(&object.path).map_err(io::Error::other)?;
            let mut head = file.reader.take(left.min(object.size));
            head.read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    };
    check_models(bundle.bill(), &head)?;
    let read = |digest: &Digest| head(digest, LARGEST_SIGNATURE);
    Ok(check_endorsements(bundle.bill(), &read)?)
}

fn objects<'a>(located: &'a Located<'_>, digest: &Digest) -> io::Result<&'a [Object]> {
    let blobs = located.blobs();
    let at = blobs.binary_search_by_key(digest, |blob| blob.blob.digest);
    at.map(|at| blobs[at].objects.as_slice())
        .map_err(|_| io::ErrorKind::NotFound.into())
}
