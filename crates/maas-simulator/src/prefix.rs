//! A toy prefix cache: which leading blocks of a prompt were computed before.

use std::collections::HashSet;

use crate::answer::mix;

/// Tokens per block, as recorded in `vllm:cache_config_info`.
const BLOCK_TOKENS: usize = 128;

/// Two million tokens, as recorded; then it starts over, so that memory has a bound.
const MAX_BLOCKS: usize = 16_384;

/// Hashes of the blocks that were computed.
#[derive(Debug, Default)]
pub(crate) struct PrefixCache {
    blocks: HashSet<u64>,
}

impl PrefixCache {
    /// Tokens of `prompt` that are there already; afterwards all of its whole blocks are. At least
    /// one token is always computed, since the first answer token comes from it. `salt` separates
    /// those who must not learn of each other.
    pub(crate) fn take(&mut self, prompt: &[u64], salt: u64) -> u64 {
        if self.blocks.len() >= MAX_BLOCKS {
            self.blocks.clear();
        }
        let mut hash = salt;
        let mut cached = 0;
        let mut unbroken = true;
        for block in prompt.chunks_exact(BLOCK_TOKENS) {
            hash = block.iter().fold(hash, |hash, id| mix(hash ^ id));
            unbroken &= !self.blocks.insert(hash);
            if unbroken {
                cached += BLOCK_TOKENS;
            }
        }
        if cached == prompt.len() {
            cached = cached.saturating_sub(BLOCK_TOKENS);
        }
        cached as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_leading_blocks_that_were_seen_under_the_same_salt_are_cached() {
        let mut cache = PrefixCache::default();
        let prompt: Vec<u64> = (0..300).collect();
        assert_eq!(cache.take(&prompt, 1), 0);
        assert_eq!(cache.take(&prompt, 1), 256);
        assert_eq!(cache.take(&prompt, 2), 0);
        assert_eq!(cache.take(&prompt[..200], 1), 128);
        assert_eq!(
            cache.take(&prompt[..128], 1),
            0,
            "one token is always computed"
        );
        assert_eq!(cache.take(&prompt[1..], 1), 0);
    }
}
