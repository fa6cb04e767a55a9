//! Parquet files, each row in exactly one of them across `kill -9` and power failures, without a file per checkpoint.
//!
//! # The folder
//!
//! ```text
//! part-w00-000001.parquet            committed: whole, never changed again
//! _manifest-w00.json                 the committed files of worker 0
//! _pending/part-w00-000002.pending   whole Parquet file that no durable checkpoint covers yet
//! _spool/spool-w00-000003.spool      rows of the open file
//! ```
//!
//! A file has one number from its first row on. Rows are appended to the spool of file `n` and to the file itself, which nothing
//! relies on while it has a temporary name; at `roll_mb` or `roll_s` it is completed and becomes the pending file `n`, and file
//! `n + 1` is opened; the spool stays until a checkpoint that does not need it is durable. After a restart file `n` is made from
//! its spool. A checkpoint's token is: the number of the open file, how many rows it has, and the pending files.
//!
//! # Why each restart is right
//!
//! Let `T` be the token of the newest durable checkpoint: open file `n` with `r` rows. Opening with `T` leaves exactly the
//! committed files `< n`, the pending files of `T` (shown), and the first `r` rows of spool `n`. What a crash can leave:
//!
//! | crash | left behind | put right by |
//! |---|---|---|
//! | while rows are appended | spool `n` is longer than `T` says, perhaps torn | cut after row `r` |
//! | in `prepare`, before the new token is durable | the same, synced | the same; the rows are replayed |
//! | before a file is completed | a `.tmp` | deleted; the spool is still there |
//! | after a file was completed | pending file `n`, perhaps spool `n + 1` | deleted, since `T` does not know them |
//! | checkpoint durable, before `commit` | `T` lists pending files | renamed now |
//! | in `commit`, between renames | some are pending, some visible and not yet listed | renamed, then listed |
//! | in `commit`, before the manifest is replaced | visible, not listed | listed |
//! | in `commit`, before old spools are deleted | spools `< n` | deleted |
//! | in the repair itself | any of the above | repeating it |
//!
//! Opening with an older token than the last one (the newest checkpoint is damaged) removes committed files `≥ n`, whose
//! rows are replayed. If spool `n` is gone by then, it is made anew from the first `r` rows of file `n`.
//!
//! A file is synced before it gets its name, a name before anything relies on it. The manifest grows after files come and
//! shrinks before they go, so it never lists what is not there: between two steps a reader of `part-*.parquet` may see a
//! file some milliseconds before the manifest lists it. Files that someone takes away after they were committed are not
//! missed here; `evenkeel verify` is there to notice.

mod disk;
mod manifest;
mod part;
mod place;
mod restore;
mod spool;
#[cfg(test)]
mod tests;
mod token;

pub use manifest::{Manifest, OffsetRange, PartFile};

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;

use self::part::Draft;
use self::place::{Kind, Place};
use self::spool::Spool;
use self::token::Token;
use super::{ConnectorError, Sink};

/// Rows and bytes that are gathered before they go to the spool: one Arrow message costs about a kilobyte of its own.
const FRAME_ROWS: usize = 4096;
const FRAME_BYTES: usize = 8 << 20;

/// When the open file is completed.
#[derive(Clone, Copy, Debug)]
struct Roll {
    bytes: u64,
    age: Duration,
}

/// Writes one worker's rows as Parquet files.
///
/// After an error every further call fails: what the disk holds is then unknown until it is opened again from a token.
#[derive(Debug)]
pub struct ParquetSink {
    place: Place,
    schema: SchemaRef,
    roll: Roll,
    number: u64,
    spool: Option<Spool>,
    /// The file of the open spool, unless a restart has left only that.
    draft: Option<Draft>,
    gathered: Vec<RecordBatch>,
    gathered_rows: usize,
    gathered_bytes: usize,
    opened: Option<Instant>,
    age_before: Duration,
    completed: Vec<PartFile>,
    /// Completed files whose spool is still there, because the last durable token may need it.
    spools: Vec<u64>,
    manifest: Manifest,
    failed: bool,
}

impl ParquetSink {
    /// Opens the output of `worker` in `dir` as it was when `resume` was taken, or empty.
    ///
    /// A file is completed when its rows take `roll_mb` megabytes in Arrow form (the Parquet file is smaller) or when it is
    /// `roll_s` seconds old.
    ///
    /// # Errors
    /// If the folder cannot be created or written, if it holds committed files of this worker and `resume` is `None` (see
    /// [`clear`](Self::clear)), or if it cannot be brought to the state of `resume`.
    pub fn open(
        dir: &Path,
        worker: usize,
        schema: SchemaRef,
        roll_mb: u64,
        roll_s: u64,
        resume: Option<&[u8]>,
    ) -> Result<Self, ConnectorError> {
        let roll = Roll { bytes: roll_mb.saturating_mul(1_000_000), age: Duration::from_secs(roll_s) };
        Self::open_rolling(dir, worker, schema, roll, resume)
    }

    fn open_rolling(
        dir: &Path,
        worker: usize,
        schema: SchemaRef,
        roll: Roll,
        resume: Option<&[u8]>,
    ) -> Result<Self, ConnectorError> {
        let place = Place { dir: dir.to_owned(), worker };
        for folder in place::own_folders(dir) {
            disk::create_folder(&folder)?;
        }
        let token = resume.map(|bytes| Token::decode(bytes, &place)).transpose()?;
        if token.is_none() && (place.manifest().exists() || !place.numbers(Kind::Part)?.is_empty()) {
            return Err(place.inconsistent(
                "it holds the output of an earlier run and there is no checkpoint to continue it from: move it away, or \
                 delete it by starting with --fresh",
            ));
        }
        // Without a token nothing was ever committed, which is the state of an empty output.
        let token = token.unwrap_or(Token {
            worker: worker as u64,
            number: 1,
            rows: 0,
            bytes: 0,
            age_s: 0,
            completed: Vec::new(),
        });
        let (spool, manifest) = restore::restore(&place, &schema, &token)?;
        Ok(Self {
            place,
            schema,
            roll,
            number: token.number,
            opened: spool.is_some().then(Instant::now),
            spool,
            draft: None,
            gathered: Vec::new(),
            gathered_rows: 0,
            gathered_bytes: 0,
            age_before: Duration::from_secs(token.age_s),
            completed: Vec::new(),
            spools: Vec::new(),
            manifest,
            failed: false,
        })
    }

    /// Whether `dir` holds rows that sinks of any worker have committed. What a crash left uncommitted does not count.
    ///
    /// # Errors
    /// If the folder cannot be listed.
    pub fn holds_output(dir: &Path) -> Result<bool, ConnectorError> {
        place::shows_rows(dir)
    }

    /// Deletes what sinks of all workers have made in `dir`, and nothing else. No sink may be open there.
    ///
    /// # Errors
    /// If something cannot be deleted.
    pub fn clear(dir: &Path) -> Result<(), ConnectorError> {
        for path in place::everything(dir)? {
            disk::remove(&path)?;
        }
        for folder in place::own_folders(dir) {
            match fs::remove_dir(&folder) {
                Ok(()) => {}
                // Somebody else's files are in it.
                Err(e)
                    if matches!(
                        e.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::DirectoryNotEmpty
                    ) => {}
                Err(e) => return Err(disk::write_error(&folder, e)),
            }
        }
        if dir.is_dir() { disk::sync_folder(dir) } else { Ok(()) }
    }

    fn guarded<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, ConnectorError>) -> Result<T, ConnectorError> {
        if self.failed {
            let reason = "an earlier write failed, continue from the last checkpoint";
            return Err(disk::write_error(&self.place.dir, io::Error::other(reason)));
        }
        let outcome = work(self);
        self.failed = outcome.is_err();
        outcome
    }

    fn gather(&mut self, batch: &RecordBatch) -> Result<(), ConnectorError> {
        if batch.schema().fields() != self.schema.fields() {
            let reason = format!("the rows have the columns {:?}, not {:?}", batch.schema(), self.schema);
            return Err(disk::write_error(&self.place.dir, io::Error::new(io::ErrorKind::InvalidInput, reason)));
        }
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.opened.get_or_insert_with(Instant::now);
        self.gathered.push(batch.clone());
        self.gathered_rows += batch.num_rows();
        self.gathered_bytes += batch.get_array_memory_size();
        let enough = FRAME_BYTES.min(usize::try_from(self.roll.bytes).unwrap_or(FRAME_BYTES));
        if self.gathered_rows >= FRAME_ROWS || self.gathered_bytes >= enough {
            self.spill()?;
        }
        self.roll_if_due()
    }

    /// Moves the gathered rows to the spool.
    fn spill(&mut self) -> Result<(), ConnectorError> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let spool = match &mut self.spool {
            Some(spool) => spool,
            None => {
                self.draft = Some(Draft::begin(&self.place, self.number, &self.schema)?);
                self.spool.insert(Spool::create(self.place.path(Kind::Spool, self.number))?)
            }
        };
        let batch = concat_batches(&self.schema, &self.gathered)
            .map_err(|e| disk::write_error(&self.place.dir, io::Error::other(e)))?;
        self.gathered.clear();
        (self.gathered_rows, self.gathered_bytes) = (0, 0);
        spool.append(&batch)?;
        self.draft.as_mut().map_or(Ok(()), |draft| draft.add(&batch))
    }

    fn age(&self) -> Duration {
        self.opened.map_or(Duration::ZERO, |opened| self.age_before + opened.elapsed())
    }

    fn roll_if_due(&mut self) -> Result<(), ConnectorError> {
        let spooled = self.spool.as_ref().map_or(0, Spool::bytes);
        if (spooled > 0 && spooled >= self.roll.bytes) || (self.opened.is_some() && self.age() >= self.roll.age) {
            self.complete()?;
        }
        Ok(())
    }

    /// Turns the open file into a pending Parquet file, if it has rows.
    fn complete(&mut self) -> Result<(), ConnectorError> {
        self.spill()?;
        let Some(spool) = self.spool.take() else { return Ok(()) };
        self.completed.push(match self.draft.take() {
            Some(draft) => draft.complete(&self.place, self.number, spool.rows())?,
            None => part::convert(&spool, &self.place, self.number, &self.schema)?,
        });
        self.spools.push(self.number);
        self.number += 1;
        self.opened = None;
        self.age_before = Duration::ZERO;
        Ok(())
    }

    fn token(&mut self) -> Result<Token, ConnectorError> {
        self.roll_if_due()?;
        self.spill()?;
        if let Some(spool) = &mut self.spool {
            spool.sync()?;
        }
        Ok(Token {
            worker: self.place.worker as u64,
            number: self.number,
            rows: self.spool.as_ref().map_or(0, Spool::rows),
            bytes: self.spool.as_ref().map_or(0, Spool::bytes),
            age_s: self.age().as_secs(),
            completed: self.completed.clone(),
        })
    }

    fn show(&mut self, token: &Token) -> Result<(), ConnectorError> {
        restore::show(&self.place, &mut self.manifest, &token.completed)?;
        self.completed.retain(|file| !token.completed.contains(file));
        let obsolete: Vec<u64> = self.spools.extract_if(.., |number| *number < token.number).collect();
        for number in obsolete {
            disk::remove(&self.place.path(Kind::Spool, number))?;
        }
        Ok(())
    }
}

impl Sink for ParquetSink {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ConnectorError> {
        self.guarded(|sink| sink.gather(batch))
    }

    fn prepare(&mut self) -> Result<Vec<u8>, ConnectorError> {
        self.guarded(|sink| sink.token().map(|token| token.encode()))
    }

    fn commit(&mut self, token: &[u8]) -> Result<(), ConnectorError> {
        self.guarded(|sink| sink.show(&Token::decode(token, &sink.place)?))
    }

    /// Completes the open file even if it is small. Rows may follow: they open the next file.
    fn finish(&mut self) -> Result<(), ConnectorError> {
        self.guarded(Self::complete)
    }
}
