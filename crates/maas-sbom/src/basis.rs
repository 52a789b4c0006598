//! How we know a thing: from the bytes, or from somebody's word.

use crate::bom::Property;

/// The ground on which a statement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Basis {
    /// Computed from the bytes that the bundle carries.
    CheckedAgainstBytes,
    /// Written by the author or the curator, and believed.
    AuthorsClaim,
}

impl Basis {
    const fn text(self) -> &'static str {
        match self {
            Self::CheckedAgainstBytes => "checked-against-bytes",
            Self::AuthorsClaim => "authors-claim",
        }
    }

    /// `maas:basis`: the ground of everything that a component says.
    pub(crate) fn of_all(self) -> Property {
        Property::new("maas:basis", self.text())
    }

    /// `maas:basis:<field>`: the ground of one field, where a component's fields differ in theirs.
    pub(crate) fn of(self, field: &str) -> Property {
        Property::new(&format!("maas:basis:{field}"), self.text())
    }
}
