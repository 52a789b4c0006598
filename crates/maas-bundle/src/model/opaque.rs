//! Files that run when they are loaded, or that hide what is in them.

const PICKLE: &str = "it is or may hold a Python pickle, which runs what its author likes; convert it to safetensors";
const ARCHIVE: &str = "it is an archive, and what is in it cannot be judged; unpack it, and convert weights to safetensors";
const PROGRAM: &str = "it is a program or a library of machine code";

/// Ways in which weights are written as pickles or as something that may hold one. Loaders choose by
/// these names, and old pickles (protocols 0 and 1) have no magic number.
const PICKLE_NAMES: [&str; 12] = [
    ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".dill", ".npy", ".npz", ".h5",
    ".keras",
];

const PROGRAM_NAMES: [&str; 5] = [".so", ".dll", ".dylib", ".pyd", ".pyc"];

/// First bytes, and what they are. The formats' own documents.
const MAGIC: [(&[u8], &str); 14] = [
    (b"PK\x03\x04", ARCHIVE),
    (b"PK\x05\x06", ARCHIVE),
    (b"\x1f\x8b", ARCHIVE),
    (b"BZh", ARCHIVE),
    (b"\xfd7zXZ\x00", ARCHIVE),
    (b"\x28\xb5\x2f\xfd", ARCHIVE),
    (b"\x04\x22\x4d\x18", ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", ARCHIVE),
    (b"Rar!\x1a\x07", ARCHIVE),
    (b"\x93NUMPY", PICKLE),
    (b"\x89HDF\r\n\x1a\n", PICKLE),
    (b"\x7fELF", PROGRAM),
    (b"MZ", PROGRAM),
    (b"#!", PROGRAM),
];

/// Where a tar archive says that it is one.
const TAR: (usize, &[u8]) = (257, b"ustar");

/// What is wrong with a file of this name (in lower case) that starts with these bytes.
pub(super) fn objection(name: &str, start: &[u8]) -> Option<&'static str> {
    let named = |endings: &[&str]| super::ends(name, endings);
    if named(&PICKLE_NAMES) || is_pickle(start) {
        return Some(PICKLE);
    }
    if named(&PROGRAM_NAMES) {
        return Some(PROGRAM);
    }
    if start
        .get(TAR.0..)
        .is_some_and(|rest| rest.starts_with(TAR.1))
    {
        return Some(ARCHIVE);
    }
    let magic = MAGIC.iter().find(|(magic, _)| start.starts_with(magic));
    // A script that is called `.py` is judged as code that comes with the model.
    magic
        .filter(|(magic, _)| *magic != b"#!" || !named(&[".py"]))
        .map(|(_, why)| *why)
}

/// The opcode `PROTO` with a protocol that exists (pickletools; 2 to 5).
fn is_pickle(start: &[u8]) -> bool {
    matches!(start, [0x80, 2..=5, ..])
}
