//! How issued tokens are shown to people.

use jiff::Timestamp;
use peering_core::api::issued::PeeringToken;

use crate::gotime::rfc3339_seconds;
use crate::output::escape::line;
use crate::output::table;

/// Lays tokens out, one a line.
pub(super) fn lay_out(tokens: &[PeeringToken]) -> String {
    let heading = ["Token ID", "Peer", "State", "Created", "Expires", "Redeemed"].map(str::to_owned);
    let rows = tokens.iter().map(|token| {
        [
            line(&token.token_id).into_owned(),
            line(&token.peer_name).into_owned(),
            line(&token.state).into_owned(),
            time(token.created_at, ""),
            time(token.expires_at, "never"),
            redeemed(token),
        ]
    });
    table::lay_out(&std::iter::once(heading).chain(rows).collect::<Vec<_>>())
}

/// Lays one token out.
pub(super) fn detail(token: &PeeringToken) -> String {
    let mut lines = vec![
        ("Token ID", line(&token.token_id).into_owned()),
        ("Peer Name", line(&token.peer_name).into_owned()),
        ("Peering ID", line(&token.peering_id).into_owned()),
        ("Created By", line(&token.created_by).into_owned()),
        ("Created At", time(token.created_at, "")),
        ("Expires At", time(token.expires_at, "never")),
        ("State", line(&token.state).into_owned()),
        ("Revocable", if token.revocable { "yes".to_owned() } else { "no".to_owned() }),
    ];
    let known = |text: String| Some(text).filter(|text| !text.is_empty());
    let more = [
        ("Redeemed At", known(time(token.redeemed_at, ""))),
        ("Redeemed From", known(line(&token.redeemed_from).into_owned())),
        ("Superseded By", known(line(&token.superseded_by).into_owned())),
        ("Revoked At", known(time(token.revoked_at, ""))),
        ("Revoke Reason", known(line(&token.revoke_reason).into_owned())),
    ];
    lines.extend(more.into_iter().filter_map(|(name, text)| Some((name, text?))));
    lines.push(("Create Index", token.create_index.to_string()));
    lines.push(("Modify Index", token.modify_index.to_string()));
    let lines: Vec<String> =
        lines.into_iter().map(|(name, text)| format!("{:<15}{text}", format!("{name}:"))).collect();
    lines.join("\n")
}

/// Counts tokens in words.
pub(super) fn count(tokens: usize) -> String {
    if tokens == 1 { "1 token".to_owned() } else { format!("{tokens} tokens") }
}

fn redeemed(token: &PeeringToken) -> String {
    let Some(at) = token.redeemed_at else { return String::new() };
    let at = rfc3339_seconds(at);
    if token.redeemed_from.is_empty() { at } else { format!("{at} from {}", line(&token.redeemed_from)) }
}

fn time(time: Option<Timestamp>, none: &str) -> String {
    time.map_or_else(|| none.to_owned(), rfc3339_seconds)
}
