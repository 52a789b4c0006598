//! What to ask a container engine, and what its answers mean. Nothing is started here.

use camino::Utf8Path;
use maas_types::Digest;

use crate::stream::ImageIds;

/// A command line, to be started by whoever starts processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The program, to be found in the `PATH`.
    pub program: &'static str,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What its standard input gets.
    pub input: Input,
}

/// What a program reads from its standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Nothing.
    Empty,
    /// What [`crate::archive()`] writes.
    Archive,
}

fn invocation(program: &'static str, arguments: &[&str], input: Input) -> Invocation {
    Invocation {
        program,
        arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
        input,
    }
}

/// podman takes an image out of the layout itself, layer by layer, and prints its id. `name` is the one
/// that the layout's index gives it. Old podman (4.3) calls the image after the layout's path all the
/// same, so [`podman_tag`] comes next.
///
/// `None` for a path with a `:`, where podman would cut it, or with a capital, of which old podman can
/// make no name: then [`podman_load`] is the way.
pub fn podman_pull(layout: &Utf8Path, name: &str) -> Option<Invocation> {
    let is_unfit = |c: char| c == ':' || c.is_uppercase();
    if layout.as_str().contains(is_unfit) {
        return None;
    }
    let source = format!("oci:{layout}:{name}");
    Some(invocation(
        "podman",
        &["pull", "--quiet", &source],
        Input::Empty,
    ))
}

/// podman reads a stream, of which it makes a file of its own first.
pub fn podman_load() -> Invocation {
    invocation("podman", &["load", "--quiet"], Input::Archive)
}

/// Gives an image that podman has a name.
pub fn podman_tag(id: &Digest, name: &str) -> Invocation {
    let arguments = ["image", "tag", &id.hex(), name];
    invocation("podman", &arguments, Input::Empty)
}

/// Exit status 0 if podman has the image, 1 if not.
pub fn podman_exists(name: &str) -> Invocation {
    invocation("podman", &["image", "exists", "--", name], Input::Empty)
}

/// Prints the image's id; see [`is_image`].
pub fn podman_id(name: &str) -> Invocation {
    let arguments = ["image", "inspect", "--format", "{{.Id}}", "--", name];
    invocation("podman", &arguments, Input::Empty)
}

/// Docker reads a stream.
pub fn docker_load() -> Invocation {
    invocation("docker", &["load", "--quiet"], Input::Archive)
}

/// Prints the image's id; see [`is_image`].
pub fn docker_id(name: &str) -> Invocation {
    let arguments = ["image", "inspect", "--format", "{{.Id}}", "--", name];
    invocation("docker", &arguments, Input::Empty)
}

/// containerd reads a stream, into one of its namespaces (`k8s.io` for Kubernetes).
pub fn containerd_import(namespace: &str) -> Invocation {
    let namespace = format!("--namespace={namespace}");
    let arguments = [&namespace, "images", "import", "--digests=false", "-"];
    invocation("ctr", &arguments, Input::Archive)
}

/// Prints a line `NAME TYPE DIGEST …` if containerd has the image; see [`containerd_digest`].
pub fn containerd_list(namespace: &str, name: &str) -> Invocation {
    let namespace = format!("--namespace={namespace}");
    let filter = format!("name=={name}");
    let arguments = [&namespace, "images", "list", &filter];
    invocation("ctr", &arguments, Input::Empty)
}

/// Whether what podman or Docker prints as an id (with or without `sha256:`) is the image: the config's
/// digest, or the manifest's where Docker keeps images in containerd's store.
pub fn is_image(printed: &str, ids: &ImageIds) -> bool {
    let text = printed.trim();
    let digest = Digest::from_hex(text.strip_prefix("sha256:").unwrap_or(text));
    digest.is_ok_and(|digest| digest == ids.config || digest == ids.manifest)
}

/// The digest that `ctr images list` prints for a name.
pub fn containerd_digest(printed: &str, name: &str) -> Option<Digest> {
    let mut lines = printed.lines().map(str::split_ascii_whitespace);
    let mut line = lines.find_map(|mut line| (line.next()? == name).then_some(line))?;
    line.nth(1)?.parse().ok()
}

/// A reference as engines want it for a name: without a digest, with a tag.
pub fn tagged(reference: &str) -> String {
    let name = reference
        .split_once('@')
        .map_or(reference, |(name, _)| name);
    // A `:` before the last `/` is a port's.
    let last = name.rsplit_once('/').map_or(name, |(_, last)| last);
    if last.contains(':') {
        name.to_owned()
    } else {
        format!("{name}:latest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_tag_and_no_digest() {
        let digest = "a".repeat(64);
        for (reference, name) in [
            ("docker.io/a/b:1", "docker.io/a/b:1"),
            ("host:5000/a", "host:5000/a:latest"),
            (&format!("a/b@sha256:{digest}"), "a/b:latest"),
            (&format!("a/b:2@sha256:{digest}"), "a/b:2"),
        ] {
            assert_eq!(tagged(reference), name);
        }
    }

    #[test]
    fn an_engine_s_id_is_the_config_or_the_manifest_and_nothing_else() {
        let ids = ImageIds {
            manifest: Digest::from_bytes([1; 32]),
            config: Digest::from_bytes([2; 32]),
        };
        assert!(is_image(&format!("{}\n", ids.config.hex()), &ids));
        assert!(is_image(&format!("{}\n", ids.manifest), &ids));
        assert!(!is_image(&Digest::from_bytes([3; 32]).hex(), &ids));
        assert!(!is_image("", &ids));
        assert!(!is_image(&ids.config.short(), &ids));
    }

    #[test]
    fn a_line_of_containerd_is_read_by_its_name() {
        let digest = Digest::from_bytes([1; 32]);
        let printed = format!(
            "REF TYPE DIGEST SIZE\nx/a:10 application/x sha256:00 1 MiB\nx/a:1 application/x {digest} 1 MiB\n"
        );
        assert_eq!(containerd_digest(&printed, "x/a:1"), Some(digest));
        assert_eq!(containerd_digest(&printed, "x/a"), None);
    }

    #[test]
    fn arguments_are_what_the_engines_take() {
        let words = |what: Invocation| format!("{} {}", what.program, what.arguments.join(" "));
        let pull = podman_pull(Utf8Path::new("/x/images/a"), "r/a:1").map(words);
        assert_eq!(
            pull.as_deref(),
            Some("podman pull --quiet oci:/x/images/a:r/a:1")
        );
        for path in ["/x:y", "/X"] {
            assert_eq!(podman_pull(Utf8Path::new(path), "r/a:1"), None);
        }
        assert_eq!(
            words(podman_exists("r/a:1")),
            "podman image exists -- r/a:1"
        );
        assert_eq!(words(docker_load()), "docker load --quiet");
        assert_eq!(
            words(containerd_import("k8s.io")),
            "ctr --namespace=k8s.io images import --digests=false -"
        );
    }
}
