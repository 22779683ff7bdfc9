//! The settings file: TOML, in which each key is a flag's name with underscores.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::env::flag_alone;
use super::{Mistake, Settings};

/// The setting that names the file.
const SETTING: &str = "config-file";
/// Most bytes of a file: all settings together need a few KiB, and a wrong path may lead to anything.
pub const CONFIG_FILE_BYTES_MAX: u64 = 1 << 20;

impl Settings {
    /// Reads a settings file. A key that is none, and a value of another type, are refused: to pass over them would
    /// start a server with other settings than were meant. Paths in it are relative to the working directory.
    ///
    /// # Errors
    /// [`Mistake`], which names the file and the line.
    ///
    /// # Examples
    /// ```
    /// use peering_server::config::Settings;
    ///
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("peering.toml");
    /// std::fs::write(&path, "datacenter = \"dc2\"\nhttp_addr = [\"127.0.0.1:8500\"]\n")?;
    /// assert_eq!(Settings::from_file(&path)?.datacenter.as_deref(), Some("dc2"));
    ///
    /// std::fs::write(&path, "\ndata-center = \"dc2\"\n")?;
    /// let refused = Settings::from_file(&path).unwrap_err();
    /// assert!(refused.problem.contains("line 2: unknown field `data-center`, expected one of"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_file(path: &Path) -> Result<Self, Mistake> {
        let mistake = |problem: String| Mistake::new(SETTING, format!("{}{problem}", path.display()));
        let mut text = String::new();
        let read = File::open(path).and_then(|file| file.take(CONFIG_FILE_BYTES_MAX + 1).read_to_string(&mut text));
        let bytes = read.map_err(|error| mistake(format!(" cannot be read: {error}")))?;
        if bytes as u64 > CONFIG_FILE_BYTES_MAX {
            return Err(mistake(format!(" has more than {CONFIG_FILE_BYTES_MAX} bytes, which no settings need")));
        }
        toml::from_str(&text).map_err(|error| {
            let begin = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text[..begin].matches('\n').count() + 1;
            let key = key_before(&text[..begin]).map(|key| format!("{key}: ")).unwrap_or_default();
            mistake(format!(", line {line}: {key}{}", explained(error.message())))
        })
    }
}

/// Says of a key that is unknown because it is a flag alone which flag that is.
fn explained(message: &str) -> String {
    let key = message.strip_prefix("unknown field `").and_then(|rest| rest.split('`').next());
    match key.and_then(|key| Some((key, flag_alone(key)?))) {
        Some((key, flag)) => format!(
            "`{key}` would hold for every start: take it out, and give the flag -{flag} to the one start that it is meant for"
        ),
        None => message.to_owned(),
    }
}

/// Returns the key whose value begins, or goes on, behind this part of a file on the same line.
fn key_before(text: &str) -> Option<&str> {
    let is_name = |key: &&str| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let (key, _) = text.rsplit('\n').next()?.split_once('=')?;
    Some(key.trim()).filter(is_name)
}

/// Reads a list of texts, or one text as the list of it.
pub(super) fn texts<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<String>, D::Error> {
    struct Texts;

    impl<'de> Visitor<'de> for Texts {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a list of texts")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<String>, E> {
            Ok(vec![text.to_owned()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<String>, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(list))
        }
    }

    value.deserialize_any(Texts)
}

/// Reads what is written as a number or, as on the command line, as a text.
pub(super) fn number_or_text<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a number")]
    enum Either {
        Number(u64),
        Text(String),
    }
    Ok(Some(match Either::deserialize(value)? {
        Either::Number(number) => number.to_string(),
        Either::Text(text) => text,
    }))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn read(text: impl AsRef<[u8]>) -> Result<Settings, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("peering.toml");
        std::fs::write(&path, text).unwrap();
        Settings::from_file(&path).map_err(|mistake| {
            assert_eq!(mistake.setting, "config-file");
            mistake.problem.replace(&path.display().to_string(), "<file>")
        })
    }

    #[test]
    fn every_setting_can_stand_in_the_file() {
        let settings = read(
            "dev = false\ndata_dir = \"/data\"\nhttp_addr = [\"127.0.0.1:1\", \"unix:///x\"]\n\
             http_max_connections = 7\ndial_deny = []\nlog_level = \"warn\" # a comment\n",
        )
        .unwrap();
        assert_eq!(settings.data_dir, Some(PathBuf::from("/data")));
        assert_eq!(settings.http_addr, ["127.0.0.1:1", "unix:///x"]);
        assert_eq!(settings.http_max_connections.as_deref(), Some("7"));
        assert_eq!((settings.dev, settings.log_level.as_deref()), (Some(false), Some("warn")));
        assert_eq!(read("http_max_connections = \"8\"").unwrap().http_max_connections.as_deref(), Some("8"));
        assert_eq!(read("audit_log = \"off\"").unwrap().audit_log, ["off"]);
        assert_eq!(read("").unwrap(), Settings::default());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, problem) in [
            ("dev = true\ndev = true", "<file>, line 2: duplicate key"),
            ("\nstore = sqlite", "<file>, line 2: "),
            ("dev = \"yes\"", "<file>, line 1: dev: invalid type: string \"yes\", expected a boolean"),
            (
                "store = \"a=b\"\n\nhttp_addr = 7",
                "<file>, line 3: http_addr: invalid type: integer `7`, expected a text or a list of texts",
            ),
            ("dial_deny = [\"10.0.0.0/8\",\n  7]", "<file>, line 2: invalid type: integer `7`, expected a string"),
            ("http_max_connections = true", "<file>, line 1: http_max_connections: expected a number"),
            ("acls = 1", "<file>, line 1: unknown field `acls`, expected one of `dev`, `data_dir`"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(refused.starts_with(problem), "{refused}");
        }
        assert!(read(b"\xff").unwrap_err().starts_with("<file> cannot be read: "));
    }

    #[test]
    fn a_file_may_have_a_mebibyte_and_must_be_there() {
        let comment = |bytes: u64| format!("#{}", " ".repeat(usize::try_from(bytes - 1).unwrap()));
        assert_eq!(read(comment(CONFIG_FILE_BYTES_MAX)).unwrap(), Settings::default());
        let refused = read(comment(CONFIG_FILE_BYTES_MAX + 1)).unwrap_err();
        assert_eq!(refused, "<file> has more than 1048576 bytes, which no settings need");
        let refused = Settings::from_file(Path::new("/nowhere/peering.toml")).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "-config-file: /nowhere/peering.toml cannot be read: No such file or directory (os error 2)"
        );
    }
}
