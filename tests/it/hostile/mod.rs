//! What a hostile network and hostile content may not do.

mod replay;
