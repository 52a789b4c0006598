//! What a revision is, and which files it has, by the hub's own lists.

use maas_types::Digest;
use serde::{Deserialize, de::DeserializeOwned};

use super::{Hub, ModelRequest, RepoId};
use crate::{
    Address, FetchError, Note, Progress,
    access::Access,
    content::ContentId,
    plain,
    wire::{Ask, Document},
};

/// A page of a list has at most 1,000 files of some 500 bytes.
const LONGEST_PAGE: usize = 16 << 20;

/// A bundle holds at most 100,000 files.
const MOST_FILES: usize = 100_000;

/// A file as a list names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed<P> {
    pub(super) path: P,
    pub(super) size: u64,
    pub(super) id: ContentId,
}

#[derive(Debug, Deserialize)]
struct Revision {
    sha: String,
}

#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    oid: String,
    #[serde(default)]
    lfs: Option<Lfs>,
}

/// The file is kept apart, and git has a pointer to it only.
#[derive(Debug, Deserialize)]
struct Lfs {
    oid: String,
    size: u64,
}

impl Hub {
    fn api(&self, repo: &RepoId, rest: &[&str]) -> Address {
        let repo = repo.as_str().split('/');
        let segments = ["api", "models"].into_iter().chain(repo);
        self.endpoint.below(segments.chain(rest.iter().copied()))
    }

    /// Which commit the revision stands for at this moment.
    pub(super) async fn pin(
        &self,
        request: &ModelRequest,
        access: &Access<'_>,
        progress: &dyn Progress,
    ) -> Result<String, FetchError> {
        let asked = request.revision.as_str();
        let address = self.api(&request.repo, &["revision", asked]);
        let ask = Ask::new(&address, None);
        let document = access
            .document(&self.wire, &ask, LONGEST_PAGE, progress)
            .await?;
        let commit = parse::<Revision>(&document)?.sha;
        if !is_commit(&commit) {
            return refuse(&document, format!("`{}` is no commit", plain(&commit)));
        }
        if is_commit(asked) && asked != commit {
            let reason = format!("asked was commit {asked}, it answers with {commit}");
            return refuse(&document, reason);
        }
        if asked != commit {
            let (name, to) = (asked, commit.as_str());
            progress.note(&Note::Resolved { name, to });
        }
        Ok(commit)
    }

    /// All files of a commit, page by page.
    pub(super) async fn list(
        &self,
        repo: &RepoId,
        commit: &str,
        access: &Access<'_>,
        progress: &dyn Progress,
    ) -> Result<Vec<Listed<String>>, FetchError> {
        let tree = self.api(repo, &["tree", commit]);
        let mut page = Some(tree.with_query(&[("recursive", "true")]));
        let mut files = Vec::new();
        while let Some(address) = page {
            let ask = Ask::new(&address, None);
            let document = access
                .document(&self.wire, &ask, LONGEST_PAGE, progress)
                .await?;
            let entries = parse::<Vec<Entry>>(&document)?;
            let empty = entries.is_empty();
            for entry in entries {
                files.extend(listed(entry).or_else(|reason| refuse(&document, reason))?);
            }
            if files.len() > MOST_FILES {
                return refuse(&document, format!("it lists more than {MOST_FILES} files"));
            }
            page = self.next(&document)?.filter(|_| !empty);
        }
        Ok(files)
    }

    fn next(&self, document: &Document) -> Result<Option<Address>, FetchError> {
        let Some(link) = document.next_page() else {
            return Ok(None);
        };
        let next = document.address.follow(link)?;
        if next.origin() != self.endpoint.origin() {
            return refuse(document, format!("its next page is elsewhere, at {next}"));
        }
        Ok(Some(next))
    }
}

fn listed(entry: Entry) -> Result<Option<Listed<String>>, String> {
    let what = || plain(&entry.path);
    match entry.kind.as_str() {
        "directory" => return Ok(None),
        "file" => {}
        other => return Err(format!("`{}` is a {}, not a file", what(), plain(other))),
    }
    let (size, id) = if let Some(lfs) = &entry.lfs {
        let hex = lfs.oid.strip_prefix("sha256:").unwrap_or(&lfs.oid);
        let digest = Digest::from_hex(hex).map_err(|error| error.to_string())?;
        (lfs.size, ContentId::Sha256(digest))
    } else {
        let id = ContentId::from_git(&entry.oid);
        let id = id.ok_or_else(|| format!("`{}` has no git object name", what()))?;
        (entry.size, id)
    };
    Ok(Some(Listed {
        path: entry.path,
        size,
        id,
    }))
}

fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn parse<T: DeserializeOwned>(document: &Document) -> Result<T, FetchError> {
    serde_json::from_slice(&document.bytes)
        .or_else(|error| refuse(document, plain(&error.to_string())))
}

fn refuse<T>(document: &Document, reason: String) -> Result<T, FetchError> {
    let what = document.address.to_string();
    Err(FetchError::Malformed { what, reason })
}
