//! How frames become bytes: protobuf, with buffers as small as most frames are.
//!
//! gRPC's usual buffers are 8 KiB each way, for as long as the stream lives. A heartbeat has 2 bytes, a trust bundle some
//! 2 KiB; for what is larger, a buffer grows.

use std::marker::PhantomData;

use prost::Message;
use tonic::codec::{BufferSettings, Codec};
use tonic_prost::{ProstDecoder, ProstEncoder};

/// What a buffer has at first.
const BUFFER_BYTES: usize = 512;
/// How much is encoded before it is handed to the connection, if more waits; as usual.
const YIELD_BYTES: usize = 32 << 10;

/// Protobuf in small buffers.
#[derive(Debug)]
pub(crate) struct FrameCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for FrameCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for FrameCodec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::new(settings())
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder::new(settings())
    }
}

fn settings() -> BufferSettings {
    BufferSettings::new(BUFFER_BYTES, YIELD_BYTES)
}
