//! Where a server of ours keeps its data unless told otherwise, and the socket in it that its owner may call.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::world::Environment;

/// Data directory of a server that root starts.
const ROOT_DATA_DIR: &str = "/var/lib/peering";

/// Name of the HTTP socket inside a data directory.
const SOCKET_NAME: &str = "api.sock";

/// Name of the file inside a data directory that holds the token with all rights.
const MANAGEMENT_TOKEN_NAME: &str = "management-token";

/// Permissions of anybody but the owner.
const OTHERS_MASK: u32 = 0o077;

/// A server that this user runs on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalServer {
    /// Its HTTP socket.
    pub socket: PathBuf,
    /// File of its management token, if access control made one.
    pub management_token: Option<PathBuf>,
}

/// Finds the server of this user in a data directory, if there is one.
pub(crate) fn local_server(data_dir: &Path, uid: u32) -> Option<LocalServer> {
    let socket = own_socket(data_dir, uid)?;
    Some(LocalServer { socket, management_token: own_management_token(data_dir, uid) })
}

/// Returns the file of the management token if it is a plain file that this user owns and nobody else can read.
fn own_management_token(data_dir: &Path, uid: u32) -> Option<PathBuf> {
    let path = data_dir.join(MANAGEMENT_TOKEN_NAME);
    let found = fs::symlink_metadata(&path).ok()?;
    (found.is_file() && found.uid() == uid && found.mode() & OTHERS_MASK == 0).then_some(path)
}

/// Returns the data directory that is used when none is named.
///
/// # Shape
/// `/var/lib/peering` for root; for others `$XDG_STATE_HOME/peering`, else `$HOME/.local/state/peering`, and nothing if
/// neither variable holds an absolute path.
///
/// # Source
/// XDG Base Directory Specification 0.8, which tells programs to ignore relative paths.
#[must_use]
pub fn default_data_dir(environment: Environment<'_>, uid: u32) -> Option<PathBuf> {
    if uid == 0 {
        return Some(ROOT_DATA_DIR.into());
    }
    let absolute = |name| environment(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")))?;
    Some(state.join("peering"))
}

/// Returns the user on whose behalf this process runs.
///
/// # Errors
/// Whatever keeps `/proc/self` from being read.
pub fn current_uid() -> io::Result<u32> {
    fs::metadata("/proc/self").map(|process| process.uid())
}

/// Returns the HTTP socket in a data directory if there is one and it belongs to this user.
///
/// # Security
/// A socket of somebody else is never used: it would receive whatever is sent.
#[must_use]
pub fn own_socket(data_dir: &Path, uid: u32) -> Option<PathBuf> {
    let path = data_dir.join(SOCKET_NAME);
    let found = fs::symlink_metadata(&path).ok()?;
    (found.file_type().is_socket() && found.uid() == uid).then_some(path)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn root_and_others_have_different_data_directories() {
        let both = |name: &str| match name {
            "XDG_STATE_HOME" => Some(OsString::from("/state")),
            "HOME" => Some("/home/me".into()),
            _ => None,
        };
        let home = |name: &str| if name == "XDG_STATE_HOME" { Some("relative".into()) } else { both(name) };
        assert_eq!(default_data_dir(&both, 0), Some("/var/lib/peering".into()));
        assert_eq!(default_data_dir(&both, 1000), Some("/state/peering".into()));
        assert_eq!(default_data_dir(&home, 1000), Some("/home/me/.local/state/peering".into()));
        assert_eq!(default_data_dir(&|_| None, 1000), None);
    }

    #[test]
    fn the_management_token_is_taken_only_from_a_private_file_of_this_user() {
        let dir = tempfile::tempdir().unwrap();
        let uid = current_uid().unwrap();
        let path = dir.path().join("management-token");
        assert_eq!(own_management_token(dir.path(), uid), None);
        fs::write(&path, "secret").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(own_management_token(dir.path(), uid), None, "others can read it");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(own_management_token(dir.path(), uid), Some(path.clone()));
        assert_eq!(own_management_token(dir.path(), uid + 1), None);
        fs::rename(&path, dir.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &path).unwrap();
        assert_eq!(own_management_token(dir.path(), uid), None, "a link may lead anywhere");
    }

    #[test]
    fn only_a_socket_of_this_user_is_used() {
        let dir = tempfile::tempdir().unwrap();
        let uid = current_uid().unwrap();
        assert_eq!(own_socket(dir.path(), uid), None);
        let path = dir.path().join("api.sock");
        fs::write(&path, "").unwrap();
        assert_eq!(own_socket(dir.path(), uid), None, "a plain file is no socket");
        fs::remove_file(&path).unwrap();
        let _listener = UnixListener::bind(&path).unwrap();
        assert_eq!(own_socket(dir.path(), uid), Some(path));
        assert_eq!(own_socket(dir.path(), uid + 1), None);
    }
}
