//! `trust root …`: making the roots that say who may sign, on the connected side.
//!
//! A root is a file that travels between the people who sign it. Nothing here overwrites one, and
//! nothing here makes a host trust it.

use camino::{Utf8Path, Utf8PathBuf};
use maas_bundle::{PublicKey, RootFile, RootSigners, Signer, Signers};
use maas_types::Exit;

use super::RootView;
use crate::{
    cli::{NextRootArgs, ReleaseSignersArgs, TrustRootCommand},
    clock,
    command::{
        bundle::text::signed,
        elsewhere::{bring, export},
        key,
    },
    error::{CommandError, CommandResult},
    output,
};

/// A key id is named by this many digits at least: a handful of keys never agree in them, and they
/// can be read out on the telephone.
const FEWEST_DIGITS: usize = 8;

pub(super) fn run(command: TrustRootCommand) -> CommandResult {
    match command {
        TrustRootCommand::Init {
            threshold,
            keys,
            releases,
            out,
        } => {
            let signers = signers(&keys, threshold, &releases)?;
            create(&RootFile::init_for(&signers, clock::now())?, &out, None)
        }
        TrustRootCommand::Rotate {
            root,
            threshold,
            keys,
            releases,
            next,
        } => follow(&root, &signers(&keys, threshold, &releases)?, next),
        TrustRootCommand::AddKey {
            root,
            keys,
            threshold,
            releases,
            next,
        } => {
            let more = publics(&keys)?;
            let change = |signers: &mut Signers| {
                signers.keys.extend(&more);
                signers.threshold = threshold.unwrap_or(signers.threshold);
                Ok(())
            };
            follow(
                &root,
                &changed(&open(&root)?, releases.into(), change)?,
                next,
            )
        }
        TrustRootCommand::RemoveKey {
            root,
            keys,
            threshold,
            releases,
            next,
        } => {
            let change = |signers: &mut Signers| {
                signers.keys = without(&signers.keys, &keys)?;
                signers.threshold = threshold.unwrap_or(signers.threshold);
                Ok(())
            };
            follow(
                &root,
                &changed(&open(&root)?, releases.into(), change)?,
                next,
            )
        }
        TrustRootCommand::Sign {
            root,
            previous,
            key,
            passphrase,
            elsewhere,
        } => {
            let to_be_signed = vec![open(&root)?.to_be_signed()];
            if let Some(to) = &elsewhere.export {
                return export(to, &to_be_signed);
            }
            match (key, elsewhere.public, elsewhere.signatures) {
                (Some(key), _, _) => sign(&root, previous, &key::open(&key, &passphrase)?),
                (None, Some(public), Some(from)) => {
                    sign(&root, previous, &bring(&public, &from, to_be_signed)?)
                }
                // The parser has refused the rest.
                (None, _, _) => Ok(Exit::Usage),
            }
        }
    }
}

fn open(file: &Utf8Path) -> Result<RootFile, CommandError> {
    Ok(RootFile::parse(&fs_err::read(file)?)?)
}

fn publics(files: &[Utf8PathBuf]) -> Result<Vec<PublicKey>, CommandError> {
    files.iter().map(|file| key::open_public(file)).collect()
}

/// The keys of roots, and those of releases where they have their own.
fn signers(
    keys: &[Utf8PathBuf],
    threshold: u32,
    releases: &ReleaseSignersArgs,
) -> Result<RootSigners, CommandError> {
    let mut signers = RootSigners::same(&publics(keys)?, threshold);
    if let Some(threshold) = releases.release_threshold {
        signers.releases = Signers {
            keys: publics(&releases.release_keys)?,
            threshold,
        };
    }
    Ok(signers)
}

/// Whose signers change.
#[derive(Debug, Clone, Copy)]
enum Whose {
    /// Those of roots, and those of releases where they are the same.
    Roots,
    /// Those of releases only.
    Releases,
}

impl From<bool> for Whose {
    fn from(releases: bool) -> Self {
        if releases {
            Self::Releases
        } else {
            Self::Roots
        }
    }
}

/// The signers of a root after a change.
fn changed(
    root: &RootFile,
    whose: Whose,
    change: impl Fn(&mut Signers) -> Result<(), CommandError>,
) -> Result<RootSigners, CommandError> {
    let mut signers = root.signers();
    match whose {
        Whose::Releases => change(&mut signers.releases)?,
        Whose::Roots if signers.are_the_same() => {
            change(&mut signers.root)?;
            signers.releases = signers.root.clone();
        }
        Whose::Roots => change(&mut signers.root)?,
    }
    Ok(signers)
}

/// These keys but those that `ids` name.
fn without(keys: &[PublicKey], ids: &[String]) -> Result<Vec<PublicKey>, CommandError> {
    let mut keys = keys.to_vec();
    for id in ids {
        let found: Vec<_> = keys
            .iter()
            .filter(|key| id.len() >= FEWEST_DIGITS && key.id().to_string().starts_with(id))
            .copied()
            .collect();
        let [one] = found.as_slice() else {
            return Err(CommandError::usage(format!(
                "`{id}` names {} of the root's keys, not one",
                found.len()
            ))
            .hint("give 8 digits or more; the ids stand in: maas-appliance trust show ROOT"));
        };
        keys.retain(|key| key != one);
    }
    Ok(keys)
}

/// Makes the root after the one in `file`.
fn follow(file: &Utf8Path, signers: &RootSigners, next: NextRootArgs) -> CommandResult {
    let old = open(file)?;
    let new = old.rotate_to(signers, clock::now())?;
    let out = next
        .out
        .unwrap_or_else(|| file.with_file_name(format!("{}.root.json", new.version())));
    create(&new, &out, Some(&old))
}

fn create(root: &RootFile, out: &Utf8Path, previous: Option<&RootFile>) -> CommandResult {
    if out.exists() {
        return Err(CommandError::usage(format!(
            "{out} is already there; a root is never overwritten"
        )));
    }
    fs_err::write(out, root.bytes())?;
    let (version, signers) = (root.version(), root.signers());
    let count = |signers: &Signers| format!("{} of {} keys", signers.threshold, signers.keys.len());
    output::words(&if signers.are_the_same() {
        format!(
            "Root {version} in {out}: {} must sign.",
            count(&signers.root)
        )
    } else {
        format!(
            "Root {version} in {out}: {} must sign roots, {} releases.",
            count(&signers.root),
            count(&signers.releases)
        )
    });
    output::words(&RootView::of(root).text());
    match previous {
        None => {
            output::words(
                "Print the fingerprint; it must reach the other side apart from the media.",
            );
        }
        Some(old) => output::words(&format!(
            "Hosts that trust root {} follow by themselves, with any later bundle, once {} of its keys \
             have signed too.",
            old.version(),
            old.threshold()
        )),
    }
    output::words(&format!(
        "Next, for each of those keys: maas-appliance trust root sign {out} --key KEY"
    ));
    Ok(Exit::Done)
}

fn sign(file: &Utf8Path, previous: Option<Utf8PathBuf>, key: &dyn Signer) -> CommandResult {
    let mut root = open(file)?;
    let previous = predecessor(file, &root, previous)?;
    let added = root.sign(key, previous.as_ref())?;
    if added {
        // Beside it and by rename: a root that is cut off half-way would be lost.
        let beside = Utf8PathBuf::from(format!("{file}.new"));
        fs_err::write(&beside, root.bytes())?;
        fs_err::rename(&beside, file)?;
    }
    let who = key.public().id().short();
    if !added {
        output::words(&format!(
            "Key {who} had signed {file} before; nothing changed."
        ));
        return Ok(Exit::Done);
    }
    match previous {
        None => {
            let status = root.status();
            let (count, need) = (status.signed.len(), status.need);
            output::words(&if status.is_complete() {
                format!("Key {who} has signed {file}: {count} of {need}; hosts can trust it.")
            } else {
                format!("Key {who} has signed {file}: {count} of {need} needed.")
            });
        }
        Some(previous) => {
            let handover = root.handover(&previous);
            output::words(&format!("Key {who} has signed {file}."));
            output::words(&format!("old keys     {}", signed(&handover.old)));
            output::words(&format!("new keys     {}", signed(&handover.new)));
            if handover.is_complete() {
                output::words(&format!(
                    "Hosts that trust root {} follow to it.",
                    previous.version()
                ));
            }
        }
    }
    Ok(Exit::Done)
}

/// The root before `root`, whose keys sign too: the named file, or the one beside it.
fn predecessor(
    file: &Utf8Path,
    root: &RootFile,
    named: Option<Utf8PathBuf>,
) -> Result<Option<RootFile>, CommandError> {
    let Some(version) = root.version().checked_sub(1).filter(|version| *version > 0) else {
        return Ok(None);
    };
    let beside = || file.with_file_name(format!("{version}.root.json"));
    let path = named.unwrap_or_else(beside);
    if !path.exists() {
        return Err(CommandError::usage(format!(
            "root {} follows root {version}, which is not at {path}",
            root.version()
        ))
        .hint("its keys sign too: say where it is with --previous FILE"));
    }
    let previous = open(&path)?;
    if previous.version() == version {
        return Ok(Some(previous));
    }
    Err(CommandError::usage(format!(
        "{path} is root {}, and root {} follows root {version}",
        previous.version(),
        root.version()
    )))
}
