//! The gRPC edge of the peer stream: bytes in, core sessions in the middle, bytes out.

mod entries;
mod proto;
mod resource;
pub(crate) mod wire;
