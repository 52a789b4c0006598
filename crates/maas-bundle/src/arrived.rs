//! A look into what arrived, beyond its digests: models, and what makers have signed. It is for the person at
//! the door: a stick may answer otherwise when it is read again, so a host looks once more at what it has
//! stored.

use std::io::{self, Read as _};

use maas_types::Digest;

use crate::{
    Bundle, Endorsement, EndorsementError, LARGEST_SIGNATURE, Located, Media, ModelError, Object,
    Verified, check_endorsements, check_models, locate,
};

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

/// What a host has of a bundle already: the first bytes of a blob, at most so many.
pub type Base<'a> = &'a dyn Fn(&Digest, u64) -> io::Result<Vec<u8>>;

/// Looks into everything that a bundle consists of. What the volumes leave out is read from `base`: the
/// mark that it is left out is not signed, and must not keep anything from being looked into. Without a
/// base, or with a volume that is not in, there is not enough to look into, and the answer is empty.
pub fn look_into(
    bundle: &Verified<Bundle>,
    media: &[&dyn Media],
    base: Option<Base<'_>>,
) -> Result<Vec<Endorsement>, ArrivedError> {
    let Ok(located) = locate(bundle, media) else {
        return Ok(Vec::new()); // What cannot be listed is a finding about the contents.
    };
    let missing = located.missing();
    if missing.iter().any(|object| !object.left_out) || (base.is_none() && !missing.is_empty()) {
        return Ok(Vec::new());
    }
    let head = |digest: &Digest, limit: u64| {
        if let Some(base) = base
            && missing.iter().any(|object| object.blob == *digest)
        {
            return base(digest, limit);
        }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{Consignment, MemoryMedia, Silent, Spread, copy, sample::Sample};

    #[test]
    fn what_a_delta_leaves_out_is_looked_into_where_it_is() {
        let sample = Sample::new(7).unwrap();
        let bundle = sample.verified().unwrap();
        let have: BTreeSet<_> = bundle.bill().blobs.iter().map(|blob| blob.digest).collect();
        let mut delta = MemoryMedia::new("stick-1");
        let order = Consignment {
            bundle: None,
            spread: &Spread::Evenly,
            have: &have,
            progress: &Silent,
        };
        copy(&sample.volumes(), &mut [&mut delta], &order).unwrap();
        let media: [&dyn Media; 1] = [&delta];
        let host = |digest: &Digest, limit: u64| {
            let path = format!("MAAS/{}/blobs/sha256/{}", sample.bundle, digest.hex());
            let blob = sample.media[0]
                .bytes(&path)
                .ok_or(io::ErrorKind::NotFound)?;
            let mut head = Vec::new();
            blob.take(limit).read_to_end(&mut head)?;
            Ok(head)
        };
        look_into(&bundle, &media, Some(&host)).unwrap();
        let pickles = |_: &Digest, _: u64| Ok(b"\x80\x04\x95pickle".to_vec());
        look_into(&bundle, &media, Some(&pickles)).unwrap_err();
        assert!(look_into(&bundle, &media, None).unwrap().is_empty());
    }
}
