//! `peering man`: pages where it may write, and nothing anywhere else.

use std::fs;

use super::{failed, peering};
use crate::Exit;

#[test]
fn pages_are_written_once_and_again_and_never_over_anything_else() {
    let dir = tempfile::tempdir().unwrap();
    let (path, page) = (dir.path().to_str().unwrap(), dir.path().join("peering-read.1"));
    let first = peering(&["man", path], &[]);
    assert_eq!((first.exit, first.stderr.as_str()), (Exit::Success, ""));
    let count = fs::read_dir(path).unwrap().count();
    assert_eq!(first.stdout, format!("{count} pages written to {path}\n"));
    let text = fs::read_to_string(&page).unwrap();
    assert!(text.contains("\\fB\\-name\\fR"), "{text}");

    // Pages of an older release are replaced.
    fs::write(&page, text.replace("Our own name", "An old word")).unwrap();
    assert_eq!(peering(&["man", path], &[]), first);
    assert_eq!(fs::read_to_string(&page).unwrap(), text);

    // Anything else is left alone, and nothing is written.
    fs::write(&page, "mine").unwrap();
    fs::remove_file(dir.path().join("peering-acl.1")).unwrap();
    let message = "peering-read.1 is there and was not made by peering man: remove it, or name another directory";
    assert_eq!(peering(&["man", path], &[]), failed(&format!("{path}/{message}")));
    assert_eq!(fs::read_to_string(&page).unwrap(), "mine");
    assert_eq!(fs::read_dir(path).unwrap().count(), count - 1);
    fs::remove_file(&page).unwrap();
    std::os::unix::fs::symlink("/nonexistent/target", &page).unwrap();
    assert_eq!(peering(&["man", path], &[]), failed(&format!("{path}/{message}")), "a link may lead anywhere");
}

#[test]
fn a_directory_must_be_named_and_there() {
    let message = "Missing the directory for the pages, such as /usr/local/share/man/man1";
    assert_eq!(peering(&["man"], &[]), failed(message));
    let ran = peering(&["man", "/nonexistent/dir"], &[]);
    let start = "Error writing /nonexistent/dir/";
    assert!(ran.stderr.starts_with(start) && ran.stderr.ends_with(": no such file or directory\n"), "{ran:?}");
}
