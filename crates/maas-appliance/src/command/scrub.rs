//! `scrub`: reads the store over again.

use std::{fmt::Write as _, num::NonZeroU64, time::Duration};

use maas_store::{
    Disk, TrustDb,
    scrub::{
        Aside, Begin, Crooked, Damage, Event, Finding, Pace, Record, Report, Scrub, UsedBy, Verdict,
    },
};
use maas_types::{ByteSize, Exit, Layout};
use serde::Serialize;
use tokio::time::Instant;

use super::{install::holder, progress::Shown};
use crate::{
    cli::ScrubArgs,
    clock,
    error::CommandResult,
    output::{self, Format},
};

/// 100 MB/s: a third of what a single disk of today reads, and 9 TB in a day.
const RATE: u64 = 100_000_000;

/// `maas-appliance/scrub/v1`
#[derive(Debug, Serialize)]
struct Scrubbed {
    schema: &'static str,
    #[serde(flatten)]
    report: Report,
}

/// `maas-appliance/scrub-status/v1`
#[derive(Debug, Serialize)]
struct Status {
    schema: &'static str,
    #[serde(flatten)]
    known: Known,
}

#[derive(Debug, Serialize)]
struct Known {
    underway: Option<maas_store::scrub::Underway>,
    last: Option<maas_store::scrub::WholePass>,
    damage: Vec<Damage>,
}

/// Reads, or says what is known.
pub(super) fn run(args: &ScrubArgs, layout: &Layout) -> CommandResult {
    if args.status {
        return status(layout, args.json.format());
    }
    let scrub = Scrub::begin(Disk::real(), layout, holder("scrub"))?;
    let rate = match (args.rate, args.now) {
        (Some(ByteSize(rate)), _) => NonZeroU64::new(rate),
        (None, true) => None,
        (None, false) => NonZeroU64::new(RATE),
    };
    let begin = if args.now { Begin::Anew } else { Begin::GoOn };
    let aside = if args.dry_run {
        Aside::Leave
    } else {
        Aside::Move
    };
    let began = Instant::now();
    let passed = || began.elapsed();
    let mut pace = Pace::new(rate, &passed, &pause);
    let shown = Shown::default();
    let report = scrub.run(
        begin,
        aside,
        &clock::now,
        &mut pace,
        &mut |event| match event {
            Event::Planned { bytes, done } => {
                shown.begin("read again", bytes);
                shown.add(done);
            }
            Event::Read(bytes) => shown.add(bytes),
            Event::Found(finding) => output::words(&format!("FAIL  {}", sentence(finding))),
        },
    )?;
    shown.end();
    let exit = exit(report.found.len() + report.crooked.len());
    match args.json.format() {
        Format::Json => output::json(&Scrubbed {
            schema: "maas-appliance/scrub/v1",
            report,
        })?,
        Format::Text => output::data(&text(&report)),
    }
    Ok(exit)
}

fn pause(time: Duration) {
    std::thread::sleep(time);
}

fn exit(findings: usize) -> Exit {
    match findings {
        0 => Exit::Done,
        _ => Exit::Content,
    }
}

fn status(layout: &Layout, format: Format) -> CommandResult {
    let db = TrustDb::read(layout)?;
    let record = Record::read(layout)?.still_damaged(layout, db.as_ref())?;
    let known = Known {
        underway: record.underway,
        last: record.last,
        damage: record.damage,
    };
    let exit = exit(known.damage.len());
    match format {
        Format::Text => output::data(&status_text(&known)),
        Format::Json => output::json(&Status {
            schema: "maas-appliance/scrub-status/v1",
            known,
        })?,
    }
    Ok(exit)
}

fn status_text(known: &Known) -> String {
    let mut text = match &known.last {
        Some(last) => format!(
            "last pass   ended {}: {} blobs, {}, {} damaged\n",
            last.ended,
            last.blobs,
            ByteSize(last.bytes),
            last.damaged
        ),
        None => "last pass   none yet\n".to_owned(),
    };
    if let Some(underway) = &known.underway {
        let _ = writeln!(
            text,
            "under way   since {}: {} of {}",
            underway.began,
            ByteSize(underway.bytes_done),
            ByteSize(underway.bytes)
        );
    }
    for damage in &known.damage {
        text.push_str(&paragraph(&damage.finding, None));
    }
    text
}

fn text(report: &Report) -> String {
    let pass = &report.pass;
    let mut text = format!("Read {} blobs, {}", pass.blobs, ByteSize(pass.bytes));
    if report.is_good() {
        text.push_str(": all are as they were signed.\n");
        return text;
    }
    let _ = writeln!(
        text,
        ": {} are damaged, {} files do not lie as they should.",
        report.found.len(),
        report.crooked.len()
    );
    for found in &report.found {
        text.push_str(&paragraph(&found.finding, found.not_moved.as_deref()));
    }
    for Crooked { path, fault } in &report.crooked {
        let _ = writeln!(text, "FAIL  `{path}` {fault}");
    }
    if !report.crooked.is_empty() {
        text.push_str("      fix: install its bundle again from the medium; if it comes back, find out who writes there\n");
    }
    text
}

/// What is wrong with a blob, what it belongs to and what to do.
fn paragraph(finding: &Finding, not_moved: Option<&str>) -> String {
    let mut text = format!("FAIL  {}\n", sentence(finding));
    if let Some(aside) = &finding.aside {
        let _ = writeln!(
            text,
            "      moved aside to {aside}; what runs keeps what it has loaded"
        );
    }
    if let Some(why) = not_moved {
        let _ = writeln!(
            text,
            "      not moved aside, because {why}; run it again: maas-appliance scrub --now"
        );
    }
    text.push_str(if finding.used_by.is_empty() {
        "      fix: no generation needs it: maas-appliance gc\n"
    } else {
        "      fix: install the bundle again from the medium (maas-appliance install --media DIR),\n      \
         which reads what is damaged; then restart the engines that use it\n"
    });
    text
}

fn sentence(finding: &Finding) -> String {
    let what = match &finding.verdict {
        Verdict::Ok => "is as it should be".to_owned(),
        Verdict::Damaged { found, .. } => format!("is damaged: its bytes are {found}"),
        Verdict::Missing if finding.aside.is_some() => {
            "was damaged and is still missing".to_owned()
        }
        Verdict::Missing => "is missing".to_owned(),
        Verdict::Unreadable { error } => format!("cannot be read: {error}"),
    };
    format!("{} {what}{}", finding.digest, used_by(&finding.used_by))
}

/// `; it belongs to model `tiny` (generations 1-1, 2-1)`
fn used_by(used: &[UsedBy]) -> String {
    let mut whats: Vec<(&str, Vec<String>)> = Vec::new();
    for UsedBy { generation, what } in used {
        match whats.iter_mut().find(|(known, _)| known == what) {
            Some((_, generations)) => generations.push(generation.to_string()),
            None => whats.push((what, vec![generation.to_string()])),
        }
    }
    let parts: Vec<_> = whats
        .into_iter()
        .map(|(what, generations)| format!("{what} (generation {})", generations.join(", ")))
        .collect();
    if parts.is_empty() {
        String::new()
    } else {
        format!("; it belongs to {}", parts.join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use maas_types::Digest;

    use super::*;

    #[test]
    fn damage_is_told_with_what_it_belongs_to_and_what_to_do() {
        let used = |generation: &str, what: &str| UsedBy {
            generation: generation.parse().unwrap(),
            what: what.to_owned(),
        };
        let finding = Finding {
            digest: Digest::from_bytes([0xab; 32]),
            verdict: Verdict::Damaged {
                expected: Digest::from_bytes([0xab; 32]),
                found: Digest::from_bytes([0xcd; 32]),
            },
            used_by: vec![
                used("1-1", "model `tiny`"),
                used("2-1", "model `tiny`"),
                used("2-1", "the binary"),
            ],
            found_at: jiff::Timestamp::UNIX_EPOCH,
            aside: Some("/q/abab".into()),
        };
        insta::assert_snapshot!(paragraph(&finding, None), @r"
        FAIL  sha256:abababababababababababababababababababababababababababababababab is damaged: its bytes are sha256:cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd; it belongs to model `tiny` (generation 1-1, 2-1) and the binary (generation 2-1)
              moved aside to /q/abab; what runs keeps what it has loaded
              fix: install the bundle again from the medium (maas-appliance install --media DIR),
              which reads what is damaged; then restart the engines that use it
        ");
    }
}
