//! The header of a safetensors file: eight bytes of length, JSON, then tensors without a gap.
//!
//! Threats: a header of gigabytes; tensors that overlap, leave room for something else, reach beyond
//! the file, or whose shape is not their size; a name twice, of which two readers take different ones.
//! Defences: everything is compared with everything, in numbers that cannot overflow. The rules are
//! those of the format's own reader (`safetensors`, `Metadata::validate`) and its README.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, IntoDeserializer as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::ModelError;

/// The format's own limit (`MAX_HEADER_SIZE`).
const LARGEST_HEADER: u64 = 100_000_000;

#[derive(Debug, Clone, Copy, Deserialize)]
#[expect(
    non_camel_case_types,
    clippy::upper_case_acronyms,
    reason = "the names as the format writes them"
)]
enum Dtype {
    BOOL,
    F4,
    F6_E2M3,
    F6_E3M2,
    U8,
    I8,
    F8_E5M2,
    F8_E4M3,
    F8_E8M0,
    F8_E4M3FNUZ,
    F8_E5M2FNUZ,
    I16,
    U16,
    F16,
    BF16,
    I32,
    U32,
    F32,
    C64,
    F64,
    I64,
    U64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tensor {
    #[serde(deserialize_with = "by_name")]
    dtype: Dtype,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// A tensor whose place has the size of its shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    begin: u64,
    end: u64,
    /// Of so many numbers.
    pub(super) elements: u64,
    dtype: Dtype,
}

/// The tensors, in the order of the header.
#[derive(Debug)]
struct Header(Vec<Placed>);

/// Checks the header of a file of `size` bytes, of which `head` gives the first.
pub(super) fn check(
    size: u64,
    head: impl Fn(u64) -> Result<Vec<u8>, ModelError>,
) -> Result<Result<Vec<Placed>, String>, ModelError> {
    let start = head(8)?;
    let Ok(length) = <[u8; 8]>::try_from(start.as_slice()) else {
        return Ok(Err("it is too short to be a safetensors file".to_owned()));
    };
    let length = u64::from_le_bytes(length);
    if length > LARGEST_HEADER {
        return Ok(Err(format!(
            "its header has {length} bytes, more than the {LARGEST_HEADER} that the format allows"
        )));
    }
    let Some(data) = size.checked_sub(8 + length) else {
        return Ok(Err(format!(
            "its header has {length} bytes, and the file only {size}"
        )));
    };
    let bytes = head(8 + length)?;
    let text = bytes.get(8..).unwrap_or_default();
    Ok(tensors(text).and_then(|tensors| covers(tensors, data)))
}

fn tensors(text: &[u8]) -> Result<Vec<Placed>, String> {
    if text.first() != Some(&b'{') {
        return Err("its header does not begin with `{`".to_owned());
    }
    serde_json::from_slice::<Header>(text)
        .map(|header| header.0)
        .map_err(|error| format!("its header is wrong: {error}"))
}

/// Whether the tensors cover the data exactly, each byte once.
fn covers(mut tensors: Vec<Placed>, data: u64) -> Result<Vec<Placed>, String> {
    tensors.sort_unstable_by_key(|tensor| (tensor.begin, tensor.end));
    let mut at = 0;
    for Placed { begin, end, .. } in tensors.iter().copied() {
        if begin != at {
            return Err(format!(
                "a tensor begins at byte {begin} of the data, and the one before it ends at {at}"
            ));
        }
        at = end;
    }
    if at == data {
        Ok(tensors)
    } else {
        Err(format!("its tensors have {at} bytes, and its data {data}"))
    }
}

impl Placed {
    /// The name of its type, as the format writes it.
    pub(super) fn dtype(&self) -> String {
        format!("{:?}", self.dtype)
    }

    /// Its length, bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.end - self.begin
    }
}

impl Dtype {
    const fn bits(self) -> u64 {
        match self {
            Self::F4 => 4,
            Self::F6_E2M3 | Self::F6_E3M2 => 6,
            Self::BOOL
            | Self::U8
            | Self::I8
            | Self::F8_E5M2
            | Self::F8_E4M3
            | Self::F8_E8M0
            | Self::F8_E4M3FNUZ
            | Self::F8_E5M2FNUZ => 8,
            Self::I16 | Self::U16 | Self::F16 | Self::BF16 => 16,
            Self::I32 | Self::U32 | Self::F32 => 32,
            Self::C64 | Self::F64 | Self::I64 | Self::U64 => 64,
        }
    }
}

impl Tensor {
    /// Its place, if that has the size of its shape.
    fn place(&self) -> Result<Placed, String> {
        let (begin, end) = self.data_offsets;
        let bits = self
            .shape
            .iter()
            .try_fold(self.dtype.bits(), |bits, side| bits.checked_mul(*side));
        let fits = bits
            .filter(|bits| bits % 8 == 0)
            .is_some_and(|bits| begin.checked_add(bits / 8) == Some(end));
        let placed = Placed {
            begin,
            end,
            elements: bits.unwrap_or(0) / self.dtype.bits(),
            dtype: self.dtype,
        };
        fits.then_some(placed).ok_or_else(|| {
            format!("the shape does not have the size of the data from {begin} to {end}")
        })
    }
}

impl Header {
    fn read<'de, M: MapAccess<'de>>(mut map: M) -> Result<Self, M::Error> {
        let mut names = HashSet::new();
        let mut places = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                map.next_value::<Notes>()?;
            } else {
                let place = map.next_value::<Braced<Tensor>>()?.0.place();
                let named = |why| format!("tensor `{}`: {why}", name.escape_debug());
                places.push(place.map_err(named).map_err(M::Error::custom)?);
            }
            if let Some(name) = names.replace(name) {
                let twice = format!("`{}` stands there twice", name.escape_debug());
                return Err(M::Error::custom(twice));
            }
        }
        Ok(Self(places))
    }
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Tensors)
    }
}

/// A type by its name, and not as `{"F32": null}`, which serde would take for it too.
fn by_name<'de, D: Deserializer<'de>>(from: D) -> Result<Dtype, D::Error> {
    let name = String::deserialize(from)?;
    Dtype::deserialize(name.into_deserializer())
}

/// A structure that stands there as an object: serde would take a list of its members as well, and the
/// format's own reader does not.
struct Braced<T>(T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Braced<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <&RawValue>::deserialize(from)?.get();
        if !text.starts_with('{') {
            return Err(D::Error::custom("it is not an object"));
        }
        serde_json::from_str(text)
            .map(Self)
            .map_err(D::Error::custom)
    }
}

/// `__metadata__`: texts by name (README of the format, "Special key"), each name once.
struct Notes;

impl<'de> Deserialize<'de> for Notes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Self)
    }
}

impl<'de> Visitor<'de> for Notes {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self, M::Error> {
        let mut names = HashSet::new();
        while let Some((name, _)) = map.next_entry::<String, String>()? {
            if let Some(name) = names.replace(name) {
                let twice = format!("`{}` stands there twice", name.escape_debug());
                return Err(M::Error::custom(twice));
            }
        }
        Ok(self)
    }
}

/// Reads the header member by member, because a map would keep one of two with the same name.
struct Tensors;

impl<'de> Visitor<'de> for Tensors {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Header, M::Error> {
        Header::read(map)
    }
}
