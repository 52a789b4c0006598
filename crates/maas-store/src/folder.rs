//! Volumes and inputs that are mounted folders.

mod beneath;
mod medium;
mod reader;
mod sink;
mod source;

pub(crate) use self::reader::{Cache, FileReader};
pub use self::{medium::MediaFolder, sink::SinkFolder, source::SourceFolder};

#[cfg(test)]
mod tests;
