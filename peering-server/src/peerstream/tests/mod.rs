//! A whole server in this process, against a dialer and an acceptor that are not ours: what crosses the wire, and what
//! an operator reads of it.

mod clock;
mod foreign_acceptor;
mod foreign_dialer;
mod home;
mod relay;

mod agreeing;
mod bounds;
mod bundles;
mod calling_off;
mod deleting;
mod dialing;
mod exchanging;
mod explaining;
mod flooding;
mod garbage;
mod importing;
mod leaf;
mod opening;
mod outages;
mod rebinding;
mod replacing;
mod running;
mod sending;
mod shutdown;
mod terminating;
