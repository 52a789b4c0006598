//! Whether a host is fit for a bundle: every finding at once, each with what to do about it.

use maas_host::{Finding, Level};
use maas_types::{BillOfLading, ByteSize, Exit, Requirements};

use crate::{EngineImage, Facts, plan::Needs};

/// How a failed finding of ours ends the command.
fn exit_of(id: &str) -> Exit {
    match id {
        "P-SPACE" | "P-INODES" => Exit::NoSpace,
        "P-MEDIA" | "P-BASE" => Exit::Medium,
        "P-CONTENT" => Exit::Content,
        "P-EPOCH" => Exit::Stale,
        "P-CODE" => Exit::Policy,
        "P-APPROVAL" => Exit::Approval,
        _ => Exit::HostCheck,
    }
}

/// What is not as it should be, and what to do about it.
fn bad(id: &'static str, level: Level, text: String, fix: impl Into<String>) -> Finding {
    match level {
        Level::Fail => Finding::fail(id, text, fix.into()).exiting(exit_of(id)),
        Level::Pass | Level::Accepted | Level::Warn => Finding::warn(id, text, fix.into()),
    }
}

/// Looks at everything that can be known before the first write.
pub fn preflight(facts: &Facts, bill: &BillOfLading) -> Vec<Finding> {
    let needs = Needs::of(facts, bill);
    [
        platform(facts, &bill.requires),
        user(facts),
        file_system(facts),
        space(facts, &needs),
        inodes(facts, &needs),
        bases(facts),
        volumes(facts, &needs),
        surroundings(facts),
        epoch(facts, bill),
        code(facts, bill),
        approval(facts),
        image(facts, bill),
        generations(facts),
        memory(facts, bill),
        gpus(facts, bill),
    ]
    .into_iter()
    .chain(facts.machine.iter().cloned())
    .collect()
}

fn platform(facts: &Facts, requires: &Requirements) -> Finding {
    let (arch, os) = (&facts.host.arch, &facts.host.os);
    let want = format!("{}/{}", requires.os, requires.arch)
        .escape_debug()
        .to_string();
    if *arch == requires.arch && *os == requires.os {
        return Finding::pass(
            "P-ARCH",
            format!("the bundle is made for {want}, as this host is"),
        );
    }
    bad(
        "P-ARCH",
        Level::Fail,
        format!("the bundle is made for {want}, this host is {os}/{arch}"),
        format!("ask the sender for a bundle for {os}/{arch}"),
    )
}

fn user(facts: &Facts) -> Finding {
    let Facts { host, .. } = facts;
    if host.uid == 0 {
        return Finding::pass("P-USER", "running as root".to_owned());
    }
    if host.root == "/" {
        return bad(
            "P-USER",
            Level::Fail,
            format!(
                "running as user {}, and only root installs to `/`",
                host.uid
            ),
            "use sudo, or install below a folder of your own with --root DIR",
        );
    }
    let text = format!("running as user {}, below `{}`", host.uid, host.root);
    Finding::pass("P-USER", text)
}

fn file_system(facts: &Facts) -> Finding {
    let disk = &facts.host.disk;
    match &facts.host.unfit_file_system {
        None => Finding::pass("P-DISK", format!("`{disk}` can hold a store")),
        Some(name) => bad(
            "P-DISK",
            Level::Fail,
            format!("`{disk}` is {name}, which has no hard links and no modes"),
            "put the state folder on ext4, XFS or btrfs",
        ),
    }
}

fn space(facts: &Facts, needs: &Needs) -> Finding {
    let (free, need) = (ByteSize(facts.host.free_bytes), ByteSize(needs.bytes_free));
    let text = format!("{need} must be free on `{}`, {free} are", facts.host.disk);
    if free >= need {
        return Finding::pass("P-SPACE", text);
    }
    let short = ByteSize(need.0 - free.0);
    let fix = format!("free {short}, or put the state folder on a bigger disk");
    bad("P-SPACE", Level::Fail, text, fix)
}

fn inodes(facts: &Facts, needs: &Needs) -> Finding {
    let (disk, need) = (&facts.host.disk, needs.inodes_free);
    match facts.host.free_inodes {
        None => Finding::pass(
            "P-INODES",
            format!("`{disk}` makes inodes as it needs them"),
        ),
        Some(free) if free >= need => Finding::pass(
            "P-INODES",
            format!("{need} inodes must be free on `{disk}`, {free} are"),
        ),
        Some(free) => bad(
            "P-INODES",
            Level::Fail,
            format!("{need} inodes must be free on `{disk}`, {free} are"),
            "remove small files there, or make the file system with more inodes",
        ),
    }
}

/// Before any stick is asked for: a delta on a host that lacks its base never comes to an end.
fn bases(facts: &Facts) -> Finding {
    let Some(first) = facts.lacking.first() else {
        return Finding::pass(
            "P-BASE",
            "nothing that the volumes leave out is missing".to_owned(),
        );
    };
    let count = facts.lacking.len();
    bad(
        "P-BASE",
        Level::Fail,
        format!(
            "the volumes are a delta, and {count} blob(s) that they leave out are not here: {first}"
        ),
        "ask the sender for a full copy, or send an inventory again: maas-appliance inventory --export",
    )
}

fn volumes(facts: &Facts, needs: &Needs) -> Finding {
    match &facts.missing {
        None => Finding::pass(
            "P-MEDIA",
            format!(
                "{} to read, and all of it is on the volumes",
                ByteSize(needs.bytes_to_read)
            ),
        ),
        Some(missing) => bad(
            "P-MEDIA",
            Level::Fail,
            missing.to_string(),
            "put the other volumes in and name each with --media",
        ),
    }
}

/// Names, lengths and small files. The blobs are compared while they are stored.
fn surroundings(facts: &Facts) -> Finding {
    let report = &facts.surroundings;
    let first = report.problems.first();
    let Some(first) = first else {
        let text = format!("{} files beside the blobs are as signed", report.files);
        return Finding::pass("P-CONTENT", text);
    };
    let text = match report.problems.len() {
        1 => first.to_string(),
        several => format!("{first}, and {} more findings", several - 1),
    };
    let fix = "do not use this medium; ask the sender for another copy";
    bad("P-CONTENT", Level::Fail, text, fix)
}

fn epoch(facts: &Facts, bill: &BillOfLading) -> Finding {
    let (floor, epoch) = (facts.epoch_floor, bill.epoch);
    if epoch < floor {
        return bad(
            "P-EPOCH",
            Level::Fail,
            format!("the bundle has epoch {epoch}, this host has already installed epoch {floor}"),
            "ask the sender for a newer bundle; to go back to one that is here, use rollback",
        );
    }
    if let Some(other) = facts.same_epoch {
        return bad(
            "P-EPOCH",
            Level::Warn,
            format!(
                "epoch {epoch} is also that of generation {other}, which is another release: whoever hands in \
                 media can go from one to the other"
            ),
            "ask the sender to count the epoch up with every release",
        );
    }
    let text = match floor {
        0 => format!("epoch {epoch} is the first one here"),
        floor if floor == epoch => format!("epoch {epoch} is the one this host has accepted"),
        floor => format!("epoch {epoch} is newer than {floor}"),
    };
    Finding::pass("P-EPOCH", text)
}

/// Code that comes with a model runs with the engine's rights: the signers allow it, and the site must
/// too.
fn code(facts: &Facts, bill: &BillOfLading) -> Finding {
    let models = bill.models.iter().map(|model| &model.manifest);
    let with_code: Vec<_> = models
        .filter(|manifest| manifest.remote_code)
        .map(|manifest| format!("`{}`", manifest.name))
        .collect();
    let text = match with_code.len() {
        0 => "no model comes with code of its own".to_owned(),
        _ => format!("code comes with {}", with_code.join(", ")),
    };
    match (with_code.is_empty(), facts.policy.remote_code) {
        (true, _) => Finding::pass("P-CODE", text),
        (false, true) => bad(
            "P-CODE",
            Level::Warn,
            format!("{text}, and this site lets it run"),
            "to refuse it, set remote_code = false under [policy]",
        ),
        (false, false) => bad(
            "P-CODE",
            Level::Fail,
            format!("{text}, and this site does not let it run"),
            "read the code; to let it run, set remote_code = true under [policy] in appliance.toml",
        ),
    }
}

/// What engines run in must be in the bundle: without it none of them would start.
fn image(facts: &Facts, bill: &BillOfLading) -> Finding {
    let names: Vec<_> = bill
        .images
        .iter()
        .map(|image| format!("`{}`", image.name))
        .collect();
    let wanted = &facts.policy.engine_image;
    match (wanted, wanted.of(bill)) {
        (EngineImage::None, _) => Finding::pass(
            "P-IMAGE",
            "engines run with the vLLM of this host".to_owned(),
        ),
        (_, Some((name, _))) => Finding::pass("P-IMAGE", format!("engines run in `{name}`")),
        (EngineImage::Only | EngineImage::Named(_), None) => bad(
            "P-IMAGE",
            Level::Fail,
            match names.len() {
                0 => "engines are to run in an image, and the bundle has none".to_owned(),
                _ => format!(
                    "which image engines run in is not clear: the bundle has {}",
                    names.join(", ")
                ),
            },
            "say image = \"NAME\" under [engines] in appliance.toml, or runtime = \"host\" with a vLLM of the host",
        ),
    }
}

/// One person is whoever types `install`. Where a site asks for more, all of them have said so before.
fn approval(facts: &Facts) -> Finding {
    let (need, approvals) = (facts.policy.approvals, &facts.approvals);
    let names = approvals.names();
    let have = approvals.given.len();
    if need <= 1 {
        let text = "this site lets one person install".to_owned();
        return Finding::pass("P-APPROVAL", text);
    }
    if have >= need as usize {
        let text = format!("approved by {names}");
        return Finding::pass("P-APPROVAL", text);
    }
    let text = match have {
        0 => format!("this site wants {need} people to agree, and nobody has yet"),
        _ => format!("this site wants {need} people to agree, and only {names} did"),
    };
    let bundle = &approvals.bundle;
    let fix = match have {
        0 => "maas-appliance import --media DIR; then, as somebody else, approve".to_owned(),
        _ => format!("somebody else types: maas-appliance approve {bundle}"),
    };
    bad("P-APPROVAL", Level::Fail, text, fix)
}

fn generations(facts: &Facts) -> Finding {
    if facts.damaged.is_empty() {
        let text = format!("{} generations here can be read", facts.generations.len());
        return Finding::pass("P-GENERATIONS", text);
    }
    bad(
        "P-GENERATIONS",
        Level::Warn,
        facts.damaged.join("; "),
        "this bundle is installed beside it; remove the folder of the damaged one by hand",
    )
}

/// vLLM, its Python and its compile caches take about 4 GB before the first weight; below that an
/// engine is killed by the kernel while it starts.
const LEAST_MEMORY: u64 = 4_000_000_000;

fn memory(facts: &Facts, bill: &BillOfLading) -> Finding {
    let have = facts.host.memory_bytes;
    let text = format!(
        "{} of memory, {} processors",
        ByteSize(have),
        facts.host.processors
    );
    if have >= LEAST_MEMORY || bill.models.is_empty() {
        return Finding::pass("P-MEMORY", text);
    }
    bad(
        "P-MEMORY",
        Level::Warn,
        text,
        format!("an engine needs about {}", ByteSize(LEAST_MEMORY)),
    )
}

fn gpus(facts: &Facts, bill: &BillOfLading) -> Finding {
    let wanted = |gpus: u32, replicas: u32| u64::from(gpus) * u64::from(replicas);
    let wanted: u64 = bill
        .models
        .iter()
        .map(|model| wanted(model.manifest.engine.gpus, model.manifest.engine.replicas))
        .sum();
    match &facts.host.gpus {
        None => Finding::pass("P-GPU", "nobody has asked for GPUs yet".to_owned()),
        Some(inventory) if inventory.gpus.is_empty() => bad(
            "P-GPU",
            Level::Warn,
            "this host shows no GPU: engines run on its processors".to_owned(),
            "if it has GPUs, install the NVIDIA driver",
        ),
        Some(inventory) if (inventory.gpus.len() as u64) < wanted => bad(
            "P-GPU",
            Level::Warn,
            format!(
                "the models want {wanted} GPUs, {} are here",
                inventory.gpus.len()
            ),
            "some models will not be started, or share a GPU",
        ),
        Some(inventory) => Finding::pass(
            "P-GPU",
            format!(
                "the models want {wanted} GPUs, {} are here",
                inventory.gpus.len()
            ),
        ),
    }
}
