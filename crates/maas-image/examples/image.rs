//! Images by hand, for the scripts that compare this crate with other tools.
//!
//! ```text
//! image unpack LAYOUT DIGEST INTO      as root with the image's owners, otherwise with one's own
//! image archive LAYOUT DIGEST NAME     the stream for Docker and containerd, to standard output
//! ```

use std::{error::Error, io};

use camino::Utf8Path;
use maas_image::{Policy, archive, unpack};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let [verb, layout, digest, last] = arguments[..] else {
        return Err("want: unpack LAYOUT DIGEST INTO, or archive LAYOUT DIGEST NAME".into());
    };
    let (layout, digest) = (Utf8Path::new(layout), digest.parse()?);
    match verb {
        "unpack" => {
            let policy = if rustix::process::geteuid().is_root() {
                Policy::for_root()
            } else {
                Policy::for_user()
            };
            unpack(layout, &digest, Utf8Path::new(last), &policy, &mut |_| {})?;
        }
        "archive" => archive(layout, &digest, last, io::stdout().lock())?,
        other => return Err(format!("`{other}` is neither unpack nor archive").into()),
    }
    Ok(())
}
