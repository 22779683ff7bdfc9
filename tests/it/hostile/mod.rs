//! Hostile input to the whole program: from the network, and in what it carries.

mod answers;
mod peers;
mod tokens;
