//! The program under test as people meet it: what it prints, to which stream, and how it exits.

mod inspect;
mod quickstart;
mod server;
mod signals;
mod socket;
mod verbs;
mod watching;
