//! `doctor`: everything that could be wrong, with what to type; what is as it should be is counted.

use std::fmt::Write as _;

use maas_host::{Finding, Level};
use maas_store::{Generation, Lock};
use maas_types::{Exit, GpuInventory, Layout};
use serde::Serialize;

use super::{install::holder, lookup::published, machine, person, status};
use crate::{
    cli::DoctorArgs,
    config::Config,
    error::CommandResult,
    output::{self, Format},
};

/// `maas-appliance/doctor/v1`
#[derive(Debug, Serialize)]
struct Diagnosis {
    schema: &'static str,
    findings: Vec<Finding>,
    services: Vec<status::Problem>,
}

/// Looks, and accepts where it is told to.
pub(super) async fn run(args: &DoctorArgs, layout: &Layout, config: &Config) -> CommandResult {
    let generation = Generation::current(layout)?;
    let gpus: Option<GpuInventory> = published(&layout.gpu_inventory())?;
    let bill = generation
        .as_ref()
        .map(|generation| &generation.record().bill);
    let found = machine::look(layout, config, bill, gpus.as_ref());
    let reason = args.reason.as_deref().unwrap_or_default();
    let now: Vec<_> = args.accept.iter().map(|id| (id.as_str(), reason)).collect();
    let findings = machine::take(found, &machine::accepted(layout)?, &now)?;
    if !now.is_empty() {
        let lock = Lock::acquire(layout, &holder("doctor"))?;
        machine::remember(&lock, &now, &person::at_the_keyboard())?;
    }
    let diagnosis = Diagnosis {
        schema: "maas-appliance/doctor/v1",
        findings,
        services: status::problems(layout, config).await?,
    };
    match args.json.format() {
        Format::Json => output::json(&diagnosis)?,
        Format::Text => {
            let shown = if args.all { Shown::All } else { Shown::Wrong };
            output::data(&text(&diagnosis, shown));
        }
    }
    Ok(exit(&diagnosis))
}

fn exit(diagnosis: &Diagnosis) -> Exit {
    let worst = diagnosis.findings.iter().map(|finding| finding.level).max();
    match (worst, diagnosis.services.is_empty()) {
        (Some(Level::Fail), _) => Exit::Down,
        (Some(Level::Warn), _) | (_, false) => Exit::Degraded,
        (Some(Level::Pass | Level::Accepted) | None, true) => Exit::Done,
    }
}

fn text(diagnosis: &Diagnosis, shown: Shown) -> String {
    let mut text = String::new();
    let mut counts = [0_usize; 4];
    for finding in &diagnosis.findings {
        let (word, count) = match finding.level {
            Level::Pass => ("PASS", 0),
            Level::Accepted => ("TAKEN", 1),
            Level::Warn => ("WARN", 2),
            Level::Fail => ("FAIL", 3),
        };
        counts[count] += 1;
        if finding.level != Level::Pass || shown == Shown::All {
            let _ = writeln!(text, "{word:<5} {:<14} {}", finding.id, finding.text);
            text.push_str(&below(finding));
        }
    }
    for problem in &diagnosis.services {
        let (id, words) = (problem.id, &problem.text);
        let _ = writeln!(
            text,
            "WARN  {id:<14} {words}\n      fix: {}",
            problem.action
        );
    }
    let [pass, accepted, warn, fail] = counts;
    let warn = warn + diagnosis.services.len();
    let _ = write!(
        text,
        "{pass} ok, {accepted} taken as they are, {warn} warnings, {fail} failures."
    );
    text.push_str(match shown {
        Shown::All => "\n",
        Shown::Wrong => "   All of them: doctor --all\n",
    });
    text
}

/// Why it is taken as it is, or what to do about it.
fn below(finding: &Finding) -> String {
    match (&finding.accepted, &finding.fix) {
        (Some(reason), _) => format!("      because: {reason}\n"),
        (None, Some(fix)) => format!("      fix: {fix}\n"),
        (None, None) => String::new(),
    }
}

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    All,
    Wrong,
}
