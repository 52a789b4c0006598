//! The models of a bundle, looked into once more on the host: a signature says who answers for a
//! model, not that nothing in it runs.

use maas_bundle::{LARGEST_SIGNATURE, check_endorsements, check_models};
use maas_store::Store;
use maas_types::{BillOfLading, Digest};

use crate::InstallError;

/// Checks every model of a bundle whose blobs are all stored, and what makers of models and images have
/// signed.
pub(crate) fn check(store: &Store, bill: &BillOfLading) -> Result<(), InstallError> {
    let head = |blob: &Digest, limit| store.head(blob, limit);
    check_models(bill, &head)?;
    check_endorsements(bill, &|blob| head(blob, LARGEST_SIGNATURE))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;
    use maas_bundle::{Media as _, sample::Sample};
    use maas_types::{Exit, Layout};

    use super::*;

    /// Puts the sample's model files into a store, with `weights` in place of its weights.
    fn check_with(weights: Option<&[u8]>) -> Result<(), InstallError> {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(Utf8Path::from_path(folder.path()).unwrap());
        let store = Store::new(&layout);
        let sample = Sample::new(7).unwrap();
        let bundle = sample.verified().unwrap();
        let media = &sample.media[0];
        for file in &bundle.bill().models[0].files {
            let path = store.path(&file.blob);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            let blob = format!("MAAS/{}/blobs/sha256/{}", sample.bundle, file.blob.hex());
            let bytes = media.bytes(&blob).unwrap_or_else(|| panic!("{blob}"));
            let is_weights = file.path.as_str().ends_with(".safetensors");
            let bytes = weights.filter(|_| is_weights).unwrap_or(bytes);
            fs_err::write(path, bytes).unwrap();
        }
        assert_eq!(media.label(), "stick-1");
        check(&store, bundle.bill())
    }

    #[test]
    fn what_lies_in_the_store_is_looked_into() {
        check_with(None).unwrap();
        let error = check_with(Some(b"\x80\x04\x95pickle")).unwrap_err();
        assert_eq!(error.exit(), Exit::Policy, "{error}");
        let error = check_with(Some(b"nothing like weights")).unwrap_err();
        assert_eq!(error.exit(), Exit::Content, "{error}");
    }
}
