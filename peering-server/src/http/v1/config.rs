//! `PUT /v1/config`, and `GET` and `DELETE /v1/config/:kind/:name`: config entries.

use std::num::IntErrorKind;
use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use peering_core::config_entry::{ConfigEntry, Kind, decode};
use peering_core::foreign::echo;
use peering_core::gojson::go_quoted;
use serde::Serialize;

use crate::http::answer;
use crate::http::body;
use crate::http::error::HttpError;
use crate::http::extract::Asked;
use crate::http::query::{ReadOptions, blocking, if_known};
use crate::http::{App, to_its_end};
use crate::service::ServiceError;
use crate::service::access::Action;
use crate::service::config_entries::{EntryView, not_found};
use crate::store::key;

/// An entry in Consul's shape.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    entry: &'a ConfigEntry,
    #[serde(rename = "Hash")]
    hash: u64,
    #[serde(rename = "CreateIndex")]
    create_index: u64,
    #[serde(rename = "ModifyIndex")]
    modify_index: u64,
}

impl<'a> From<&'a EntryView> for Shown<'a> {
    fn from(view: &'a EntryView) -> Self {
        let EntryView { entry, create_index, modify_index } = view;
        Self { entry, hash: entry.hash(), create_index: *create_index, modify_index: *modify_index }
    }
}

pub(crate) async fn write(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let (parts, body) = request.into_parts();
    let asked = Asked::of(&parts);
    let entry = decode(&body::read(body).await?)?;
    refuse_enterprise(&asked)?;
    let expected = expected(&asked)?;
    if asked.query("dc").is_some_and(|given| given != ours(&app)) {
        let kind = entry.kind().as_str();
        return Err(HttpError::as_consul(format!("{kind} writes must not target secondary datacenters.")));
    }
    // Consul says what is wrong with an entry before it asks who wrote it.
    entry.check().map_err(ServiceError::from)?;
    app.service.require(&asked.actor, Action::MeshWrite).await?;
    let service = Arc::clone(&app.service);
    let is_done = to_its_end(async move { service.put_config_entry(&entry, expected).await }).await?;
    Ok(answer::json(&app, &asked, &is_done))
}

pub(crate) async fn read(
    State(app): State<Arc<App>>,
    Path((kind, name)): Path<(String, String)>,
    request: Request,
) -> Result<Response, HttpError> {
    read_one(&app, &kind, &name, request).await
}

pub(crate) async fn read_unnamed(
    State(app): State<Arc<App>>,
    Path(kind): Path<String>,
    request: Request,
) -> Result<Response, HttpError> {
    read_one(&app, &kind, "", request).await
}

async fn read_one(app: &App, kind: &str, name: &str, request: Request) -> Result<Response, HttpError> {
    let (asked, options) = asked_to_read(app, request)?;
    let kind = Kind::parse(kind).map_err(|error| HttpError::as_consul(error.to_string()))?;
    let found = blocking(app, options, key::CONFIG_ENTRIES, || async {
        // What is exported takes a right to see, also after a wait; how the mesh is set up does not.
        if kind == Kind::ExportedServices {
            app.service.require(&asked.actor, Action::MeshRead).await?;
        }
        app.service.config_entry(kind, name).await
    })
    .await?;
    // An entry that is not there has an index too, since a client may wait for it.
    let response = match &found.value {
        Some(view) => answer::json(app, &asked, &Shown::from(view)),
        None => HttpError::from(not_found(kind, name)).into_response(),
    };
    Ok(answer::with_index(response, found.index))
}

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Path(kind): Path<String>,
    request: Request,
) -> Result<Response, HttpError> {
    let asked = asked_to_read(&app, request)?;
    let kind = Kind::parse(&kind).map_err(|error| HttpError::as_consul(error.to_string()))?;
    list_some(&app, asked, |view| view.entry.kind() == kind).await
}

pub(crate) async fn list_all(State(app): State<Arc<App>>, request: Request) -> Result<Response, HttpError> {
    let asked = asked_to_read(&app, request)?;
    list_some(&app, asked, |_| true).await
}

async fn list_some(
    app: &App,
    (asked, options): (Asked, ReadOptions),
    is_wanted: impl Fn(&EntryView) -> bool,
) -> Result<Response, HttpError> {
    let options = if_known(app, &asked.actor, Action::MeshRead, options).await?;
    let mut listed = blocking(app, options, key::CONFIG_ENTRIES, || app.service.config_entries()).await?;
    listed.value.retain(is_wanted);
    let wanted = listed.value.len();
    if listed.value.iter().any(|view| view.entry.kind() == Kind::ExportedServices) {
        // Whoever may not see what is exported sees the rest, as in Consul.
        match app.service.require(&asked.actor, Action::MeshRead).await {
            Ok(_) => {}
            Err(ServiceError::Denied(_)) => listed.value.retain(|view| view.entry.kind() != Kind::ExportedServices),
            Err(other) => return Err(other.into()),
        }
    }
    let shown: Vec<Shown<'_>> = listed.value.iter().map(Shown::from).collect();
    let response = answer::json(app, &asked, &shown);
    let response =
        if shown.len() < wanted && asked.actor.token.is_some() { answer::filtered(response) } else { response };
    Ok(answer::with_index(response, listed.index))
}

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Path((kind, name)): Path<(String, String)>,
    request: Request,
) -> Result<Response, HttpError> {
    delete_one(&app, &kind, name, request).await
}

pub(crate) async fn delete_empty(
    State(app): State<Arc<App>>,
    Path(kind): Path<String>,
    request: Request,
) -> Result<Response, HttpError> {
    delete_one(&app, &kind, String::new(), request).await
}

pub(crate) async fn delete_unnamed() -> HttpError {
    HttpError::not_found("Must provide both a kind and name to delete")
}

async fn delete_one(app: &App, kind: &str, name: String, request: Request) -> Result<Response, HttpError> {
    let asked = Asked::of(&request.into_parts().0);
    refuse_enterprise(&asked)?;
    let expected = expected(&asked)?;
    let kind = Kind::parse(kind).map_err(|error| HttpError::bad_request(error.to_string()))?;
    app.service.require(&asked.actor, Action::MeshWrite).await?;
    let service = Arc::clone(&app.service);
    let is_done = to_its_end(async move { service.delete_config_entry(kind, &name, expected).await }).await?;
    // Only whoever deletes under a condition asks whether it held.
    Ok(match expected {
        Some(_) => answer::json(app, &asked, &is_done),
        None => answer::json(app, &asked, &serde_json::Map::new()),
    })
}

fn asked_to_read(app: &App, request: Request) -> Result<(Asked, ReadOptions), HttpError> {
    let parts = request.into_parts().0;
    let asked = Asked::of(&parts);
    refuse_enterprise(&asked)?;
    let options = ReadOptions::of(&parts)?;
    app.refuse_other_datacenter(&asked)?;
    Ok((asked, options))
}

fn ours(app: &App) -> &str {
    app.service.cluster().datacenter().as_str()
}

fn refuse_enterprise(asked: &Asked) -> Result<(), HttpError> {
    asked.refuse_partition()?;
    asked.refuse_namespace()
}

/// Reads `?cas=`: the index that the entry must have, 0 for none.
fn expected(asked: &Asked) -> Result<Option<u64>, HttpError> {
    let Some(given) = asked.query("cas") else { return Ok(None) };
    // Go takes no sign.
    let parsed = if given.starts_with('+') { "+".parse() } else { given.parse::<u64>() };
    parsed.map(Some).map_err(|error| {
        let reason = match error.kind() {
            IntErrorKind::PosOverflow => "value out of range",
            _ => "invalid syntax",
        };
        HttpError::as_consul(format!("strconv.ParseUint: parsing {}: {reason}", go_quoted(echo(given))))
    })
}
