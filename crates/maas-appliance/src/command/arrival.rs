//! The record of an arrival: who looked at which media when, and what was found.

use camino::Utf8Path;
use maas_audit::arrival::{
    Arrival, ArrivedBundle, ArrivedRoot, Check, CheckOutcome, Clock, Medium, Operator, SCHEMA,
    SignedFile, SignedRole, Tool, VoiceCode,
};
use maas_bundle::{Bundle, Role, TrustedRoot};
use maas_types::Digest;
use sha2::Digest as _;

use super::person;
use crate::clock;

/// What was found beyond the metadata.
pub(super) struct Looked {
    pub(super) checks: Vec<Check>,
    pub(super) files: u64,
    pub(super) bytes: u64,
}

/// A check that passed.
pub(super) fn passed(id: &str, text: String) -> Check {
    check(id, CheckOutcome::Passed, text)
}

/// A check with its outcome.
pub(super) fn check(id: &str, outcome: CheckOutcome, text: String) -> Check {
    Check {
        id: id.to_owned(),
        outcome,
        text,
    }
}

/// Puts the record together.
pub(super) fn record(
    host: maas_audit::Origin,
    folders: &[camino::Utf8PathBuf],
    bundle: &Bundle,
    root: &TrustedRoot,
    looked: Looked,
) -> Arrival {
    let person = person::at_the_keyboard();
    let bill = bundle.bill();
    let digest = |bytes: &[u8]| Digest::from_bytes(sha2::Sha256::digest(bytes).into());
    Arrival {
        schema: SCHEMA.to_owned(),
        host,
        tool: Tool {
            name: "maas-appliance".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            digest: super::own_path()
                .ok()
                .and_then(|path| fs_err::read(path).ok())
                .map(|bytes| digest(&bytes)),
        },
        operator: Operator {
            uid: person.uid,
            login: person.name,
        },
        clock: Clock::judge(clock::now(), bundle.next_floors().time),
        media: folders.iter().map(|folder| medium(folder)).collect(),
        bundle: ArrivedBundle {
            id: bill.bundle.clone(),
            version: bill.version.clone(),
            epoch: bill.epoch,
            bill: *bundle.bill_digest(),
        },
        compare: VoiceCode::of(bundle.bill_digest()),
        root: ArrivedRoot {
            version: root.version(),
            fingerprint: *root.fingerprint().digest(),
        },
        signers: bundle
            .signers()
            .iter()
            .map(|(role, keys)| signed(root, *role, keys))
            .collect(),
        metadata: bundle
            .metadata_files()
            .iter()
            .map(|file| SignedFile {
                name: file.path.as_str().to_owned(),
                digest: digest(&file.bytes),
            })
            .collect(),
        checks: looked.checks,
        files: looked.files,
        bytes: looked.bytes,
    }
}

fn signed(root: &TrustedRoot, role: Role, keys: &[maas_bundle::SignerId]) -> SignedRole {
    SignedRole {
        role: role.as_str().to_owned(),
        threshold: u64::from(root.signers(role).0),
        signed: keys.iter().map(ToString::to_string).collect(),
    }
}

/// What the kernel knows of the device that a folder is mounted from.
fn medium(folder: &Utf8Path) -> Medium {
    let device = rustix::fs::stat(folder.as_str()).map(|found| found.st_dev);
    let Ok(device) = device else {
        return bare(folder, None);
    };
    let number = format!(
        "{}:{}",
        rustix::fs::major(device),
        rustix::fs::minor(device)
    );
    let mounts = fs_err::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let filesystem = filesystem(&mounts, &number);
    let mut medium = bare(folder, filesystem);
    let Ok(start) = Utf8Path::new(&format!("/sys/dev/block/{number}")).canonicalize_utf8() else {
        return medium;
    };
    let word = |path: &Utf8Path| {
        let text = fs_err::read_to_string(path).ok()?;
        let text: String = text.trim().chars().take(64).collect();
        (!text.is_empty()).then_some(text)
    };
    // From the partition to its disk, to the device that the disk is, to the USB device that carries it.
    for above in start
        .ancestors()
        .take_while(|above| above.starts_with("/sys/devices"))
    {
        medium.vendor = medium.vendor.or_else(|| word(&above.join("device/vendor")));
        medium.model = medium.model.or_else(|| word(&above.join("device/model")));
        medium.serial = medium.serial.or_else(|| word(&above.join("serial")));
    }
    medium
}

fn bare(folder: &Utf8Path, filesystem: Option<String>) -> Medium {
    Medium {
        path: folder.to_string(),
        label: folder.file_name().map(str::to_owned),
        vendor: None,
        model: None,
        serial: None,
        filesystem,
    }
}

/// The file system on a device, from `/proc/self/mountinfo` (proc(5)): after ` - `.
fn filesystem(mounts: &str, number: &str) -> Option<String> {
    let line = mounts
        .lines()
        .find(|line| line.split(' ').nth(2) == Some(number))?;
    let (_, after) = line.split_once(" - ")?;
    Some(after.split(' ').next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_of_a_device_is_the_kernels_word() {
        let mounts = "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
                      40 22 8:1 / /media/usb ro,nosuid shared:3 - vfat /dev/sda1 ro\n";
        assert_eq!(filesystem(mounts, "8:1"), Some("vfat".to_owned()));
        assert_eq!(filesystem(mounts, "8:2"), None);
    }
}
