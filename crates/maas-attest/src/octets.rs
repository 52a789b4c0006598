//! Bytes in JSON.

use base64::{
    Engine,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::{Deserialize, Serialize};

/// Padding may be there or not. Bits behind the last byte must be zero, so that bytes have one text.
const CONFIG: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

const PLAIN: GeneralPurpose = GeneralPurpose::new(&STANDARD, CONFIG);
const FOR_URLS: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, CONFIG);

/// Bytes as protobuf JSON and DSSE write them: "either standard or URL-safe base64 encoding
/// with/without paddings are accepted" (protobuf, JSON mapping of `bytes`). Written with the standard
/// alphabet and padding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Octets(pub(crate) Vec<u8>);

impl TryFrom<String> for Octets {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        PLAIN
            .decode(&text)
            .or_else(|_| FOR_URLS.decode(&text))
            .map(Self)
            .map_err(|_| "a text that is not base64")
    }
}

impl From<Octets> for String {
    fn from(octets: Octets) -> Self {
        PLAIN.encode(octets.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<Vec<u8>> {
        Octets::try_from(text.to_owned())
            .ok()
            .map(|octets| octets.0)
    }

    #[test]
    fn both_alphabets_with_and_without_padding_are_read() {
        for text in ["+/8=", "-_8=", "+/8", "-_8"] {
            assert_eq!(read(text), Some(vec![0xfb, 0xff]), "{text}");
        }
    }

    #[test]
    fn mixed_alphabets_spaces_and_loose_bits_are_refused() {
        for text in ["+_8=", "+/8 ", " +/8=", "+/8\n", "+/9=", "+/8==", "+", "é"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(bytes: Vec<u8>) {
            prop_assert_eq!(read(&String::from(Octets(bytes.clone()))), Some(bytes));
        }
    }
}
