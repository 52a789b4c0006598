//! Ports that are taken, and routes.

use serde::Serialize;

use super::Process;
use crate::tree::Tree;

/// Ports and routes.
#[derive(Debug, Clone, Serialize)]
pub struct Net {
    /// Who listens on the ports that were asked about; `None` if the kernel's table cannot be read.
    pub listeners: Option<Vec<Listener>>,
    /// Whether there is a way out. Nothing here needs one.
    pub default_route: bool,
}

/// A TCP socket that listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listener {
    /// Its port.
    pub port: u16,
    /// The user that opened it.
    pub uid: u32,
    /// Name of that user, where `/etc/passwd` has it.
    pub user: Option<String>,
    /// The process that holds it, where that can be seen: other users' are root's to see.
    pub pid: Option<u32>,
    /// Its name.
    pub process: Option<String>,
}

impl Net {
    pub(crate) fn look(tree: &Tree<'_>, running: &[Process], ports: &[u16]) -> Self {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
        let tables: Vec<_> = tables.iter().filter_map(|table| tree.text(table)).collect();
        let route = tree.text("/proc/net/route").unwrap_or_default();
        let route6 = tree.text("/proc/net/ipv6_route").unwrap_or_default();
        Self {
            listeners: (!tables.is_empty())
                .then(|| listeners(tree, running, &tables.join("\n"), ports)),
            default_route: route.lines().any(is_default) || route6.lines().any(is_default_6),
        }
    }
}

/// `sl local_address rem_address st … uid timeout inode`, all numbers in hexadecimal but the last
/// three. State `0A` listens.
fn socket(line: &str) -> Option<(u16, u32, u64)> {
    let fields: Vec<_> = line.split_ascii_whitespace().take(10).collect();
    let [_, local, _, "0A", .., uid, _, inode] = fields.as_slice() else {
        return None;
    };
    let (_, port) = local.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some((port, uid.parse().ok()?, inode.parse().ok()?))
}

fn listeners(tree: &Tree<'_>, running: &[Process], table: &str, ports: &[u16]) -> Vec<Listener> {
    let sockets = table.lines().filter_map(socket);
    let sockets: Vec<_> = sockets.filter(|(port, ..)| ports.contains(port)).collect();
    let mut listeners: Vec<Listener> = Vec::new();
    for (port, uid, inode) in sockets {
        // A server that listens on both families has two sockets, and is told once.
        if listeners.iter().any(|l| l.port == port && l.uid == uid) {
            continue;
        }
        let holder = holder(tree, running, inode);
        listeners.push(Listener {
            port,
            uid,
            user: user(tree, uid),
            pid: holder.map(|process| process.pid),
            process: holder.map(|process| process.name.clone()),
        });
    }
    listeners
}

fn holder<'a>(tree: &Tree<'_>, running: &'a [Process], inode: u64) -> Option<&'a Process> {
    let socket = format!("socket:[{inode}]");
    running.iter().find(|process| {
        let folder = format!("/proc/{}/fd", process.pid);
        let mut files = tree.names(&folder).into_iter();
        files.any(|file| tree.link(format!("{folder}/{file}")).as_ref() == Some(&socket))
    })
}

fn user(tree: &Tree<'_>, uid: u32) -> Option<String> {
    let uid = uid.to_string();
    let text = tree.text("/etc/passwd")?;
    let line = text
        .lines()
        .find(|line| line.split(':').nth(2) == Some(uid.as_str()))?;
    Some(crate::tree::word(line.split(':').next()?))
}

/// `Iface Destination Gateway Flags … Mask`: destination and mask 0.
fn is_default(line: &str) -> bool {
    let fields: Vec<_> = line.split_ascii_whitespace().collect();
    fields.get(1) == Some(&"00000000") && fields.get(7) == Some(&"00000000")
}

/// `destination prefix …  interface`; the kernel itself has such a line, on `lo`, that refuses.
fn is_default_6(line: &str) -> bool {
    let fields: Vec<_> = line.split_ascii_whitespace().collect();
    let anywhere = fields
        .first()
        .is_some_and(|to| to.bytes().all(|b| b == b'0'));
    anywhere && fields.get(1) == Some(&"00") && fields.last() != Some(&"lo")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sockets_that_listen_count() {
        let line = |state: &str| {
            format!(
                "   0: 00000000:20FB 00000000:0000 {state} 00000000:00000000 00:00000000 00000000  1001        0 621 1 0 100 0 0 10 0"
            )
        };
        assert_eq!(socket(&line("0A")), Some((8443, 1001, 621)));
        assert_eq!(socket(&line("01")), None);
        assert_eq!(socket("  sl  local_address rem_address   st"), None);
        assert_eq!(socket("0: 0000 0 0A"), None);
    }

    #[test]
    fn the_refusing_route_of_the_kernel_is_no_default_route() {
        let zero = "0".repeat(32);
        assert!(!is_default_6(&format!(
            "{zero} 00 {zero} 00 {zero} ffffffff 1 0 00200200 lo"
        )));
        assert!(is_default_6(&format!(
            "{zero} 00 {zero} 00 fe80 00000400 1 0 00450003 eth0"
        )));
        assert!(is_default(
            "eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0"
        ));
        assert!(!is_default(
            "eth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0"
        ));
    }
}
