//! D-CPU.

use super::{Outcome, count, fail, pass, warn};
use crate::{Machine, Wants};

pub(crate) fn cpu(machine: &Machine, wants: &Wants) -> Outcome {
    let cpu = &machine.cpu;
    let model = cpu.model.as_deref().unwrap_or("an unnamed processor");
    if cpu.features.is_empty() {
        return warn(
            "what the processor can do cannot be read",
            format!(
                "compare by hand with {:?}: lscpu",
                wants.cpu_features.join(" ")
            ),
        );
    }
    let has = |feature: &&String| cpu.features.contains(feature);
    let lacks = wants.cpu_features.iter().filter(|feature| !has(feature));
    let lacks: Vec<_> = lacks.map(String::as_str).collect();
    if lacks.is_empty() {
        let fast = match cpu.fast.as_slice() {
            [] => "nothing that makes it fast".to_owned(),
            fast => fast.join(" "),
        };
        return pass(format!(
            "{}, {model}, with {fast}",
            count(cpu.processors, "logical processor")
        ));
    }
    let fix = if cpu.is_virtual {
        "let the virtual machine see its host's processor as it is (libvirt: cpu mode='host-passthrough')"
    } else {
        "use a machine whose processor has them; no setting adds them"
    };
    fail(format!("{model} lacks {}", lacks.join(", ")), fix)
}
