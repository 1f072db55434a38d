//! Bounds of an encoded change, checked before Automerge reads it.
//!
//! A change stores its operations in columns of runs: a few bytes may claim
//! billions of operations, or one long key a million times, and the library
//! believes them. This walks the chunk once without allocating and refuses what
//! would unfold beyond [`crate::limits`]. It does not judge the content: whatever
//! it lets pass is still parsed and verified by the library.
//!
//! Source: the Automerge binary format, <https://automerge.org/automerge-binary-format-spec/>,
//! sections "Change chunk" and "Columns".

use crate::change::ChangeError;
use crate::limits::{
    CHANGE_ACTORS_MAX, CHANGE_BYTES_MAX, CHANGE_DEPENDENCIES_MAX, CHANGE_KEY_BYTES_MAX,
    CHANGE_OPS_MAX, CHANGE_PREDECESSORS_MAX,
};

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHECKSUM_BYTES: u64 = 4;
const HASH_BYTES: u64 = 32;
/// The chunk type of an uncompressed change, the only one that we write.
const CHANGE_CHUNK: u8 = 1;
/// Longest LEB128 encoding of 64 bits.
const LEB128_BYTES_MAX: u32 = 10;

/// Column specifications: number of the column in the upper bits, its type in the
/// lowest three, deflate in the fourth.
const DEFLATED: u64 = 0b1000;
const KEY_STRINGS: u64 = (1 << 4) | 5;
const ACTIONS: u64 = (4 << 4) | 2;
const PREDECESSOR_COUNTS: u64 = 7 << 4;
const MARK_NAMES: u64 = (10 << 4) | 5;

/// Refuses a change that is larger than a change may be, folded or unfolded.
pub(crate) fn check(bytes: &[u8]) -> Result<(), ChangeError> {
    if bytes.len() > CHANGE_BYTES_MAX {
        return Err(ChangeError::TooLarge { bytes: bytes.len() });
    }
    let mut chunk = Cursor(bytes);
    if chunk.take(4)? != MAGIC {
        return Err(malformed("wrong magic bytes"));
    }
    chunk.take(CHECKSUM_BYTES)?;
    if chunk.take(1)? != [CHANGE_CHUNK] {
        return Err(malformed("not a plain change chunk"));
    }
    let length = chunk.unsigned()?;
    if length != chunk.0.len() as u64 {
        return Err(malformed("the chunk has another length than it says"));
    }
    let dependencies = chunk.count("dependencies", CHANGE_DEPENDENCIES_MAX)?;
    chunk.take(dependencies * HASH_BYTES)?;
    chunk.text()?; // actor
    chunk.unsigned()?; // sequence number
    chunk.unsigned()?; // first operation
    chunk.skip_leb128()?; // time
    chunk.text()?; // message
    for _ in 0..chunk.count("actors", CHANGE_ACTORS_MAX)? {
        chunk.text()?;
    }
    columns(chunk)
}

fn columns(mut chunk: Cursor<'_>) -> Result<(), ChangeError> {
    let mut metadata = chunk;
    let count = chunk.unsigned()?;
    for _ in 0..count {
        chunk.unsigned()?;
        chunk.unsigned()?;
    }
    metadata.unsigned()?;
    for _ in 0..count {
        let specification = metadata.unsigned()?;
        let length = metadata.unsigned()?;
        column(specification, Cursor(chunk.take(length)?))?;
    }
    Ok(())
}

fn column(specification: u64, data: Cursor<'_>) -> Result<(), ChangeError> {
    if specification & DEFLATED != 0 {
        return Err(malformed("a compressed column"));
    }
    match specification {
        ACTIONS => within("operations", CHANGE_OPS_MAX, runs(data, number, |_| 1)?),
        PREDECESSOR_COUNTS => within(
            "predecessors",
            CHANGE_PREDECESSORS_MAX,
            runs(data, number, |count| count)?,
        ),
        KEY_STRINGS | MARK_NAMES => within(
            "bytes of keys",
            CHANGE_KEY_BYTES_MAX,
            runs(data, length_of_text, |length| length)?,
        ),
        // Every other column is read only as far as there are operations.
        _ => Ok(()),
    }
}

/// Adds up the weights of all values of a run-length encoded column.
fn runs(
    mut data: Cursor<'_>,
    read: fn(&mut Cursor<'_>) -> Result<u64, ChangeError>,
    weight: fn(u64) -> u64,
) -> Result<u64, ChangeError> {
    let mut total = 0_u64;
    while !data.0.is_empty() {
        let run = data.signed()?;
        let added = match run {
            // Nulls: only the actions column counts them, and there they are invalid.
            0 => data.unsigned()?.saturating_mul(weight(0)),
            1.. => run.unsigned_abs().saturating_mul(weight(read(&mut data)?)),
            _ => {
                let mut literal = 0_u64;
                for _ in 0..run.unsigned_abs() {
                    literal = literal.saturating_add(weight(read(&mut data)?));
                }
                literal
            }
        };
        total = total.saturating_add(added);
    }
    Ok(total)
}

fn number(data: &mut Cursor<'_>) -> Result<u64, ChangeError> {
    data.unsigned()
}

fn length_of_text(data: &mut Cursor<'_>) -> Result<u64, ChangeError> {
    data.text()
}

fn within(what: &'static str, max: u64, found: u64) -> Result<(), ChangeError> {
    if found > max {
        return Err(ChangeError::Unfolds { what, found, max });
    }
    Ok(())
}

fn malformed(detail: &str) -> ChangeError {
    ChangeError::Malformed(detail.to_owned())
}

/// What is left to read.
#[derive(Clone, Copy)]
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], ChangeError> {
        let (taken, rest) = usize::try_from(count)
            .ok()
            .and_then(|count| self.0.split_at_checked(count))
            .ok_or_else(|| malformed("cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, ChangeError> {
        Ok(self.take(1)?[0])
    }

    /// Passes over a text or byte string, and says how long it is.
    fn text(&mut self) -> Result<u64, ChangeError> {
        let length = self.unsigned()?;
        self.take(length)?;
        Ok(length)
    }

    fn count(&mut self, what: &'static str, max: u64) -> Result<u64, ChangeError> {
        let count = self.unsigned()?;
        within(what, max, count)?;
        Ok(count)
    }

    fn unsigned(&mut self) -> Result<u64, ChangeError> {
        let mut value = 0_u64;
        for index in 0..LEB128_BYTES_MAX {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            let shift = 7 * index;
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(malformed("a number beyond 64 bits"))
    }

    fn signed(&mut self) -> Result<i64, ChangeError> {
        let mut value = 0_i64;
        for index in 0..LEB128_BYTES_MAX {
            let byte = self.byte()?;
            let shift = 7 * index;
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let unused = 64_u32.saturating_sub(shift + 7);
                return Ok(value << unused >> unused);
            }
        }
        Err(malformed("a number beyond 64 bits"))
    }

    fn skip_leb128(&mut self) -> Result<(), ChangeError> {
        self.signed().map(|_| ())
    }
}
