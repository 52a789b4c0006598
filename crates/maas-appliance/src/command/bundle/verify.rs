//! `bundle verify`: signatures, freshness and every byte, without installing anything.

use camino::{Utf8Path, Utf8PathBuf};
use maas_bundle::{
    Bundle, Endorsement, Expired, Fingerprint, Floors, Media, Report, Trust, TrustedRoot, Verified,
    look_into, verify_contents, verify_metadata, verify_surroundings,
};
use maas_store::{Presence, Store, TrustDb};
use maas_types::{BundleId, Digest, Exit, Layout};
use serde::Serialize;

use super::text;
use crate::{
    cli::VerifyArgs,
    clock,
    command::{
        install::{as_media, bundle_id, open_media, trusted},
        progress::Shown,
    },
    error::{CommandError, CommandResult},
    output::{self, Format},
};

/// `bundle verify --json` and `--report`: the evidence that the checks ran, and what they found.
#[derive(Debug, Serialize)]
struct Verification<'a> {
    schema: &'static str,
    /// The program that checked.
    tool: &'static str,
    /// When, by this machine's clock.
    checked: jiff::Timestamp,
    volumes: Vec<String>,
    bundle: &'a BundleId,
    version: &'a str,
    epoch: u64,
    bill_digest: String,
    root_version: u64,
    root_fingerprint: String,
    signers: Vec<SignedRole<'a>>,
    /// Whether content was read, or names, lengths and small files only.
    content_read: bool,
    good: bool,
    #[serde(flatten)]
    report: &'a Report,
    /// Signatures of makers that were found good.
    endorsements: &'a [Endorsement],
    /// Why a model or a maker's signature was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    /// Blobs of a delta that this host does not have.
    lacking: Vec<Digest>,
}

#[derive(Debug, Serialize)]
struct SignedRole<'a> {
    role: &'a str,
    keys: Vec<String>,
}

/// Verifies, and writes the report where one is wanted.
pub(super) fn run(args: &VerifyArgs, layout: &Layout) -> CommandResult {
    let folders = open_media(&args.media)?;
    let media = as_media(&folders);
    let id = bundle_id(args.bundle.as_deref())?;
    let own = args.trust_root.as_ref().zip(args.fingerprint.as_deref());
    let db = match own {
        Some(_) => None,
        None => TrustDb::read(layout)?,
    };
    let (root, floors) = start(db.as_ref(), own)?;
    let refuse = Expired::Refuse;
    let trust = Trust {
        root: &root,
        floors: &floors,
        now: clock::now(),
        expired: &refuse,
    };
    let bundle = verify_metadata(&media, id.as_ref(), &trust)?;
    let root = bundle.new_roots().last().unwrap_or(&root);
    let found = Found::look(args, &bundle, &media, db.as_ref(), layout)?;
    let verification = verification(&bundle, root, &media, &found, args);
    if let Some(path) = &args.report {
        write_report(path, &verification)?;
    }
    match args.json.format() {
        Format::Json => output::json(&verification)?,
        Format::Text => output::data(&text::verification(&bundle, &media, &found)),
    }
    Ok(found.exit())
}

/// What is trusted: what this host trusts, or a root that was named with its fingerprint.
fn start(
    db: Option<&TrustDb>,
    own: Option<(&Utf8PathBuf, &str)>,
) -> Result<(TrustedRoot, Floors), CommandError> {
    let Some((file, fingerprint)) = own else {
        let floors = db.map(TrustDb::floors).transpose()?.unwrap_or_default();
        return Ok((trusted(db)?.root, floors));
    };
    let expected: Fingerprint = fingerprint
        .parse()
        .map_err(|e: maas_bundle::FingerprintError| CommandError::usage(e.to_string()))?;
    let root = TrustedRoot::pin(&fs_err::read(file)?, &expected)?;
    Ok((root, Floors::default()))
}

/// What a verification found beyond the metadata.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) report: Report,
    pub(super) content_read: bool,
    pub(super) endorsements: Vec<Endorsement>,
    /// Text and exit code.
    pub(super) refused: Option<(String, Exit)>,
    pub(super) lacking: Vec<Digest>,
}

impl Found {
    fn look(
        args: &VerifyArgs,
        bundle: &Verified<Bundle>,
        media: &[&dyn Media],
        db: Option<&TrustDb>,
        layout: &Layout,
    ) -> Result<Self, CommandError> {
        let shown = Shown::default();
        let report = if args.metadata_only {
            verify_surroundings(bundle, media, &shown)
        } else {
            verify_contents(bundle, media, &shown)
        };
        shown.end();
        let mut found = Self {
            lacking: lacking(bundle, &report, db, layout)?,
            report,
            content_read: !args.metadata_only,
            endorsements: Vec::new(),
            refused: None,
        };
        if found.content_read && found.report.is_good() && found.lacking.is_empty() {
            let store = Store::new(layout);
            match look_into(bundle, media, Some(&|blob, limit| store.head(blob, limit))) {
                Ok(endorsements) => found.endorsements = endorsements,
                Err(error) => {
                    found.refused = Some((crate::error::chain(&error), error.exit()));
                }
            }
        }
        Ok(found)
    }

    fn exit(&self) -> Exit {
        match (self.report.exit(), &self.refused) {
            (Exit::Done, Some((_, exit))) => *exit,
            (Exit::Done, None) if !self.lacking.is_empty() => Exit::Medium,
            (exit, _) => exit,
        }
    }

    fn is_good(&self) -> bool {
        self.exit() == Exit::Done
    }
}

/// What a delta leaves out and this host has not. Where there is no host, all of it.
fn lacking(
    bundle: &Verified<Bundle>,
    report: &Report,
    db: Option<&TrustDb>,
    layout: &Layout,
) -> Result<Vec<Digest>, CommandError> {
    let store = Store::new(layout);
    let mut lacking = Vec::new();
    for digest in &report.left_out {
        let here = match (db, bundle.bill().blob(digest)) {
            (Some(_), Some(blob)) => store.presence(db, blob)?,
            _ => Presence::Absent,
        };
        if !matches!(here, Presence::Stored | Presence::Unnoted) {
            lacking.push(*digest);
        }
    }
    Ok(lacking)
}

fn verification<'a>(
    bundle: &'a Verified<Bundle>,
    root: &TrustedRoot,
    media: &[&dyn Media],
    found: &'a Found,
    args: &VerifyArgs,
) -> Verification<'a> {
    let signers = bundle.signers().iter().map(|(role, keys)| SignedRole {
        role: role.as_str(),
        keys: keys.iter().map(ToString::to_string).collect(),
    });
    Verification {
        schema: "maas-appliance/bundle-verify/v1",
        tool: concat!("maas-appliance ", env!("CARGO_PKG_VERSION")),
        checked: clock::now(),
        volumes: media.iter().map(|m| m.label().to_owned()).collect(),
        bundle: &bundle.bill().bundle,
        version: &bundle.bill().version,
        epoch: bundle.bill().epoch,
        bill_digest: bundle.bill_digest().to_string(),
        root_version: root.version(),
        root_fingerprint: root.fingerprint().to_string(),
        signers: signers.collect(),
        content_read: !args.metadata_only,
        good: found.is_good(),
        report: &found.report,
        endorsements: &found.endorsements,
        refused: found.refused.as_ref().map(|(text, _)| text.clone()),
        lacking: found.lacking.clone(),
    }
}

fn write_report(path: &Utf8Path, verification: &Verification<'_>) -> Result<(), CommandError> {
    let mut text = serde_json::to_string_pretty(verification)
        .map_err(|error| CommandError::new(Exit::Bug, error))?;
    text.push('\n');
    fs_err::write(path, text)?;
    output::words(&format!("The report is in {path}."));
    Ok(())
}
