//! A bundle as it lies there, whoever signed it: for those who sign, copy and look at it on the
//! connected side. Well formed, and believed by nobody; it never becomes a `Verified`.

use maas_types::{BundleId, PART_BYTES};

use crate::{
    Bundle, Floors, HashingReader, Media, MediaPath, Metadata, TrustError, bill,
    read::io_error,
    tuf::FileLength,
    verify::{BILL, choose_bundle},
};

/// A bundle that was read and not verified.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) metadata: Metadata,
    /// Only what does not depend on trust is filled in.
    pub(crate) bundle: Bundle,
}

impl Draft {
    pub(crate) fn read(
        media: &[&dyn Media],
        wanted: Option<&BundleId>,
    ) -> Result<Self, TrustError> {
        Self::read_with(media, wanted, PART_BYTES)
    }

    pub(crate) fn read_with(
        media: &[&dyn Media],
        wanted: Option<&BundleId>,
        part_bytes: u64,
    ) -> Result<Self, TrustError> {
        let first = *media.first().ok_or(TrustError::NoMedium)?;
        let id = choose_bundle(media, wanted)?;
        let metadata = Metadata::read(first, &id)?;
        let malformed = || TrustError::Malformed {
            file: metadata.targets_path().as_str().to_owned(),
            reason: "it names no bill of lading".to_owned(),
        };
        let named = metadata.targets.signed.bill().ok_or_else(malformed)?;
        let bill_bytes = read_bill(first, &id, named)?;
        let bill = bill::parse(&bill_bytes, part_bytes)
            .map_err(|source| TrustError::Bill { bundle: id, source })?;
        let files = metadata.files();
        Ok(Self {
            metadata,
            bundle: Bundle {
                bill,
                bill_bytes,
                bill_digest: named.digest,
                new_roots: Vec::new(),
                recovered_floors: None,
                next_floors: Floors::default(),
                signers: Vec::new(),
                accepted_expired: None,
                files,
            },
        })
    }
}

/// Reads the bill that `targets.json` names from one volume (TUF 5.7.3).
pub(crate) fn read_bill(
    volume: &dyn Media,
    id: &BundleId,
    named: FileLength,
) -> Result<Vec<u8>, TrustError> {
    let path = MediaPath::bill(id, &named.digest);
    if named.length > BILL {
        return Err(TrustError::TooLarge {
            file: path.as_str().to_owned(),
            limit: BILL,
        });
    }
    let mut bytes = Vec::new();
    let file = volume.open(&path)?;
    let mut reader = HashingReader::new(file.reader, named.length, named.digest);
    let checked = std::io::Read::read_to_end(&mut reader, &mut bytes)
        .and_then(|_| reader.finish())
        .map_err(|source| io_error(volume, &path, source))?;
    checked.map_err(|source| TrustError::OtherBill {
        file: path.as_str().to_owned(),
        volume: volume.label().to_owned(),
        source,
    })?;
    Ok(bytes)
}
