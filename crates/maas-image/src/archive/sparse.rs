//! Files with holes: four ways to say where stored bytes belong, one result.

use std::{collections::VecDeque, io::Read};

use tar::Header;

use super::{Archive, extension::Extensions, number};
use crate::error::{Failure, Flaw};

/// Runs of one file. A file of a terabyte with a hole every 16 MiB has as many.
const MOST_RUNS: usize = 1 << 16;
const WRONG: Flaw = Flaw::Archive("a map of holes is malformed");

/// Runs of stored bytes: offset in the file and length, in order, none of them empty.
#[derive(Debug, Default)]
pub(super) struct Map {
    runs: VecDeque<(u64, u64)>,
    size: u64,
}

impl Map {
    /// A file without holes.
    fn whole(size: u64) -> Self {
        let runs = [(0, size)].into_iter().filter(|(_, length)| *length > 0);
        Self {
            runs: runs.collect(),
            size,
        }
    }

    /// `numbers` are offset, length, offset, length, …; `stored` bytes are there for them.
    fn new(numbers: &[u64], size: u64, stored: u64) -> Result<Self, Flaw> {
        let (pairs, rest) = numbers.as_chunks::<2>();
        if !rest.is_empty() || pairs.len() > MOST_RUNS {
            return Err(WRONG);
        }
        let mut runs = VecDeque::new();
        let (mut end, mut sum) = (0, 0_u64);
        for [offset, length] in pairs {
            if *offset < end {
                return Err(Flaw::Archive("a map of holes goes back"));
            }
            end = offset.checked_add(*length).ok_or(WRONG)?;
            sum = sum.checked_add(*length).ok_or(WRONG)?;
            if *length > 0 {
                runs.push_back((*offset, *length));
            }
        }
        if end > size || sum != stored || size > i64::MAX as u64 {
            return Err(Flaw::Archive("a map of holes does not fit its file"));
        }
        Ok(Self { runs, size })
    }

    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Where the next stored byte belongs, and how many belong there.
    pub(super) fn next(&self) -> Option<(u64, u64)> {
        self.runs.front().copied()
    }

    /// So many bytes of the run were read, at most all.
    pub(super) fn advance(&mut self, count: u64) {
        if let Some((offset, length)) = self.runs.front_mut() {
            *offset += count;
            *length = length.saturating_sub(count);
            if *length == 0 {
                self.runs.pop_front();
            }
        }
    }
}

impl<R: Read> Archive<'_, R> {
    /// The map of the present file, of which `stored` bytes follow.
    pub(super) fn sparse(
        &mut self,
        header: &Header,
        extensions: &Extensions,
        stored: u64,
    ) -> Result<Map, Failure> {
        let pax = &extensions.sparse;
        if header.entry_type().is_gnu_sparse() {
            return self.old_gnu(header, stored);
        }
        if !pax.is_said {
            return Ok(Map::whole(stored));
        }
        let real = pax.real_size.ok_or(WRONG)?;
        if pax.is_in_contents {
            let numbers = self.map_in_contents()?;
            return Ok(Map::new(&numbers, real, self.left)?);
        }
        Ok(Map::new(&pax.map, real, stored)?)
    }

    /// The oldest format: four runs in the header, 21 in each block that follows it.
    fn old_gnu(&mut self, header: &Header, stored: u64) -> Result<Map, Failure> {
        let bytes = header.as_bytes();
        let mut numbers = fields(&bytes[386..482])?;
        let real = u64::try_from(number(&bytes[483..495])?).map_err(|_| WRONG)?;
        let mut is_extended = bytes[482] != 0;
        while is_extended {
            let block = self.block()?.ok_or(WRONG)?;
            numbers.extend(fields(&block[..504])?);
            is_extended = block[504] != 0;
            if numbers.len() > 2 * MOST_RUNS {
                return Err(WRONG.into());
            }
        }
        Ok(Map::new(&numbers, real, stored)?)
    }

    /// Version 1.0: decimal numbers, a line each, the first saying how many pairs; filled to a block.
    fn map_in_contents(&mut self) -> Result<Vec<u64>, Failure> {
        let mut text = Vec::new();
        let (mut lines, mut wanted) = (0, 1);
        while lines < wanted {
            let more = self.stored(super::BLOCK.min(self.left))?;
            if more.is_empty() || text.len() > 64 * MOST_RUNS {
                return Err(WRONG.into());
            }
            lines += more.split(|byte| *byte == b'\n').count() - 1;
            text.extend(more);
            if wanted == 1 && lines > 0 {
                let count = text.split(|byte| *byte == b'\n').next();
                let count = count.and_then(number::decimal).ok_or(WRONG)?;
                let count = usize::try_from(count).ok().filter(|n| *n <= MOST_RUNS);
                wanted = 1 + 2 * count.ok_or(WRONG)?;
            }
        }
        let numbers = text.split(|byte| *byte == b'\n').take(wanted).skip(1);
        let numbers: Option<Vec<_>> = numbers.map(number::decimal).collect();
        Ok(numbers.ok_or(WRONG)?)
    }
}

/// Offsets and lengths of 12 bytes each; an empty field ends them.
fn fields(bytes: &[u8]) -> Result<Vec<u64>, Flaw> {
    let (pairs, _) = bytes.as_chunks::<24>();
    let used = pairs.iter().take_while(|pair| pair[12] != 0);
    let numbers = used.flat_map(|pair| [&pair[..12], &pair[12..]]);
    numbers
        .map(|field| u64::try_from(number(field)?).map_err(|_| WRONG))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_that_overlaps_or_does_not_add_up_is_refused() {
        assert!(Map::new(&[0, 5, 10, 5], 20, 10).is_ok());
        assert!(Map::new(&[20, 0], 20, 0).is_ok());
        for (numbers, size, stored) in [
            (&[0, 5, 4, 5][..], 20, 10), // overlaps
            (&[0, 5, 10, 5], 14, 10),    // beyond the file
            (&[0, 5], 20, 4),            // more than is stored
            (&[0, 5], 20, 6),            // less
            (&[0, 5, 10], 20, 5),        // half a pair
            (&[u64::MAX, 2], u64::MAX, 2),
        ] {
            assert!(Map::new(numbers, size, stored).is_err(), "{numbers:?}");
        }
    }
}
