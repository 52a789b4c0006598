//! Where things lie on the host: the one place that spells a path.

use camino::{Utf8Path, Utf8PathBuf};

use crate::{Digest, EngineId, GenerationId};

/// The appliance's folders. With `--root DIR` all of them lie below DIR; without, at `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: Utf8PathBuf,
}

impl Layout {
    /// The longest path that a Unix socket can have on Linux: `sun_path` has 108 bytes, one of them
    /// for the closing zero (`unix(7)`).
    pub const LONGEST_SOCKET: usize = 107;

    /// The appliance below `root`; `/` for a host of its own.
    pub fn new(root: impl Into<Utf8PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// What `--root` was, or `/`.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// `/etc/maas-appliance/appliance.toml`
    pub fn config(&self) -> Utf8PathBuf {
        self.root.join("etc/maas-appliance/appliance.toml")
    }

    /// `/etc/maas-appliance/tls`: own CA, server key and certificate chain.
    pub fn tls(&self) -> Utf8PathBuf {
        self.root.join("etc/maas-appliance/tls")
    }

    /// `/var/lib/maas-appliance`
    pub fn state(&self) -> Utf8PathBuf {
        self.root.join("var/lib/maas-appliance")
    }

    /// Blobs by digest: `store/sha256/ab/abcd…`
    pub fn store(&self) -> Utf8PathBuf {
        self.state().join("store")
    }

    /// Files on their way into the store; same file system, so the last step is a rename.
    pub fn staging(&self) -> Utf8PathBuf {
        self.state().join("staging")
    }

    /// All generations.
    pub fn generations(&self) -> Utf8PathBuf {
        self.state().join("generations")
    }

    /// One generation.
    pub fn generation(&self, id: &GenerationId) -> Utf8PathBuf {
        self.generations().join(id.to_string())
    }

    /// The link to the generation that serves.
    pub fn current(&self) -> Utf8PathBuf {
        self.state().join("current")
    }

    /// What each installation did: `<generation>.json`.
    pub fn receipts(&self) -> Utf8PathBuf {
        self.state().join("receipts")
    }

    /// The audit chain of root's commands.
    pub fn audit_db(&self) -> Utf8PathBuf {
        self.state().join("audit.db")
    }

    /// The newest checkpoint of that chain, signed by the host.
    pub fn audit_checkpoint(&self) -> Utf8PathBuf {
        self.state().join("audit.checkpoint")
    }

    /// The key by which the host signs what it says of itself; mode 0600.
    pub fn host_key(&self) -> Utf8PathBuf {
        self.root.join("etc/maas-appliance/host.key")
    }

    /// What came in and has not been activated, and who has agreed to it.
    pub fn arrivals(&self) -> Utf8PathBuf {
        self.state().join("arrivals")
    }

    /// What is wrong with the machine and taken as it is.
    pub fn accepted(&self) -> Utf8PathBuf {
        self.state().join("accepted.json")
    }

    /// The release that has yet to show that it serves.
    pub fn trial(&self) -> Utf8PathBuf {
        self.state().join("trial.json")
    }

    /// A link to the binary that runs the trial: that of the release before.
    pub fn trial_runner(&self) -> Utf8PathBuf {
        self.state().join("trial-runner")
    }

    /// Trusted roots, version floors, generations and the install journal. Written by root's
    /// commands only; the services never open it.
    pub fn trust_db(&self) -> Utf8PathBuf {
        self.state().join("trust.db")
    }

    /// What belongs to the gateway and to nobody else, root excepted; mode 0700.
    pub fn gateway(&self) -> Utf8PathBuf {
        self.state().join("gateway")
    }

    /// Teams, keys, limits and the usage ledger. Written by the gateway only.
    pub fn state_db(&self) -> Utf8PathBuf {
        self.gateway().join("state.db")
    }

    /// The secret that keys are hashed with; mode 0600.
    pub fn pepper(&self) -> Utf8PathBuf {
        self.gateway().join("pepper")
    }

    /// The lock that install, rollback and garbage collection hold; says who and since when.
    pub fn lock(&self) -> Utf8PathBuf {
        self.state().join("lock")
    }

    /// The blobs of an install that has begun and has no generation yet.
    pub fn wanted(&self) -> Utf8PathBuf {
        self.state().join("wanted.json")
    }

    /// How far reading the store over again has come, and what it found.
    pub fn scrub(&self) -> Utf8PathBuf {
        self.state().join("scrub")
    }

    /// Blobs that were found to be damaged, moved aside so that the next install reads them again.
    pub fn quarantine(&self) -> Utf8PathBuf {
        self.state().join("quarantine")
    }

    /// Engine logs: a folder for each.
    pub fn engine_logs(&self) -> Utf8PathBuf {
        self.state().join("engines/log")
    }

    /// The log of an engine's current run; the one before lies beside it.
    pub fn engine_log(&self, id: &EngineId) -> Utf8PathBuf {
        self.engine_logs().join(id.as_str()).join("engine.log")
    }

    /// What engines may write: compile caches and the like, kept between runs.
    pub fn engine_cache(&self) -> Utf8PathBuf {
        self.state().join("engines/cache")
    }

    /// `/run/maas-appliance`
    pub fn run(&self) -> Utf8PathBuf {
        self.root.join("run/maas-appliance")
    }

    /// What the supervisor tells the gateway.
    pub fn engine_table(&self) -> Utf8PathBuf {
        self.run().join("engines.json")
    }

    /// What the GPU agent tells everybody.
    pub fn gpu_inventory(&self) -> Utf8PathBuf {
        self.run().join("gpus.json")
    }

    /// The gateway's administrative socket.
    pub fn admin_socket(&self) -> Utf8PathBuf {
        self.run().join("admin.sock")
    }

    /// Of each engine the spec, `ID.json`, which is the supervisor's, and a folder that is its own.
    pub fn engines(&self) -> Utf8PathBuf {
        self.run().join("engines")
    }

    /// What an engine says: status, lock and socket. The one folder of `/run` that it may write.
    pub fn engine(&self, id: &EngineId) -> Utf8PathBuf {
        self.engines().join(id.as_str())
    }

    /// The Unix socket on which an engine speaks HTTP.
    pub fn engine_socket(&self, id: &EngineId) -> Utf8PathBuf {
        self.engine(id).join("sock")
    }

    /// Where root starts and stops engines for the supervisor, which may not.
    pub fn launcher_socket(&self) -> Utf8PathBuf {
        self.run().join("launcher.sock")
    }

    /// Images that were unpacked for engines to run in: `images/<hex of the manifest>`.
    pub fn images(&self) -> Utf8PathBuf {
        self.state().join("images")
    }

    /// An unpacked image: its root file system, and what is known of it.
    pub fn image(&self, manifest: &Digest) -> Utf8PathBuf {
        self.images().join(manifest.hex())
    }

    /// The root file system of an unpacked image.
    pub fn image_root(&self, manifest: &Digest) -> Utf8PathBuf {
        self.image(manifest).join("rootfs")
    }
}
