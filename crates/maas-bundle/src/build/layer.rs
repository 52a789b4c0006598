//! Proof that a layer can be read: unpacked as a stream, it has the digest that the image's config
//! promises (`rootfs.diff_ids`, OCI image specification, config). Nothing is kept of it.
//!
//! Threat: a small layer that unpacks without end. Defences: a cap on unpacked bytes, and on the
//! memory that zstd may ask for.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use maas_types::Digest;
use sha2::{Digest as _, Sha256};

use crate::reader::Buffer;

/// No layer of an engine's image comes near: the biggest known have some 20 GB unpacked.
const MOST_UNPACKED: u64 = 1 << 40;

/// 128 MiB, what `zstd --long` uses and any decoder takes (RFC 8878, 3.1.1.1.2 allows far more).
const WINDOW_LOG: u32 = 27;

/// How a layer is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// Not at all.
    Tar,
    /// gzip, one or several members.
    Gzip,
    /// zstd.
    Zstd,
}

impl Packing {
    /// The packing that a layer's media type announces; `None` for a layer that we do not ship.
    pub(super) fn of(media_type: &str) -> Option<Self> {
        match media_type {
            "application/vnd.oci.image.layer.v1.tar"
            | "application/vnd.docker.image.rootfs.diff.tar" => Some(Self::Tar),
            "application/vnd.oci.image.layer.v1.tar+gzip"
            | "application/vnd.docker.image.rootfs.diff.tar.gzip" => Some(Self::Gzip),
            "application/vnd.oci.image.layer.v1.tar+zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The packing that the first bytes show, for archives that announce none.
    pub(super) fn by_magic(start: &[u8]) -> Self {
        if start.starts_with(&[0x1f, 0x8b]) {
            Self::Gzip
        } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Self::Zstd
        } else {
            Self::Tar
        }
    }

    /// The OCI media type of a layer that is packed so.
    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Tar => crate::oci::LAYER_TAR,
            Self::Gzip => "application/vnd.oci.image.layer.v1.tar+gzip",
            Self::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
        }
    }
}

/// Looks at an unpacked layer as it goes by; it may stop before the end.
type Look<'a> = &'a mut dyn FnMut(&mut dyn Read) -> io::Result<()>;

/// The digest of the unpacked layer, while `look` reads the same bytes.
pub(super) fn unpacked_digest(
    packing: Packing,
    packed: &mut dyn Read,
    look: Look<'_>,
) -> io::Result<Digest> {
    match packing {
        Packing::Tar => digest(packed, look),
        Packing::Gzip => digest(&mut MultiGzDecoder::new(BufReader::new(packed)), look),
        Packing::Zstd => {
            let mut decoder = zstd::Decoder::new(packed)?;
            decoder.window_log_max(WINDOW_LOG)?;
            digest(&mut decoder, look)
        }
    }
}

fn digest(unpacked: &mut dyn Read, look: Look<'_>) -> io::Result<Digest> {
    let mut hashing = Unpacked {
        reader: unpacked,
        hash: Sha256::new(),
        total: 0,
    };
    look(&mut hashing)?;
    Buffer::new().pump(&mut hashing, |_| Ok::<_, io::Error>(()))?;
    Ok(Digest::from_bytes(hashing.hash.finalize().into()))
}

/// Hashes and counts what is read through it.
struct Unpacked<'a> {
    reader: &'a mut dyn Read,
    hash: Sha256,
    total: u64,
}

impl Read for Unpacked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.total += count as u64;
        if self.total > MOST_UNPACKED {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("it unpacks to more than {MOST_UNPACKED} bytes"),
            ));
        }
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}
