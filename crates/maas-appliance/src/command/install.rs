//! `install` and `ca export`.

mod follow;
mod volumes;

use std::fmt::Write as _;

use camino::Utf8Path;
use maas_audit::{Act, Action};
use maas_bundle::{Bundle, Expired, Media, Trust, Verified, verify_metadata};
use maas_install::{
    Event, Facts, Finding, Identity, Level, Outcome, Plan, Receipt, Seat, Site, Step, Trial,
    TrialWish,
};
use maas_store::{Generation, Holder, Lock, MediaFolder, MissingBytes, StoredRoot, TrustDb};
use maas_types::{BundleId, ByteSize, Digest, Exit, Layout};

use super::{lookup::published, progress::Shown};
use crate::{
    cli::InstallArgs,
    clock,
    config::Config,
    error::{CommandError, CommandResult},
    output::{self, Format},
};

/// Which command brings a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// The first one, or another one over it.
    Install,
    /// Another one in the place of what serves.
    Upgrade,
}

impl Verb {
    fn as_str(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
        }
    }
}

/// Who we are, for whoever finds the lock taken.
pub(super) fn holder(command: &str) -> Holder {
    Holder {
        pid: std::process::id(),
        command: format!("maas-appliance {command}"),
        since: clock::now(),
    }
}

/// Opens every volume.
pub(super) fn open_media(
    folders: &[impl AsRef<Utf8Path>],
) -> Result<Vec<MediaFolder>, CommandError> {
    folders
        .iter()
        .map(|folder| Ok(MediaFolder::open(folder.as_ref())?))
        .collect()
}

/// The same volumes as the crates take them.
pub(super) fn as_media(folders: &[MediaFolder]) -> Vec<&dyn Media> {
    folders.iter().map(|folder| folder as &dyn Media).collect()
}

/// The root that this host trusts, or what to type when there is none.
pub(super) fn trusted(db: Option<&TrustDb>) -> Result<StoredRoot, CommandError> {
    let newest = db.map(TrustDb::newest_root).transpose()?.flatten();
    newest.ok_or_else(|| {
        CommandError::new(Exit::Untrusted, "this host trusts nobody yet")
            .hint("maas-appliance trust add MEDIA/MAAS/BUNDLE/metadata/1.root.json")
    })
}

/// Reads a `--bundle`.
pub(super) fn bundle_id(text: Option<&str>) -> Result<Option<BundleId>, CommandError> {
    let parse = |text: &str| {
        text.parse()
            .map_err(|error: maas_types::NameError| CommandError::usage(error.to_string()))
    };
    text.map(parse).transpose()
}

/// Verifies, plans, applies: with all volumes, or with one after the other.
pub(super) fn run(args: &InstallArgs, layout: &Layout, verb: Verb) -> CommandResult {
    if verb == Verb::Upgrade && Generation::current_id(layout)?.is_none() {
        let error = CommandError::new(
            Exit::NotFound,
            "no release serves here that could be replaced",
        );
        return Err(error.hint("the first one: maas-appliance install --media DIR"));
    }
    let mut folders = match super::import::staged(args, layout) {
        Some(folder) => open_media(&[folder])?,
        None => open_media(&args.media)?,
    };
    let mut begun = None;
    loop {
        match attempt(args, layout, verb, &folders, &mut begun)? {
            Turn::Over(exit) => return Ok(exit),
            Turn::Again => {}
            Turn::Next(missing) => folders = volumes::next(&missing, &args.media)?,
        }
    }
}

/// How an attempt with the volumes at hand ended.
enum Turn {
    Over(Exit),
    /// Everything is here now.
    Again,
    /// Stored what was on them; this is still missing.
    Next(MissingBytes),
}

/// Who began with one release is not led to another by the next volume. `begun` is the bundle of the turns
/// before, with the digest of its bill.
fn go_on_with(
    begun: &mut Option<(BundleId, Digest)>,
    bundle: &BundleId,
    bill: &Digest,
) -> Result<(), CommandError> {
    let (id, digest) = begun.get_or_insert_with(|| (bundle.clone(), *bill));
    if digest == bill {
        return Ok(());
    }
    let error = CommandError::new(
        Exit::Medium,
        format!(
            "this volume has another release, `{bundle}`, than `{id}`, which was begun; nothing of it was taken"
        ),
    );
    Err(error.hint("what is stored stays; begin again with the volumes of one bundle"))
}

fn attempt(
    args: &InstallArgs,
    layout: &Layout,
    verb: Verb,
    folders: &[MediaFolder],
    begun: &mut Option<(BundleId, Digest)>,
) -> Result<Turn, CommandError> {
    let media = as_media(folders);
    let db = TrustDb::read(layout)?;
    let bundle = verified(args, db.as_ref(), &media)?;
    go_on_with(begun, &bundle.bill().bundle, bundle.bill_digest())?;
    if let Some(accepted) = bundle.accepted_expired() {
        for (file, expires) in &accepted.files {
            let reason = &accepted.reason;
            output::words(&format!(
                "WARN  {file} expired on {expires} and is accepted because: {reason}"
            ));
        }
    }
    let gpus = published(&layout.gpu_inventory())?;
    let config = super::config(layout)?;
    let mut facts = Facts::gather(
        layout,
        db.as_ref(),
        &bundle,
        &media,
        gpus,
        config.policy.clone(),
    )?;
    let machine = super::machine::look(
        layout,
        &config,
        Some(bundle.bill()),
        facts.host.gpus.as_ref(),
    );
    let reason = args.reason.as_deref().unwrap_or_default();
    let now: Vec<_> = args.accept.iter().map(|id| (id.as_str(), reason)).collect();
    facts.machine = super::machine::take(machine, &super::machine::accepted(layout)?, &now)?;
    if verb == Verb::Upgrade {
        facts.trial = TrialWish::Wanted;
    }
    // Closed before the lock is taken and the database is opened for writing.
    drop(db);
    let plan = Plan::new(facts, &bundle);
    let by_turns = args.one_at_a_time || (output::answerable() && !args.dry_run);
    let told = |finding: &&Finding| !(by_turns && finding.id == "P-MEDIA");
    tell_findings(plan.findings.iter().filter(told));
    if args.dry_run {
        return dry_run(&plan, &config, args.json.format()).map(Turn::Over);
    }
    if by_turns && plan.facts.missing.is_some() {
        plan.ready_for_a_volume()?;
        let lock = Lock::acquire(layout, &holder("install"))?;
        return volumes::take(&plan, &lock, &media);
    }
    plan.ready()?;
    let lock = Lock::acquire(layout, &holder(verb.as_str()))?;
    let receipt = apply(args, &plan, &lock, &media, &config)?;
    if receipt.outcome == Outcome::Installed {
        note(layout, &receipt)?;
    }
    // The trial needs it.
    drop(lock);
    on_trial(layout, &receipt).map(Turn::Over)
}

/// Writes the installation, and what was accepted for it, into the audit chain.
fn note(layout: &Layout, receipt: &Receipt) -> Result<(), CommandError> {
    for (id, reason) in &receipt.accepted {
        let act = Act::new(Action::PREFLIGHT_ACCEPTED, id).detail("reason", reason);
        super::evidence::note(layout, act)?;
    }
    let mut act = Act::new(Action::BUNDLE_INSTALLED, receipt.bundle.as_str())
        .detail("generation", receipt.generation)
        .detail("bill", receipt.bill_digest)
        .detail("epoch", receipt.epoch);
    if let Some(reason) = &receipt.accepted_expired {
        act = act.detail("accepted-expired", reason);
    }
    super::evidence::note(layout, act)
}

/// Waits until what is on trial serves, or is gone again.
fn on_trial(layout: &Layout, receipt: &Receipt) -> CommandResult {
    let trial = Trial::read(layout)?;
    if trial.is_none_or(|trial| trial.to != receipt.generation) {
        return Ok(Exit::Done);
    }
    match Seat::of(layout) {
        Seat::Host => follow::until_it_serves(layout, receipt.generation),
        // Nobody else watches: we do, to the end.
        Seat::Unsupervised | Seat::Folder => {
            super::waiting(super::trial::run(layout))?;
            follow::until_it_serves(layout, receipt.generation)
        }
    }
}

fn apply(
    args: &InstallArgs,
    plan: &Plan<'_>,
    lock: &Lock,
    media: &[&dyn Media],
    config: &Config,
) -> Result<Receipt, CommandError> {
    // Before anything is switched: a generation without a certificate would serve nobody.
    let site = Site {
        name: config.site.names.first().cloned().unwrap_or_default(),
        dns_names: config.site.names.clone(),
        addresses: config.site.addresses.clone(),
    };
    // A host whose clock lags behind what it has seen signed makes no certificate of that year.
    let seen = plan.trusted_time();
    Identity::ensure(lock, &site, clock::now().max(seen))?;
    maas_install::ensure_pepper(lock)?;
    let shown = Shown::default();
    let receipt = maas_install::apply(plan, lock, media, &clock::now, &mut |event| {
        tell(&shown, &event);
    })?;
    shown.end();
    match args.json.format() {
        Format::Json => output::json(&receipt)?,
        Format::Text => output::data(&summary(&receipt)),
    }
    Ok(receipt)
}

fn verified(
    args: &InstallArgs,
    db: Option<&TrustDb>,
    media: &[&dyn Media],
) -> Result<Verified<Bundle>, CommandError> {
    let wanted = bundle_id(args.staged.as_deref().or(args.bundle.as_deref()))?;
    let reason = args.reason.as_deref().filter(|_| args.accept_expired);
    verify_for_install(wanted.as_ref(), reason, db, media)
}

/// Verifies what this host would install: against its roots, its floors and its time.
pub(super) fn verify_for_install(
    wanted: Option<&BundleId>,
    accept_expired: Option<&str>,
    db: Option<&TrustDb>,
    media: &[&dyn Media],
) -> Result<Verified<Bundle>, CommandError> {
    let root = trusted(db)?;
    let floors = db.map(TrustDb::floors).transpose()?.unwrap_or_default();
    let expired = match accept_expired {
        Some(reason) => Expired::Accept {
            reason: reason.to_owned(),
        },
        None => Expired::Refuse,
    };
    let trust = Trust {
        root: &root.root,
        floors: &floors,
        now: clock::now(),
        expired: &expired,
    };
    Ok(verify_metadata(media, wanted, &trust)?)
}

/// Warnings and failures only: what is as it should be needs no line. By turns, volumes that are not in
/// yet are no failure.
pub(super) fn tell_findings<'a>(findings: impl Iterator<Item = &'a Finding>) {
    for finding in findings {
        let word = match finding.level {
            Level::Pass | Level::Accepted => continue,
            Level::Warn => "WARN",
            Level::Fail => "FAIL",
        };
        output::words(&format!("{word}  {}  {}", finding.id, finding.text));
        if let Some(fix) = &finding.fix {
            output::words(&format!("      fix: {fix}"));
        }
    }
}

fn dry_run(plan: &Plan<'_>, config: &Config, format: Format) -> CommandResult {
    match format {
        Format::Json => output::json(plan)?,
        Format::Text => {
            let mut text = format!(
                "Would install {} (version {}):\n",
                plan.bundle, plan.version
            );
            for (number, step) in (1..).zip(&plan.steps) {
                let _ = writeln!(text, "  {number}. {}", step.title());
            }
            if plan.facts.seat == Seat::Host {
                let files = super::host_setup::files(config);
                let laid = maas_install::survey(&files, &super::own_path()?)?;
                text.push_str(&super::host_setup::lines(&laid));
                text.push_str(
                    "restart maas-gpu-agent, maas-supervisor, maas-gateway (engines go on)\n",
                );
            }
            text.push_str("Nothing was changed.\n");
            output::data(&text);
        }
    }
    plan.ready()?;
    Ok(Exit::Done)
}

fn tell(shown: &Shown, event: &Event<'_>) {
    match event {
        Event::Step { number, of, step } => {
            shown.end();
            output::words(&format!("[{number}/{of}] {}", step.title()));
            if let Step::Blobs { bytes, .. } = step {
                shown.begin("copy + hash", *bytes);
            }
        }
        Event::Blobs(maas_store::Progress::Read(bytes)) => shown.add(*bytes),
        Event::Blobs(_) | Event::Image(_) => {}
    }
}

fn summary(receipt: &Receipt) -> String {
    let Receipt {
        bundle,
        version,
        epoch,
        generation,
        blobs,
        ..
    } = receipt;
    if receipt.outcome == Outcome::AlreadyInstalled {
        return format!("{bundle} (version {version}) is installed already: all is there.\n");
    }
    let took = receipt.finished.duration_since(receipt.started);
    let took = format!("{}.{} s", took.as_secs(), took.subsec_millis() / 100);
    let previous = receipt.previous.map_or_else(String::new, |previous| {
        format!("Before it: generation {previous}. Back to it: maas-appliance rollback\n")
    });
    format!(
        "Installed {bundle} (version {version}, epoch {epoch}) as generation {generation} in {took}.\n\
         Read {} from the media, wrote {}, {} were here.\n{previous}",
        ByteSize(blobs.bytes_read),
        ByteSize(blobs.bytes_written),
        ByteSize(blobs.bytes_present),
    )
}

/// Prints or writes the site's CA certificate.
pub(super) fn export_ca(layout: &Layout, out: Option<&Utf8Path>) -> CommandResult {
    let pem = Identity::in_folder(layout.tls()).ca_pem()?;
    match out {
        None => output::data(&pem),
        Some(path) => {
            fs_err::write(path, pem)?;
            output::words(&format!(
                "CA certificate in {path}; clients trust this one file."
            ));
        }
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_volume_does_not_lead_to_another_release() {
        let mut begun = None;
        let id = |text: &str| text.parse::<BundleId>().unwrap();
        let bill = |byte: u8| Digest::from_hex(&hex_of(byte)).unwrap();
        go_on_with(&mut begun, &id("ra-5"), &bill(1)).unwrap();
        go_on_with(&mut begun, &id("ra-5"), &bill(1)).unwrap();
        // Another name, or the same name over another bill.
        for (bundle, byte) in [("rb-4", 2), ("ra-5", 3)] {
            assert!(go_on_with(&mut begun, &id(bundle), &bill(byte)).is_err());
        }
        go_on_with(&mut begun, &id("ra-5"), &bill(1)).unwrap();
    }

    fn hex_of(byte: u8) -> String {
        format!("{byte:02x}").repeat(32)
    }
}
