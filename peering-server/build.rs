//! Compiles the wire contract in `proto/`, without `protoc`; nothing else.

use std::error::Error;

/// Messages with a secret inside: they get no generated `Debug`.
const SECRET_BEARERS: [&str; 3] = [
    ".hashicorp.consul.internal.peerstream.ReplicationMessage.Open",
    ".hashicorp.consul.internal.peerstream.ExchangeSecretRequest",
    ".hashicorp.consul.internal.peerstream.ExchangeSecretResponse",
];
/// Our codec, whose buffers are as small as most frames are.
const CODEC: &str = "crate::peerstream::codec::FrameCodec";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(["proto/peerstream.proto"], ["proto"])?;
    tonic_prost_build::configure().skip_debug(SECRET_BEARERS).codec_path(CODEC).compile_fds(files)?;
    Ok(())
}
