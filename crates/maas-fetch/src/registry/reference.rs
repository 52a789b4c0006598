//! What people call an image.

use std::{fmt, str::FromStr};

use maas_types::Digest;

use crate::{address::is_loopback, plain};

/// Docker's own registry, as people write it, and as it answers.
const DOCKER: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// `host[:port]/repository[:tag][@sha256:…]`, or Docker's short forms of it: `busybox` is
/// `docker.io/library/busybox:latest`. Prints in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Text that is no reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a reference to an image: {why} (want host/name:tag or host/name@sha256:…; for example docker.io/vllm/vllm-openai:v0.11.0)"
)]
pub struct ReferenceError {
    /// What was found, cut and escaped.
    pub text: String,
    /// Which rule it breaks.
    pub why: &'static str,
}

impl Reference {
    /// The digest, if the reference names one; a tag beside it is for people then.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The name within the registry.
    pub(crate) fn repository(&self) -> &str {
        &self.repository
    }

    /// Where the registry answers: `host[:port]`.
    pub(crate) fn host(&self) -> &str {
        if self.registry == DOCKER.0 {
            DOCKER.1
        } else {
            &self.registry
        }
    }

    pub(crate) fn is_loopback(&self) -> bool {
        let host = match self.registry.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            Some(_) | None => &self.registry,
        };
        is_loopback(host)
    }

    /// What to ask the registry for: the digest if there is one, else the tag.
    pub(crate) fn wanted(&self) -> String {
        let tag = || self.tag.clone().unwrap_or_else(|| "latest".to_owned());
        self.digest.map_or_else(tag, |digest| digest.to_string())
    }

    fn parse(text: &str) -> Result<Self, &'static str> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => {
                let digest = digest.parse::<Digest>();
                let digest = digest.map_err(|_| "what follows the @ is no sha256 digest")?;
                (name, Some(digest))
            }
            None => (text, None),
        };
        let (name, tag) = match name.rsplit_once(':') {
            // A colon before a slash is a port's.
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            Some(_) | None => (name, None),
        };
        if !tag.is_none_or(is_tag) {
            return Err("the tag is not of letters, digits, `_`, `.` and `-`");
        }
        let (registry, path) = match name.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path),
            Some(_) | None => (DOCKER.0, name),
        };
        let is_short = registry == DOCKER.0 && !path.contains('/');
        let library = if is_short { "library/" } else { "" };
        let whole = format!("{library}{path}");
        if !is_host(registry) {
            return Err("the registry's name is not a host with or without a port");
        }
        if whole.len() > 255 || !whole.split('/').all(is_component) {
            return Err(
                "the name is not of lower-case letters and digits, with single `.`, `_` or `-` between",
            );
        }
        Ok(Self {
            registry: registry.to_owned(),
            repository: whole,
            tag: match (tag, digest) {
                (None, None) => Some("latest".to_owned()),
                (tag, _) => tag.map(str::to_owned),
            },
            digest,
        })
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        Self::parse(text).map_err(|why| ReferenceError {
            text: plain(text),
            why,
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// Distribution specification 1.1, "Pulling manifests": `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| word(b) || b == b'.' || b == b'-')
        && text.bytes().next().is_some_and(word)
}

/// Distribution specification 1.1: `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_component(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let between = |c: char| c == '.' || c == '_' || c == '-';
    let runs = text
        .split(|c: char| !between(c))
        .filter(|run| !run.is_empty());
    let good = |run: &str| matches!(run, "." | "_" | "__") || run.bytes().all(|b| b == b'-');
    let edge = |b: Option<u8>| b.is_some_and(word);
    text.bytes().all(|b| word(b) || between(char::from(b)))
        && edge(text.bytes().next())
        && edge(text.bytes().last())
        && runs.into_iter().all(good)
}

fn is_host(text: &str) -> bool {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b);
    let edge = |b: u8| b.is_ascii_alphanumeric() || b == b'[';
    text.bytes().all(good) && text.bytes().next().is_some_and(edge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_docker_s_and_print_in_full() {
        let hex = "a".repeat(64);
        for (text, whole) in [
            ("busybox", "docker.io/library/busybox:latest".to_owned()),
            (
                "vllm/vllm-openai:v1",
                "docker.io/vllm/vllm-openai:v1".to_owned(),
            ),
            ("localhost/bb", "localhost/bb:latest".to_owned()),
            (
                "127.0.0.1:5000/a/b__c:1",
                "127.0.0.1:5000/a/b__c:1".to_owned(),
            ),
            ("[::1]:5000/a:1", "[::1]:5000/a:1".to_owned()),
            (
                &format!("q.example/a@sha256:{hex}"),
                format!("q.example/a@sha256:{hex}"),
            ),
            (
                &format!("q.example/a:1@sha256:{hex}"),
                format!("q.example/a:1@sha256:{hex}"),
            ),
        ] {
            let reference = text.parse::<Reference>().unwrap();
            assert_eq!(reference.to_string(), whole);
            assert_eq!(reference.to_string().parse(), Ok(reference), "{text}");
        }
        assert_eq!(
            "busybox".parse::<Reference>().unwrap().host(),
            "registry-1.docker.io"
        );
        assert!("[::1]:5000/a:1".parse::<Reference>().unwrap().is_loopback());
        assert!(
            !"localhost.example:5000/a"
                .parse::<Reference>()
                .unwrap()
                .is_loopback()
        );
    }

    #[test]
    fn names_that_would_climb_or_reach_another_path_are_refused() {
        for text in [
            "",
            "/",
            "a/",
            "A",
            "a..b",
            "../a",
            "a/../b",
            "a.example/",
            "a.example/../b",
            "a:",
            "a:.x",
            "a?b",
            "a#b",
            "a b",
            "a@sha256:00",
            "a@md5:00",
            "u@h.example/a",
            "h.example/a%2f",
            "a___b",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }
}
