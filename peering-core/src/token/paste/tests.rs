//! What people paste, and what is made of it.

use proptest::prelude::*;

use super::*;
use crate::token::samples;

const TOKEN: &str = samples::ONE_ROOT.text;
const SWARM: &str = "SWMTKN-1-0b1tqc7e45saff2vy4kwwjzjpbgx9sgyvzc0zl9z55f2knhxo0-000avh9he7dy896m08s18udxr";

fn token() -> &'static str {
    TOKEN.trim()
}

/// Cleans a text, and returns what was done if the token came out of it.
fn mended(text: impl AsRef<[u8]>, token: &str) -> Vec<Mended> {
    let pasted = clean(text.as_ref()).unwrap();
    assert_eq!(pasted.text(), token, "{:?}", String::from_utf8_lossy(text.as_ref()));
    assert_eq!(clean(token.as_bytes()).unwrap().mended(), [], "a second time there is nothing to do");
    pasted.mended
}

fn folded(text: &str, width: usize, with: &str) -> String {
    let parts: Vec<&str> = (0..text.len()).step_by(width).map(|at| &text[at..text.len().min(at + width)]).collect();
    parts.join(with)
}

#[test]
fn blanks_around_a_token_are_nothing_to_speak_of() {
    for text in [token().to_owned(), format!("{}\n", token()), format!(" \t{}\r\n\r\n", token())] {
        assert_eq!(mended(text, token()), []);
    }
}

#[test]
fn a_peering_token_is_found_in_what_surrounds_it() {
    use Mended::*;
    let it = token();
    let lines = it.len().div_ceil(76) - 1;
    for (text, expected) in [
        (format!("'{it}'"), vec![Quotes]),
        (format!("“{it}”\n"), vec![Quotes]),
        (format!("`{it}"), vec![Quotes]),
        (format!("token={it}"), vec![Before(6)]),
        (format!("token=\"{it}\""), vec![Before(6), Quotes]),
        (format!("peering-token: {it}"), vec![Before(14)]),
        (format!("$ echo {it}"), vec![Before(6)]),
        (format!("root@east:~# peering generate-token -name west\n{it}\nroot@east:~# "), vec![Before(46), After(12)]),
        (format!("{it}root@east:~# "), vec![After(12)]),
        (format!("{it}\n$"), vec![After(1)]),
        (format!("{it} done"), vec![After(4)]),
        (format!("{}\nroot@east:~# ", folded(it, 76, "\n")), vec![Blanks(lines), After(12)]),
        (format!("{}root@east:~# ", folded(it, 76, "\n")), vec![Blanks(lines), After(12)]),
        (folded(it, 76, "\n"), vec![Blanks(lines)]),
        (folded(it, 76, "\r\n"), vec![Blanks(2 * lines)]),
        (folded(it, 76, " "), vec![Blanks(lines)]),
        (format!("'{}'", folded(it, 76, "\n  ")), vec![Quotes, Blanks(3 * lines)]),
        (format!("{{\"PeeringToken\":\"{it}\"}}"), vec![Json]),
        (format!("\u{feff}{it}"), vec![Invisible(1)]),
        (folded(it, 100, "\u{200b}"), vec![Invisible(it.len().div_ceil(100) - 1)]),
    ] {
        assert_eq!(mended(&text, it), expected, "{text}");
    }
}

#[test]
fn padding_that_a_double_click_has_left_is_put_back() {
    let it = samples::PLAINTEXT.text.trim();
    let bare = it.trim_end_matches('=');
    let missing = it.len() - bare.len();
    assert!(missing > 0);
    assert_eq!(mended(bare, it), [Mended::Padding(missing)]);
    assert_eq!(mended(format!("{bare} $"), it), [Mended::Padding(missing), Mended::After(1)]);
    assert_eq!(mended(format!("{it}$"), it), [Mended::After(1)]);
    assert_eq!(mended(format!("{it}bash-5.2$ "), it), [Mended::After(9)]);
}

#[test]
fn utf_16_is_read_with_its_mark_and_without() {
    let units = |text: &str, to: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(to).collect::<Vec<u8>>();
    for text in [format!("{}\r\n", token()), format!("\u{feff}{}", token())] {
        assert_eq!(mended(units(&text, u16::to_le_bytes), token()), [Mended::Utf16]);
        assert_eq!(mended(units(&text, u16::to_be_bytes), token()), [Mended::Utf16]);
    }
    let odd = [units(token(), u16::to_le_bytes), vec![b'x']].concat();
    assert_eq!(mended(odd, token()), [Mended::Utf16], "a byte of a character that was cut");
}

#[test]
fn what_is_no_text_says_where_it_ends() {
    assert_eq!(clean(b"abc\xff"), Err(NotText { offset: 3 }));
    assert_eq!(clean(b"\xff\xfea\0\0\xdc"), Err(NotText { offset: 4 }));
    assert_eq!(NotText { offset: 3 }.to_string(), "byte 3 belongs to no text in UTF-8 or UTF-16");
}

#[test]
fn other_tokens_are_found_too() {
    use Mended::*;
    let kubeadm = "abcdef.0123456789abcdef";
    let k3s = samples::K3S.trim();
    for (text, it, expected) in [
        (format!("docker swarm join --token {SWARM} 192.0.2.1:2377"), SWARM, vec![Before(25), After(14)]),
        (folded(SWARM, 40, "\n"), SWARM, vec![Blanks(2)]),
        (format!("{SWARM}\nroot@east:~# "), SWARM, vec![After(12)]),
        (
            format!("kubeadm join 192.0.2.1:6443 --token {kubeadm} --discovery-token-ca-cert-hash sha256:00"),
            kubeadm,
            vec![Before(35), After(40)],
        ),
        (format!("K3S_TOKEN='{k3s}'"), k3s, vec![Before(10), Quotes]),
        (folded(k3s, 60, "\n"), k3s, vec![Blanks(1)]),
        (format!("token: {}", samples::K3S_SHORT.trim()), samples::K3S_SHORT.trim(), vec![Before(6)]),
    ] {
        assert_eq!(mended(&text, it), expected, "{text}");
    }
}

#[test]
fn a_document_keeps_its_blanks() {
    for text in [samples::SKUPPER_CLAIM, samples::SKUPPER_LINK] {
        assert_eq!(mended(text, text.trim()), []);
    }
}

#[test]
fn a_text_without_a_token_stays_as_it_is() {
    for text in ["", "hello", "no token", "'x'", "grey eyes", "+++/+++", "https://h/eyJ", "K10 is a number", "a.b"] {
        assert_eq!(mended(text, text), [], "{text}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
fn a_text_full_of_beginnings_is_read_a_few_times_and_not_from_each() {
    const BYTES: usize = 1024 * 1024;
    for beginning in [
        "ey!",
        "ey! ",
        "ey ",
        "ew\n",
        "K10 ",
        "K10\n",
        "K10:",
        "K10::",
        "K10::a ",
        "K10ab\n",
        "eyJhIjoxfQ ",
        "eyJhIjoi ",
        "eyJDQSI6W119 ",
        "eyJDQSI6W119\n",
        "eyJDQSI6W119,",
        "SWMTKN-1-\n",
        "abcdef.0123456789abcdef:",
        "\"kind\" ",
        "apiVersion  ",
        "{\"PeeringToken\":\"ey ",
    ] {
        let begun = std::time::Instant::now();
        let _ = clean(beginning.repeat(BYTES / beginning.len()).as_bytes());
        assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{beginning:?}: {:?}", begun.elapsed());
    }
}

#[test]
fn an_object_that_is_no_token_hides_none() {
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
    let pasted = clean(format!("Authorization: Bearer {jwt}\n{}\n", token()).as_bytes()).unwrap();
    assert_eq!(pasted.text(), token());
    let alone = format!("Authorization: Bearer {jwt}");
    assert_eq!(mended(&alone, &alone), []);
}

#[test]
fn a_cut_token_does_not_swallow_the_prompt_after_it() {
    let k3s = samples::K3S.trim();
    for cut in [&SWARM[..70], &k3s[..40]] {
        for prompt in ["root@east:~# ", "admin $ ", "east:~$", "east>", "done 1"] {
            let pasted = clean(format!("{cut}\n{prompt}").as_bytes()).unwrap();
            assert_eq!(pasted.text(), cut, "{prompt}");
        }
    }
    assert_eq!(mended(format!("'{}'\n$", folded(SWARM, 40, "\n")), SWARM)[..2], [Mended::Quotes, Mended::Blanks(2)]);
}

#[test]
fn different_tokens_in_a_text_are_told_and_the_same_again_is_not() {
    let (one, two) = (token(), samples::PLAINTEXT.text.trim());
    let (k3s, kubeadm, bootstrap) = (samples::K3S.trim(), samples::KUBEADM.trim(), samples::K3S_BOOTSTRAP.trim());
    let long = |text: &str| text.repeat(50);
    for (text, meant, are_several) in [
        (format!("{one}\n{one}\n"), one, false),
        (format!("{one}\n{}\n", folded(one, 76, "\n")), one, false),
        (format!("{two}\n{}", two.trim_end_matches('=')), two, false),
        (long(&format!("{two}\n")), two, false),
        (format!("{one}\n{two}\n"), one, true),
        (format!("{two}, {one}"), two, true),
        (format!("{one}\n{one}\n{two}\n"), one, true),
        (format!("'{one}' '{two}'"), one, true),
        (format!("{{\"PeeringToken\":\"{one}\"}}\n{{\"PeeringToken\":\"{two}\"}}"), one, true),
        (format!("{{\"PeeringToken\":\"{one}\"}}\n{{\"PeeringToken\":\"{one}\"}}"), one, false),
        (format!("[{{\"PeeringToken\":\"{one}\"}},{{\"PeeringToken\":\"{two}\"}}]"), one, true),
        (format!("{{\"PeeringToken\":\"{one}\"}} {SWARM}"), one, true),
        (format!("{kubeadm}\n{one}\n"), one, true),
        (format!("{SWARM}\n{k3s}"), SWARM, true),
        (format!("{SWARM}\n{SWARM}"), SWARM, false),
        (format!("{k3s}\n{kubeadm}"), k3s, true),
        (format!("{bootstrap}\n{bootstrap}"), bootstrap, false),
        (format!("{kubeadm} abcdef.fedcba9876543210"), kubeadm, true),
        // What is cut is no token that could be meant.
        (format!("{}\n{one}", &two[..200]), one, false),
        (format!("{one}\n{}", &two[..200]), one, false),
        (format!("a SWMTKN-1 token, eyes on this and on nothing else in this text now please\n{one}"), one, false),
        (format!("{one} {}", samples::K3S_SHORT.trim()), one, false),
    ] {
        let pasted = clean(text.as_bytes()).unwrap();
        assert_eq!(pasted.text(), meant, "{text}");
        assert_eq!(pasted.mended().contains(&Mended::Several), are_several, "{text}");
    }
}

#[test]
fn tokens_of_other_programs_hide_no_peering_token() {
    let it = token();
    for other in samples::OTHERS.iter().map(|other| other.trim()) {
        for text in [format!("{other}\n{it}"), format!("{it}\n{other}"), format!("{other} {it} {other}")] {
            let pasted = clean_peering(text.as_bytes()).unwrap();
            assert_eq!(pasted.text(), it, "{text}");
            assert!(!pasted.mended().contains(&Mended::Several), "{text}");
        }
        let alone = clean_peering(other.as_bytes()).unwrap();
        assert_eq!((alone.text(), alone.mended()), (other, &[][..]));
    }
    let two = samples::PLAINTEXT.text.trim();
    let pasted = clean_peering(format!("{it} {two}").as_bytes()).unwrap();
    assert_eq!(pasted.mended().last(), Some(&Mended::Several));
}

#[test]
fn what_only_mentions_the_keys_of_a_document_is_none() {
    let it = token();
    for text in [
        format!("the apiVersion is v1, what kind of token is this?\n{it}"),
        format!("set apiVersion: v1 and kind: Secret\n{it}"),
        format!("apiVersion and kind are missing: \"apiVersion\", \"kind\"\n{it}\n"),
        format!("kind regards: me\napiVersion\n{it}"),
    ] {
        assert_eq!(clean(text.as_bytes()).unwrap().text(), it, "{text}");
    }
    for text in [
        "apiVersion: v1\nkind: Secret",
        "# mine\r\napiVersion : v1\r\nkind: Secret",
        "{\"apiVersion\":\"v1\",\"kind\":\"Secret\"}",
        "{\n  \"apiVersion\" : \"v1\",\n  \"kind\": \"Secret\"\n}",
        "'apiVersion': v1\n\"kind\": Secret",
    ] {
        assert!(is_document(text), "{text}");
    }
}

#[test]
fn debugging_shows_no_token() {
    let shown = format!("{:?}", clean(format!("'{SWARM}'").as_bytes()).unwrap());
    assert_eq!(shown, "Pasted(85 bytes, [Quotes])");
}

proptest! {
    #[test]
    fn any_bytes_are_cleaned_or_refused(bytes: Vec<u8>, text: String) {
        let _ = clean(&bytes);
        let _ = clean(text.as_bytes());
    }

    #[test]
    fn any_text_around_a_token_never_panics(before in ".{0,8}", at in any::<prop::sample::Index>(), within: String, after in ".{0,8}") {
        let at = at.index(token().len());
        let _ = clean(format!("{before}{}{within}{}{after}", &token()[..at], &token()[at..]).as_bytes());
    }
}

#[test]
fn marks_of_lines_that_mail_has_quoted_are_taken_off() {
    let it = token();
    let lines = it.len().div_ceil(70);
    let quoted = format!("> {}\n", folded(it, 70, "\n> "));
    assert_eq!(mended(&quoted, it), [Mended::Marks(lines), Mended::Blanks(lines - 1)]);
    let twice = format!(">> Here it is:\r\n>>\r\n>> {it}\r\n");
    assert_eq!(mended(&twice, it), [Mended::Marks(3), Mended::Before(11)]);
    // One line may be a prompt's, and a line without a mark was written by somebody else.
    assert_eq!(mended(format!("> {it}"), it), [Mended::Before(1)]);
    assert_eq!(mended(format!("He wrote:\n> {it}\n"), it), [Mended::Before(11)]);
}
