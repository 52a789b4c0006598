//! A model from a hub: its revision is pinned to a commit, its files are named by digests, and only
//! then the first byte is asked for.
//!
//! Threats: a branch that moves between two requests, a list that names `../` or two files that
//! are one, a page of the list that lies on another host and would get the token, a token that is
//! printed. Defences: every request after the first names the commit; paths are parsed to
//! [`BlobPath`]; pages stay on the hub's own origin; see [`crate::Wire`] for redirects and
//! [`crate::Secret`] for tokens.

mod listing;
mod pattern;
mod repo_id;
mod selection;

use camino::{Utf8Path, Utf8PathBuf};
use futures_util::{StreamExt, TryStreamExt, stream};
use http::HeaderValue;
use maas_types::{BlobPath, Digest};

use self::listing::Listed;
pub use self::{
    pattern::Pattern,
    repo_id::{RepoId, RepoIdError},
    selection::{Selection, Weights},
};
use crate::{
    Address, FetchError, Note, Progress, Secret,
    access::Access,
    transfer::{Transfer, Want, total},
    wire::{Wire, WireError},
    workspace::Workspace,
};

/// Where models are, unless a site has a mirror.
const HUGGING_FACE: &str = "https://huggingface.co";

/// Files at a time: one connection seldom fills a line, many make each file late.
pub(crate) const LANES: usize = 2;

/// A hub, and who we are there.
#[derive(Debug, Clone)]
pub struct Hub {
    wire: Wire,
    endpoint: Address,
    token: Option<Secret>,
}

/// Which files of which revision.
#[derive(Debug, Clone)]
pub struct ModelRequest {
    /// The repository.
    pub repo: RepoId,
    /// A commit, a branch or a tag; `main` as a rule. What it stands for is in the answer.
    pub revision: String,
    /// Which of its files.
    pub selection: Selection,
}

/// A model in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedModel {
    /// The commit that the revision stood for: 40 hex digits.
    pub commit: String,
    /// The files, by path.
    pub files: Vec<FetchedFile>,
    /// Bytes of content that came over the network.
    pub bytes_downloaded: u64,
    /// Bytes of content that were here before.
    pub bytes_reused: u64,
    /// Files in the folder that are not of this model and that we have not put there. A bundle that is
    /// built from the folder would hold them.
    pub strangers: Vec<Utf8PathBuf>,
}

/// A file of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedFile {
    /// Where it is, below the folder.
    pub path: BlobPath,
    /// Its length, bytes.
    pub size: u64,
    /// Taken of the bytes that were written.
    pub sha256: Digest,
}

impl Hub {
    /// The public hub.
    pub fn new(wire: Wire, token: Option<Secret>) -> Self {
        let endpoint = HUGGING_FACE.parse().expect("a constant address");
        Self::at(wire, endpoint, token)
    }

    /// A mirror, or a hub of one's own.
    pub fn at(wire: Wire, endpoint: Address, token: Option<Secret>) -> Self {
        Self {
            wire,
            endpoint,
            token,
        }
    }

    /// Brings the wanted files of a revision into the folder `into`. What is there and right is not
    /// fetched again; what was broken off goes on where it stopped.
    pub async fn fetch_model(
        &self,
        request: &ModelRequest,
        into: &Utf8Path,
        progress: &dyn Progress,
    ) -> Result<FetchedModel, FetchError> {
        let fetched = self.fetch(request, into, progress).await;
        fetched.map_err(|error| self.explain(request, error))
    }

    async fn fetch(
        &self,
        request: &ModelRequest,
        into: &Utf8Path,
        progress: &dyn Progress,
    ) -> Result<FetchedModel, FetchError> {
        let access = Access::Fixed(self.header()?);
        let commit = self.pin(request, &access, progress).await?;
        let listed = self.list(&request.repo, &commit, &access, progress).await?;
        let chosen = request.selection.choose(&request.repo, listed, progress)?;
        let workspace = Workspace::open(into)?;
        let wants: Vec<_> = chosen
            .iter()
            .map(|file| self.want(request, &commit, file))
            .collect();
        let wanted = |path: &str| wants.iter().any(|want| want.path == path);
        for path in workspace.remove_own(wanted)? {
            progress.note(&Note::Removed { file: &path });
        }
        let strangers = workspace.strangers(wanted)?;
        let total = total(&wants);
        progress.start(&format!("{} at {}", request.repo, &commit[..12]), total);
        workspace.require_space_for(&wants).await?;
        let transfer = Transfer {
            wire: &self.wire,
            access: &access,
            workspace: &workspace,
            progress,
        };
        let got: Vec<_> = stream::iter(&wants)
            .map(|want| transfer.bring(want))
            .buffered(LANES)
            .try_collect()
            .await?;
        let files = chosen.into_iter().zip(&got).map(|(file, got)| FetchedFile {
            path: file.path,
            size: file.size,
            sha256: got.sha256,
        });
        Ok(FetchedModel {
            commit,
            files: files.collect(),
            bytes_downloaded: got.iter().map(|got| got.downloaded).sum(),
            bytes_reused: got.iter().map(|got| got.reused).sum(),
            strangers,
        })
    }

    fn header(&self) -> Result<Option<HeaderValue>, FetchError> {
        let Some(token) = &self.token else {
            return Ok(None);
        };
        let header = token.bearer().ok_or_else(|| FetchError::Malformed {
            what: "the token".to_owned(),
            reason: "it holds characters that no token has".to_owned(),
        });
        header.map(Some)
    }

    fn want(&self, request: &ModelRequest, commit: &str, file: &Listed<BlobPath>) -> Want {
        let repo = request.repo.as_str().split('/');
        let below = repo
            .chain(["resolve", commit])
            .chain(file.path.components());
        Want {
            path: file.path.to_string(),
            address: self.endpoint.below(below),
            size: file.size,
            id: file.id,
        }
    }

    /// Says what a refusal of the hub means for this model.
    fn explain(&self, request: &ModelRequest, error: FetchError) -> FetchError {
        let FetchError::Wire(source) = error else {
            return error;
        };
        let status = source.answered().map(|status| status.as_u16());
        let hidden = matches!(&*source, WireError::Status { code: Some(code), .. }
            if code == "RepoNotFound");
        let what = format!("{} of `{}`", request.revision, request.repo);
        let why = match (status, &self.token) {
            (Some(404), _) => "the hub answers 404".to_owned(),
            // The hub does not tell strangers which private repositories it has.
            (Some(401), _) if hidden => {
                "the hub knows no such repository that is public".to_owned()
            }
            (Some(401 | 403), None) => return denied(request, NO_TOKEN, source),
            (Some(401), Some(_)) => return denied(request, BAD_TOKEN, source),
            (Some(403), Some(_)) => return denied(request, NOT_ACCEPTED, source),
            (_, _) => return FetchError::Wire(source),
        };
        FetchError::Missing { what, why }
    }
}

const NO_TOKEN: &str =
    "no token was given, and the repository is private or its licence has to be accepted first";
const BAD_TOKEN: &str = "the token is not valid: mistyped, expired or revoked";
const NOT_ACCEPTED: &str = "the token is known, but its owner has not accepted the licence, or the token may not read this repository";

fn denied(request: &ModelRequest, why: &'static str, source: Box<WireError>) -> FetchError {
    FetchError::Denied {
        what: request.repo.to_string(),
        why,
        source,
    }
}

#[cfg(test)]
mod tests;
