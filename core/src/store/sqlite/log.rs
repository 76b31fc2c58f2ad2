//! Turns the write-ahead log of a database into one that is on the disk for certain, after a wait for the disk has failed.
//!
//! What could not be written is forgotten then: the system counts its pages as clean, and the next wait succeeds though
//! they were never written. All that comes later in the log would be lost with them in a power cut, for a log is only read
//! up to the first frame that is not as it was written. So it is read here, every frame is compared with its checksum, and
//! what is right is written once more in its place; what is not is not on the disk and can be had nowhere else.
//!
//! The format: <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Bytes of the log's header, and of a frame's.
const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// What a log begins with, where its checksums are made of words in little, and in big endian order.
const LITTLE: u32 = 0x377f_0682;
const BIG: u32 = 0x377f_0683;

/// Where SQLite keeps the write-ahead log of a database.
pub(super) fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// Writes the first so many frames of a log once more, and waits until they are on the disk. Nobody may write to it
/// meanwhile.
pub(super) fn write_again(log: &Path, frames: u64) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(log)?;
    if frames > 0 {
        rewrite(&file, frames)?;
    }
    file.sync_data()
}

fn rewrite(file: &File, frames: u64) -> io::Result<()> {
    let mut reader = io::BufReader::with_capacity(1 << 20, file);
    let mut header = [0; HEADER_BYTES];
    reader.read_exact(&mut header)?;
    let mut sum = match word(&header, 0) {
        LITTLE => Checksum { word: u32::from_le_bytes, sums: [0; 2] },
        BIG => Checksum { word: u32::from_be_bytes, sums: [0; 2] },
        _ => return Err(damaged("its beginning is not that of a log")),
    };
    sum.add(&header[..24]);
    sum.is(&header[24..])?;
    file.write_all_at(&header, 0)?;
    let page_bytes = usize::try_from(word(&header, 2)).map_err(|_| damaged("its pages are too large"))?;
    let mut frame = vec![0; FRAME_HEADER_BYTES + page_bytes];
    let mut at = HEADER_BYTES as u64;
    for _ in 0..frames {
        reader.read_exact(&mut frame)?;
        if frame[8..16] != header[16..24] {
            return Err(damaged("a frame is of an earlier log"));
        }
        sum.add(&frame[..8]);
        sum.add(&frame[FRAME_HEADER_BYTES..]);
        sum.is(&frame[16..FRAME_HEADER_BYTES])?;
        file.write_all_at(&frame, at)?;
        at += frame.len() as u64;
    }
    Ok(())
}

/// SQLite's checksum of all that was written so far.
struct Checksum {
    word: fn([u8; 4]) -> u32,
    sums: [u32; 2],
}

impl Checksum {
    /// Adds bytes, a multiple of eight.
    fn add(&mut self, bytes: &[u8]) {
        let [mut one, mut other] = self.sums;
        for pair in bytes.chunks_exact(8) {
            let words = [&pair[..4], &pair[4..]].map(|bytes| (self.word)(bytes.try_into().unwrap_or_default()));
            one = one.wrapping_add(words[0]).wrapping_add(other);
            other = other.wrapping_add(words[1]).wrapping_add(one);
        }
        self.sums = [one, other];
    }

    /// That it is the one that is written here.
    fn is(&self, written: &[u8]) -> io::Result<()> {
        if [word(written, 0), word(written, 1)] == self.sums {
            return Ok(());
        }
        Err(damaged("a frame is not as it was written"))
    }
}

/// The nth word of a header.
fn word(header: &[u8], nth: usize) -> u32 {
    header.get(nth * 4..nth * 4 + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes)
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("the write-ahead log cannot be read back: {what}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt as _;

    use rusqlite::Connection;

    use super::{log_of, write_again};

    #[test]
    fn a_log_is_written_again_as_it_is_and_not_where_it_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.db");
        let database = Connection::open(&path).unwrap();
        database.execute_batch("pragma journal_mode = wal; pragma wal_autocheckpoint = 0; create table t (b)").unwrap();
        for nth in 0..5 {
            database.execute("insert into t values (randomblob(?1 * 3000))", [nth]).unwrap();
        }
        let frames = |row: &rusqlite::Row<'_>| row.get::<_, i64>(1);
        let frames = u64::try_from(database.query_row("pragma wal_checkpoint(noop)", [], frames).unwrap()).unwrap();
        assert!(frames > 5, "{frames}");
        let log = log_of(&path);
        let before = std::fs::read(&log).unwrap();
        write_again(&log, frames).unwrap();
        assert_eq!(std::fs::read(&log).unwrap(), before);
        write_again(&log, frames + 1).expect_err("there are not so many");

        let file = std::fs::OpenOptions::new().write(true).open(&log).unwrap();
        let last = before.len() as u64 - 1;
        file.write_all_at(&[before[before.len() - 1] ^ 1], last).unwrap();
        write_again(&log, frames).expect_err("the last frame is another than was written");
        write_again(&log, frames - 1).unwrap();
    }
}
