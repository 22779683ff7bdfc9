//! Why a verb of `acl` failed, in Consul's words where Consul has some.

use std::io;
use std::path::PathBuf;

use peering_core::gojson::go_quoted;
use thiserror::Error;

use super::ids::IdError;
use crate::client::error::ClientError;
use crate::client::go_io;
use crate::client::settings::SettingsError;
use crate::output::OutputError;
use crate::output::escape::line;

/// Says why a verb failed. The text is what standard error shows.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum AclError {
    /// `-format` names no format.
    #[error("Unknown format: {}", line(.0))]
    Format(String),
    /// The settings of the call are wrong.
    #[error("Error connecting to Consul agent: {}", line(&.0.to_string()))]
    Connecting(#[from] SettingsError),
    /// `acl bootstrap` got more than one word.
    #[error("This command takes up to one argument")]
    TooManyWords,
    /// The secret for the bootstrap was not read.
    #[error("Error reading provided token: {0}")]
    BootstrapSecret(#[source] SourceError),
    /// There was no bootstrap.
    #[error("Failed ACL bootstrapping: {0}")]
    Bootstrap(#[source] ClientError),
    /// A new policy has no name. Consul shows the help page too.
    #[error("Missing required '-name' flag\n{page}")]
    NoPolicyName {
        /// The help page of the verb.
        page: String,
    },
    /// It is not said which policy is meant.
    #[error("Must specify either the -id or -name parameters")]
    NoPolicy,
    /// The rules of a new policy were not read.
    #[error("Error loading rules: {0}")]
    Rules(#[source] SourceError),
    /// The new rules of a policy were not read.
    #[error("Error loading data source: {0}")]
    NewRules(#[source] SourceError),
    /// No policy was made.
    #[error("Failed to create new policy: {0}")]
    CreatePolicy(#[source] ClientError),
    /// The policies were not listed.
    #[error("Failed to retrieve the policy list: {0}")]
    ListPolicies(#[source] ClientError),
    /// The policy that is meant was not found.
    #[error("Error determining policy ID: {0}")]
    WhichPolicy(#[source] IdError),
    /// A policy was not read.
    #[error("Error reading policy {}: {source}", go_quoted(asked))]
    ReadPolicy {
        /// What was asked for: `id:…`, `name:…` or an id.
        asked: String,
        /// Why.
        source: ClientError,
    },
    /// A policy was not read by its name.
    #[error("Error reading policy {}: {source}", go_quoted(&format!("name:{name}")))]
    ReadPolicyByName {
        /// The name.
        name: String,
        /// Why.
        source: IdError,
    },
    /// There is no policy of that name.
    #[error("Error policy not found: {}", line(.0))]
    PolicyAbsent(String),
    /// A policy was not changed.
    #[error("Error updating policy {}: {source}", go_quoted(id))]
    UpdatePolicy {
        /// Its id.
        id: String,
        /// Why.
        source: ClientError,
    },
    /// A policy was not deleted.
    #[error("Error deleting policy {}: {source}", go_quoted(id))]
    DeletePolicy {
        /// Its id.
        id: String,
        /// Why.
        source: ClientError,
    },
    /// A new token would have no rights.
    #[error(
        "Cannot create a token without specifying -policy-name, -policy-id, -role-name, -role-id, -service-identity, \
         -node-identity, -templated-policy, or -templated-policy-file at least once"
    )]
    NoRights,
    /// Templated policies are given in two ways.
    #[error(
        "Cannot combine the use of templated-policy flag with templated-policy-file. To create a token with a single \
         templated policy and simple use case, use -templated-policy. For multiple templated policies and more \
         complicated use cases, use -templated-policy-file"
    )]
    TwoTemplates,
    /// A service identity has more than two parts.
    #[error("Malformed -service-identity argument: {}", go_quoted(.0))]
    ServiceIdentity(String),
    /// A node identity has not two parts.
    #[error("Malformed -node-identity argument: {}", go_quoted(.0))]
    NodeIdentity(String),
    /// A variable of a template has not two parts.
    #[error("malformed -var argument: {}, expecting VariableName:Value", go_quoted(.0))]
    Variable(String),
    /// The file of templated policies was not read.
    #[error("{0}")]
    TemplateFile(#[source] SourceError),
    /// The file of templated policies is no HCL.
    #[error("{} is not a file of templated policies: {reason}", path.display())]
    TemplateSyntax {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        reason: String,
    },
    /// A policy that a token is to have was not found.
    #[error("Error resolving policy ID {}: {source}", line(id))]
    ResolvePolicy {
        /// What was given.
        id: String,
        /// Why.
        source: IdError,
    },
    /// A role that a token is to have was not found.
    #[error("Error resolving role ID {}: {source}", line(id))]
    ResolveRole {
        /// What was given.
        id: String,
        /// Why.
        source: IdError,
    },
    /// No token was made.
    #[error("Failed to create new token: {0}")]
    CreateToken(#[source] ClientError),
    /// It is not said which token is meant.
    #[error("Must specify the -accessor-id parameter")]
    NoToken,
    /// It is not said which token is to be changed.
    #[error("Cannot update a token without specifying the -accessor-id parameter")]
    NoTokenToUpdate,
    /// The token that is meant was not found.
    #[error("Error determining token ID: {0}")]
    WhichToken(#[source] IdError),
    /// A token was not read.
    #[error("Error reading token {}: {source}", go_quoted(accessor_id))]
    ReadToken {
        /// Its accessor id.
        accessor_id: String,
        /// Why.
        source: ClientError,
    },
    /// The token of the call was not read.
    #[error("Error reading token: {0}")]
    ReadSelf(#[source] ClientError),
    /// Two flags of `token read` do not go together.
    #[error("Cannot use both -expanded and -self. Instead, use -expanded and -accessor-id=<accessor id>.")]
    ExpandedSelf,
    /// The tokens were not listed.
    #[error("Failed to retrieve the token list: {0}")]
    ListTokens(#[source] ClientError),
    /// A token that is to be changed was not read.
    #[error("Error when retrieving current token: {0}")]
    CurrentToken(#[source] ClientError),
    /// Links are to be replaced and added to at once.
    #[error(
        "Cannot combine the use of {kind}-id/{kind}-name flags with append- variants. To set or overwrite existing \
         {kinds}, use -{kind}-id or -{kind}-name. To append to existing {kinds}, use -append-{kind}-id or \
         -append-{kind}-name."
    )]
    ReplaceAndAppend {
        /// `policy` or `role`.
        kind: &'static str,
        /// Its plural.
        kinds: &'static str,
    },
    /// Identities are to be replaced and added to at once.
    #[error(
        "Cannot combine the use of {kind}-identity flag with append-{kind}-identity. To set or overwrite existing \
         {kind} identities, use -{kind}-identity. To append to existing {kind} identities, use \
         -append-{kind}-identity."
    )]
    ReplaceAndAppendIdentities {
        /// `service` or `node`.
        kind: &'static str,
    },
    /// Templated policies are to be replaced and added to at once.
    #[error(
        "Cannot combine the use of -append-templated-policy flags with replace-templated-policy. To set or overwrite \
         existing templated policies, use -replace-templated-policy or -replace-templated-policy-file. To append to \
         existing templated policies, use -append-templated-policy or -append-templated-policy-file."
    )]
    ReplaceAndAppendTemplates,
    /// A token was not changed.
    #[error("Failed to update token {}: {source}", line(accessor_id))]
    UpdateToken {
        /// Its accessor id.
        accessor_id: String,
        /// Why.
        source: ClientError,
    },
    /// A token was not deleted.
    #[error("Error deleting token {}: {source}", go_quoted(accessor_id))]
    DeleteToken {
        /// Its accessor id.
        accessor_id: String,
        /// Why.
        source: ClientError,
    },
    /// The result was not printed.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// Says why a file or standard input was not read. The words are Consul's.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum SourceError {
    /// Neither a file nor standard input is named.
    #[error("Failed to load data: must specify a file path or '-' for stdin")]
    Unnamed,
    /// The file cannot be read.
    #[error("Failed to read file: {}", line(&go_io::file_reason(path, source)))]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Standard input cannot be read.
    #[error("Failed to read stdin: {}", go_io::reason(.0))]
    Stdin(#[source] io::Error),
    /// There is more than any server takes.
    #[error("expected at most {bytes_max} bytes")]
    TooLarge {
        /// Most bytes that are read.
        bytes_max: u64,
    },
}
