//! Where a server of ours keeps its data unless told otherwise, and the socket in it that its owner may call.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::args::hidden::HiddenText;
use crate::bounded;
use crate::world::Environment;

/// Data directory of a server that root starts.
const ROOT_DATA_DIR: &str = "/var/lib/peering";

/// Name of the HTTP socket inside a data directory.
const SOCKET_NAME: &str = "api.sock";
/// Name of the file with the first management token inside a data directory.
const TOKEN_NAME: &str = "management-token";
/// Most bytes of that file: a token has 36.
const TOKEN_BYTES_MAX: u64 = 1_024;
/// Bits of a mode that let others read or change a file.
const OTHERS_MODE: u32 = 0o077;

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

/// Returns the first management token of a server's data directory, if its file belongs to this user and to nobody else.
///
/// # Security
/// For the socket in the same directory alone: never for an address that somebody named, and never over TCP.
#[must_use]
pub(crate) fn own_token(data_dir: &Path, uid: u32) -> Option<HiddenText> {
    let path = data_dir.join(TOKEN_NAME);
    let found = fs::symlink_metadata(&path).ok()?;
    if !found.is_file() || found.uid() != uid || found.mode() & OTHERS_MODE != 0 {
        return None;
    }
    let text = bounded::read_text_file(&path, TOKEN_BYTES_MAX).ok()??;
    let token = text.trim();
    (!token.is_empty()).then(|| token.to_owned().into())
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
    fn only_a_token_that_nobody_else_can_read_is_used() {
        let dir = tempfile::tempdir().unwrap();
        let uid = current_uid().unwrap();
        let path = dir.path().join("management-token");
        let token = |uid| own_token(dir.path(), uid).map(|token| token.expose().to_owned());
        let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(token(uid), None);
        fs::write(&path, "secret\n").unwrap();
        mode(0o600);
        assert_eq!(token(uid).as_deref(), Some("secret"));
        assert_eq!(token(uid + 1), None);
        mode(0o640);
        assert_eq!(token(uid), None);
        mode(0o600);
        fs::write(&path, "x".repeat(2_000)).unwrap();
        assert_eq!(token(uid), None);
        fs::rename(&path, dir.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &path).unwrap();
        assert_eq!(token(uid), None);
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
