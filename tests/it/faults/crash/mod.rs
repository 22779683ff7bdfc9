//! `kill -9` at any moment, a hundred times: what was acknowledged is there afterwards, and no token is good for two.

mod acceptor;
mod audit;
mod contended;
mod dialer;
mod journal;
mod life;
mod name;
mod start;
