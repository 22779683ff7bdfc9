//! A unix socket that only its owner can open.
//!
//! The socket is made in a directory of its own with mode 0700, gets mode 0600 there, and only then takes its place by
//! a rename. So it is never open to others, not even for an instant, and a stale file is replaced without a gap. Servers
//! that start together take turns, or each of them would see the same stale file and replace the other's socket. The turn
//! is a file that nobody else can open: a lock on what others may read, such as the directory, is one that others may hold.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::net::{UnixListener, UnixStream};

/// Mode of the socket: whoever may write to it has our API.
const SOCKET_MODE: u32 = 0o600;
/// Locked by whoever has the turn, and there only as long as somebody has or waits.
const TURN_FILE: &str = ".peering-turn";
/// Mode of that file: whoever may open it could lock it.
const TURN_MODE: u32 = 0o600;
/// Mode of a directory that we make for it.
const DIRECTORY_MODE: u32 = 0o700;
/// Bits that let others replace what is in a directory.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// Longest wait for others who open a socket in the same directory, each of whom needs a millisecond.
const TURN_MAX: Duration = Duration::from_secs(5);
/// Pause between two tries to get the turn.
const TURN_PAUSE: Duration = Duration::from_millis(10);

/// Says why a unix socket cannot be listened on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UnixSocketError {
    /// The path has no file name.
    #[error("{} names no file: give the full path of the socket", path.display())]
    NoFileName {
        /// What was given.
        path: PathBuf,
    },
    /// Others could replace the socket by one of theirs.
    #[error("{} has mode {mode:04o}, so others can replace the socket: use a directory that only its owner can write to", directory.display())]
    DirectoryNotPrivate {
        /// The directory.
        directory: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// There is something that is no socket; it is left alone.
    #[error("{} exists and is not a socket: move it away or choose another path", path.display())]
    NotASocket {
        /// Where.
        path: PathBuf,
    },
    /// A process listens there.
    #[error("another process listens on {}: stop it or choose another path", path.display())]
    InUse {
        /// Where.
        path: PathBuf,
    },
    /// Another process of ours keeps the turn.
    #[error("{} was locked for {} s by another process: stop it or choose another path", path.display(), TURN_MAX.as_secs())]
    Locked {
        /// The file of the turn.
        path: PathBuf,
    },
    /// This user may not do what must be done.
    #[error("could not {operation} {}: give this user the right to, or choose another path", path.display())]
    Denied {
        /// What was tried.
        operation: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The system refused.
    #[error("could not {operation} {}", path.display())]
    System {
        /// What was tried.
        operation: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// An open unix socket; its file is removed when this is dropped.
#[derive(Debug)]
pub struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
    identity: (u64, u64),
}

impl UnixSocket {
    /// Opens a unix socket with mode 0600. A missing directory is made, with mode 0700; the socket of a dead process
    /// is replaced.
    ///
    /// # Errors
    /// [`UnixSocketError`]: the directory is writable by others, something else has that name, or a process listens
    /// there. Nothing was changed then.
    ///
    /// Blocks while others open sockets in the same directory: call it before serving anybody.
    pub fn bind(path: &Path) -> Result<Self, UnixSocketError> {
        let (Some(directory), Some(_)) = (path.parent(), path.file_name()) else {
            return Err(UnixSocketError::NoFileName { path: path.to_owned() });
        };
        // The parent of a bare file name is the empty path.
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        prepare_directory(directory)?;
        let _turn = Turn::take(directory, TURN_MAX)?;
        check_place(path)?;

        let staging = Staging::make(directory)?;
        let staged = staging.socket();
        let listener = UnixListener::bind(&staged).map_err(system("listen on", &staged))?;
        fs::set_permissions(&staged, Permissions::from_mode(SOCKET_MODE)).map_err(system("restrict", &staged))?;
        let identity = identity(&fs::symlink_metadata(&staged).map_err(system("inspect", &staged))?);
        fs::rename(&staged, path).map_err(system("put in place", path))?;
        Ok(Self { listener, path: path.to_owned(), identity })
    }

    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// What the system says, such as that there are too many open files.
    pub async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        // Only our own file: another process may have taken the path over.
        let is_ours = fs::symlink_metadata(&self.path).is_ok_and(|found| identity(&found) == self.identity);
        if is_ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn system(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> UnixSocketError {
    move |source| {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                UnixSocketError::Denied { operation, path, source }
            }
            _ => UnixSocketError::System { operation, path, source },
        }
    }
}

/// The turn to open a socket in a directory, until it is dropped; the file goes with it.
#[derive(Debug)]
struct Turn {
    path: PathBuf,
    _locked: File,
}

impl Turn {
    fn take(directory: &Path, wait: Duration) -> Result<Self, UnixSocketError> {
        let path = directory.join(TURN_FILE);
        let failed = || system("lock", &path);
        let deadline = Instant::now() + wait;
        loop {
            let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(TURN_MODE).open(&path);
            let file = opened.map_err(|error| match fs::symlink_metadata(&path) {
                Ok(_) => failed()(error),
                // It could not be made, and so neither could a socket.
                Err(_) => system("make a socket in", directory)(error),
            })?;
            match file.try_lock() {
                // Whoever had the turn before has removed the file, and somebody may have made another one.
                Ok(()) if is_at(&file, &path) => return Ok(Self { path, _locked: file }),
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(failed()(error)),
            }
            if Instant::now() >= deadline {
                return Err(UnixSocketError::Locked { path });
            }
            sleep(TURN_PAUSE);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Before the lock goes, so that nobody else's is removed.
        let _ = fs::remove_file(&self.path);
    }
}

/// Tells whether a path still leads to this open file.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(opened), Ok(found)) = (file.metadata(), fs::symlink_metadata(path)) else { return false };
    identity(&opened) == identity(&found)
}

fn prepare_directory(directory: &Path) -> Result<(), UnixSocketError> {
    match DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(system("create the directory", directory)(error));
        }
        Ok(()) | Err(_) => {}
    }
    let mode = fs::metadata(directory).map_err(system("inspect", directory))?.mode() & 0o7777;
    if mode & WRITABLE_BY_OTHERS != 0 {
        return Err(UnixSocketError::DirectoryNotPrivate { directory: directory.to_owned(), mode });
    }
    Ok(())
}

/// Passes if the path is free or holds the socket of a dead process.
fn check_place(path: &Path) -> Result<(), UnixSocketError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(system("inspect", path)(error)),
    };
    if !found.file_type().is_socket() {
        return Err(UnixSocketError::NotASocket { path: path.to_owned() });
    }
    match StdUnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        // It was removed in between.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Ok(_) => Err(UnixSocketError::InUse { path: path.to_owned() }),
        Err(error) => Err(system("find out who listens on", path)(error)),
    }
}

/// A private directory beside the socket's place, removed with what is left in it.
struct Staging(PathBuf);

impl Staging {
    fn make(directory: &Path) -> Result<Self, UnixSocketError> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        // Short, since the path of a socket may have some hundred bytes only. A directory of the same name can only be
        // left from a dead process with our id.
        let name = format!(".{:x}.{:x}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let staging = Self(directory.join(name));
        staging.remove();
        DirBuilder::new().mode(DIRECTORY_MODE).create(&staging.0).map_err(system("make a socket in", directory))?;
        Ok(staging)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("s")
    }

    fn remove(&self) {
        let _ = fs::remove_file(self.socket());
        let _ = fs::remove_dir(&self.0);
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        self.remove();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use tempfile::TempDir;

    use super::*;

    /// Servers that start at once, and how often: without turns, one round in a few has two winners.
    const STARTING: usize = 4;
    const ROUNDS: usize = 50;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    fn entries(directory: &Path) -> usize {
        fs::read_dir(directory).unwrap().count()
    }

    #[tokio::test]
    async fn a_socket_is_for_its_owner_alone_and_goes_with_its_listener() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("new").join("api.sock");
        let socket = UnixSocket::bind(&path).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert_eq!(entries(path.parent().unwrap()), 1, "nothing else is left beside it");
        let (client, server) = tokio::join!(UnixStream::connect(&path), socket.accept());
        assert!(client.is_ok() && server.is_ok());
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn the_socket_of_a_dead_process_is_replaced() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("api.sock");
        // The standard library leaves the file behind, as a killed process does.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let _socket = UnixSocket::bind(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert!(StdUnixStream::connect(&path).is_ok());
    }

    #[tokio::test]
    async fn a_live_socket_is_left_alone() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("api.sock");
        let first = UnixSocket::bind(&path).unwrap();
        assert!(matches!(UnixSocket::bind(&path), Err(UnixSocketError::InUse { .. })));
        assert!(StdUnixStream::connect(first.path()).is_ok());
    }

    #[tokio::test]
    async fn of_servers_that_start_together_on_a_stale_socket_one_gets_it() {
        let runtime = tokio::runtime::Handle::current();
        for _ in 0..ROUNDS {
            let directory = TempDir::new().unwrap();
            let path = directory.path().join("api.sock");
            drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
            let start = Barrier::new(STARTING);
            let outcomes: Vec<_> = std::thread::scope(|scope| {
                let bind = || {
                    let _inside = runtime.enter();
                    start.wait();
                    UnixSocket::bind(&path)
                };
                let started: Vec<_> = (0..STARTING).map(|_| scope.spawn(bind)).collect();
                started.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let is_refused = |outcome: &&Result<_, _>| matches!(outcome, Err(UnixSocketError::InUse { .. }));
            assert_eq!(outcomes.iter().filter(is_refused).count(), STARTING - 1, "{outcomes:?}");
            let got: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
            let (client, server) = tokio::join!(UnixStream::connect(&path), got[0].accept());
            assert!(client.is_ok() && server.is_ok());
            assert_eq!(entries(directory.path()), 1, "nothing else is left beside it");
        }
    }

    #[tokio::test]
    async fn who_may_read_the_directory_cannot_stop_a_start() {
        let directory = TempDir::new().unwrap();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        let theirs = File::open(directory.path()).unwrap();
        theirs.lock().unwrap();
        let begun = Instant::now();
        UnixSocket::bind(&directory.path().join("api.sock")).unwrap();
        assert!(begun.elapsed() < TURN_MAX, "{:?}", begun.elapsed());
    }

    #[test]
    fn a_turn_is_for_its_owner_alone_is_waited_for_and_leaves_nothing() {
        let directory = TempDir::new().unwrap();
        let turn = Turn::take(directory.path(), TURN_MAX).unwrap();
        assert_eq!(mode(&directory.path().join(TURN_FILE)), TURN_MODE);
        let waited = TURN_PAUSE * 3;
        let begun = Instant::now();
        let refused = Turn::take(directory.path(), waited).unwrap_err();
        assert!(matches!(&refused, UnixSocketError::Locked { path } if path == &turn.path), "{refused}");
        assert!((waited..TURN_MAX).contains(&begun.elapsed()), "{:?}", begun.elapsed());
        drop(turn);
        assert_eq!(entries(directory.path()), 0);
        // What a killed process leaves is no obstacle.
        fs::write(directory.path().join(TURN_FILE), "").unwrap();
        drop(Turn::take(directory.path(), TURN_MAX).unwrap());
        assert_eq!(entries(directory.path()), 0);
    }

    #[tokio::test]
    async fn what_is_no_socket_is_left_alone() {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "precious").unwrap();
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let folder = directory.path().join("folder");
        fs::create_dir(&folder).unwrap();
        for path in [&file, &link, &folder] {
            assert!(matches!(UnixSocket::bind(path), Err(UnixSocketError::NotASocket { .. })), "{path:?}");
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    }

    #[tokio::test]
    async fn a_directory_that_others_write_to_is_refused() {
        let directory = TempDir::new().unwrap();
        for others in [0o770, 0o1777] {
            fs::set_permissions(directory.path(), Permissions::from_mode(others)).unwrap();
            let refused = UnixSocket::bind(&directory.path().join("api.sock"));
            assert!(matches!(refused, Err(UnixSocketError::DirectoryNotPrivate { mode, .. }) if mode == others));
        }
        fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
        assert!(UnixSocket::bind(&directory.path().join("api.sock")).is_ok());
    }

    #[tokio::test]
    async fn a_path_without_a_file_is_refused() {
        for path in ["", "/", "/tmp/.."] {
            assert!(matches!(UnixSocket::bind(Path::new(path)), Err(UnixSocketError::NoFileName { .. })), "{path}");
        }
    }

    #[tokio::test]
    async fn a_socket_that_took_the_path_over_survives_our_end() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("api.sock");
        let ours = UnixSocket::bind(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let _theirs = UnixSocket::bind(&path).unwrap();
        drop(ours);
        assert!(StdUnixStream::connect(&path).is_ok());
    }
}
