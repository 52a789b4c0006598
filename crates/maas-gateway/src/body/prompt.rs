//! How heavy the prompts of a request are, without a tokenizer.
//!
//! Threat: text that costs more tokens than it seems to: digits, rare scripts, random bytes.
//! Defence: two figures. A tokenizer of bytes never makes more tokens than there are bytes, and a
//! prompt never exceeds the model's context; that is [`Prompts::most`]. What ordinary text costs is
//! [`Prompts::likely`]. Token lists are counted.

use super::scan;

/// Bytes of body per token of ordinary text. English has four, code three; a body is JSON around the
/// prompt, so this overestimates nearly always.
const BYTES_PER_TOKEN: u64 = 3;

/// The prompts of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Prompts {
    /// How many there are: completions and embeddings take lists.
    pub(crate) count: u64,
    /// Tokens of all of them, if they are ordinary text.
    pub(crate) likely: u64,
    /// Tokens that all of them together cannot exceed; at least `likely`.
    pub(crate) most: u64,
}

impl Prompts {
    /// The one prompt of a body of `bytes` bytes.
    pub(crate) fn one(bytes: usize) -> Self {
        let most = bytes as u64;
        Self {
            count: 1,
            likely: most.div_ceil(BYTES_PER_TOKEN),
            most,
        }
    }

    /// The prompts in `value`, a member of a body of `bytes` bytes that was scanned: a text, a list of
    /// texts, a list of tokens, or a list of those.
    pub(crate) fn listed(value: &[u8], bytes: usize) -> Self {
        let text = Self::one(bytes);
        let Some((count, first)) = scan::array_len(value) else {
            return text;
        };
        let count = if matches!(first, b'"' | b'[') {
            count
        } else {
            1
        };
        if memchr::memchr2(b'"', b'{', value).is_some() {
            return Self { count, ..text };
        }
        // Nothing but numbers and lists of them: one more than commas, across all lists.
        let tokens = memchr::memchr_iter(b',', value).count() as u64 + 1;
        Self {
            count,
            likely: tokens,
            most: tokens,
        }
    }

    /// A prompt is never longer than the context, whatever its body weighs (an image in base64 weighs
    /// a lot and is a few hundred tokens).
    pub(crate) fn within(self, context: Option<u64>) -> Self {
        let bound = context.map_or(u64::MAX, |context| context.saturating_mul(self.count));
        Self {
            likely: self.likely.min(bound),
            most: self.most.min(bound),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(value: &str) -> (u64, u64, u64) {
        let Prompts {
            count,
            likely,
            most,
        } = Prompts::listed(value.as_bytes(), 300);
        (count, likely, most)
    }

    #[test]
    fn texts_are_estimated_and_tokens_counted() {
        assert_eq!(listed(r#""text""#), (1, 100, 300));
        assert_eq!(listed(r#"["a","b, c"]"#), (2, 100, 300));
        assert_eq!(listed("[1, 2,3]"), (1, 3, 3));
        assert_eq!(listed("[[1,2],[3]]"), (2, 3, 3));
        assert_eq!(listed(r#"[[1],"a"]"#), (2, 100, 300));
        assert_eq!(listed("[]"), (1, 100, 300));
        assert_eq!(listed(r#"[{"x":1}]"#), (1, 100, 300));
    }

    #[test]
    fn each_prompt_fits_into_the_context() {
        let prompts = Prompts::listed(br#"["a","b"]"#, 300).within(Some(40));
        assert_eq!((prompts.likely, prompts.most), (80, 80));
        let prompts = Prompts::one(300).within(None);
        assert_eq!((prompts.likely, prompts.most), (100, 300));
    }
}
