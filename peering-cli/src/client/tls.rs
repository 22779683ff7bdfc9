//! Certificates and keys of a client, read from files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use reqwest::{Certificate, Identity};

use crate::bounded;
use crate::client::settings::SettingsError;

/// Most bytes read from one file: a bundle of every public root is about a quarter of this.
const PEM_FILE_BYTES_MAX: u64 = 1 << 20;

/// Reads the certificates to trust from a file, or else from every file of a directory. Nothing means the system's.
///
/// # Errors
/// [`SettingsError`] if one cannot be read or holds no certificate.
pub(crate) fn roots(file: Option<&Path>, directory: Option<&Path>) -> Result<Option<Vec<Certificate>>, SettingsError> {
    match (file, directory) {
        (Some(file), _) => certificates(file).map(Some),
        (None, Some(directory)) => {
            let mut roots = Vec::new();
            let files = files_in(directory);
            for file in files.map_err(|source| SettingsError::CaPath { path: directory.to_owned(), source })? {
                roots.extend(certificates(&file)?);
            }
            if roots.is_empty() {
                return Err(SettingsError::NoCertificate { path: directory.to_owned() });
            }
            Ok(Some(roots))
        }
        (None, None) => Ok(None),
    }
}

/// Reads the certificate and key that the client presents.
///
/// # Errors
/// [`SettingsError::HalfIdentity`] if only one is given, others if one cannot be read or they are no PEM.
pub(crate) fn identity(certificate: Option<&Path>, key: Option<&Path>) -> Result<Option<Identity>, SettingsError> {
    let (certificate, key) = match (certificate, key) {
        (Some(certificate), Some(key)) => (certificate, key),
        (None, None) => return Ok(None),
        _ => return Err(SettingsError::HalfIdentity),
    };
    let unread = |path, source| SettingsError::File { path, source };
    let mut pem = read(certificate, unread)?;
    pem.push(b'\n');
    pem.extend(read(key, unread)?);
    let identity = Identity::from_pem(&pem);
    identity.map(Some).map_err(|_| SettingsError::Identity { certificate: certificate.to_owned(), key: key.to_owned() })
}

fn certificates(path: &Path) -> Result<Vec<Certificate>, SettingsError> {
    let none = || SettingsError::NoCertificate { path: path.to_owned() };
    let pem = read(path, |path, source| SettingsError::CaFile { path, source })?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|_| none())?;
    if certificates.is_empty() { Err(none()) } else { Ok(certificates) }
}

fn files_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path, unread: fn(PathBuf, io::Error) -> SettingsError) -> Result<Vec<u8>, SettingsError> {
    let bytes = fs::File::open(path).and_then(|file| bounded::read(file, PEM_FILE_BYTES_MAX));
    match bytes {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(SettingsError::FileTooLarge { path: path.to_owned(), bytes_max: PEM_FILE_BYTES_MAX }),
        Err(error) => Err(unread(path.to_owned(), error)),
    }
}
