//! A certificate and its key in two files of the operator's, read at the start and whenever they were replaced.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustls::InconsistentKeys;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use thiserror::Error;
use zeroize::Zeroizing;

use super::provider;
use crate::bounds::CERTIFICATE_FILE_BYTES_MAX;

/// Where a certificate and its key are, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate, followed by those that lead to its root.
    pub certificate: PathBuf,
    /// Its private key: PKCS#8, PKCS#1 or SEC 1.
    pub key: PathBuf,
}

/// Says which file cannot be used, and why. The text never repeats what is in it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CertificateFilesError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file is larger than any certificate chain.
    #[error("{} has more than {CERTIFICATE_FILE_BYTES_MAX} bytes, which no certificate or key needs", path.display())]
    TooLarge {
        /// Which.
        path: PathBuf,
    },
    /// A file is damaged PEM. The library's own words are not kept: they repeat whole lines, of a key too.
    #[error("{} is not well-formed PEM: {fault}", path.display())]
    Pem {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        fault: &'static str,
    },
    /// The certificate's file holds none.
    #[error("{} holds no certificate: expected -----BEGIN CERTIFICATE----- and what follows it", path.display())]
    NoCertificate {
        /// Which.
        path: PathBuf,
    },
    /// The key's file holds none that can be used without a password.
    #[error(
        "{} holds no private key: expected -----BEGIN PRIVATE KEY----- (or RSA, or EC), without a password",
        path.display()
    )]
    NoKey {
        /// Which.
        path: PathBuf,
    },
    /// The certificate is PEM around something else.
    #[error("{} holds a certificate that cannot be used", path.display())]
    Certificate {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
    /// The key is of a kind that TLS does not know, or damaged.
    #[error("{} holds a private key that cannot be used", path.display())]
    Key {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: rustls::Error,
    },
    /// The two do not belong together.
    #[error("the key in {} is not the one of the certificate in {}", key.display(), certificate.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
}

impl CertificateFilesError {
    /// Says whether the key's file is at fault.
    #[must_use]
    pub fn is_of_key(&self, files: &CertificateFiles) -> bool {
        match self {
            Self::Read { path, .. } | Self::TooLarge { path } | Self::Pem { path, .. } => *path == files.key,
            Self::NoKey { .. } | Self::Key { .. } | Self::Mismatch { .. } => true,
            Self::NoCertificate { .. } | Self::Certificate { .. } => false,
        }
    }
}

impl CertificateFiles {
    /// Reads both and sees to it that they belong together.
    ///
    /// Whether the certificate is valid now and for which names is not asked: whoever calls us asks that.
    ///
    /// # Errors
    /// [`CertificateFilesError`], of the certificate first.
    pub fn load(&self) -> Result<CertifiedKey, CertificateFilesError> {
        let path = || self.certificate.clone();
        let text = read(&self.certificate)?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let chain = chain.map_err(|error| CertificateFilesError::Pem { path: path(), fault: fault(&error) })?;
        if chain.is_empty() {
            return Err(CertificateFilesError::NoCertificate { path: path() });
        }
        let text = read(&self.key)?;
        let key = PrivateKeyDer::from_pem_slice(&text).map_err(|source| match source {
            pem::Error::NoItemsFound => CertificateFilesError::NoKey { path: self.key.clone() },
            error => CertificateFilesError::Pem { path: self.key.clone(), fault: fault(&error) },
        })?;
        let usable = |source| CertificateFilesError::Key { path: self.key.clone(), source };
        let key = provider().key_provider.load_private_key(key).map_err(usable)?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            Ok(()) => Ok(certified),
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                Err(CertificateFilesError::Mismatch { certificate: path(), key: self.key.clone() })
            }
            // A kind of key that does not show its public half: the first handshake will tell.
            Err(rustls::Error::InconsistentKeys(_)) => Ok(certified),
            Err(source) => Err(CertificateFilesError::Certificate { path: path(), source }),
        }
    }
}

/// Says what is wrong with a PEM text, and nothing of what is in it.
const fn fault(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => {
            "a section has no END line; each line of the text must stand on a line of its own"
        }
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line must stand alone and end in five hyphens",
        pem::Error::Base64Decode(_) => "what stands between BEGIN and END is not base64",
        _ => "expected sections between BEGIN and END lines",
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, CertificateFilesError> {
    let failed = |source| CertificateFilesError::Read { path: path.to_owned(), source };
    let mut text = Zeroizing::new(Vec::new());
    let file = File::open(path).map_err(failed)?;
    file.take(CERTIFICATE_FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(failed)?;
    if text.len() as u64 > CERTIFICATE_FILE_BYTES_MAX {
        return Err(CertificateFilesError::TooLarge { path: path.to_owned() });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::causes::chain;

    /// A directory with a certificate and its key.
    struct Place(TempDir);

    impl Place {
        fn new() -> Self {
            let place = Self(TempDir::new().unwrap());
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            place.write("cert.pem", made.cert.pem());
            place.write("key.pem", made.signing_key.serialize_pem());
            place
        }

        fn write(&self, name: &str, content: impl AsRef<[u8]>) {
            fs::write(self.0.path().join(name), content).unwrap();
        }

        fn files(&self, certificate: &str, key: &str) -> CertificateFiles {
            CertificateFiles { certificate: self.0.path().join(certificate), key: self.0.path().join(key) }
        }

        /// Returns what is said of these files, and whether of the key's.
        fn refusal(&self, certificate: &str, key: &str) -> (String, bool) {
            let files = self.files(certificate, key);
            let error = files.load().unwrap_err();
            let text = chain(&error).replace(&format!("{}/", self.0.path().display()), "");
            let bytes = format!("{:?}", b"precious");
            let is_told = text.contains("precious") || text.contains(bytes.trim_matches(['[', ']']));
            assert!(!is_told, "{text}");
            (text, error.is_of_key(&files))
        }
    }

    #[test]
    fn a_certificate_and_its_key_are_loaded_with_the_chain() {
        let place = Place::new();
        let pem = fs::read_to_string(place.0.path().join("cert.pem")).unwrap();
        place.write("chain.pem", format!("a comment\n{pem}{pem}"));
        assert_eq!(place.files("cert.pem", "key.pem").load().unwrap().cert.len(), 1);
        assert_eq!(place.files("chain.pem", "key.pem").load().unwrap().cert.len(), 2);
        let key = fs::read_to_string(place.0.path().join("key.pem")).unwrap();
        place.write("both.pem", pem + &key);
        assert!(place.files("both.pem", "both.pem").load().is_ok());
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_file() {
        let place = Place::new();
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        place.write("other.pem", other.signing_key.serialize_pem());
        place.write("empty.pem", "");
        place.write("cut.pem", "-----BEGIN CERTIFICATE-----\nprecious\n");
        place.write("escaped.pem", "-----BEGIN PRIVATE KEY-----\\nprecious\\n-----END PRIVATE KEY-----\\n");
        place.write("oneline.pem", "-----BEGIN PRIVATE KEY-----precious-----END PRIVATE KEY-----\n");
        place.write("odd.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        place.write("oddkey.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
        place.write("locked.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
        place.write("large.pem", vec![b'\n'; usize::try_from(CERTIFICATE_FILE_BYTES_MAX).unwrap() + 1]);
        for (certificate, key, text, is_of_key) in [
            ("none.pem", "key.pem", "none.pem cannot be read: No such file or directory", false),
            ("cert.pem", "none.pem", "none.pem cannot be read: No such file or directory", true),
            (".", "key.pem", " cannot be read: Is a directory", false),
            ("large.pem", "key.pem", "large.pem has more than 1048576 bytes", false),
            ("cert.pem", "large.pem", "large.pem has more than 1048576 bytes", true),
            ("empty.pem", "key.pem", "empty.pem holds no certificate", false),
            ("key.pem", "key.pem", "key.pem holds no certificate", false),
            ("cut.pem", "key.pem", "cut.pem is not well-formed PEM", false),
            ("odd.pem", "key.pem", "odd.pem holds a certificate that cannot be used", false),
            ("cert.pem", "empty.pem", "empty.pem holds no private key", true),
            ("cert.pem", "cert.pem", "cert.pem holds no private key", true),
            ("cert.pem", "escaped.pem", "escaped.pem is not well-formed PEM: a BEGIN line must stand alone", true),
            ("cert.pem", "oneline.pem", "oneline.pem is not well-formed PEM: a section has no END line", true),
            ("cert.pem", "locked.pem", "locked.pem holds no private key", true),
            ("cert.pem", "oddkey.pem", "oddkey.pem holds a private key that cannot be used", true),
            ("cert.pem", "other.pem", "the key in other.pem is not the one of the certificate in cert.pem", true),
        ] {
            let (said, of_key) = place.refusal(certificate, key);
            assert!(said.contains(text), "{certificate} {key}: {said}");
            assert_eq!(of_key, is_of_key, "{said}");
        }
    }

    #[test]
    fn a_certificate_file_may_have_a_mebibyte() {
        let place = Place::new();
        let mut pem = fs::read(place.0.path().join("cert.pem")).unwrap();
        pem.resize(usize::try_from(CERTIFICATE_FILE_BYTES_MAX).unwrap(), b'\n');
        place.write("long.pem", &pem);
        assert!(place.files("long.pem", "key.pem").load().is_ok());
        pem.push(b'\n');
        place.write("long.pem", &pem);
        assert!(matches!(place.files("long.pem", "key.pem").load(), Err(CertificateFilesError::TooLarge { .. })));
    }
}
