//! `doctor`: everything that could be wrong, with what to type; what is as it should be is counted.

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
        Format::Text => output::data(&text(&diagnosis, args.all)),
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

fn text(diagnosis: &Diagnosis, all: bool) -> String {
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
        if finding.level == Level::Pass && !all {
            continue;
        }
        text += &format!("{word:<5} {:<14} {}\n", finding.id, finding.text);
        if let Some(reason) = &finding.accepted {
            text += &format!("      because: {reason}\n");
        }
        if let Some(fix) = finding
            .fix
            .as_ref()
            .filter(|_| finding.level != Level::Accepted)
        {
            text += &format!("      fix: {fix}\n");
        }
    }
    for problem in &diagnosis.services {
        text += &format!(
            "WARN  {:<14} {}\n      fix: {}\n",
            problem.id, problem.text, problem.action
        );
    }
    let [pass, accepted, warn, fail] = counts;
    text += &format!(
        "{pass} ok, {accepted} taken as they are, {} warnings, {fail} failures.{}\n",
        warn + diagnosis.services.len(),
        if all {
            ""
        } else {
            "   All of them: doctor --all"
        }
    );
    text
}
