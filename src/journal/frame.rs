//! One commit in the log: a frame. And how a segment is read when it is not as it was written.
//!
//! Layout, numbers little-endian: magic u32, version u8, kind u8, payload length u32, sequence u64, place
//! in its group u32, crc32 of these 22 bytes; payload (changes); crc32 of the payload. A *group* is what
//! was written and synced at once, so a frame of a later group proves that every earlier group was synced.
//!
//! Promises: a frame that was synced is never taken for the torn end of a write. What cannot be read is
//! named, with its sequence.

use super::store::Sequence;

/// Bytes of the header.
pub(crate) const HEADER: usize = 26;
/// Bytes after the payload.
pub(crate) const TRAILER: usize = 4;

const MAGIC: u32 = u32::from_le_bytes(*b"HSMF");
const VERSION: u8 = 1;
const COMMIT: u8 = 0;
const SEAL: u8 = 1;
/// What a disk writes whole.
const SECTOR: usize = 512;

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The last frame of a segment that has a successor; its sequence is the successor's first.
    pub(crate) seal: bool,
    /// Bytes of payload.
    pub(crate) payload: u32,
    /// Number of the commit.
    pub(crate) sequence: Sequence,
    /// How many frames of the same group come before.
    pub(crate) place: u32,
}

impl Header {
    /// As bytes.
    pub(crate) fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend_from_slice(&MAGIC.to_le_bytes());
        bytes.push(VERSION);
        bytes.push(if self.seal { SEAL } else { COMMIT });
        bytes.extend_from_slice(&self.payload.to_le_bytes());
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        bytes.extend_from_slice(&self.place.to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        bytes.try_into().unwrap_or([0; HEADER])
    }

    /// Back from bytes; none unless every bit is right.
    pub(crate) fn read(bytes: &[u8]) -> Option<Header> {
        let bytes = bytes.get(..HEADER)?;
        let (fields, sum) = bytes.split_at_checked(HEADER - 4)?;
        let (magic, rest) = fields.split_first_chunk::<4>()?;
        if *magic != MAGIC.to_le_bytes() || sum != crc32fast::hash(fields).to_le_bytes() {
            return None;
        }
        let (version, rest) = rest.split_first()?;
        let (kind, rest) = rest.split_first()?;
        let (payload, rest) = rest.split_first_chunk::<4>()?;
        let (sequence, rest) = rest.split_first_chunk::<8>()?;
        let (place, _) = rest.split_first_chunk::<4>()?;
        (*version == VERSION && *kind <= SEAL).then(|| Header {
            seal: *kind == SEAL,
            payload: u32::from_le_bytes(*payload),
            sequence: u64::from_le_bytes(*sequence),
            place: u32::from_le_bytes(*place),
        })
    }

    /// The first sequence of its group: all below were synced before this frame was written.
    fn group(self) -> Sequence {
        self.sequence.saturating_sub(u64::from(self.place))
    }
}

/// Adds a frame.
pub(crate) fn write(out: &mut Vec<u8>, sequence: Sequence, place: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&Header { seal: false, payload: length, sequence, place }.to_bytes());
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
}

/// The frame that says that another segment follows.
pub(crate) fn seal(next: Sequence) -> Vec<u8> {
    let mut bytes = Header { seal: true, payload: 0, sequence: next, place: 0 }.to_bytes().to_vec();
    bytes.extend_from_slice(&crc32fast::hash(&[]).to_le_bytes());
    bytes
}

/// What is found in a segment, in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// A frame with a right header; the payload is as written when `whole`.
    Frame {
        /// Its number.
        sequence: Sequence,
        /// Its changes.
        payload: &'a [u8],
        /// Whether the payload's checksum is right.
        whole: bool,
    },
    /// Synced frames that are gone, with their keys. `next` is the first that is there again; none when
    /// nothing readable follows in this segment.
    Lost {
        /// The first gone.
        from: Sequence,
        /// The first there again.
        next: Option<Sequence>,
    },
}

/// How a segment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentEnd {
    /// The sequence that comes next.
    pub(crate) next: Sequence,
    /// Bytes up to the end of the last frame; what follows is a torn write.
    pub(crate) length: usize,
    /// A successor was made.
    pub(crate) sealed: bool,
}

/// Reads a segment that begins with `first`. Only in the `newest` may a write be torn.
pub(crate) fn read<E>(
    bytes: &[u8],
    first: Sequence,
    newest: bool,
    mut visit: impl FnMut(Piece<'_>) -> Result<(), E>,
) -> Result<SegmentEnd, E> {
    let mut at = 0;
    let mut next = first;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(SegmentEnd { next, length: at, sealed: false });
        }
        let header = Header::read(rest).filter(|header| header.sequence >= next);
        if let Some(header) = header.filter(|header| header.sequence > next) {
            // Right where the next frame belongs stands a later one: no torn write looks like that.
            visit(Piece::Lost { from: next, next: Some(header.sequence) })?;
            next = header.sequence;
        }
        let body = header.and_then(|header| {
            let payload = usize::try_from(header.payload).ok()?;
            rest.get(HEADER..)?.split_at_checked(payload)?.0.len().checked_add(HEADER + TRAILER)
        });
        let frame = body.and_then(|length| Some((header?, rest.get(..length)?)));
        if let Some((header, frame)) = frame {
            if header.seal {
                return Ok(SegmentEnd { next, length: at, sealed: true });
            }
            let payload = frame.get(HEADER..frame.len() - TRAILER).unwrap_or_default();
            let sum = frame.get(frame.len() - TRAILER..).unwrap_or_default();
            let whole = crc32fast::hash(payload).to_le_bytes() == sum;
            if !whole && newest && never_written(bytes, at, at + frame.len()) {
                let later = following(bytes, at + frame.len(), next);
                if later.is_none_or(|(_, later)| later.group() <= next) {
                    return Ok(SegmentEnd { next, length: at, sealed: false });
                }
            }
            visit(Piece::Frame { sequence: next, payload, whole })?;
            next += 1;
            at += frame.len();
            continue;
        }
        // No frame here. Whether this is the end of what was written or a hole in it is told by what
        // follows.
        let cut_short = header.is_some() || rest.len() < HEADER;
        match following(bytes, at + 1, next) {
            Some((place, later)) => {
                let unsynced = later.group() <= next && never_written(bytes, at, place);
                if newest && unsynced {
                    return Ok(SegmentEnd { next, length: at, sealed: false });
                }
                if later.sequence > next {
                    visit(Piece::Lost { from: next, next: Some(later.sequence) })?;
                }
                next = later.sequence;
                at = place;
            }
            None if newest && (cut_short || never_written(bytes, at, bytes.len())) => {
                return Ok(SegmentEnd { next, length: at, sealed: false });
            }
            None => {
                visit(Piece::Lost { from: next, next: None })?;
                return Ok(SegmentEnd { next, length: at, sealed: false });
            }
        }
    }
}

/// The next right header at or after a place, of a sequence not below `next`.
fn following(bytes: &[u8], from: usize, next: Sequence) -> Option<(usize, Header)> {
    let magic = MAGIC.to_le_bytes();
    let rest = bytes.get(from..)?;
    rest.windows(magic.len()).enumerate().filter(|(_, window)| *window == magic).find_map(|(offset, _)| {
        let header = Header::read(rest.get(offset..)?)?;
        (header.sequence >= next).then_some((from + offset, header))
    })
}

/// Whether a stretch holds a sector that the disk never got: nothing but zeros. A flipped bit does not
/// look like that, a write cut off by a power cut does.
fn never_written(bytes: &[u8], from: usize, to: usize) -> bool {
    let zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    if bytes.get(from..).is_some_and(zero) {
        return true;
    }
    let mut sector = from.next_multiple_of(SECTOR);
    while sector < to {
        let end = (sector + SECTOR).min(bytes.len());
        if bytes.get(sector..end).is_some_and(|bytes| bytes.len() >= 16 && zero(bytes)) {
            return true;
        }
        sector += SECTOR;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    enum Seen {
        Frame(u64, bool),
        Lost(u64, Option<u64>),
    }

    fn look(bytes: &[u8], newest: bool) -> (Vec<Seen>, SegmentEnd) {
        let mut seen = Vec::new();
        let end = read::<()>(bytes, 1, newest, |piece| {
            seen.push(match piece {
                Piece::Frame { sequence, whole, .. } => Seen::Frame(sequence, whole),
                Piece::Lost { from, next } => Seen::Lost(from, next),
            });
            Ok(())
        });
        (seen, end.unwrap())
    }

    fn three(places: [u32; 3]) -> (Vec<u8>, [usize; 3]) {
        let mut bytes = Vec::new();
        let mut ends = [0; 3];
        for (at, place) in places.into_iter().enumerate() {
            write(&mut bytes, at as u64 + 1, place, &[7; 1600]);
            ends[at] = bytes.len();
        }
        (bytes, ends)
    }

    #[test]
    fn every_cut_of_the_newest_segment_gives_the_frames_before_it() {
        let (bytes, ends) = three([0, 0, 0]);
        for cut in 0..bytes.len() {
            let (seen, end) = look(&bytes[..cut], true);
            let whole = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(seen.len(), whole, "cut at {cut}");
            assert_eq!(end.next, whole as u64 + 1);
        }
    }

    #[test]
    fn a_flipped_bit_is_never_taken_for_the_end() {
        let (bytes, _) = three([0, 0, 0]);
        let (whole, _) = look(&bytes, true);
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            let (seen, _) = look(&bytes, true);
            assert_ne!(seen, whole, "byte {at}");
            assert!(
                seen.iter().any(|seen| matches!(seen, Seen::Lost(..) | Seen::Frame(_, false))),
                "byte {at}"
            );
        }
    }

    #[test]
    fn a_hole_in_the_last_unsynced_group_is_its_end_and_a_hole_before_it_is_damage() {
        let sector = 2048..2560;
        for (places, torn) in [([0, 0, 1], true), ([0, 0, 0], false)] {
            let (whole, ends) = three(places);
            for (hole, kept) in
                [(sector.clone(), Seen::Frame(2, false)), (ends[0]..ends[1], Seen::Lost(2, Some(3)))]
            {
                let mut bytes = whole.clone();
                bytes[hole].fill(0);
                let (seen, end) = look(&bytes, true);
                if torn {
                    assert_eq!((seen, end.next), (vec![Seen::Frame(1, true)], 2));
                } else {
                    assert_eq!(seen, vec![Seen::Frame(1, true), kept, Seen::Frame(3, true)]);
                }
            }
        }
    }

    #[test]
    fn an_older_segment_is_never_cut() {
        let (bytes, ends) = three([0, 0, 0]);
        let (seen, _) = look(&bytes[..ends[2] - 1], false);
        assert_eq!(seen.last(), Some(&Seen::Lost(3, None)));
    }
}
