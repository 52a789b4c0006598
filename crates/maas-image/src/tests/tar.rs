//! A tar writer that writes whatever it is told, however wrong.

const BLOCK: usize = 512;

/// An archive being written.
#[derive(Debug, Default, Clone)]
pub(super) struct Tar {
    bytes: Vec<u8>,
}

/// A header; everything can be set, the checksum is made right at the end.
#[derive(Debug, Clone)]
pub(super) struct Header(pub(super) [u8; BLOCK]);

impl Header {
    pub(super) fn new(kind: u8, name: &[u8]) -> Self {
        let mut header = Self([0; BLOCK]);
        header.put(0, &name[..name.len().min(100)]);
        header.0[156] = kind;
        header.put(257, b"ustar\x0000");
        header
            .mode(if kind == b'5' { 0o755 } else { 0o644 })
            .size(0)
            .ids(0, 0)
            .mtime(1_000)
    }

    pub(super) fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub(super) fn with(mut self, at: usize, bytes: &[u8]) -> Self {
        self.put(at, bytes);
        self
    }

    pub(super) fn mode(self, mode: u32) -> Self {
        self.with(100, format!("{mode:07o}\0").as_bytes())
    }

    pub(super) fn ids(self, uid: u32, gid: u32) -> Self {
        self.with(108, format!("{uid:07o}\0{gid:07o}\0").as_bytes())
    }

    pub(super) fn size(self, size: u64) -> Self {
        self.with(124, format!("{size:011o}\0").as_bytes())
    }

    pub(super) fn mtime(self, mtime: u64) -> Self {
        self.with(136, format!("{mtime:011o}\0").as_bytes())
    }

    pub(super) fn link(self, target: &[u8]) -> Self {
        self.with(157, target)
    }

    pub(super) fn device(self, major: u32, minor: u32) -> Self {
        self.with(329, format!("{major:07o}\0{minor:07o}\0").as_bytes())
    }

    fn summed(mut self) -> [u8; BLOCK] {
        self.put(148, b"        ");
        let sum: u32 = self.0.iter().map(|byte| u32::from(*byte)).sum();
        self.put(148, format!("{sum:06o}\0 ").as_bytes());
        self.0
    }
}

impl Tar {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn of(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// A header as it is and bytes behind it, filled to a block.
    pub(super) fn raw(mut self, header: Header, content: &[u8]) -> Self {
        self.bytes.extend(header.summed());
        self.bytes.extend(content);
        self.bytes
            .resize(self.bytes.len().next_multiple_of(BLOCK), 0);
        self
    }

    pub(super) fn file(self, name: &str, content: &[u8]) -> Self {
        let header = Header::new(b'0', name.as_bytes()).size(content.len() as u64);
        self.raw(header, content)
    }

    pub(super) fn folder(self, name: &str) -> Self {
        self.raw(Header::new(b'5', name.as_bytes()), b"")
    }

    pub(super) fn symlink(self, name: &str, target: &str) -> Self {
        let header = Header::new(b'2', name.as_bytes()).link(target.as_bytes());
        self.raw(header.mode(0o777), b"")
    }

    pub(super) fn hard_link(self, name: &str, target: &str) -> Self {
        self.raw(
            Header::new(b'1', name.as_bytes()).link(target.as_bytes()),
            b"",
        )
    }

    /// A whiteout, or anything else that is an empty file.
    pub(super) fn empty(self, name: &str) -> Self {
        self.file(name, b"")
    }

    /// A PAX header with records whose lengths are right.
    pub(super) fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let text: Vec<_> = records
            .iter()
            .flat_map(|(key, value)| record(key, value))
            .collect();
        self.extension(b'x', &text)
    }

    /// An extension of any type.
    pub(super) fn extension(self, kind: u8, content: &[u8]) -> Self {
        let header = Header::new(kind, b"././@LongLink").size(content.len() as u64);
        self.raw(header, content)
    }

    /// The archive with its two blocks of zeros.
    pub(super) fn end(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 2 * BLOCK, 0);
        self.bytes
    }

    /// The archive without an end.
    pub(super) fn endless(self) -> Vec<u8> {
        self.bytes
    }
}

pub(super) fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}
