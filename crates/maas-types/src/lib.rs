//! The words of the appliance: what every stage of the road says to the next.
//!
//! Nothing here touches a file, a socket, a clock or the environment; a value of these types can be
//! made in a test with nothing around it. One word means one thing everywhere:
//!
//! | word | meaning |
//! |---|---|
//! | **bundle** | what the connected side signs: a bill of lading and the blobs it lists |
//! | **blob** | a run of bytes named by its SHA-256; a model file, an image layer, the binary |
//! | **part** | 1,000,000,000 bytes of a blob too big for one file on a FAT32 stick |
//! | **volume** | one stick, disc or folder that holds some of a bundle's blobs and parts |
//! | **generation** | one installed bundle on one host; `current` points at the one that serves |
//! | **model** | what a client asks for by name |
//! | **engine** | one running vLLM (or simulated) instance that answers for a model |
//! | **key** | a developer's secret `sk-maas-…`; belongs to a team |
//! | **team** | who is billed, and whose quota is shared by its keys |
#![warn(missing_docs)]

mod bill;
mod digest;
mod engine_table;
mod exit;
mod generation;
mod gpu;
pub mod json;
mod layout;
mod model;
mod name;
mod path;
mod size;
mod usage;

pub use bill::{
    BillOfLading, Blob, Document, DocumentKind, FORMAT, Image, ImageSignatures, MediumFile,
    ModelFile, ModelSignature, ModelSigner, PART_BYTES, Part, Requirements, ShippedModel,
};
pub use digest::{Digest, DigestError};
pub use engine_table::{EngineEntry, EngineKind, EngineState, EngineTable};
pub use exit::Exit;
pub use generation::{GenerationId, GenerationRecord};
pub use gpu::{Ecc, Gpu, GpuInventory, GpuProcess, NvmlHealth, XidEvent};
pub use layout::Layout;
pub use model::{EngineSettings, ModelManifest, Task};
pub use name::{
    BundleId, EngineId, GpuUuid, ImageName, KeyId, ModelName, NameError, RequestId, TeamName,
    UserName,
};
pub use path::{BlobPath, BlobPathError};
pub use size::{ByteSize, ByteSizeError};
pub use usage::{Dialect, Outcome, Usage};
