//! Names in a layer.

/// Longest name that is looked at: Linux's `PATH_MAX` is 4,096 with the final zero.
const LONGEST: usize = 4_095;

/// The name without `./`, leading and doubled `/`; the root is empty. `None` for a name that leads
/// out of the image or that no Linux system could open.
pub(super) fn normal(name: &[u8]) -> Option<String> {
    if name.len() > LONGEST {
        return None;
    }
    let name = String::from_utf8_lossy(name);
    let mut components = Vec::new();
    for component in name.split('/') {
        match component {
            "" | "." => {}
            ".." => return None,
            other => components.push(other),
        }
    }
    Some(components.join("/"))
}

/// What a whiteout hides in the layers below.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hidden {
    /// This name and all below it.
    Name(String),
    /// All below this folder.
    Contents(String),
    /// Nothing: a name that only the tools of one storage driver know.
    Nothing,
}

/// Reads a whiteout (OCI image specification, "Whiteouts", "Opaque Whiteout").
pub(super) fn whiteout(path: &str) -> Option<Hidden> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let hidden = name.strip_prefix(".wh.")?;
    Some(match hidden {
        ".wh..opq" => Hidden::Contents(folder.to_owned()),
        "" | "." | ".." => Hidden::Nothing,
        _ if hidden.starts_with(".wh.") => Hidden::Nothing,
        _ if folder.is_empty() => Hidden::Name(hidden.to_owned()),
        _ => Hidden::Name(format!("{folder}/{hidden}")),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_lose_their_decoration_and_never_lead_out() {
        assert_eq!(normal(b"./usr//lib/./x/").as_deref(), Some("usr/lib/x"));
        assert_eq!(
            normal(b"/etc/os-release").as_deref(),
            Some("etc/os-release")
        );
        assert_eq!(normal(b"./").as_deref(), Some(""));
        assert_eq!(normal(b"usr/../etc/os-release"), None);
        assert_eq!(normal(&[b'x'; 5_000]), None);
    }

    #[test]
    fn whiteouts_hide_a_name_a_folders_contents_or_nothing() {
        let name = |path: &str| Some(Hidden::Name(path.to_owned()));
        assert_eq!(whiteout("usr/.wh.lib"), name("usr/lib"));
        assert_eq!(whiteout(".wh.usr"), name("usr"));
        assert_eq!(
            whiteout("usr/.wh..wh..opq"),
            Some(Hidden::Contents("usr".to_owned()))
        );
        assert_eq!(
            whiteout(".wh..wh..opq"),
            Some(Hidden::Contents(String::new()))
        );
        for nothing in [".wh.", ".wh..", ".wh...", "a/.wh..wh.plnk"] {
            assert_eq!(whiteout(nothing), Some(Hidden::Nothing), "{nothing}");
        }
        assert_eq!(whiteout("usr/lib"), None);
    }

    proptest! {
        #[test]
        fn no_name_has_dots_for_a_component(name: Vec<u8>) {
            let path = normal(&name).unwrap_or_default();
            prop_assert!(path.is_empty() || path.split('/').all(|c| !matches!(c, "" | "." | "..")));
        }
    }
}
