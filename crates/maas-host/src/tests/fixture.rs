//! A host of text files in a folder that goes away.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};

use crate::{Finding, Latency, Level, Machine, Wants, findings};

/// What a file tree cannot hold: a test makes no device nodes and fills no disk.
#[derive(Debug, Clone)]
pub(super) struct Beyond {
    pub(super) free_bytes: u64,
    pub(super) free_inodes: Option<u64>,
    /// Device numbers of the files below `/dev/nvidia`.
    pub(super) nodes: BTreeMap<String, (u32, u32)>,
    pub(super) latency: Option<Latency>,
}

/// A host, what is wanted of it, and what its clock says.
#[derive(Debug, Clone)]
pub(super) struct Fixture {
    pub(super) files: BTreeMap<String, Vec<u8>>,
    links: BTreeMap<String, String>,
    pub(super) beyond: Beyond,
    pub(super) wants: Wants,
    pub(super) now: Timestamp,
}

impl Fixture {
    pub(super) fn new(wants: Wants) -> Self {
        Self {
            files: BTreeMap::new(),
            links: BTreeMap::new(),
            beyond: Beyond {
                free_bytes: 2_000_000_000_000,
                free_inodes: Some(1_000_000),
                nodes: BTreeMap::new(),
                latency: None,
            },
            wants,
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
        }
    }

    pub(super) fn file(mut self, path: &str, text: impl Into<Vec<u8>>) -> Self {
        self.links.remove(path);
        self.files.insert(path.to_owned(), text.into());
        self
    }

    pub(super) fn link(mut self, path: &str, target: &str) -> Self {
        self.files.remove(path);
        self.links.insert(path.to_owned(), target.to_owned());
        self
    }

    pub(super) fn without(mut self, prefix: &str) -> Self {
        self.files.retain(|path, _| !path.starts_with(prefix));
        self.links.retain(|path, _| !path.starts_with(prefix));
        self
    }

    pub(super) fn replace(mut self, path: &str, from: &str, to: &str) -> Self {
        let text = String::from_utf8(self.files[path].clone()).unwrap();
        assert!(text.contains(from), "`{path}` has no `{from}`");
        self.files
            .insert(path.to_owned(), text.replace(from, to).into_bytes());
        self
    }

    pub(super) fn process(self, pid: u32, name: &str) -> Self {
        self.file(&format!("/proc/{pid}/comm"), format!("{name}\n"))
    }

    pub(super) fn node(mut self, name: &str, major: u32, minor: u32) -> Self {
        let path = format!("/dev/{name}");
        self.beyond.nodes.insert(path.clone(), (major, minor));
        self.file(&path, "")
    }

    pub(super) fn machine(&self) -> Machine {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        for (path, bytes) in &self.files {
            let path = below(root, path);
            fs_err::write(&path, bytes).unwrap();
            written_in_october(&path);
        }
        for (path, target) in &self.links {
            let path = below(root, path);
            rustix::fs::symlink(target.as_str(), path.as_str()).unwrap();
            written_in_october(&path);
        }
        let mut machine = Machine::look(root, &self.wants, self.now);
        machine.disk.free_bytes = Some(self.beyond.free_bytes);
        machine.disk.free_inodes = self.beyond.free_inodes;
        machine.latency = self.beyond.latency;
        for node in &mut machine.nvidia.nodes {
            node.number = self.beyond.nodes.get(&node.path).copied();
        }
        machine
    }

    pub(super) fn findings(&self) -> Vec<Finding> {
        findings(&self.machine(), &self.wants)
    }

    /// Every finding, as a person reads it.
    pub(super) fn all(&self) -> String {
        render(&self.findings())
    }

    /// Those that somebody should know of.
    pub(super) fn bad(&self) -> String {
        let mut findings = self.findings();
        findings.retain(|finding| finding.level != Level::Pass);
        render(&findings)
    }
}

fn below(root: &Utf8Path, path: &str) -> Utf8PathBuf {
    let path = root.join(path.strip_prefix('/').unwrap());
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    path
}

fn written_in_october(path: &Utf8Path) {
    let october: Timestamp = "2026-10-01T00:00:00Z".parse().unwrap();
    let time = Timespec {
        tv_sec: october.as_second(),
        tv_nsec: 0,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    rustix::fs::utimensat(CWD, path.as_str(), &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

fn render(findings: &[Finding]) -> String {
    let lines = findings.iter().map(|finding| {
        let level = match finding.level {
            Level::Pass => "PASS",
            Level::Accepted => "TAKEN",
            Level::Warn => "WARN",
            Level::Fail => "FAIL",
        };
        let mut lines = format!("{level} {} {}", finding.id, finding.text);
        if let Some(fix) = &finding.fix {
            lines = format!("{lines}\n     fix: {fix}");
        }
        lines
    });
    lines.collect::<Vec<_>>().join("\n")
}
