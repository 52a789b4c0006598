//! One file from a server: resumed, counted, hashed while it is written, kept only when it is right.
//!
//! Threats: other bytes than announced, more bytes than announced (until the disk is full), a range
//! that is not the one we asked for, a file that changes between two requests. Defences: the digest is
//! known before the first byte and compared before the file gets its name; reading stops at one byte
//! too many; `Content-Range` is compared with the question; a wrong whole starts once from nothing and
//! then fails, and nothing of it stays.

use http::{StatusCode, header};
use maas_types::Digest;

use crate::{
    Address, FetchError, Note, Progress,
    access::Access,
    content::ContentId,
    plain,
    progress::HighWater,
    wire::{Answer, Ask, Patience, Resume, Wire, WireError},
    workspace::{Part, Workspace},
};

/// A file that is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Want {
    /// Where it goes, below the folder; its name in messages as well.
    pub(crate) path: String,
    pub(crate) address: Address,
    pub(crate) size: u64,
    pub(crate) id: ContentId,
}

/// A file that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) sha256: Digest,
    /// Bytes that came over the network, those thrown away included.
    pub(crate) downloaded: u64,
    /// Bytes of the file that were here before.
    pub(crate) reused: u64,
}

/// What one answer did for a file.
enum Step {
    /// Its last byte is here.
    Whole,
    /// The server has something else than was announced.
    Wrong(FetchError),
    /// The connection failed; the bytes so far stay.
    Failed(WireError),
}

pub(crate) struct Transfer<'a> {
    pub(crate) wire: &'a Wire,
    pub(crate) access: &'a Access<'a>,
    pub(crate) workspace: &'a Workspace,
    pub(crate) progress: &'a dyn Progress,
}

impl Transfer<'_> {
    /// Brings the file into the folder, unless it is there and right.
    pub(crate) async fn bring(&self, want: &Want) -> Result<Got, FetchError> {
        let mut counted = HighWater::default();
        let here = self.workspace.verified(&want.path, want.size, want.id);
        if let Some(sha256) = here.await? {
            counted.reach(want.size, self.progress);
            return Ok(Got {
                sha256,
                downloaded: 0,
                reused: want.size,
            });
        }
        let part = Part::open(self.workspace, &want.path, want.size, want.id).await?;
        counted.reach(part.length(), self.progress);
        self.fill(want, part, counted).await
    }

    async fn fill(
        &self,
        want: &Want,
        mut part: Part<'_>,
        mut counted: HighWater,
    ) -> Result<Got, FetchError> {
        let mut patience = Patience::new(self.progress);
        let (mut downloaded, mut reused, mut second) = (0, part.length(), false);
        loop {
            let before = part.length();
            let step = self
                .step(want, &mut part, &mut counted, &mut downloaded)
                .await?;
            let wrong = match step {
                Step::Whole => match Self::judge(want, &part) {
                    Ok(sha256) => {
                        let sums = part.sums();
                        part.keep(&sums).await?;
                        return Ok(Got {
                            sha256,
                            downloaded,
                            reused,
                        });
                    }
                    Err(wrong) => wrong,
                },
                Step::Wrong(wrong) => wrong,
                Step::Failed(error) => {
                    if part.length() > before {
                        patience.renew();
                    }
                    part.flush().await?;
                    patience.wait(error).await?;
                    continue;
                }
            };
            if second {
                part.discard()?;
                return Err(wrong);
            }
            (second, reused) = (true, 0);
            self.progress.note(&Note::Restart { file: &want.path });
            part.restart(None).await?;
        }
    }

    fn judge(want: &Want, part: &Part<'_>) -> Result<Digest, FetchError> {
        let sums = part.sums();
        if sums.are(want.id) {
            return Ok(sums.sha256);
        }
        Err(FetchError::Digest {
            file: want.path.clone(),
            address: want.address.to_string(),
            expected: want.id.to_string(),
            found: sums.in_terms_of(want.id).to_string(),
        })
    }

    /// Asks once for what is missing, and takes what comes.
    async fn step(
        &self,
        want: &Want,
        part: &mut Part<'_>,
        counted: &mut HighWater,
        downloaded: &mut u64,
    ) -> Result<Step, FetchError> {
        if part.length() == want.size && want.size > 0 {
            return Ok(Step::Whole);
        }
        let from = part.length();
        let etag = part.etag().map(str::to_owned);
        let mut ask = Ask::new(&want.address, None);
        ask.resume = (from > 0).then_some(Resume {
            from,
            etag: etag.as_deref(),
        });
        let answer = match self.access.exchange(self.wire, ask).await {
            Ok(answer) => answer,
            Err(FetchError::Wire(error)) => return Ok(Step::Failed(*error)),
            Err(error) => return Err(error),
        };
        if from > 0 && answer.status == StatusCode::RANGE_NOT_SATISFIABLE {
            // The server has a shorter file than we have of it.
            return Ok(Step::Wrong(length(want, format!("fewer than {from}"))));
        }
        let answer = match answer.success() {
            Ok(answer) => answer,
            Err(error) => return Ok(Step::Failed(error)),
        };
        if let Some(wrong) = self.begin(want, part, &answer).await? {
            return Ok(Step::Wrong(wrong));
        }
        self.pour(want, part, answer, counted, downloaded).await
    }

    /// Takes the bytes of an answer, and not one too many.
    async fn pour(
        &self,
        want: &Want,
        part: &mut Part<'_>,
        mut answer: Answer,
        counted: &mut HighWater,
        downloaded: &mut u64,
    ) -> Result<Step, FetchError> {
        loop {
            match answer.chunk().await {
                Ok(Some(bytes)) if part.length() + bytes.len() as u64 > want.size => {
                    return Ok(Step::Wrong(length(
                        want,
                        format!("more than {}", want.size),
                    )));
                }
                Ok(Some(bytes)) => {
                    part.push(&bytes).await?;
                    *downloaded += bytes.len() as u64;
                    counted.reach(part.length(), self.progress);
                }
                Ok(None) if part.length() == want.size => return Ok(Step::Whole),
                Ok(None) => {
                    return Ok(Step::Failed(WireError::Short {
                        address: answer.address.to_string(),
                        sent: part.length(),
                        wanted: want.size,
                    }));
                }
                Err(error) => return Ok(Step::Failed(error)),
            }
        }
    }

    /// Looks at the head of an answer: does the file go on where our part ends, or start anew?
    async fn begin(
        &self,
        want: &Want,
        part: &mut Part<'_>,
        answer: &Answer,
    ) -> Result<Option<FetchError>, FetchError> {
        if let Some(encoding) = answer.header(header::CONTENT_ENCODING)
            && encoding != "identity"
        {
            return Err(FetchError::Malformed {
                what: answer.address.to_string(),
                reason: format!("it is packed with `{}`, not asked for", plain(encoding)),
            });
        }
        let announced = answer.header(header::CONTENT_LENGTH);
        let announced = announced.and_then(|text| text.parse::<u64>().ok());
        if answer.status == StatusCode::PARTIAL_CONTENT && part.length() > 0 {
            let range = answer.header(header::CONTENT_RANGE).unwrap_or_default();
            let expected = format!("bytes {}-{}/{}", part.length(), want.size - 1, want.size);
            if range != expected {
                let reason = format!("it sends `{}`, asked was `{expected}`", plain(range));
                let what = answer.address.to_string();
                return Ok(Some(FetchError::Malformed { what, reason }));
            }
            return Ok(None);
        }
        if let Some(announced) = announced
            && announced != want.size
        {
            return Ok(Some(length(want, announced.to_string())));
        }
        let etag = answer.header(header::ETAG);
        let strong = etag.filter(|etag| etag.starts_with('"'));
        part.restart(strong.map(str::to_owned)).await?;
        Ok(None)
    }
}

/// Bytes of all; sizes are the server's words, and may be absurd.
pub(crate) fn total(wants: &[Want]) -> u64 {
    wants
        .iter()
        .fold(0, |sum, want| sum.saturating_add(want.size))
}

fn length(want: &Want, found: String) -> FetchError {
    FetchError::Length {
        file: want.path.clone(),
        address: want.address.to_string(),
        expected: want.size,
        found,
    }
}
