//! Writing an export, beside whoever uses the store.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::super::super::{Image, Quarantined, SnapshotStore, StoreError, head, quarantine};
use super::super::walk::Walk;
use super::super::{Selection, ToolError};
use super::frame::{self, Kind, whole};
use super::read::Contents;
use super::{Export, FileError};
use crate::model::ActorName;

/// Heads that are asked for at once.
const PAGE_HEADS: usize = 1_000;
/// Largest piece that is handed on, in bytes.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces that may wait for whoever takes them.
const PIECES: usize = 16;
/// How long whoever takes them may do nothing.
const TAKE_TIMEOUT: Duration = Duration::from_secs(60);

/// The bytes of an export of the actors that are meant, in pieces of at most 64 KiB. At most one record, or what one actor
/// has in quarantine, is in memory at once. Each actor is consistent in itself; actors that commit meanwhile are there as
/// they were when their turn came.
///
/// What goes wrong is told within: an actor that cannot be read is left out and named, and an export that was broken off
/// has no end. So whoever keeps the bytes opens them with [`Export::open`] before relying on them. Must be called within
/// a tokio runtime; ends when the receiver is dropped, or takes nothing for 60 s.
#[must_use]
pub fn export(store: Arc<dyn SnapshotStore>, wanted: Selection) -> mpsc::Receiver<Bytes> {
    let (pieces, receiver) = mpsc::channel(PIECES);
    tokio::spawn(async move {
        let mut writer = Writer { pieces, checksum: blake3::Hasher::new(), actors: 0 };
        match writer.all(&*store, &wanted).await {
            Ok(()) | Err(Stopped::NobodyTakesIt) => {}
            Err(Stopped::Store(error)) => {
                tracing::warn!(%error, "an export was broken off");
                // Whoever is gone does not miss it.
                drop(writer.put(whole(Kind::BrokenOff, &[error.to_string().as_bytes()])).await);
            }
        }
    });
    receiver
}

/// Why an export ends early.
enum Stopped {
    NobodyTakesIt,
    Store(StoreError),
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

struct Writer {
    pieces: mpsc::Sender<Bytes>,
    checksum: blake3::Hasher,
    actors: u64,
}

impl Writer {
    async fn put(&mut self, bytes: impl Into<Bytes>) -> Result<(), Stopped> {
        let mut bytes = bytes.into();
        self.checksum.update(&bytes);
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE_BYTES));
            match timeout(TAKE_TIMEOUT, self.pieces.send(piece)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(Stopped::NobodyTakesIt),
            }
        }
        Ok(())
    }

    async fn all(&mut self, store: &dyn SnapshotStore, wanted: &Selection) -> Result<(), Stopped> {
        self.put(frame::prefix().to_vec()).await?;
        let mut after: Option<ActorName> = None;
        loop {
            let page = store.list(after.as_ref(), PAGE_HEADS).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (actor, listed) in page {
                if !wanted.matches(&actor) {
                    continue;
                }
                match listed {
                    Ok(_) => self.actor(store, &actor).await?,
                    Err(why) => self.put(unread(&actor, &why)).await?,
                }
            }
        }
        self.put(whole(Kind::End, &[&self.actors.to_le_bytes()])).await?;
        let checksum = self.checksum.finalize();
        self.put(checksum.as_bytes().to_vec()).await
    }

    async fn actor(&mut self, store: &dyn SnapshotStore, actor: &ActorName) -> Result<(), Stopped> {
        let mut walk = match Walk::begin(store, actor).await {
            Ok(Some(walk)) => walk,
            Ok(None) => return Ok(()),
            Err(StoreError::Corrupt(why)) => return self.put(unread(actor, &why.to_string())).await,
            Err(error) => return Err(error.into()),
        };
        self.put(whole(Kind::Actor, &[actor.as_str().as_bytes()])).await?;
        while let Some((reference, bytes)) = walk.next().await? {
            let digest = reference.digest.0;
            self.put([&frame::head_of(Kind::Record, digest.len() + bytes.len())[..], &digest].concat()).await?;
            self.put(bytes).await?;
        }
        for copy in store.quarantined(actor).await? {
            self.put(copy_head(&copy)).await?;
            self.put(copy.found).await?;
        }
        self.put(whole(Kind::Head, &[&head::encode(&walk.head())])).await?;
        self.actors += 1;
        Ok(())
    }
}

fn unread(actor: &ActorName, why: &str) -> Vec<u8> {
    let name = actor.as_str().as_bytes();
    // A name has at most 255 bytes.
    let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
    whole(Kind::Unread, &[&length.to_le_bytes(), name, why.as_bytes()])
}

/// A copy's frame up to its bytes.
fn copy_head(copy: &Quarantined) -> Vec<u8> {
    let description = quarantine::encode(copy);
    // It has a record's facts and a reason, which is bounded.
    let length = u32::try_from(description.len()).unwrap_or(u32::MAX);
    let frame = frame::head_of(Kind::Copy, 4 + description.len() + copy.found.len());
    [&frame[..], &length.to_le_bytes(), &description].concat()
}

/// The bytes of an export of one actor that is in memory already.
#[must_use]
pub fn encode_image(actor: &ActorName, image: &Image) -> Vec<u8> {
    let mut bytes = frame::prefix().to_vec();
    bytes.extend(whole(Kind::Actor, &[actor.as_str().as_bytes()]));
    for (record, found) in image.head.records.iter().zip(&image.records) {
        bytes.extend(whole(Kind::Record, &[&record.digest.0, found]));
    }
    for copy in &image.quarantine {
        bytes.extend(copy_head(copy));
        bytes.extend_from_slice(&copy.found);
    }
    bytes.extend(whole(Kind::Head, &[&head::encode(&image.head)]));
    bytes.extend(whole(Kind::End, &[&1u64.to_le_bytes()]));
    let checksum = blake3::hash(&bytes);
    bytes.extend_from_slice(checksum.as_bytes());
    bytes
}

/// Writes the pieces of an export into the file `path`: under another name first, synced, read back and checked, and only
/// then under its own. A file that is there already is replaced then, and not before.
///
/// # Errors
/// If the file cannot be written, or the export was broken off: what `path` names is as it was.
pub async fn export_to_file(mut pieces: mpsc::Receiver<Bytes>, path: &Path) -> Result<Contents, ToolError> {
    let path = path.to_owned();
    let written = tokio::task::spawn_blocking(move || {
        let part = part_of(&path);
        let done = write_file(&mut pieces, &part, &path);
        if done.is_err() {
            // Half an export is of no use to anyone.
            drop(fs::remove_file(&part));
        }
        done
    });
    let lost = |error| ToolError::Unfit(format!("the export could not be written: {error}"));
    Ok(written.await.map_err(lost)??)
}

/// The name that a file has until it is whole.
fn part_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    path.with_file_name(name)
}

fn write_file(pieces: &mut mpsc::Receiver<Bytes>, part: &Path, path: &Path) -> Result<Contents, FileError> {
    let failed = |what, path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| FileError::Io { what, path, source }
    };
    // What it holds is its owner's alone.
    let mut file = private(part).map_err(failed("make", part))?;
    while let Some(piece) = pieces.blocking_recv() {
        file.write_all(&piece).map_err(failed("write", part))?;
    }
    file.sync_all().map_err(failed("sync", part))?;
    drop(file);
    let contents = Export::open(part)?.contents().clone();
    fs::rename(part, path).map_err(failed("put the export at", path))?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed("sync", dir))?;
    Ok(contents)
}

fn private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}
