//! D-OLD.

use super::{Outcome, pass, warn};
use crate::{Leftover, Machine, Wants};

/// Nothing of it is touched: it may be in use. What fails because of it has a finding of its own
/// (D-PORT), and GPU memory that it holds shows when engines are placed.
pub(crate) fn old(machine: &Machine, _: &Wants) -> Outcome {
    let found = &machine.leftovers;
    // The worst first: what runs, then what takes our names, then what lies about.
    let rank = |leftover: &&Leftover| match leftover {
        Leftover::Running(_) => 0,
        Leftover::User(_) => 1,
        Leftover::OwnName(_) => 2,
        Leftover::Unit(_) => 3,
        Leftover::File(_) => 4,
    };
    let Some(worst) = found.iter().min_by_key(rank) else {
        return pass("nothing else here serves models, or did");
    };
    let list: Vec<_> = found.iter().map(sentence).collect();
    warn(list.join("; "), fix(worst))
}

fn sentence(leftover: &Leftover) -> String {
    match leftover {
        Leftover::Running(name) => format!("{name} runs and may hold memory of the GPUs"),
        Leftover::User(home) => format!("there is a user maas already, whose home is `{home}`"),
        Leftover::OwnName(path) => {
            format!("`{path}` has a name like ours and starts something else")
        }
        Leftover::Unit(path) => format!("`{path}` starts another server of models"),
        Leftover::File(path) => format!("`{path}` belongs to another server of models"),
    }
}

fn fix(worst: &Leftover) -> String {
    match worst {
        Leftover::Running(name) => format!("if it is not needed: systemctl disable --now {name}"),
        Leftover::User(_) => {
            "rename it, or give it that home: usermod -d /var/lib/maas-appliance maas".to_owned()
        }
        Leftover::OwnName(path) | Leftover::Unit(path) => {
            let unit = path.rsplit('/').next().unwrap_or(path);
            format!("if it is not needed: systemctl disable --now {unit}")
        }
        Leftover::File(path) => format!("if it is not needed, remove `{path}`"),
    }
}
