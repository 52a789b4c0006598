//! What signs an image: fetched with it, because the host that will check it has no way out.
//!
//! Nothing is believed here: whether a signature is good is found out by those who hold the keys.
//! Two forms. Cosign's first: the tag `sha256-<hex>.sig` leads to a manifest whose layers are the signed
//! texts, signatures in their annotations (cosign, `specs/SIGNATURE_SPEC.md`). Cosign's second: a
//! manifest with the image as its `subject` and a Sigstore bundle as its layer, found through the
//! referrers API or, where a registry has none, the tag `sha256-<hex>` (OCI distribution specification
//! 1.1, "Listing Referrers" and "Referrers Tag Schema").

use maas_types::Digest;

use super::{
    document::{Body, Descriptor, Fetched, INDEX, Manifest},
    layout::{REF_NAME, write_blob},
    pull::{Pull, is_absent},
};
use crate::{FetchError, Note, Silent, workspace::Workspace};

/// The media type of a Sigstore bundle, and the artifact type of the manifest that carries it.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// How `cosign save` marks the entries of an index. A hint for people: it is not signed.
const KIND: &str = "kind";

/// A signed text has some hundred bytes, a bundle with its proofs some ten thousand.
const LONGEST_BLOB: u64 = 4 << 20;

/// An image has a signature per signer and release; more is an attempt to keep us busy.
const MOST: usize = 256;

/// Signatures of one manifest or index, as found. Their blobs are in the layout.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signatures {
    /// The manifest of cosign's first form; its layers are the signed texts.
    pub simple: Option<Digest>,
    /// The Sigstore bundles of cosign's second form: the blobs, not their manifests.
    pub bundles: Vec<Digest>,
}

/// The entry of `signatures.json` for the index that the image was chosen from: it is what is signed
/// as a rule.
pub(super) fn index_entry(index: &Fetched) -> Descriptor {
    let kind = "dev.cosignproject.cosign/imageIndex";
    index.descriptor().with_annotation(KIND, kind)
}

impl Pull<'_> {
    /// Brings what signs `subject`, and adds an entry for each to `listed`.
    pub(super) async fn signatures(
        &self,
        workspace: &Workspace,
        subject: Digest,
        listed: &mut Vec<Descriptor>,
    ) -> Result<Signatures, FetchError> {
        let simple = self.simple(workspace, subject, listed).await?;
        let mut bundles = Vec::new();
        for referrer in self.referrers(subject).await? {
            let manifest = self.described(&referrer).await?;
            bundles.extend(self.bundle(workspace, subject, &manifest).await?);
            let name = &referrer.digest.to_string();
            let signs = &subject;
            self.progress.note(&Note::Signature { name, signs });
            listed.push(referrer);
        }
        Ok(Signatures { simple, bundles })
    }

    async fn simple(
        &self,
        workspace: &Workspace,
        subject: Digest,
        listed: &mut Vec<Descriptor>,
    ) -> Result<Option<Digest>, FetchError> {
        let tag = format!("sha256-{}.sig", subject.hex());
        let Some(found) = self.if_there(&tag).await? else {
            return Ok(None);
        };
        let Body::Manifest(manifest) = &found.body else {
            return Err(self.malformed(format!("the signature {tag} is an index")));
        };
        self.take(workspace, &found, manifest).await?;
        let (name, signs) = (tag.as_str(), &subject);
        self.progress.note(&Note::Signature { name, signs });
        let entry = found.descriptor().with_annotation(REF_NAME, &tag);
        listed.push(entry.with_annotation(KIND, "dev.cosignproject.cosign/sigs"));
        Ok(Some(found.digest))
    }

    async fn if_there(&self, tag: &str) -> Result<Option<Fetched>, FetchError> {
        match self.manifest(tag, None).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The descriptors of manifests with bundles for `subject`.
    async fn referrers(&self, subject: Digest) -> Result<Vec<Descriptor>, FetchError> {
        let address = self.address(["referrers", &subject.to_string()]);
        let mut page = Some(address.with_query(&[("artifactType", BUNDLE)]));
        let mut found = Vec::new();
        while let Some(address) = page {
            let document = match self.document(&address).await {
                Ok(document) => document,
                Err(error) if is_absent(&error) => return self.referrers_by_tag(subject).await,
                Err(error) => return Err(error),
            };
            page = self.next_page(&document)?;
            let parsed = Fetched::parse(document.bytes, &[INDEX]);
            let parsed = parsed.map_err(|reason| self.malformed(format!("referrers: {reason}")))?;
            let before = found.len();
            found.extend(self.bundles_of(subject, parsed)?);
            if found.len() > MOST || (found.len() == before && page.is_some()) {
                return Err(self.malformed("its list of referrers has no end".to_owned()));
            }
        }
        Ok(found)
    }

    async fn referrers_by_tag(&self, subject: Digest) -> Result<Vec<Descriptor>, FetchError> {
        match self.if_there(&format!("sha256-{}", subject.hex())).await? {
            Some(found) => self.bundles_of(subject, found),
            None => Ok(Vec::new()),
        }
    }

    /// A registry may leave the filter out, so we filter in any case.
    fn bundles_of(&self, subject: Digest, found: Fetched) -> Result<Vec<Descriptor>, FetchError> {
        let Body::Index(mut entries) = found.body else {
            return Err(self.malformed(format!("the referrers of {subject} are no index")));
        };
        entries.retain(|entry| entry.artifact_type.as_deref() == Some(BUNDLE));
        Ok(entries)
    }

    async fn bundle(
        &self,
        workspace: &Workspace,
        subject: Digest,
        found: &Fetched,
    ) -> Result<Vec<Digest>, FetchError> {
        let refuse = |what: &str| Err(self.malformed(format!("signature {} {what}", found.digest)));
        let Body::Manifest(manifest) = &found.body else {
            return refuse("is an index");
        };
        if manifest.subject != Some(subject) {
            return refuse("is for something else than the list says");
        }
        if manifest.artifact_type.as_deref() != Some(BUNDLE) {
            return refuse("is not of the type that the list says");
        }
        let bundles = manifest
            .layers
            .iter()
            .filter(|layer| layer.media_type == BUNDLE);
        let bundles: Vec<_> = bundles.map(|layer| layer.digest).collect();
        if bundles.is_empty() {
            return refuse("holds no Sigstore bundle");
        }
        self.take(workspace, found, manifest).await?;
        Ok(bundles)
    }

    /// Brings a small artifact whole.
    async fn take(
        &self,
        workspace: &Workspace,
        found: &Fetched,
        manifest: &Manifest,
    ) -> Result<(), FetchError> {
        let too_long = manifest.blobs().any(|blob| blob.size > LONGEST_BLOB);
        if too_long || manifest.layers.len() > MOST {
            let reason = format!("signature {} is larger than any good one", found.digest);
            return Err(self.malformed(reason));
        }
        let wants = self.wants(manifest.blobs());
        self.bring(workspace, &wants, &Silent).await?;
        write_blob(workspace, found)
    }
}
