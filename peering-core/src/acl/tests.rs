//! The table of what rules allow, the texts of refusals, and what holds for any rules.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;

fn allows(policies: &[&str], default: DefaultPolicy, resource: Resource, name: &str, access: Access) -> bool {
    let policies = policies.iter().map(|text| Arc::new(Rules::parse(text).unwrap())).collect();
    Authorizer::new(policies, default).allows(resource, name, access)
}

fn refusal(rules: &str) -> String {
    Rules::parse(rules).unwrap_err().to_string()
}

#[test]
fn a_peering_rule_decides_then_the_operator_rule_then_the_default() {
    use DefaultPolicy::{Allow, Deny};
    for (policies, default, read, write) in [
        (&[][..], Deny, false, false),
        (&[], Allow, true, true),
        (&[r#"peering = "read""#], Deny, true, false),
        (&[r#"peering = "read""#], Allow, true, false),
        (&[r#"peering = "write""#], Deny, true, true),
        (&[r#"peering = "deny""#], Allow, false, false),
        (&[r#"operator = "write""#], Deny, true, true),
        (&[r#"operator = "read""#], Allow, true, false),
        (&["operator = \"write\"\npeering = \"read\""], Deny, true, false),
        (&[r#"operator = "deny""#, r#"peering = "write""#], Deny, true, true),
        (&[r#"peering = "read""#, r#"peering = "write""#], Deny, true, true),
        (&[r#"peering = "write""#, r#"peering = "deny""#], Allow, false, false),
        (&[r#"peering = "deny""#, r#"peering = "read""#], Allow, false, false),
        (&[r#"mesh = "write""#], Deny, false, false),
        (&[r#"peering = """#], Deny, false, false),
        (&[r#"PEERING = "Write""#], Deny, true, true),
        (&["PEERING = \"deny\"\npeering = \"write\""], Allow, false, false),
        (&[r#"{"peering": "write"}"#], Deny, true, true),
        (&[r#"{"operator": "read"}"#], Deny, true, false),
    ] {
        assert_eq!(allows(policies, default, Resource::Peering, "", Access::Read), read, "{policies:?}");
        assert_eq!(allows(policies, default, Resource::Peering, "", Access::Write), write, "{policies:?}");
    }
}

#[test]
fn the_default_of_allowing_stops_before_tokens_and_policies() {
    for resource in Resource::ALL {
        let by_default = allows(&[], DefaultPolicy::Allow, resource, "x", Access::Write);
        assert_eq!(by_default, resource != Resource::Acl, "{resource:?}");
        assert!(!allows(&[], DefaultPolicy::Deny, resource, "x", Access::Read));
    }
}

#[test]
fn the_built_in_policies_give_everything_and_a_look_at_everything() {
    let rules = Builtin::ALL.map(|builtin| builtin.policy().rules);
    for resource in Resource::ALL {
        for (access, may_look) in [(Access::Read, true), (Access::Write, false)] {
            assert!(allows(&[&rules[0]], DefaultPolicy::Deny, resource, "x", access), "{resource:?}");
            assert_eq!(allows(&[&rules[1]], DefaultPolicy::Deny, resource, "x", access), may_look, "{resource:?}");
        }
    }
}

#[test]
fn an_exact_name_beats_a_prefix_and_a_longer_prefix_a_shorter_one() {
    let rules = "service_prefix \"\" { policy = \"read\" }\nservice_prefix \"we\" { policy = \"write\" }\nservice \"web\" { policy = \"deny\" }";
    let level = |name| {
        [Access::Read, Access::Write]
            .map(|access| allows(&[rules], DefaultPolicy::Deny, Resource::Service, name, access))
    };
    assert_eq!(level("db"), [true, false]);
    assert_eq!(level("wet"), [true, true]);
    assert_eq!(level("web"), [false, false]);
    assert_eq!(level("webs"), [true, true]);
    let other = r#"service "web" { policy = "write" }"#;
    assert!(!allows(&[rules, other], DefaultPolicy::Allow, Resource::Service, "web", Access::Read), "deny wins");
}

#[test]
fn intentions_are_seen_with_their_service_and_changed_only_if_it_says_so() {
    let plain = r#"service "web" { policy = "write" }"#;
    let said = r#"service "web" { policy = "read" intentions = "write" }"#;
    let may = |policies: &[&str], access| allows(policies, DefaultPolicy::Deny, Resource::Intention, "web", access);
    assert!(may(&[plain], Access::Read) && !may(&[plain], Access::Write));
    assert!(may(&[said], Access::Write) && may(&[plain, said], Access::Write));
    assert!(!may(&[r#"service "web" { policy = "deny" }"#], Access::Read));
}

#[test]
fn keys_can_be_listed() {
    let may = |level: &str, access| {
        let rules = format!("key_prefix \"a/\" {{ policy = \"{level}\" }}");
        allows(&[&rules], DefaultPolicy::Deny, Resource::Key, "a/b", access)
    };
    assert!(may("list", Access::List) && may("list", Access::Read) && !may("list", Access::Write));
    assert!(!may("read", Access::List) && may("write", Access::List));
}

#[test]
fn rules_are_read_as_people_write_them_for_consul() {
    for rules in [
        "",
        "/* é\n */ # é",
        "# nothing\n// at all\n/* here */",
        "peering = \"read\"",
        "peering=\"read\" operator=\"write\"",
        "\"peering\" = \"read\"",
        "peering = \"read\", operator = \"read\",",
        "service \"a\"\n{\n  policy = \"read\"\n  intentions = \"write\"\n}",
        "service \"a\" { policy = \"read\" intentions = \"write\" }",
        "service { a { policy = \"read\" } }",
        "key_prefix \"a\" { policy = \"list\" } session \"a\" { policy = \"write\" } keyring = \"read\"",
        "key \"a\" { policy = \"list\" sentinel { code = \"x\" } }",
        "identity \"x\" { policy = \"zz\" }",
        "foo = \"bar\"",
        "node \"${x}\" { policy = \"read\" }",
        r#"{"service": {"a": {"policy": "read"}}, "service_prefix": {"": {"policy": "read"}}}"#,
        r#"{"service": [{"a": {"policy": "read"}}, {"b": [{"policy": "read"}]}]}"#,
        "{}",
    ] {
        assert!(Rules::parse(rules).is_ok(), "{rules}: {:?}", Rules::parse(rules));
    }
}

#[test]
fn a_level_that_there_is_not_is_refused_in_consuls_words() {
    for whole in ["acl", "keyring", "mesh", "operator", "peering"] {
        assert_eq!(refusal(&format!("{whole} = \"x\"")), format!("Invalid {whole} policy: \"x\""));
        assert_eq!(refusal(&format!("{whole} = \"list\"")), format!("Invalid {whole} policy: \"list\""));
    }
    assert_eq!(refusal("peering = 7"), "Invalid peering policy: \"7\"");
    let enterprise = ", EnterpriseRule:acl.EnterpriseRule{}";
    for (rule, shown) in [
        ("agent", "&acl.AgentRule{Node:\"a\", Policy:\"zz\"}".to_owned()),
        ("agent_prefix", "&acl.AgentRule{Node:\"a\", Policy:\"zz\"}".to_owned()),
        ("event", "&acl.EventRule{Event:\"a\", Policy:\"zz\"}".to_owned()),
        ("key", format!("&acl.KeyRule{{Prefix:\"a\", Policy:\"zz\"{enterprise}}}")),
        ("node", format!("&acl.NodeRule{{Name:\"a\", Policy:\"zz\"{enterprise}}}")),
        ("node_prefix", format!("&acl.NodeRule{{Name:\"a\", Policy:\"zz\"{enterprise}}}")),
        ("query", "&acl.PreparedQueryRule{Prefix:\"a\", Policy:\"zz\"}".to_owned()),
        ("service", format!("&acl.ServiceRule{{Name:\"a\", Policy:\"zz\", Intentions:\"\"{enterprise}}}")),
        ("service_prefix", format!("&acl.ServiceRule{{Name:\"a\", Policy:\"zz\", Intentions:\"\"{enterprise}}}")),
        ("session", "&acl.SessionRule{Node:\"a\", Policy:\"zz\"}".to_owned()),
    ] {
        let text = refusal(&format!("{rule} \"a\" {{ policy = \"zz\" }}"));
        assert_eq!(text, format!("Invalid {rule} policy: {shown}"));
    }
    assert_eq!(
        refusal("service \"a\" { policy = \"read\" intentions = \"zz\" }"),
        format!(
            "Invalid service intentions policy: &acl.ServiceRule{{Name:\"a\", Policy:\"read\", Intentions:\"zz\"{enterprise}}}"
        )
    );
    assert!(refusal("service \"a\" { bogus = \"read\" }").contains("Policy:\"\", Intentions:\"\""));
    assert!(refusal("node \"a\" \"b\" { policy = \"read\" }").contains("NodeRule{Name:\"a\", Policy:\"\""));
}

#[test]
fn rules_that_do_not_parse_are_refused_at_their_line() {
    for (rules, line) in [
        ("foo", 1),
        ("peering = ", 1),
        ("\n\npeering { ", 3),
        ("a = \"b\"\npeering: \"read\"", 2),
        ("a = 1\n\nservice_prefix \"\" = { policy = \"read\" }", 3),
        ("a = 1 }", 1),
        ("{\"peering\":\n \"write\" ", 2),
        ("{\"peering\":\n\n tru}", 3),
        ("service \"a\" {\n\n  policy = \"x\n}", 3),
    ] {
        let text = refusal(rules);
        assert!(text.starts_with(&format!("Failed to parse ACL rules: At {line}:")), "{rules}: {text}");
    }
    assert_eq!(
        refusal("peering = \"read\"\npeering = \"write\""),
        "Failed to parse ACL rules: The argument \"peering\" at 2:1 was already set. Each argument can only be defined once"
    );
    assert!(refusal("peering \"a\" { policy = \"read\" }").starts_with("Failed to parse ACL rules: peering: expected"));
    assert!(refusal("service = \"read\"").starts_with("Failed to parse ACL rules: service: expected"));
}

#[test]
fn long_and_deep_rules_are_refused_and_the_longest_are_read() {
    let long = "#".repeat(RULES_BYTES_MAX + 1);
    assert!(matches!(Rules::parse(&long), Err(RulesError::TooLong { .. })));
    let rule = "node \"a\" { policy = \"read\" }\n";
    assert!(Rules::parse(&rule.repeat(RULES_BYTES_MAX / rule.len())).is_ok());
    for piece in [
        "a {", "a = [", "a = {", "[", "{\"a\":", "{\"a\":[", "a \"", "-", "a = \"${", "a = \"$", "}", "=", "\\",
        "a = [[[",
    ] {
        let deep = piece.repeat(RULES_BYTES_MAX / piece.len());
        assert!(Rules::parse(&deep).is_err(), "{piece}");
    }
}

#[test]
fn names_of_policies_are_those_of_consul() {
    for good in ["a", "-a", "A_9", "a/b", &"a".repeat(128)] {
        assert_eq!(check_policy_name(good), Ok(()), "{good}");
    }
    for (bad, error) in [
        ("", PolicyError::NoName),
        ("a b", PolicyError::NameCharacters),
        ("a/b/c", PolicyError::NameCharacters),
        ("é", PolicyError::NameCharacters),
        ("/a", PolicyError::NamePrefix),
        ("builtin/x", PolicyError::NamePrefix),
        (&"a".repeat(129), PolicyError::NameLength),
    ] {
        assert_eq!(check_policy_name(bad), Err(error), "{bad}");
    }
}

#[test]
fn hashes_are_consuls() {
    use base64::Engine as _;
    let text = |hash: [u8; 32]| base64::engine::general_purpose::STANDARD.encode(hash);
    let hash = |builtin: Builtin| text(builtin.policy().hash());
    assert_eq!(hash(Builtin::Management), "+TzVGrd3uSVx3Bl8FV5O0BsKc1idAee6ZpEw9WDfaW8=");
    assert_eq!(hash(Builtin::ReadOnly), "4jtyawyzzig+Ys5HfPI91O3UHLHiXtPlNG7aHEmlesk=");
    let none = std::iter::empty;
    assert_eq!(text(Token::hash("", false, none())), "NLOoV2WBU8ieJIrYXXx8NRb5C2xU61pVVWRDLEIMxlU=");
    assert_eq!(text(Token::hash("", true, none())), "phJYEP8TihveNo6aOJCxLxq34AAOhSYayisOMnod+Kc=");
    let management = Token::hash("Bootstrap Token (Global Management)", false, [GLOBAL_MANAGEMENT_ID].into_iter());
    assert_eq!(text(management), "X2AgaFhnQGRhSSF/h0m6qpX1wj/HJWbyXcxkEM/5GrY=");
}

/// Rules that people might write, valid or not.
fn nearly_rules() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "peering",
        "service",
        "node_prefix",
        "acl",
        " ",
        "\n",
        "=",
        "{",
        "}",
        "\"a\"",
        "\"read\"",
        "\"deny\"",
        "policy",
        ",",
        "[",
        "]",
        "#",
        "/*",
        "*/",
        "\\",
        "\"",
        "${",
        "é",
        ":",
        "1",
        "policy = \"write\"",
        "-",
        "<<A\n",
    ];
    prop::collection::vec(prop::sample::select(PIECES), 0..24).prop_map(|pieces| pieces.concat())
}

fn level_word() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["deny", "read", "write"][..])
}

proptest! {
    #[test]
    fn nothing_that_is_nearly_rules_panics(text in nearly_rules()) {
        let _ = Rules::parse(&text);
    }

    #[test]
    fn arbitrary_text_never_panics(text: String) {
        let _ = Rules::parse(&text);
        let _ = Rules::parse(&format!("{{{text}"));
    }

    #[test]
    fn a_deny_denies_whatever_else_is_said_and_in_any_order(
        words in prop::collection::vec(level_word(), 0..6), at in 0usize..6, default_allows: bool,
    ) {
        let mut words = words;
        words.insert(at.min(words.len()), "deny");
        let rules: Vec<String> = words.iter().map(|word| format!("peering = \"{word}\"")).collect();
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        let default = if default_allows { DefaultPolicy::Allow } else { DefaultPolicy::Deny };
        prop_assert!(!allows(&rules, default, Resource::Peering, "", Access::Read));
    }

    #[test]
    fn who_may_write_may_read(words in prop::collection::vec(level_word(), 0..6), name in "[ab]{0,3}") {
        let rules: Vec<String> = words
            .iter()
            .enumerate()
            .map(|(at, word)| format!("service{} \"{}\" {{ policy = \"{word}\" }}", if at % 2 == 0 { "_prefix" } else { "" }, "ab".repeat(at / 3)))
            .collect();
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        let may = |access| allows(&rules, DefaultPolicy::Deny, Resource::Service, &name, access);
        prop_assert!(!may(Access::Write) || may(Access::Read));
    }

    #[test]
    fn one_more_policy_that_says_nothing_of_it_changes_nothing(
        words in prop::collection::vec(level_word(), 0..4), other in level_word(),
    ) {
        let rules: Vec<String> = words.iter().map(|word| format!("peering = \"{word}\"")).collect();
        let mut rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        let may = |rules: &[&str]| [Access::Read, Access::Write].map(|access| allows(rules, DefaultPolicy::Deny, Resource::Peering, "", access));
        let before = may(&rules);
        let unrelated = format!("mesh = \"{other}\"");
        rules.push(&unrelated);
        prop_assert_eq!(before, may(&rules));
    }
}
