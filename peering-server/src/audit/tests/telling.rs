//! What a trail says, in the log and in itself, about a file that is not what it was; and which files it leaves alone.

use std::fmt::{self, Write as _};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use peering_core::audit::event;
use tracing::field::{Field, Visit};
use tracing::{Metadata, Subscriber, span};

use super::{Means, Place, Trail, entry, lines, tell};
use crate::audit::AuditError;

#[test]
fn a_file_that_is_gone_at_a_start_is_told_in_the_log_and_in_the_trail() {
    let causes = |place: &Place| {
        let started = lines(&place.path("audit.log")).into_iter().filter(|line| line.entry.event == event::STARTED);
        started.map(|line| line.entry.cause.map(String::from)).collect::<Vec<_>>()
    };
    let place = Place::new();
    let mut trail = place.open(None);
    tell(&mut trail, 1);
    let kept = trail.written();
    drop(trail);
    let text = fs::read(place.path("audit.log")).unwrap();
    fs::remove_file(place.path("audit.log")).unwrap();
    let said = logged(|| drop(place.open(Some(kept))));
    assert!(said.contains("ERROR") && said.contains("the audit log is not there"), "{said}");
    assert_eq!(causes(&place), [Some("file_missing".to_owned())]);
    // One that was moved away and lies beside it is not gone, though nothing was written after it.
    fs::write(place.path("audit.log.1"), text).unwrap();
    fs::set_permissions(place.path("audit.log.1"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(place.path("audit.log"), "").unwrap();
    let said = logged(|| drop(place.open(Some(kept))));
    assert!(!said.contains("ERROR"), "{said}");
    assert_eq!(causes(&place), [None]);
    // Nor is the first of all.
    let said = logged(|| drop(Place::new().open(None)));
    assert!(!said.contains("ERROR"), "{said}");
}

#[test]
fn the_trail_of_another_server_is_left_alone() {
    let place = Place::new();
    let mut trail = place.open(None);
    // Killed before its first checkpoint and before the store knew of it, a server goes on.
    drop(trail);
    trail = place.open(None);
    trail.sign().unwrap();
    trail.flush().unwrap();
    tell(&mut trail, 1);
    drop(trail);
    let text = fs::read(place.path("audit.log")).unwrap();
    let other = Place { directory: place.directory, ..Place::new() };
    let refused = other.try_open(None).map(drop).unwrap_err();
    let AuditError::Foreign { of, .. } = &refused else { panic!("{refused}") };
    assert_eq!(of, &format!("its last checkpoint is signed with the key {}", place.keyring.current_id()));
    assert!(refused.to_string().contains("name another file with -audit-log"), "{refused}");
    assert_eq!(fs::read(other.path("audit.log")).unwrap(), text, "nothing is added");
    // A keyring that ends with its process goes on in any trail, and one that came with the store in its own.
    drop(Trail::open(Means { keeps_keys: false, ..other.means() }, Some(other.path("audit.log")), None).unwrap());
    let place = Place { keyring: place.keyring, ..other };
    drop(place.open(None));
    // Where nothing is signed yet, the server's name tells.
    let place = Place::new();
    drop(place.open(None));
    let means = Means { node: "s2".to_owned(), ..place.means() };
    let refused = Trail::open(means, Some(place.path("audit.log")), None).map(drop).unwrap_err();
    assert!(matches!(&refused, AuditError::Foreign { of, .. } if of == "it is of the server s1"), "{refused}");
}

#[test]
fn what_was_taken_from_a_running_server_is_a_warning_and_the_new_file_is_told_when_it_is_there() {
    let place = Place::new();
    let mut trail = place.open(None);
    fs::File::options().write(true).open(place.path("audit.log")).unwrap().set_len(0).unwrap();
    let said = logged(|| tell(&mut trail, 1));
    assert!(said.contains("WARN ") && said.contains("the audit log was cut"), "{said}");
    fs::remove_file(place.path("audit.log")).unwrap();
    let said = logged(|| tell(&mut trail, 2));
    assert!(said.contains("WARN ") && said.contains("the audit log was removed"), "{said}");
    // Moved away, and nothing can be made in its place.
    fs::rename(place.path("audit.log"), place.path("audit.log.1")).unwrap();
    fs::create_dir(place.path("audit.log")).unwrap();
    let said = logged(|| {
        trail.add(&[entry(3)]).unwrap();
        trail.flush().unwrap_err();
    });
    assert!(said.contains("the audit log was moved away") && !said.contains("goes on"), "{said}");
    fs::remove_dir(place.path("audit.log")).unwrap();
    let said = logged(|| trail.flush().unwrap());
    assert!(said.contains("the audit log goes on in a new file") && !said.contains("WARN"), "{said}");
}

/// Returns what a piece of work logs, a line each.
fn logged(work: impl FnOnce()) -> String {
    let said = Arc::new(Mutex::new(String::new()));
    tracing::subscriber::with_default(Listener(Arc::clone(&said)), work);
    let said = said.lock().unwrap();
    said.clone()
}

struct Listener(Arc<Mutex<String>>);

struct Message<'a>(&'a mut String);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut said = self.0.lock().unwrap();
        write!(said, "{}", event.metadata().level()).unwrap();
        event.record(&mut Message(&mut said));
        said.push('\n');
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
