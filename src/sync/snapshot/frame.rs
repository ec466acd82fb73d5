//! Frames: a length, a checksum over length and payload, the payload. The unit of every file here.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Read, Write};

use bincode::Options;

/// No payload is longer: a larger length is damage, not data.
const LONGEST: u32 = 64 << 20;

/// The length that marks a row file's trailer.
const TRAILER: u32 = u32::MAX;

/// What stands where a frame was expected.
pub(super) enum Next {
    /// A whole frame; its payload is in the buffer.
    Frame,
    /// The mark of a trailer; its body follows.
    Trailer,
    /// Nothing more.
    End,
    /// Less than a frame, or not what was written.
    Torn,
}

/// Writes one frame.
pub(super) fn write(out: &mut impl Write, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len()).ok().filter(|length| *length <= LONGEST && *length > 0);
    let length = length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the row is too long"))?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(&checksum(length, payload).to_le_bytes())?;
    out.write_all(payload)
}

/// Writes the mark that a trailer starts with.
pub(super) fn write_trailer_mark(out: &mut impl Write) -> io::Result<()> {
    out.write_all(&TRAILER.to_le_bytes())
}

/// Reads one frame into `payload`.
pub(super) fn read(input: &mut impl Read, payload: &mut Vec<u8>) -> io::Result<Next> {
    payload.clear();
    let mut four = [0_u8; 4];
    match fill(input, &mut four)? {
        0 => return Ok(Next::End),
        4 => {}
        _ => return Ok(Next::Torn),
    }
    let length = u32::from_le_bytes(four);
    if length == TRAILER {
        return Ok(Next::Trailer);
    }
    // A file that lost its data but not its size reads as zeros, which would be a valid empty frame.
    if length == 0 || length > LONGEST || fill(input, &mut four)? < 4 {
        return Ok(Next::Torn);
    }
    input.by_ref().take(u64::from(length)).read_to_end(payload)?;
    let whole = payload.len() == length as usize && checksum(length, payload) == u32::from_le_bytes(four);
    Ok(if whole { Next::Frame } else { Next::Torn })
}

/// Whether a whole frame may begin here: its length fits what there is. The checksum tells for sure.
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    let Some(length) = bytes.first_chunk::<4>().map(|four| u32::from_le_bytes(*four)) else { return false };
    length > 0 && length <= LONGEST && bytes.len() as u64 >= u64::from(length) + 8
}

/// Reads until the buffer is full or the input ends; how much was read.
pub(super) fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(problem) if problem.kind() == io::ErrorKind::Interrupted => {}
            Err(problem) => return Err(problem),
        }
    }
    Ok(filled)
}

fn checksum(length: u32, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// Adds the row's bytes to `out`: varint bincode, which keeps short texts and numbers short.
pub(super) fn encode<T: Serialize>(row: &T, out: &mut Vec<u8>) -> io::Result<()> {
    bincode::DefaultOptions::new()
        .serialize_into(out, row)
        .map_err(|problem| io::Error::new(io::ErrorKind::InvalidData, problem.to_string()))
}

/// The row in these bytes.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    bincode::DefaultOptions::new()
        .with_limit(u64::from(LONGEST))
        .deserialize(bytes)
        .map_err(|problem| problem.to_string())
}
