//! What a checkpoint must know about the output of one worker.

use serde::{Deserialize, Serialize};

use super::manifest::PartFile;
use super::place::Place;
use crate::connector::ConnectorError;

const FORMAT: u8 = 1;

/// The output at one [`prepare`](crate::connector::Sink::prepare).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Token {
    /// Whose output it is.
    pub worker: u64,
    /// Number of the open file; all files before it are complete.
    pub number: u64,
    /// Rows of the open file.
    pub rows: u64,
    /// Length of its spool then; only for people, see `spool`.
    pub bytes: u64,
    /// Age of the open file in seconds.
    pub age_s: u64,
    /// Complete files that no earlier commit has shown.
    pub completed: Vec<PartFile>,
}

impl Token {
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(&(FORMAT, self)).expect("numbers, strings and lists always have a postcard form")
    }

    /// # Errors
    /// If the bytes are not a token of this worker.
    pub fn decode(bytes: &[u8], place: &Place) -> Result<Self, ConnectorError> {
        let advice = "the checkpoint does not belong to this output, start anew with --fresh";
        if bytes.first().is_some_and(|format| *format != FORMAT) {
            return Err(place.inconsistent(format!(
                "its token has format {} and this program knows {FORMAT}: use the program that wrote it or start anew \
                 with --fresh",
                bytes[0]
            )));
        }
        let (_, token): (u8, Self) = postcard::from_bytes(bytes)
            .map_err(|e| place.inconsistent(format!("its token is unreadable ({e}): {advice}")))?;
        if token.worker != place.worker as u64 {
            return Err(place.inconsistent(format!(
                "it is of worker {} and this is worker {}: {advice}",
                token.worker, place.worker
            )));
        }
        Ok(token)
    }
}
