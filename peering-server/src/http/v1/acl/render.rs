//! Tokens and policies in Consul's JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use peering_core::acl::Token;
use peering_core::api::acl::{AclLink, AclPolicy, AclPolicyStub, AclToken, HIDDEN};

use crate::service::acl::{PolicyView, ShownSecret, TokenView};

pub(super) fn token(view: &TokenView) -> AclToken {
    let TokenView { token, secret, policies, create_index, modify_index } = view;
    let ids = policies.iter().map(|(id, _)| *id);
    AclToken {
        id: String::new(),
        accessor_id: token.accessor.to_string(),
        secret_id: match secret {
            ShownSecret::Shown(secret) => secret.expose().to_owned(),
            ShownSecret::Hidden => HIDDEN.to_owned(),
        },
        description: token.description.clone(),
        policies: policies.iter().map(|(id, name)| AclLink { id: id.to_string(), name: name.clone() }).collect(),
        local: token.local,
        expiration_time: token.expires,
        create_time: token.created,
        hash: STANDARD.encode(Token::hash(&token.description, token.local, ids)),
        create_index: *create_index,
        modify_index: *modify_index,
        expanded: None,
    }
}

pub(super) fn policy(view: &PolicyView) -> AclPolicy {
    let AclPolicyStub { id, name, description, datacenters, hash, create_index, modify_index } = stub(view);
    AclPolicy { id, name, description, rules: view.policy.rules.clone(), datacenters, hash, create_index, modify_index }
}

pub(super) fn stub(view: &PolicyView) -> AclPolicyStub {
    let PolicyView { policy, create_index, modify_index } = view;
    AclPolicyStub {
        id: policy.id.to_string(),
        name: policy.name.clone(),
        description: policy.description.clone(),
        datacenters: (!policy.datacenters.is_empty()).then(|| policy.datacenters.clone()),
        hash: STANDARD.encode(policy.hash()),
        create_index: *create_index,
        modify_index: *modify_index,
    }
}
