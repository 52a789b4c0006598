//! Backups: the file as it lies on a medium, and what may be inside when somebody else has sealed it.

use std::io::{Read as _, Write as _};

use camino::{Utf8Path, Utf8PathBuf};
use maas_backup::{
    Access, BackupError, EntryName, Item, Making, Owner, Source,
    age::{self, Identity, Open, Seal},
};

/// The folder of this process for copies of databases; emptied by each use.
fn scratch() -> Utf8PathBuf {
    let name = format!("maas-fuzz-backup-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    Utf8PathBuf::from_path_buf(folder).expect("its name is text")
}

/// The key that the corpus is sealed to.
fn key() -> Identity {
    Identity::generate(&mut |bytes| bytes.fill(7))
}

/// Input that begins with `0` is a whole file; with `1`, a tar stream, and with `2` anything, which are
/// sealed here. What is verified has names that stay in their folders and the sizes that it says.
pub fn backup_file(data: &[u8]) {
    let Some((how, data)) = data.split_first() else {
        return;
    };
    let key = key();
    let file = match how {
        b'0' => data.to_vec(),
        b'1' => seal(&key, &pack(data)),
        b'2' => seal(&key, data),
        _ => return,
    };
    let folder = scratch();
    match maas_backup::verify(&file[..], &Open::Identity(&key), &folder) {
        Ok(verified) => {
            assert_eq!(verified.bytes, file.len() as u64);
            assert_eq!(verified.digest.to_string(), crate::sha256(&file));
            for entry in &verified.manifest.entries {
                let path = Utf8Path::new(entry.name.within());
                let normal = |part| matches!(part, camino::Utf8Component::Normal(_));
                assert!(path.components().all(normal), "{path}");
            }
        }
        Err(error) => assert!(is_refusal(&error), "{error}"),
    }
    std::fs::remove_dir_all(&folder).expect("nothing else uses it");
}

/// Bytes can be wrong for us; they cannot be an error of the disk, of our list or of the source.
fn is_refusal(error: &BackupError) -> bool {
    matches!(
        error,
        BackupError::Damaged(_) | BackupError::NotARecipient | BackupError::NeedsPassphrase
    )
}

fn seal(key: &Identity, packed: &[u8]) -> Vec<u8> {
    let to = [key.recipient()];
    let mut random = |bytes: &mut [u8]| bytes.fill(9);
    let sealed = age::seal(Vec::new(), &Seal::Recipients(&to), &mut random);
    let mut sealed = sealed.expect("a Vec takes everything");
    sealed.write_all(packed).expect("a Vec takes everything");
    sealed.finish().expect("a Vec takes everything")
}

/// One zstd frame of raw blocks: nothing here compresses.
fn pack(tar: &[u8]) -> Vec<u8> {
    // Magic; a window of 1 MiB (2^(10+10)); no size, no checksum.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 10 << 3];
    let mut blocks = tar.chunks(65_536).peekable();
    while let Some(block) = blocks.next() {
        let last = u32::from(blocks.peek().is_none());
        let length = u32::try_from(block.len()).expect("a block is short");
        frame.extend_from_slice(&((length << 3) | last).to_le_bytes()[..3]);
        frame.extend_from_slice(block);
    }
    if tar.is_empty() {
        frame.extend_from_slice(&[1, 0, 0]);
    }
    frame
}

/// Inputs to begin with: a whole backup, and the archive in it.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let folder = scratch();
    let path = folder.join("appliance.toml");
    std::fs::write(&path, "[gateway]\n").expect("a file can be written");
    let key = key();
    let item = |name, source| Item {
        name: EntryName::new(name).expect("a name"),
        source,
        access: Access::Private,
        owner: Owner::Root,
    };
    let items = [
        item("config/tls", Source::Folder),
        item("config/tls/ca.key", Source::File(path.clone())),
        item("config/appliance.toml", Source::File(path)),
    ];
    let what = Making {
        items: &items,
        scratch: &folder,
        made_by: "maas-appliance 0.1.0",
        host: "gpu-1",
        now: "2026-11-25T08:00:00Z".parse().expect("a time"),
    };
    let to = [key.recipient()];
    let mut file = Vec::new();
    let mut random = |bytes: &mut [u8]| bytes.fill(9);
    maas_backup::create(&what, &Seal::Recipients(&to), &mut file, &mut random).expect("a backup");
    let mut opened = age::open(&file[..], &Open::Identity(&key)).expect("our own");
    let mut packed = Vec::new();
    opened.read_to_end(&mut packed).expect("our own");
    let tar = zstd::decode_all(&packed[..]).expect("our own");
    std::fs::remove_dir_all(&folder).expect("nothing else uses it");
    vec![
        ("archive", [b"1", &tar[..]].concat()),
        ("whole", [b"0", &file[..]].concat()),
        ("cut", [b"0", &file[..file.len() - 1]].concat()),
        ("packed", [b"2", &packed[..]].concat()),
        ("twice", [b"2", &packed[..], &packed[..]].concat()),
    ]
}
