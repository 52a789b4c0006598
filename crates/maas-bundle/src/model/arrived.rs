//! The models of a verified bundle, looked into where they arrived. It is a first look for the person at
//! the door: a stick may answer otherwise when it is read again, so a host looks once more at what it has
//! stored.

use std::io::{self, Read as _};

use crate::{Bundle, Located, Media, ModelError, Verified, check_models, locate};

/// Checks every model whose files are on these volumes.
pub fn check_arrived_models(
    bundle: &Verified<Bundle>,
    media: &[&dyn Media],
) -> Result<(), ModelError> {
    let Ok(located) = locate(bundle, media) else {
        // What cannot be listed is a finding about the contents.
        return Ok(());
    };
    check_models(bundle.bill(), &|digest, limit| {
        let mut bytes = Vec::new();
        for object in objects(&located, digest)? {
            let left = limit - bytes.len() as u64;
            let volume = media[object.medium];
            let file = volume.open(&object.path).map_err(io::Error::other)?;
            file.reader
                .take(left.min(object.size))
                .read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    })
}

fn objects<'a>(
    located: &'a Located<'_>,
    digest: &maas_types::Digest,
) -> io::Result<&'a [crate::Object]> {
    let blobs = located.blobs();
    let at = blobs.binary_search_by_key(digest, |blob| blob.blob.digest);
    at.map(|at| blobs[at].objects.as_slice())
        .map_err(|_| io::ErrorKind::NotFound.into())
}
