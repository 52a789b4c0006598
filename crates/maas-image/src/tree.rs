//! The image's files while layers are laid on each other.
//!
//! Threats: an entry that writes through a link, changes what a link points at, hides more than the
//! layers below, or is a device. Defences: the folder of every entry is a handle that [`Root`] found
//! beneath the root; what is there under the entry's own name is never followed, and is replaced unless
//! both are folders; files are made with `O_EXCL`; everything is done to handles or to names beside them.
//!
//! Every folder of the tree was made here, so each is known by its inode: what leads to it, how deep it
//! lies, and what it is to be in the end. While layers are applied all of them are 0700.

use std::{
    collections::{HashMap, HashSet},
    io::Read,
    os::fd::OwnedFd,
};

use rustix::{
    fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid, mkdirat, openat, statat},
    io::Errno,
};

use crate::{
    archive::{Archive, Entry, Kind},
    beneath::{Resolve, Root},
    error::{Failure, Flaw},
    metadata::{Attributes, Left},
    name::{Name, Request},
    policy::{Devices, Ownership, Policy},
};

mod file;
mod finish;
mod hide;
pub(crate) mod remove;

pub(crate) const READ_FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// A tree that grows.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    root: Root,
    root_inode: u64,
    policy: &'a Policy,
    folders: HashMap<u64, Folder>,
    /// What this layer brought that is no folder: the folder's inode and the name.
    brought: HashSet<(u64, Vec<u8>)>,
    layer: u32,
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    pub(crate) left: Left,
    buffer: Vec<u8>,
}

/// A folder of the tree.
#[derive(Debug)]
struct Folder {
    parent: u64,
    depth: u64,
    /// The layer that last named it or something in it.
    layer: u32,
    /// The layer that last had an entry for it.
    said_by: u32,
    attributes: Attributes,
}

/// A folder that was found.
#[derive(Debug)]
struct Place {
    handle: OwnedFd,
    inode: u64,
}

impl<'a> Tree<'a> {
    /// An empty tree in an empty folder.
    pub(crate) fn new(
        handle: OwnedFd,
        resolve: Option<Resolve>,
        policy: &'a Policy,
    ) -> Result<Self, Errno> {
        let resolve = resolve.unwrap_or_else(|| Resolve::best(&handle));
        let root_inode = rustix::fs::fstat(&handle)?.st_ino;
        let mut tree = Self {
            root: Root::new(handle, resolve),
            root_inode,
            policy,
            folders: HashMap::new(),
            brought: HashSet::new(),
            layer: 0,
            entries: 0,
            bytes: 0,
            left: Left::default(),
            buffer: vec![0; 1 << 16],
        };
        tree.note_folder(root_inode, root_inode, 0);
        Ok(tree)
    }

    /// What follows is the next layer.
    pub(crate) fn next_layer(&mut self) {
        self.layer += 1;
        self.brought.clear();
    }

    /// Applies one entry of the present layer, its contents taken from `archive`.
    pub(crate) fn apply<R: Read>(
        &mut self,
        entry: &Entry,
        archive: &mut Archive<'_, R>,
    ) -> Result<(), Failure> {
        let limits = &self.policy.limits;
        self.entries += 1;
        if self.entries > limits.entries {
            return Err(Flaw::limit("entries of all layers", limits.entries).into());
        }
        if entry.size > limits.file_bytes {
            return Err(Flaw::limit("bytes of one file", limits.file_bytes).into());
        }
        self.bytes = self.bytes.saturating_add(entry.size);
        if self.bytes > limits.bytes {
            return Err(Flaw::limit("bytes of all files", limits.bytes).into());
        }
        let request = Name::parse(&entry.name, limits)?.request()?;
        let is_whiteout = matches!(request, Request::Remove(..) | Request::Clear(_));
        if is_whiteout && entry.kind != Kind::File {
            return Err(Flaw::Whiteout.into());
        }
        match request {
            Request::Root if entry.kind == Kind::Folder => {
                self.describe(self.root_inode, entry);
                Ok(())
            }
            Request::Root => Err(Flaw::Root.into()),
            Request::Remove(folder, name) => self.hide(&folder, &name),
            Request::Clear(folder) => self.clear(&folder),
            Request::Place(folder, name) => {
                if !self.has_place_for(entry)? {
                    return Ok(());
                }
                let place = self.make_way(&folder)?;
                self.place(&place, &name, entry, archive)
            }
        }
    }

    /// Whether an entry of this kind is put into the tree.
    fn has_place_for(&mut self, entry: &Entry) -> Result<bool, Flaw> {
        match (entry.kind, self.policy.devices) {
            (Kind::CharDevice(0, 0), _)
            | (Kind::CharDevice(..) | Kind::BlockDevice, Devices::Refuse) => Err(Flaw::Device),
            (Kind::CharDevice(..) | Kind::BlockDevice, Devices::Skip) => {
                self.left.devices += 1;
                Ok(false)
            }
            (Kind::File | Kind::Folder | Kind::HardLink | Kind::Symlink | Kind::Fifo, _) => {
                Ok(true)
            }
        }
    }

    fn place<R: Read>(
        &mut self,
        place: &Place,
        name: &[u8],
        entry: &Entry,
        archive: &mut Archive<'_, R>,
    ) -> Result<(), Failure> {
        if entry.kind == Kind::Folder {
            return self.folder(place, name, entry);
        }
        // Before anything is removed: the target may be gone afterwards, and that is an error too.
        let target = (entry.kind == Kind::HardLink)
            .then(|| self.link_target(place, name, entry))
            .transpose()?;
        self.remove(place, name)?;
        match entry.kind {
            Kind::HardLink | Kind::Folder => {}
            Kind::File => self.file(place, name, entry, archive)?,
            Kind::Symlink => self.symlink(place, name, entry)?,
            Kind::Fifo => self.fifo(place, name, entry)?,
            Kind::CharDevice(..) | Kind::BlockDevice => return Err(Flaw::Device.into()),
        }
        if let Some((folder, last)) = target {
            rustix::fs::linkat(
                &folder.handle,
                last.as_slice(),
                &place.handle,
                name,
                AtFlags::empty(),
            )
            .map_err(|errno| match errno {
                Errno::NOENT => Flaw::LinkTarget(crate::error::shown(&entry.link)).into(),
                errno => Failure::Disk("link", errno),
            })?;
        }
        self.brought.insert((place.inode, name.to_owned()));
        Ok(())
    }

    fn folder(&mut self, place: &Place, name: &[u8], entry: &Entry) -> Result<(), Failure> {
        let there = kind_of(&place.handle, name)?;
        let inode = if let Some((FileType::Directory, inode)) = there {
            self.touch(inode);
            inode
        } else {
            self.remove(place, name)?;
            self.make_folder(place, name)?
        };
        self.describe(inode, entry);
        Ok(())
    }

    /// The folder of an entry, made where it is not there.
    fn make_way(&mut self, folder: &Name) -> Result<Place, Failure> {
        match self.find(&folder.path()) {
            Ok(place) => {
                self.touch(place.inode);
                return Ok(place);
            }
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(parent(errno)),
        }
        let mut place = self.find(b".").map_err(parent)?;
        for count in 1..=folder.parts().len() {
            let (path, name) = (
                folder.parts()[..count].join(&b'/'),
                &folder.parts()[count - 1],
            );
            place = match self.find(&path) {
                Ok(found) => found,
                Err(Errno::NOENT) if kind_of(&place.handle, name)?.is_none() => {
                    self.make_folder(&place, name)?;
                    self.find(&path).map_err(parent)?
                }
                // A link that leads nowhere: what it means to make something there is anybody's guess.
                Err(errno) => return Err(parent(errno)),
            };
        }
        self.touch(place.inode);
        Ok(place)
    }

    fn find(&self, path: &[u8]) -> Result<Place, Errno> {
        let handle = self.root.folder(path)?;
        let inode = rustix::fs::fstat(&handle)?.st_ino;
        Ok(Place { handle, inode })
    }

    fn make_folder(&mut self, place: &Place, name: &[u8]) -> Result<u64, Failure> {
        let depth = self.folders.get(&place.inode).map_or(0, |f| f.depth) + 1;
        if depth > self.policy.limits.depth {
            let limit = self.policy.limits.depth;
            return Err(Flaw::limit("folders within each other", limit).into());
        }
        mkdirat(&place.handle, name, Mode::RWXU).map_err(|e| Failure::Disk("make", e))?;
        let stat = statat(&place.handle, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| Failure::Disk("look at", errno))?;
        self.note_folder(stat.st_ino, place.inode, depth);
        self.touch(stat.st_ino);
        Ok(stat.st_ino)
    }

    fn note_folder(&mut self, inode: u64, parent: u64, depth: u64) {
        let folder = Folder {
            parent,
            depth,
            layer: 0,
            said_by: 0,
            attributes: Attributes::of_unnamed_folder(),
        };
        self.folders.insert(inode, folder);
    }

    /// This layer has something in the folder, and so in those that lead to it.
    fn touch(&mut self, mut inode: u64) {
        while let Some(folder) = self.folders.get_mut(&inode) {
            if folder.layer == self.layer {
                break;
            }
            folder.layer = self.layer;
            inode = folder.parent;
        }
    }

    fn describe(&mut self, inode: u64, entry: &Entry) {
        let attributes = Attributes::of(entry, self.policy, &mut self.left);
        let layer = self.layer;
        if let Some(folder) = self.folders.get_mut(&inode) {
            folder.said_by = layer;
            folder.attributes = attributes;
        }
    }

    /// Owner and group of an entry, where they are kept.
    fn owner(&self, attributes: &Attributes) -> Option<(Option<Uid>, Option<Gid>)> {
        (self.policy.ownership == Ownership::Keep).then(|| {
            (
                Some(Uid::from_raw(attributes.uid)),
                Some(Gid::from_raw(attributes.gid)),
            )
        })
    }
}

/// What is there under a name, itself and not what it leads to.
fn kind_of(folder: &OwnedFd, name: &[u8]) -> Result<Option<(FileType, u64)>, Failure> {
    match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some((FileType::from_raw_mode(stat.st_mode), stat.st_ino))),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(Failure::Disk("look at", errno)),
    }
}

/// A folder beside a handle, to be read.
fn open_folder(folder: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Failure> {
    openat(folder, name, READ_FOLDER, Mode::empty()).map_err(|e| Failure::Disk("open", e))
}

/// Why the way to an entry was not found.
fn parent(errno: Errno) -> Failure {
    match errno {
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV | Errno::NAMETOOLONG => {
            Flaw::Parent.into()
        }
        errno => Failure::Disk("open the folder of", errno),
    }
}
