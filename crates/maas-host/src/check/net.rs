//! D-PORT, D-ROUTE, D-FIREWALL.

use super::{Outcome, fail, pass, warn};
use crate::{Listener, Machine, Wants};

/// The process that may hold our ports, and the user that it runs as.
const OUR_PROCESS: &str = "maas-appliance";
const OUR_USER: &str = "maas";

pub(crate) fn ports(machine: &Machine, wants: &Wants) -> Outcome {
    let list = names(&wants.ports);
    if wants.ports.is_empty() {
        return pass("no port is wanted");
    }
    let Some(listeners) = &machine.net.listeners else {
        return warn(
            format!("whether anybody listens on {list} cannot be seen"),
            "look by hand: ss -ltnp",
        );
    };
    let others: Vec<_> = listeners
        .iter()
        .filter(|listener| !is_ours(listener))
        .collect();
    if others.is_empty() {
        let state = if listeners.is_empty() {
            "free"
        } else {
            "free or the gateway's own"
        };
        return pass(format!("{list}: {state}"));
    }
    let taken: Vec<_> = others.iter().map(|listener| taken(listener)).collect();
    fail(
        taken.join("; "),
        "stop that program, or choose another port under [gateway] in appliance.toml",
    )
}

/// `port 443`, `ports 443, 8443`
fn names(ports: &[u16]) -> String {
    let list: Vec<_> = ports.iter().map(u16::to_string).collect();
    let word = if ports.len() == 1 { "port" } else { "ports" };
    format!("{word} {}", list.join(", "))
}

fn is_ours(listener: &Listener) -> bool {
    match &listener.process {
        Some(process) => process == OUR_PROCESS,
        // Only root sees the processes of others.
        None => listener.user.as_deref() == Some(OUR_USER),
    }
}

fn taken(listener: &Listener) -> String {
    let port = listener.port;
    match (&listener.process, listener.pid, &listener.user) {
        (Some(process), Some(pid), _) => {
            format!("port {port} is taken by {process} (process {pid})")
        }
        (_, _, Some(user)) => {
            format!("port {port} is taken by a process of user {user} (as root: ss -ltnp)")
        }
        (_, _, None) => format!(
            "port {port} is taken by a process of user {} (as root: ss -ltnp)",
            listener.uid
        ),
    }
}

/// Told, never demanded: installers that need a default route fail behind a diode.
pub(crate) fn route(machine: &Machine, _: &Wants) -> Outcome {
    pass(if machine.net.default_route {
        "there is a default route; nothing here uses it"
    } else {
        "there is no default route, and none is needed"
    })
}

pub(crate) fn firewall(machine: &Machine, wants: &Wants) -> Outcome {
    let security = &machine.security;
    let Some(name) = &security.firewall else {
        return pass("neither firewalld nor ufw starts with this machine");
    };
    let open = security.open_ports.as_deref().unwrap_or_default();
    let closed = wants.ports.iter().filter(|port| !open.contains(port));
    let closed: Vec<_> = closed.copied().collect();
    let Some(first) = closed.first() else {
        return pass(format!("{name} lets the gateway's ports through"));
    };
    let list = names(&closed);
    if name == "firewalld" {
        warn(
            format!("firewalld starts with this machine, and its zones do not open {list}"),
            format!("firewall-cmd --permanent --add-port={first}/tcp && firewall-cmd --reload"),
        )
    } else {
        warn(
            format!(
                "{name} starts with this machine; whether it lets {list} through is not read here"
            ),
            format!("{name} status; {name} allow {first}/tcp"),
        )
    }
}
