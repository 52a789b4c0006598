//! `version`: what this binary is.

use std::io::Read as _;

use maas_types::Exit;
use serde::Serialize;

use crate::{
    error::CommandResult,
    output::{self, Format},
};

/// `maas-appliance/version/v1`
#[derive(Debug, Serialize)]
struct About {
    schema: &'static str,
    version: &'static str,
    /// The commit that it was built from, if the build said so.
    commit: Option<&'static str>,
    target: &'static str,
    /// The oldest glibc that it runs with; `None` if it needs none, or if that cannot be seen.
    glibc: Option<String>,
}

/// Prints it.
pub(super) fn run(format: Format) -> CommandResult {
    let about = About {
        schema: "maas-appliance/version/v1",
        version: env!("CARGO_PKG_VERSION"),
        commit: option_env!("MAAS_COMMIT"),
        target: env!("MAAS_TARGET"),
        glibc: needed_glibc(),
    };
    match format {
        Format::Json => output::json(&about)?,
        Format::Text => output::data(&text(&about)),
    }
    Ok(Exit::Done)
}

fn text(about: &About) -> String {
    format!(
        "maas-appliance {}\ncommit  {}\ntarget  {}\nglibc   {}\n",
        about.version,
        about.commit.unwrap_or("not told by the build"),
        about.target,
        about.glibc.as_deref().unwrap_or("none needed"),
    )
}

/// What our own file asks of the host's glibc. Symbol versions stand in it as plain text, `GLIBC_2.34`; the
/// highest of them is the baseline, whatever machine it was built on.
fn needed_glibc() -> Option<String> {
    let mut bytes = Vec::new();
    let path = super::own_path().ok()?;
    fs_err::File::open(path)
        .ok()?
        .read_to_end(&mut bytes)
        .ok()?;
    let (major, minor) = highest(&bytes)?;
    Some(format!("{major}.{minor}"))
}

fn highest(bytes: &[u8]) -> Option<(u32, u32)> {
    const MARK: &[u8] = b"\0GLIBC_";
    let places = bytes.windows(MARK.len()).enumerate();
    let marks = places.filter(|(_, window)| *window == MARK);
    let versions = marks.filter_map(|(at, _)| {
        let rest = bytes.get(at + MARK.len()..)?;
        let end = rest.iter().take(12).position(|byte| *byte == 0)?;
        let (major, rest) = std::str::from_utf8(&rest[..end]).ok()?.split_once('.')?;
        // `GLIBC_2.2.5`: the third number is of no interest.
        let minor = rest.split('.').next()?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    });
    versions.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_symbol_version_is_the_baseline() {
        let bytes = b"x\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_2.9\0GLIBC_PRIVATE\0 GLIBC_9.9\0";
        assert_eq!(highest(bytes), Some((2, 34)));
        assert_eq!(highest(b"static"), None);
    }
}
