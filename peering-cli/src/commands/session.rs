//! A client and the event loop of one thread that it needs.

use std::future::Future;

use tokio::runtime::{Builder, Runtime};

use crate::args::http::CallFlags;
use crate::client::Client;
use crate::client::settings::{Settings, SettingsError};
use crate::data_dir::{LocalServer, current_uid, default_data_dir, local_server};
use crate::world::{Environment, World};

/// A server to call.
pub(crate) struct Session {
    /// The client.
    pub client: Client,
    runtime: Runtime,
}

impl Session {
    /// Prepares the calls of one verb; nothing is sent yet.
    ///
    /// # Errors
    /// [`SettingsError`] if flags or environment are wrong.
    pub(crate) fn open(flags: &impl CallFlags, world: &World<'_>) -> Result<Self, SettingsError> {
        let environment = world.environment;
        let settings = Settings::resolve(flags, environment, || own_server(environment))?;
        let runtime = Builder::new_current_thread().enable_all().build().map_err(SettingsError::EventLoop)?;
        Ok(Self { client: Client::new(settings)?, runtime })
    }

    /// Runs a call to its end.
    pub(crate) fn run<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }
}

/// Finds a server that this user runs with the default data directory.
fn own_server(environment: Environment<'_>) -> Option<LocalServer> {
    let uid = current_uid().ok()?;
    local_server(&default_data_dir(environment, uid)?, uid)
}
