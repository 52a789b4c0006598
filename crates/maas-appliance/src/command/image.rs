//! Which image of a generation engines run in.

use std::collections::BTreeMap;

use camino::Utf8Path;
use maas_store::{Generation, InstalledImage};
use maas_types::Exit;

use crate::{config::Runtime, error::CommandError};

/// The image that `[engines]` means; `None` where engines run in the host's own file system.
pub(super) fn of_engines<'a>(
    runtime: &Runtime,
    generation: &'a Generation,
) -> Result<Option<&'a InstalledImage>, CommandError> {
    let Runtime::Rootfs { image } = runtime else {
        return Ok(None);
    };
    let images = generation.images();
    let found = match image {
        Some(name) => images.iter().find(|image| image.name == *name),
        None if images.len() == 1 => images.first(),
        None => None,
    };
    match found {
        Some(image) => Ok(Some(image)),
        None => Err(none(image.as_ref().map(AsRef::as_ref), generation)),
    }
}

/// The variables that the maker of an unpacked image wants.
pub(super) fn environment(image: &Utf8Path) -> Result<BTreeMap<String, String>, CommandError> {
    let text = fs_err::read(image.join("image.json"))?;
    let record: maas_image::Record = serde_json::from_slice(&text).map_err(|error| {
        CommandError::new(Exit::Content, format!("{image}/image.json: {error}"))
    })?;
    let pairs = record
        .run
        .env
        .iter()
        .filter_map(|pair| pair.split_once('='));
    Ok(pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}

fn none(wanted: Option<&str>, generation: &Generation) -> CommandError {
    let here: Vec<_> = generation
        .images()
        .iter()
        .map(|i| i.name.as_ref())
        .collect();
    let bundle = generation.bundle();
    let text = match (wanted, here.len()) {
        (_, 0) => format!("engines are to run in an image, and bundle {bundle} has none"),
        (Some(name), _) => format!(
            "engines are to run in the image `{name}`, and bundle {bundle} has {}",
            here.join(", ")
        ),
        (None, _) => format!(
            "bundle {bundle} has several images ({}), and none is said to be the engines'",
            here.join(", ")
        ),
    };
    let fix = "say image = \"NAME\" under [engines] in appliance.toml, or runtime = \"host\" with a vLLM \
               of the host";
    CommandError::new(Exit::HostCheck, text).hint(fix)
}
