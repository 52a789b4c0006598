//! A layer: how it is packed, and its bytes on their way from the blob to the tree.
//!
//! Threats: a layer that is packed otherwise than it says, bombs that grow a thousandfold or for ever,
//! zstd windows of terabytes, a second member that only some readers see. Defences: media type and first
//! bytes must agree; what comes out is counted against a limit and a ratio as it comes; windows end at
//! 128 MiB; the blob is read to its end, every member of it, and both what went in and what came out
//! must have the digests that manifest and config promise.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use maas_types::json::plain;

use crate::{
    blob::Hashed,
    error::{Failure, Flaw},
    policy::Limits,
};

/// Largest window of a zstd frame, as a power of two; what zstd's own command takes unasked.
const WINDOW_LOG: u32 = 27;

/// How a layer is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    /// What a layer's media type says (image specification 1.1, layer.md; Docker's schema 2).
    pub(crate) fn of_media_type(kind: &str) -> Result<Self, Flaw> {
        match kind {
            "application/vnd.oci.image.layer.v1.tar"
            | "application/vnd.docker.image.rootfs.diff.tar" => Ok(Self::Plain),
            "application/vnd.oci.image.layer.v1.tar+gzip"
            | "application/vnd.docker.image.rootfs.diff.tar.gzip" => Ok(Self::Gzip),
            "application/vnd.oci.image.layer.v1.tar+zstd"
            | "application/vnd.docker.image.rootfs.diff.tar.zstd" => Ok(Self::Zstd),
            // `nondistributable` and `foreign` among them: their bytes are not here.
            other => Err(Flaw::MediaType(plain(other))),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain tar",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// What the first bytes say.
    const fn of_bytes(bytes: &[u8]) -> Self {
        match bytes {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

/// A layer being unpacked; reads as a tar archive.
pub(crate) struct Unpacking<'a> {
    out: Hashed<Box<dyn Read + 'a>>,
    packed: u64,
    limits: &'a Limits,
    /// The limit that was reached, which no `io::Error` can say.
    exceeded: Option<Flaw>,
    packing: Packing,
    /// Read before the tree's own reader took it over.
    finished: bool,
}

impl<'a> Unpacking<'a> {
    /// `blob` has `packed` bytes.
    pub(crate) fn new<R: Read>(
        blob: &'a mut R,
        packed: u64,
        packing: Packing,
        limits: &'a Limits,
    ) -> Result<Self, Failure> {
        let mut blob = BufReader::with_capacity(1 << 17, blob);
        let found = Packing::of_bytes(blob.fill_buf().map_err(Failure::Read)?);
        if found != packing {
            return Err(Flaw::Packing {
                announced: packing.name(),
                found: found.name(),
            }
            .into());
        }
        let out: Box<dyn Read + 'a> = match packing {
            Packing::Plain => Box::new(blob),
            Packing::Gzip => Box::new(MultiGzDecoder::new(blob)),
            Packing::Zstd => {
                let mut decoder =
                    zstd::stream::read::Decoder::with_buffer(blob).map_err(Failure::Read)?;
                decoder.window_log_max(WINDOW_LOG).map_err(Failure::Read)?;
                Box::new(decoder)
            }
        };
        Ok(Self {
            out: Hashed::new(out),
            packed,
            limits,
            exceeded: None,
            packing,
            finished: false,
        })
    }

    /// Digest of what came out, which must be all of it.
    pub(crate) fn diff_id(&self) -> Option<maas_types::Digest> {
        self.finished.then(|| self.out.digest())
    }

    /// What an error of this reader means.
    pub(crate) fn explain(&mut self, failure: Failure) -> Failure {
        match (self.exceeded.take(), failure) {
            (Some(flaw), Failure::Read(_)) => Failure::Flaw(flaw),
            (None, Failure::Read(error)) if self.packing != Packing::Plain && is_bad(&error) => {
                Failure::Flaw(Flaw::Compression(plain(&error.to_string())))
            }
            (_, failure) => failure,
        }
    }

    fn over(&mut self, flaw: Flaw) -> io::Error {
        self.exceeded = Some(flaw);
        io::Error::from(io::ErrorKind::InvalidData)
    }
}

impl Read for Unpacking<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.out.read(buffer)?;
        self.finished |= count == 0 && !buffer.is_empty();
        let (all, limits) = (self.out.count(), self.limits);
        if all > limits.layer_bytes {
            return Err(self.over(Flaw::limit("bytes of a layer", limits.layer_bytes)));
        }
        if all > limits.ratio_from && all / limits.ratio.max(1) > self.packed {
            let what = "bytes that one compressed byte becomes";
            return Err(self.over(Flaw::limit(what, limits.ratio)));
        }
        Ok(count)
    }
}

/// Whether the bytes are at fault. What the system says has a number; what a decoder says has none.
fn is_bad(error: &io::Error) -> bool {
    error.raw_os_error().is_none()
}
