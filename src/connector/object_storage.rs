//! Files in object stores (`s3://`, `gs://`, `az://`), read by blocking calls: workers are threads, not tasks.
//!
//! Credentials and endpoints come from the environment as the stores' own tools read them: `AWS_*`, `GOOGLE_*`, `AZURE_*`.

use std::fmt::Display;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use glob::Pattern;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, parse_url_opts};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};
use tokio::runtime::{Builder, Runtime};
use url::Url;

use super::ConnectorError;
use super::hive;
use super::input_file::{InputFile, Place};
use super::paths::{GLOB, is_glob, is_hidden, is_parquet, no_input};

/// Fetched at once where nothing was announced.
const BLOCK_BYTES: u64 = 64 * 1024;

/// A store with what drives its requests. Its connections live in its runtime, so both are shared together.
#[derive(Debug)]
pub(super) struct Bucket {
    /// `s3://bucket`.
    root: String,
    store: Arc<dyn ObjectStore>,
    runtime: Runtime,
}

/// An object that is known to exist.
#[derive(Clone, Debug)]
pub(super) struct RemoteObject {
    bucket: Arc<Bucket>,
    location: Path,
    bytes: u64,
}

/// An object that is being read.
#[derive(Clone)]
pub(super) struct RemoteFile {
    object: RemoteObject,
    /// What was announced: start and content.
    fetched: Vec<(u64, Bytes)>,
}

/// Finds the objects that a URL names: one object, those that a glob matches, or those below a folder.
///
/// # Errors
/// If the store cannot be reached or the URL leads to no object.
pub(super) fn resolve(url: &str) -> Result<Vec<InputFile>, ConnectorError> {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let (name, key) = rest.split_once('/').unwrap_or((rest, ""));
    let root = format!("{scheme}://{name}");
    let parsed = Url::parse(&root).map_err(|error| no_input(url, &format!("is not a valid address: {error}")))?;
    let settings = std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(key, _)| ["AWS_", "GOOGLE_", "AZURE_"].iter().any(|prefix| key.starts_with(prefix)));
    let (store, _) = parse_url_opts(&parsed, settings).map_err(|error| unreadable(url, error))?;
    Arc::new(Bucket::new(root, Arc::from(store)).map_err(|error| unreadable(url, error))?).resolve(key)
}

fn unreadable(url: &str, problem: impl Display) -> ConnectorError {
    ConnectorError::Unreadable { file: url.to_owned(), problem: problem.to_string() }
}

impl Bucket {
    pub(super) fn new(root: String, store: Arc<dyn ObjectStore>) -> io::Result<Self> {
        Ok(Self { root, store, runtime: Builder::new_current_thread().enable_all().build()? })
    }

    /// Finds the objects that `key` names.
    pub(super) fn resolve(self: &Arc<Self>, key: &str) -> Result<Vec<InputFile>, ConnectorError> {
        let url = format!("{}/{key}", self.root);
        let parse = |key: &str| Path::parse(key).map_err(|error| no_input(&url, &format!("is not valid: {error}")));
        let failed = |error: object_store::Error| unreadable(&url, error);
        if is_glob(key) {
            let pattern =
                Pattern::new(key).map_err(|error| no_input(&url, &format!("is not a valid glob: {error}")))?;
            let base: Vec<&str> = key.split('/').take_while(|part| !is_glob(part)).collect();
            let below = self.list(parse(&base.join("/"))?).map_err(failed)?;
            let count = below.len();
            let matched = below.into_iter().filter(|object| matches(&pattern, object.location.as_ref()));
            let found: Vec<InputFile> = matched.map(|object| self.input_file(object)).collect();
            return match found.is_empty() {
                true => Err(no_input(&url, &format!("matches none of {count} objects below its folder"))),
                false => Ok(found),
            };
        }
        let location = parse(key.trim_end_matches('/'))?;
        if !location.as_ref().is_empty() {
            match self.runtime.block_on(self.store.head(&location)) {
                Ok(object) => return Ok(vec![self.input_file(object)]),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let below = self.list(location).map_err(failed)?;
        let count = below.len();
        let parquet = below.into_iter().filter(|object| is_parquet(object.location.as_ref()));
        let found: Vec<InputFile> = parquet.map(|object| self.input_file(object)).collect();
        match (found.is_empty(), count) {
            (false, _) => Ok(found),
            (true, 0) => Err(no_input(&url, "does not exist")),
            (true, _) => Err(no_input(&url, &format!("holds no *.parquet or *.parq file among {count} objects"))),
        }
    }

    /// All objects below a folder, without hidden names.
    fn list(&self, folder: Path) -> object_store::Result<Vec<ObjectMeta>> {
        let visible = |path: &Path| path.filename().is_some_and(|name| !is_hidden(name));
        let mut objects = Vec::new();
        let mut folders = vec![folder];
        while let Some(folder) = folders.pop() {
            let listed = self.runtime.block_on(self.store.list_with_delimiter(Some(&folder)))?;
            folders.extend(listed.common_prefixes.into_iter().filter(visible));
            objects.extend(listed.objects.into_iter().filter(|object| visible(&object.location)));
        }
        Ok(objects)
    }

    fn input_file(self: &Arc<Self>, object: ObjectMeta) -> InputFile {
        let folders = object.location.as_ref().rsplit_once('/').map_or("", |(folders, _)| folders);
        InputFile {
            name: Arc::from(format!("{}/{}", self.root, object.location)),
            partitions: hive::partitions(folders.split('/')),
            place: Place::Remote(RemoteObject {
                bucket: Arc::clone(self),
                location: object.location,
                bytes: object.size,
            }),
        }
    }
}

/// Whether a glob matches the object, or a folder that it is in and would be taken from.
fn matches(pattern: &Pattern, path: &str) -> bool {
    let mut folders = path.match_indices('/').map(|(end, _)| &path[..end]);
    pattern.matches_with(path, GLOB) || (is_parquet(path) && folders.any(|folder| pattern.matches_with(folder, GLOB)))
}

impl RemoteObject {
    pub(super) fn open(&self) -> RemoteFile {
        RemoteFile { object: self.clone(), fetched: Vec::new() }
    }

    fn get(&self, range: Range<u64>) -> ParquetResult<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let length = range.end - range.start;
        let bytes = self.bucket.runtime.block_on(self.bucket.store.get_range(&self.location, range));
        let bytes = bytes.map_err(|error| ParquetError::External(Box::new(error)))?;
        if bytes.len() as u64 == length {
            Ok(bytes)
        } else {
            Err(ParquetError::EOF(format!("asked for {length} bytes and received {}", bytes.len())))
        }
    }
}

impl RemoteFile {
    /// Fetches these bytes and forgets those announced before: one row group's columns are held, compressed.
    pub(super) fn prefetch(&mut self, ranges: &[Range<u64>]) -> ParquetResult<()> {
        let ranges: Vec<Range<u64>> = ranges.iter().filter(|range| !range.is_empty()).cloned().collect();
        let bucket = &self.object.bucket;
        let fetched = bucket.runtime.block_on(bucket.store.get_ranges(&self.object.location, &ranges));
        let fetched = fetched.map_err(|error| ParquetError::External(Box::new(error)))?;
        self.fetched = ranges.into_iter().map(|range| range.start).zip(fetched).collect();
        Ok(())
    }

    /// What is at hand from `start` on.
    fn held(&self, start: u64) -> Option<Bytes> {
        let holds = |(at, bytes): &&(u64, Bytes)| (*at..at + bytes.len() as u64).contains(&start);
        self.fetched.iter().find(holds).map(|(at, bytes)| bytes.slice((start - at) as usize..))
    }
}

impl Length for RemoteFile {
    fn len(&self) -> u64 {
        self.object.bytes
    }
}

impl ChunkReader for RemoteFile {
    type T = RemoteRead;

    fn get_read(&self, start: u64) -> ParquetResult<RemoteRead> {
        Ok(RemoteRead { file: self.clone(), position: start, block: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        match self.held(start).filter(|bytes| bytes.len() >= length) {
            Some(bytes) => Ok(bytes.slice(..length)),
            None => self.object.get(start..start.saturating_add(length as u64)),
        }
    }
}

/// Reads on from a position, block by block.
pub(super) struct RemoteRead {
    file: RemoteFile,
    /// Of the first byte after the block.
    position: u64,
    block: Bytes,
}

impl Read for RemoteRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.block.is_empty() {
            let end = self.position.saturating_add(BLOCK_BYTES).min(self.file.len());
            self.block = match self.file.held(self.position) {
                Some(bytes) => bytes,
                None => self.file.object.get(self.position..end).map_err(io::Error::other)?,
            };
            self.position += self.block.len() as u64;
        }
        let read = buffer.len().min(self.block.len());
        self.block.copy_to_slice(&mut buffer[..read]);
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
