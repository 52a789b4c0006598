//! Package URLs (ECMA-427, `purl-spec`): a name for a package that other tools understand.

use std::fmt::Write as _;

/// A package URL in the making.
#[derive(Debug, Clone)]
pub(crate) struct Purl {
    text: String,
    qualifiers: Vec<(&'static str, String)>,
}

impl Purl {
    /// `pkg:<kind>/<namespace>/<name>@<version>`. Kind and namespace segments that are empty are left
    /// out, as the specification wants.
    pub(crate) fn new(kind: &str, namespace: &str, name: &str, version: &str) -> Self {
        let mut text = format!("pkg:{kind}");
        for segment in namespace.split('/').filter(|segment| !segment.is_empty()) {
            text.push('/');
            encode(segment, &mut text);
        }
        text.push('/');
        encode(name, &mut text);
        if !version.is_empty() {
            text.push('@');
            encode(version, &mut text);
        }
        Self {
            text,
            qualifiers: Vec::new(),
        }
    }

    /// Adds `key=value`; an empty value is the same as none (purl-spec, "qualifiers").
    pub(crate) fn with(mut self, key: &'static str, value: &str) -> Self {
        if !value.is_empty() {
            self.qualifiers.push((key, value.to_owned()));
        }
        self
    }

    /// The text, qualifiers sorted by key.
    pub(crate) fn finish(mut self) -> String {
        self.qualifiers.sort();
        for (at, (key, value)) in self.qualifiers.iter().enumerate() {
            self.text.push(if at == 0 { '?' } else { '&' });
            self.text.push_str(key);
            self.text.push('=');
            encode(value, &mut self.text);
        }
        self.text
    }
}

/// Percent-encodes all but the unreserved characters and the colon (purl-spec, "character encoding").
fn encode(from: &str, to: &mut String) {
    for byte in from.bytes() {
        if byte.is_ascii_alphanumeric() || b".-_~:".contains(&byte) {
            to.push(char::from(byte));
        } else {
            write!(to, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn package_urls_look_like_the_specifications_examples() {
        let deb = Purl::new("deb", "debian", "libstdc++6", "1:12.2.0-14+deb12u1");
        assert_eq!(
            deb.with("distro", "debian-12")
                .with("arch", "amd64")
                .finish(),
            "pkg:deb/debian/libstdc%2B%2B6@1:12.2.0-14%2Bdeb12u1?arch=amd64&distro=debian-12"
        );
        assert_eq!(
            Purl::new("npm", "@angular", "animation", "12.3.1").finish(),
            "pkg:npm/%40angular/animation@12.3.1"
        );
        assert_eq!(
            Purl::new("pypi", "", "x", "").with("a", "").finish(),
            "pkg:pypi/x"
        );
    }

    proptest! {
        #[test]
        fn no_name_escapes_its_place(namespace: String, name: String, version: String) {
            let purl = Purl::new("npm", &namespace, &name, &version).with("arch", &version).finish();
            prop_assert!(purl.is_ascii() && !purl.contains(char::is_whitespace));
            prop_assert!(purl.matches('?').count() <= 1 && purl.matches('@').count() <= 1);
            prop_assert!(!purl.contains('#') && !purl.contains('"'));
        }
    }
}
