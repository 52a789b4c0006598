//! Finding a folder of the image by its name, beneath the image's root whatever links it leads through.
//!
//! Threats: links that lead out (`x -> /etc`, `x -> ../../etc`), chains and loops of links, links whose
//! target changes between looking and opening. Defence: only folders are looked up this way, never the
//! last component of a name; the kernel resolves links as if the image's root were `/` (`openat2` with
//! `RESOLVE_IN_ROOT`: images do have `lib -> usr/lib` or `var/run -> /run` and entries below them), and
//! the result is a handle. Where there is no `openat2` (before Linux 5.6, or a filter that knows it not)
//! a walk does the same: one component at a time, each opened without following it, links read and
//! taken apart by us.

use std::{collections::VecDeque, os::fd::OwnedFd};

use rustix::{
    fs::{Mode, OFlags, ResolveFlags, openat, openat2, readlinkat},
    io::Errno,
};

/// Links on one way; the kernel's own number (`MAXSYMLINKS`).
const MOST_LINKS: u32 = 40;

const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// How folders are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resolve {
    /// By the kernel.
    Kernel,
    /// By a walk of ours.
    Walk,
}

/// The root of an image that is being unpacked.
#[derive(Debug)]
pub(crate) struct Root {
    handle: OwnedFd,
    resolve: Resolve,
}

impl Resolve {
    /// The kernel where it can. Filters of old container engines answer EPERM to what they do not know.
    pub(crate) fn best(root: &OwnedFd) -> Self {
        match by_kernel(root, b".") {
            Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => Self::Walk,
            _ => Self::Kernel,
        }
    }
}

impl Root {
    pub(crate) const fn new(handle: OwnedFd, resolve: Resolve) -> Self {
        Self { handle, resolve }
    }

    pub(crate) const fn handle(&self) -> &OwnedFd {
        &self.handle
    }

    /// A handle (`O_PATH`) on the folder that `path`, relative to the root, names.
    pub(crate) fn folder(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        match self.resolve {
            Resolve::Walk => walk(&self.handle, path),
            Resolve::Kernel => match by_kernel(&self.handle, path) {
                // A rename elsewhere on the machine made the kernel unsure about a `..`.
                Err(Errno::AGAIN) => walk(&self.handle, path),
                result => result,
            },
        }
    }
}

fn by_kernel(root: &OwnedFd, path: &[u8]) -> Result<OwnedFd, Errno> {
    let beneath = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
    openat2(root, path, FOLDER, Mode::empty(), beneath)
}

fn walk(root: &OwnedFd, path: &[u8]) -> Result<OwnedFd, Errno> {
    let mut todo: VecDeque<Vec<u8>> = parts(path);
    // The folders from the root down to where the walk is; empty at the root.
    let mut way: Vec<OwnedFd> = Vec::new();
    let mut links = 0;
    while let Some(part) = todo.pop_front() {
        let here = way.last().unwrap_or(root);
        if part == b".." {
            // The root's `..` is the root.
            drop(way.pop());
            continue;
        }
        match openat(
            here,
            part.as_slice(),
            FOLDER | OFlags::NOFOLLOW,
            Mode::empty(),
        ) {
            Ok(folder) => way.push(folder),
            Err(Errno::NOTDIR | Errno::LOOP) => {
                let target = match readlinkat(here, part.as_slice(), Vec::new()) {
                    Ok(target) => target.into_bytes(),
                    Err(Errno::INVAL) => return Err(Errno::NOTDIR),
                    Err(errno) => return Err(errno),
                };
                links += 1;
                if links > MOST_LINKS {
                    return Err(Errno::LOOP);
                }
                if target.starts_with(b"/") {
                    way.clear();
                }
                for part in parts(&target).into_iter().rev() {
                    todo.push_front(part);
                }
            }
            Err(errno) => return Err(errno),
        }
    }
    match way.pop() {
        Some(folder) => Ok(folder),
        None => openat(root, ".", FOLDER, Mode::empty()),
    }
}

fn parts(path: &[u8]) -> VecDeque<Vec<u8>> {
    path.split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty() && *part != b".")
        .map(<[u8]>::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, fstat};

    use super::*;

    /// A root with links of every kind, and a folder beside it that must not be reached.
    fn root(folder: &tempfile::TempDir) -> OwnedFd {
        let outside = folder.path().join("outside");
        let root = folder.path().join("root");
        fs_err::create_dir_all(outside.join("deep")).unwrap();
        fs_err::create_dir_all(root.join("usr/lib/deep")).unwrap();
        fs_err::create_dir_all(root.join("run")).unwrap();
        fs_err::write(root.join("file"), "").unwrap();
        for (link, target) in [
            ("lib", "usr/lib"),
            ("absolute", "/usr/lib"),
            ("up", "../../../../outside"),
            ("out", outside.to_str().unwrap()),
            ("proc", "/proc/self/root"),
            ("usr/lib/back", "../../run"),
            ("usr/lib/beyond", "../../../../run"),
            ("a", "b"),
            ("b", "a"),
            ("self", "self/x"),
            ("dangling", "nowhere"),
            ("to-file", "file"),
            ("root", "/"),
            ("chain", "absolute/back"),
        ] {
            std::os::unix::fs::symlink(target, root.join(link)).unwrap();
        }
        openat(CWD, &root, FOLDER, Mode::empty()).unwrap()
    }

    #[test]
    fn kernel_and_walk_find_the_same_and_never_lead_out() {
        let folder = tempfile::tempdir().unwrap();
        let root = root(&folder);
        let outside = fstat(openat(CWD, folder.path(), FOLDER, Mode::empty()).unwrap()).unwrap();
        let reads_by_kernel = Resolve::best(&root) == Resolve::Kernel;
        for path in [
            ".",
            "lib",
            "lib/deep",
            "absolute",
            "absolute/deep",
            "up",
            "up/deep",
            "out",
            "proc",
            "lib/back",
            "lib/beyond",
            "a",
            "self",
            "dangling",
            "dangling/x",
            "to-file",
            "file",
            "file/x",
            "root",
            "root/root/usr",
            "chain",
            "missing",
            "usr/..",
            "root/../usr",
            "out/x",
        ] {
            let inode = |found: OwnedFd| fstat(&found).unwrap().st_ino;
            let walked = walk(&root, path.as_bytes()).map(inode);
            if reads_by_kernel {
                assert_eq!(
                    by_kernel(&root, path.as_bytes()).map(inode),
                    walked,
                    "{path}"
                );
            }
            assert_ne!(walked, Ok(outside.st_ino), "{path}");
        }
        assert!(walk(&root, b"lib/beyond").is_ok());
        assert_eq!(walk(&root, b"up").unwrap_err(), Errno::NOENT);
        assert_eq!(walk(&root, b"a").unwrap_err(), Errno::LOOP);
    }
}
