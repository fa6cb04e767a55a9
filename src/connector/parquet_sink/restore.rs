//! Brings the folder to the state that a token describes, whatever came after it.

use std::path::PathBuf;

use arrow_schema::Schema;

use super::manifest::{Manifest, PartFile};
use super::place::{Kind, Place};
use super::spool::{self, Prefix, Spool};
use super::token::Token;
use super::{disk, part};
use crate::connector::ConnectorError;

/// Where the rows of the open file are found.
enum Open {
    /// Nothing was written to it yet.
    Nothing,
    /// In the spool, up to this byte.
    Spool(u64),
    /// In the spool, up to a row inside a frame.
    Within,
    /// In the Parquet file that it became after the token was taken.
    Part(PathBuf),
}

/// Makes the folder what it was at `token`, with the files shown that the token completes. Nothing is changed unless all
/// of it can be.
pub(super) fn restore(
    place: &Place,
    schema: &Schema,
    token: &Token,
) -> Result<(Option<Spool>, Manifest), ConnectorError> {
    let mut manifest = Manifest::open(place)?;
    check_complete_files(place, token, &manifest)?;
    let open = find_open_file(place, schema, token)?;

    let spool = match open {
        Open::Nothing => None,
        Open::Spool(bytes) => Some(Spool::resume(place.path(Kind::Spool, token.number), bytes, token.rows)?),
        Open::Within => Some(part::shorten(place, token.number, token.rows)?),
        Open::Part(file) => Some(part::rebuild(&file, place, token.number, token.rows, schema)?),
    };
    // The manifest never lists what is not there: it shrinks before the files go and grows after they come.
    if manifest.forget_from(token.number) {
        manifest.write(place)?;
    }
    for number in place.numbers(Kind::Part)?.range(token.number..) {
        disk::remove(&place.path(Kind::Part, *number))?;
    }
    for number in place.numbers(Kind::Pending)? {
        if !token.completed.iter().any(|file| file.name == place.name(Kind::Part, number)) {
            disk::remove(&place.path(Kind::Pending, number))?;
        }
    }
    for number in place.numbers(Kind::Spool)? {
        if spool.is_none() || number != token.number {
            disk::remove(&place.path(Kind::Spool, number))?;
        }
    }
    for path in place.leftovers()? {
        disk::remove(&path)?;
    }
    show(place, &mut manifest, &token.completed)?;
    Ok((spool, manifest))
}

/// Every complete file up to the token is listed, or visible, or ready to be shown.
fn check_complete_files(place: &Place, token: &Token, manifest: &Manifest) -> Result<(), ConnectorError> {
    for file in &token.completed {
        if !is_listed(place, manifest, file)? {
            let path = locate(place, file)?;
            if part::checksum(&path)? != file.crc32 {
                return Err(place.inconsistent(format!(
                    "{} was changed since it was written: restore it or start anew with --fresh",
                    path.display()
                )));
            }
        }
    }
    let visible = place.numbers(Kind::Part)?;
    let known = |number: u64| {
        let name = place.name(Kind::Part, number);
        manifest.find(&name).is_some() || token.completed.iter().any(|file| file.name == name)
    };
    if let Some(number) = visible.range(..token.number).find(|number| !known(**number)) {
        return Err(place.inconsistent(format!(
            "{} is listed neither in the checkpoint nor in {}: restore the manifest or start anew with --fresh",
            place.name(Kind::Part, *number),
            place.manifest().display()
        )));
    }
    Ok(())
}

fn find_open_file(place: &Place, schema: &Schema, token: &Token) -> Result<Open, ConnectorError> {
    if token.rows == 0 {
        return Ok(Open::Nothing);
    }
    let path = place.path(Kind::Spool, token.number);
    let problem = match spool::prefix(&path, token.rows, schema) {
        Ok(Prefix::Frames(bytes)) => return Ok(Open::Spool(bytes)),
        Ok(Prefix::Within) => return Ok(Open::Within),
        Err(problem) => problem,
    };
    // An older checkpoint than the newest: its spool has become a file since, which begins with the same rows.
    for kind in [Kind::Pending, Kind::Part] {
        let complete = place.path(kind, token.number);
        if disk::length(&complete)?.is_some() {
            return Ok(Open::Part(complete));
        }
    }
    Err(place.inconsistent(format!(
        "the checkpoint needs {} rows ({} bytes) of {} and it cannot be used: {problem}. Restore the folder to what it was, \
         or start anew with --fresh",
        token.rows,
        token.bytes,
        path.display()
    )))
}

/// Renames complete files to their final names and lists them in the manifest; those already shown are left alone.
pub(super) fn show(place: &Place, manifest: &mut Manifest, completed: &[PartFile]) -> Result<(), ConnectorError> {
    let mut new = Vec::new();
    for file in completed {
        if !is_listed(place, manifest, file)? {
            let path = locate(place, file)?;
            let visible = place.dir.join(&file.name);
            if path != visible {
                disk::rename(&path, &visible)?;
            }
            new.push(file.clone());
        }
    }
    if new.is_empty() {
        return Ok(());
    }
    disk::sync_folder(&place.dir)?;
    manifest.files.extend(new);
    manifest.write(place)
}

fn is_listed(place: &Place, manifest: &Manifest, file: &PartFile) -> Result<bool, ConnectorError> {
    match manifest.find(&file.name) {
        None => Ok(false),
        Some(listed) if listed == file => Ok(true),
        Some(_) => Err(place.inconsistent(format!(
            "{} is another file than the checkpoint says: the checkpoint belongs to another run, start anew with --fresh",
            file.name
        ))),
    }
}

/// Where a complete file that is not listed yet lies: pending, or already visible when the last commit was cut short.
fn locate(place: &Place, file: &PartFile) -> Result<PathBuf, ConnectorError> {
    let visible = place.dir.join(&file.name);
    let pending = place.folder(Kind::Pending).join(&file.name).with_extension("pending");
    for path in [pending, visible] {
        match disk::length(&path)? {
            Some(bytes) if bytes == file.bytes => return Ok(path),
            Some(bytes) => {
                return Err(place.inconsistent(format!(
                    "{} has {bytes} bytes and the checkpoint says {}: restore it or start anew with --fresh",
                    path.display(),
                    file.bytes
                )));
            }
            None => {}
        }
    }
    Err(place.inconsistent(format!(
        "{} with {} rows is missing: restore it or start anew with --fresh",
        file.name, file.rows
    )))
}
