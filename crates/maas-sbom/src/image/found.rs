//! What a file of interest held.

use maas_types::Digest;

use crate::licence::first_line;

/// Longest name, version or architecture, bytes. Debian's longest package name has 75.
const LONGEST: usize = 256;

/// What one file gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Which distribution it is.
    System(System),
    /// Packages, each with the layer that brought it.
    Packages(Vec<Placed>),
    /// An RPM database, which is not read.
    RpmDatabase,
}

/// `os-release(5)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct System {
    pub(super) id: String,
    pub(super) version: Option<String>,
    pub(super) title: Option<String>,
}

/// A package and the layer in which it first stood as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) package: Package,
    pub(super) layer: Digest,
}

/// Whose package it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ecosystem {
    Debian,
    Alpine,
    Python,
    Node,
}

/// A package that is installed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Package {
    pub(super) ecosystem: Ecosystem,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) architecture: Option<String>,
    /// The source package that it was built from, when that has another name or version.
    pub(super) source: Option<String>,
    pub(super) licence: Option<String>,
}

impl Package {
    /// `None` when name or version is missing, empty or longer than any real one.
    pub(super) fn new(
        ecosystem: Ecosystem,
        name: Option<&str>,
        version: Option<&str>,
    ) -> Option<Self> {
        let plain = |text: &&str| (1..=LONGEST).contains(&text.len());
        Some(Self {
            ecosystem,
            name: name.filter(plain)?.to_owned(),
            version: version.filter(plain)?.to_owned(),
            architecture: None,
            source: None,
            licence: None,
        })
    }

    pub(super) fn with_architecture(mut self, architecture: Option<&str>) -> Self {
        self.architecture = architecture.map(cut);
        self
    }

    pub(super) fn with_source(mut self, source: Option<&str>) -> Self {
        self.source = source.map(cut);
        self
    }

    pub(super) fn with_licence(mut self, licence: Option<&str>) -> Self {
        self.licence = licence.map(first_line);
        self
    }
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

impl Found {
    /// Its share of the limit on packages.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Packages(packages) => packages.len(),
            Self::System(_) | Self::RpmDatabase => 1,
        }
    }

    /// Keeps at most `room` packages and says how many went.
    pub(super) fn cut(&mut self, room: usize) -> u64 {
        let Self::Packages(packages) = self else {
            return 0;
        };
        let lost = packages.len().saturating_sub(room);
        packages.truncate(room);
        lost as u64
    }

    /// A package database is written anew by each layer that installs something; what stood in it
    /// before, unchanged, keeps the layer that brought it.
    pub(super) fn keep_places(&mut self, before: &Self) {
        let (Self::Packages(now), Self::Packages(before)) = (self, before) else {
            return;
        };
        let mut old: Vec<_> = before.iter().map(|p| (&p.package, p.layer)).collect();
        old.sort_unstable();
        for placed in now {
            if let Ok(at) = old.binary_search_by(|(package, _)| (*package).cmp(&placed.package)) {
                placed.layer = old[at].1;
            }
        }
    }
}
