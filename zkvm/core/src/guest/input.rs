//! The framing of a guest's input: lengths are 32-bit little-endian, and nothing is allocated by them.

use super::GuestError;
use crate::aggregation::MAX_LEAVES;
use crate::keccak::Hash;

/// Takes an input apart from the front.
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of all of `input`.
    pub fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// The number of entries that follow: at least one, at most as many as a root may have leaves.
    pub fn count(&mut self) -> Result<u32, GuestError> {
        match self.number()? {
            0 => Err(GuestError::Empty),
            count if count as usize > MAX_LEAVES => Err(GuestError::TooMany(count)),
            count => Ok(count),
        }
    }

    /// One hash.
    pub fn hash(&mut self) -> Result<&'a Hash, GuestError> {
        let (hash, rest) = self.rest.split_first_chunk().ok_or(GuestError::Truncated)?;
        self.rest = rest;
        Ok(hash)
    }

    /// `count` hashes.
    pub fn hashes(&mut self, count: u32) -> Result<&'a [Hash], GuestError> {
        let length = count.checked_mul(32).ok_or(GuestError::TooMany(count))?;
        Ok(self.take(length)?.as_chunks().0)
    }

    /// A byte string behind its length.
    pub fn bytes(&mut self) -> Result<&'a [u8], GuestError> {
        let length = self.number()?;
        self.take(length)
    }

    /// Refuses what is left over.
    pub fn end(self) -> Result<(), GuestError> {
        if self.rest.is_empty() { Ok(()) } else { Err(GuestError::TrailingBytes(self.rest.len())) }
    }

    fn number(&mut self) -> Result<u32, GuestError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(GuestError::Truncated)?;
        self.rest = rest;
        Ok(u32::from_le_bytes(*bytes))
    }

    fn take(&mut self, length: u32) -> Result<&'a [u8], GuestError> {
        let (taken, rest) = self.rest.split_at_checked(length as usize).ok_or(GuestError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }
}
