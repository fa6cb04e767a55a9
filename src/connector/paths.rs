//! What `[source.parquet] paths` means: files, globs, folders and object stores become one list of files.
//!
//! The list is sorted by path text and holds no file twice, so the order of the input depends neither on how the paths are
//! written nor on the order in which a file system lists them.

use std::collections::HashSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use glob::{MatchOptions, Pattern};

use super::ConnectorError;
use super::hive;
use super::input_file::{InputFile, Place};
use super::some_of::some_of;
use crate::data::nearest;

/// `*` stays within a folder and does not find hidden names, as in a shell.
pub(super) const GLOB: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// Finds the files that `paths` name.
///
/// A folder stands for every `*.parquet` and `*.parq` file below it; names that begin with `_` or `.` are skipped. A glob
/// stands for every file it matches and for every folder it matches. Folder names `key=value` are kept with the file.
///
/// # Errors
/// If a path leads to no file, if a folder cannot be listed, or if an object store is named without the `s3` feature.
pub fn resolve(paths: &[String]) -> Result<Vec<InputFile>, ConnectorError> {
    if paths.is_empty() {
        return Err(no_input("source.parquet.paths", "is empty; name at least one file, glob or folder"));
    }
    let mut found = Vec::new();
    for path in paths {
        match path.split_once("://") {
            None => found.extend(local(path)?),
            Some(("file", rest)) => found.extend(local(rest)?),
            Some(("s3" | "s3a" | "gs" | "az" | "abfs" | "abfss", _)) => found.extend(remote(path)?),
            Some((scheme, _)) => {
                let problem = format!("has the unknown scheme `{scheme}`; use a local path, s3://, gs:// or az://");
                return Err(no_input(path, &problem));
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let mut seen = HashSet::new();
    let mut files = Vec::with_capacity(found.len());
    for file in found {
        if seen.insert(identity(&file)?) {
            files.push(file);
        }
    }
    Ok(files)
}

pub(super) fn no_input(path: &str, problem: &str) -> ConnectorError {
    ConnectorError::NoInput { path: path.to_owned(), problem: problem.to_owned() }
}

#[cfg(feature = "s3")]
fn remote(url: &str) -> Result<Vec<InputFile>, ConnectorError> {
    super::object_storage::resolve(url)
}

#[cfg(not(feature = "s3"))]
fn remote(url: &str) -> Result<Vec<InputFile>, ConnectorError> {
    Err(no_input(url, "is in an object store, which this build cannot read; build evenkeel with `--features s3`"))
}

/// What two spellings of one file have in common.
fn identity(file: &InputFile) -> Result<String, ConnectorError> {
    match &file.place {
        Place::Local(path) => {
            let path = fs::canonicalize(path).map_err(|error| file.unreadable(error))?;
            Ok(path.to_string_lossy().into_owned())
        }
        #[cfg(feature = "s3")]
        Place::Remote(_) => Ok(file.name.to_string()),
    }
}

fn local(text: &str) -> Result<Vec<InputFile>, ConnectorError> {
    let path = Path::new(text);
    let paths = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => folder(text, path)?,
        Ok(metadata) if metadata.is_file() => vec![path.to_owned()],
        Ok(_) => return Err(no_input(text, "is neither a file nor a folder")),
        Err(_) if is_glob(text) => matches(text)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(missing(text, path)),
        Err(error) => return Err(unreadable(path, error)),
    };
    Ok(paths.into_iter().map(input_file).collect())
}

/// Names a file without `.` steps, so that `./a` and `a` are called the same.
fn input_file(path: PathBuf) -> InputFile {
    let path: PathBuf = path.components().filter(|part| !matches!(part, Component::CurDir)).collect();
    let folders: Vec<_> = path.parent().into_iter().flat_map(Path::components).map(text_of).collect();
    InputFile {
        name: Arc::from(path.to_string_lossy()),
        partitions: hive::partitions(folders.iter().map(AsRef::as_ref)),
        place: Place::Local(path),
    }
}

fn text_of(part: Component<'_>) -> String {
    part.as_os_str().to_string_lossy().into_owned()
}

fn unreadable(path: &Path, problem: impl ToString) -> ConnectorError {
    ConnectorError::Unreadable { file: path.display().to_string(), problem: problem.to_string() }
}

/// Whether a path is meant as a pattern.
pub(super) fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether folders leave this name out: `_SUCCESS`, `_temporary`, `.crc`.
pub(super) fn is_hidden(name: &str) -> bool {
    name.starts_with(['_', '.'])
}

/// Whether folders take this file.
pub(super) fn is_parquet(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    extension.eq_ignore_ascii_case("parquet") || extension.eq_ignore_ascii_case("parq")
}

fn folder(text: &str, path: &Path) -> Result<Vec<PathBuf>, ConnectorError> {
    let mut listing = Listing::default();
    listing.walk(path)?;
    if listing.files.is_empty() {
        let others = some_of(listing.others.iter().map(String::as_str));
        let found = if others.is_empty() { "nothing else either".to_owned() } else { format!("only {others}") };
        return Err(no_input(text, &format!("holds no *.parquet or *.parq file ({found}); name another folder")));
    }
    Ok(listing.files)
}

/// What lies below a folder.
#[derive(Default)]
struct Listing {
    files: Vec<PathBuf>,
    others: Vec<String>,
    /// Folders walked already: links may lead in a circle.
    walked: HashSet<PathBuf>,
}

impl Listing {
    fn walk(&mut self, folder: &Path) -> Result<(), ConnectorError> {
        let real = fs::canonicalize(folder).map_err(|error| unreadable(folder, error))?;
        if !self.walked.insert(real) {
            return Ok(());
        }
        let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries = entries.map_err(|error| unreadable(folder, error))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_hidden(&name) {
                continue;
            }
            let path = entry.path();
            let metadata = fs::metadata(&path).map_err(|error| unreadable(&path, error))?;
            if metadata.is_dir() {
                self.walk(&path)?;
            } else if metadata.is_file() && is_parquet(&name) {
                self.files.push(path);
            } else {
                self.others.push(name);
            }
        }
        Ok(())
    }
}

fn matches(text: &str) -> Result<Vec<PathBuf>, ConnectorError> {
    let found =
        glob::glob_with(text, GLOB).map_err(|error| no_input(text, &format!("is not a valid glob: {error}")))?;
    let mut files = Vec::new();
    let mut folders = 0_usize;
    for path in found {
        let path = path.map_err(|error| unreadable(error.path(), error.error()))?;
        if path.components().map(text_of).any(|part| is_hidden(&part) && !is_asked_for(text, &part)) {
            continue;
        }
        let metadata = fs::metadata(&path).map_err(|error| unreadable(&path, error))?;
        if metadata.is_dir() {
            let mut listing = Listing::default();
            listing.walk(&path)?;
            files.extend(listing.files);
            folders += 1;
        } else {
            files.push(path);
        }
    }
    if files.is_empty() {
        let problem = match folders {
            0 => format!("matches nothing; {}", whereabouts()),
            _ => format!("matches only folders without *.parquet or *.parq files ({folders} of them)"),
        };
        return Err(no_input(text, &problem));
    }
    Ok(files)
}

/// Whether a part of the glob spells this hidden name out, at least its first letter.
fn is_asked_for(glob: &str, name: &str) -> bool {
    glob.split('/').any(|part| {
        is_hidden(part) && part[..1] == name[..1] && Pattern::new(part).is_ok_and(|pattern| pattern.matches(name))
    })
}

fn missing(text: &str, path: &Path) -> ConnectorError {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = fs::read_dir(parent) else {
        return no_input(text, &format!("does not exist, nor does its folder; {}", whereabouts()));
    };
    let siblings: Vec<String> =
        entries.filter_map(Result::ok).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    match nearest(&name, siblings.iter().map(String::as_str)) {
        Some(sibling) => no_input(text, &format!("does not exist; did you mean `{}`?", parent.join(sibling).display())),
        None => no_input(text, &format!("does not exist; {}", whereabouts())),
    }
}

fn whereabouts() -> String {
    match std::env::current_dir() {
        Ok(directory) => format!("paths are relative to the working directory {}", directory.display()),
        Err(_) => "paths are relative to the working directory".to_owned(),
    }
}

#[cfg(test)]
mod tests;
