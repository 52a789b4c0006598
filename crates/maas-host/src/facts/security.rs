//! What keeps programs apart, and what lets nobody in.

use camino::Utf8Path;
use serde::Serialize;

use crate::tree::{Tree, value};

/// `SELinux`, `AppArmor`, FIPS and firewalls.
#[derive(Debug, Clone, Serialize)]
pub struct Security {
    /// `SELinux` as it runs.
    pub selinux: Selinux,
    /// Whether it lets containers use devices, where it has such a switch.
    pub container_devices: Option<bool>,
    /// What `/etc/selinux/config` says: what it will be after the next start.
    pub selinux_configured: Option<String>,
    /// Whether `AppArmor` is on; `None` if this kernel has none.
    pub apparmor: Option<bool>,
    /// Whether the kernel is in FIPS mode.
    pub fips: bool,
    /// Whether firewalld or ufw is installed and set to start, by name.
    pub firewall: Option<String>,
    /// TCP ports that the files of that firewall open by number; `None` where that was not read.
    pub open_ports: Option<Vec<u16>>,
}

/// `SELinux` as it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Selinux {
    /// It forbids.
    Enforcing,
    /// It only tells.
    Permissive,
    /// It is not there.
    Off,
}

impl Security {
    pub(crate) fn look(tree: &Tree<'_>) -> Self {
        let config = tree.text("/etc/selinux/config").unwrap_or_default();
        let apparmor = tree.word("/sys/module/apparmor/parameters/enabled");
        let firewalld = tree.has("/etc/systemd/system/multi-user.target.wants/firewalld.service");
        let ufw = tree.text("/etc/ufw/ufw.conf").unwrap_or_default();
        let ufw = value(&ufw, "ENABLED", '=').is_some_and(|on| on == "yes");
        let firewall = if firewalld {
            Some("firewalld")
        } else if ufw {
            Some("ufw")
        } else {
            None
        };
        Self {
            selinux: match tree.word("/sys/fs/selinux/enforce").as_deref() {
                Some("1") => Selinux::Enforcing,
                Some(_) => Selinux::Permissive,
                None => Selinux::Off,
            },
            container_devices: tree
                .word("/sys/fs/selinux/booleans/container_use_devices")
                .map(|switch| switch.starts_with('1')),
            selinux_configured: value(&config, "SELINUX", '='),
            apparmor: apparmor.map(|on| on == "Y"),
            fips: tree.word("/proc/sys/crypto/fips_enabled").as_deref() == Some("1"),
            firewall: firewall.map(str::to_owned),
            open_ports: firewalld.then(|| zones(tree)),
        }
    }
}

/// Ports that firewalld's zones open: `<port port="8443" protocol="tcp"/>`, `<service name="https"/>`.
fn zones(tree: &Tree<'_>) -> Vec<u16> {
    let files = tree.names("/etc/firewalld/zones").into_iter();
    let files = files.filter(|name| Utf8Path::new(name).extension() == Some("xml"));
    let mut ports = Vec::new();
    for file in files {
        let text = tree
            .text(format!("/etc/firewalld/zones/{file}"))
            .unwrap_or_default();
        for element in text.split('<') {
            let service = |name: &str| element.starts_with(&format!("service name=\"{name}\""));
            let port = element
                .strip_prefix("port ")
                .filter(|e| e.contains("\"tcp\""));
            let number: Option<u16> =
                port.and_then(|e| e.split_once("port=\"")?.1.split('"').next()?.parse().ok());
            ports.extend(number);
            ports.extend(service("https").then_some(443));
        }
    }
    ports.sort_unstable();
    ports.dedup();
    ports
}
