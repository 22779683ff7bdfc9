//! Every finding there is: its stable code, how bad it is, what it means, and what a person can do about it.

use serde::{Serialize, Serializer};

/// How bad a finding is; the worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// The token cannot be used.
    Error,
    /// The token may fail where it is used.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// Returns its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

macro_rules! codes {
    ($($severity:ident { $($name:ident $code:literal, $meaning:literal, $next:literal;)* })*) => {
        /// What a finding is about: a stable name for scripts. `docs/findings.md` is the table of them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[doc = $meaning] $name,)*)*
        }

        impl Code {
            /// All of them, the worst first.
            pub const ALL: &[Self] = &[$($(Self::$name,)*)*];

            /// Returns the code as scripts know it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($(Self::$name => $code,)*)* }
            }

            /// Returns how bad it is.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $($(Self::$name => Severity::$severity,)*)* }
            }

            /// Returns what it means, in a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $($(Self::$name => $meaning,)*)* }
            }

            /// Returns what a person can do about it.
            #[must_use]
            pub const fn next_step(self) -> &'static str {
                match self { $($(Self::$name => $next,)*)* }
            }
        }
    };
}

codes! {
    Error {
        Empty "empty", "There is nothing but blanks.", "copy the token again";
        NotText "not-text", "The bytes are neither UTF-8 nor UTF-16.", "copy the token as text, or give the right file";
        TooLong "too-long", "There are more bytes than any token has.", "check what was pasted, or give the right file";
        Unknown "unknown", "It is no token of a kind that is known here.",
            "check that the right text or file was given, or ask whoever gave it to you what it is";
        Cut "cut", "The end or the beginning is missing.",
            "copy the whole token again, from the first to the last character";
        Unreadable "unreadable", "It is of this kind and cannot be read.", "copy the token again, or have a new one made";
        PartMalformed "part-malformed", "A part has another length or other characters than this kind has.",
            "copy the token again, or have a new one made";
        NoSecret "no-secret", "The secret is missing, without which the token is refused.", "have a new token made";
        Expired "expired", "The token has ended.", "have a new token made; if it should be good, compare the clocks";
        Plaintext "plaintext", "There is no CA: secrets and services would cross the network in plaintext.",
            "turn on TLS at the acceptor and generate a new token, or start our server with -allow-plaintext";
        NoPeerId "no-peer-id", "The acceptor's id of the peering is missing.", "generate a new token";
        PeerId "peer-id", "The acceptor's id of the peering is no UUID, so that the acceptor refuses it.",
            "generate a new token";
        NoServerName "no-server-name", "There is a CA and no name to check against it.", "generate a new token";
        NoAddresses "no-addresses", "There is no address at all.",
            "have a new token made with an address that the other side can reach (peering: -server-external-addresses)";
        NoDialable "no-dialable-address", "None of the addresses can be dialed.",
            "have a new token made with an address that the other side can reach (peering: -server-external-addresses)";
        TooMany "too-many", "A list has more entries than a token may have.", "have a new token made with fewer of them";
        NoUsableRoot "no-usable-root", "None of the root certificates can be trusted now.",
            "have a new token made; if its root should be good, compare the clocks of both sides";
        CertificateUnreadable "certificate-unreadable", "A certificate cannot be read.",
            "copy the token again, or have a new one made";
        AddressScheme "address-scheme", "An address is a URL.", "have a new token made with host:port, without a scheme";
        AddressBrackets "address-ipv6-brackets", "An IPv6 address has no brackets.",
            "have a new token made with [address]:port";
        AddressNoPort "address-no-port", "An address has no port.", "have a new token made with the port in it";
        AddressMalformed "address-malformed", "An address is not host:port with a port from 1 to 65535, or its host is no name.",
            "have a new token made with host:port";
    }
    Warning {
        CertificateExpired "certificate-expired", "A certificate has ended.",
            "have a new token made; if it should be good, compare the clocks";
        CertificateEarly "certificate-not-yet-valid", "A certificate is not valid yet.",
            "compare the clocks of both sides, or wait";
        CertificateEndsSoon "certificate-ends-soon", "A certificate ends within thirty days.",
            "use the token before, and see that the other side renews its certificate";
        CertificateNotCa "certificate-not-ca", "A certificate that should be a root is not that of a CA.",
            "nothing, if another root is usable; else have a new token made";
        CertificateMayNotSign "certificate-may-not-sign", "A root may not sign certificates by its key usage.",
            "nothing, if another root is usable; else have a new token made";
        CertificateWeakKey "certificate-weak-key", "A root's key is too weak, or of a kind not known to be strong.",
            "have the CA make a root with RSA of 2048 bits, EC P-256, P-384 or P-521, or Ed25519";
        CertificateExtra "certificate-extra", "An entry has more than one certificate; only the first is looked at.",
            "in a peering token, put each root into an entry of its own; elsewhere nothing";
        TrustDomain "trust-domain", "Server name and CA are of different trust domains: the TLS handshake may fail.",
            "generate a new token at the acceptor";
        AddressLoopback "address-loopback", "An address is reached only by the machine that made the token.",
            "have a new token made with an address that the other side can reach (peering: -server-external-addresses)";
        AddressLinkLocal "address-link-local", "An address is link-local: only the same link reaches it, and from a peering token it is never dialed.",
            "have a new token made with an address that the other side can reach (peering: -server-external-addresses)";
        AddressUnspecified "address-unspecified", "An address names no machine (a wildcard); from a peering token it is never dialed.",
            "have a new token made with an address that the other side can reach (peering: -server-external-addresses)";
        AddressMulticast "address-multicast", "An address is a multicast, broadcast or reserved one; from a peering token it is never dialed.",
            "have a new token made with an address that the other side can reach (peering: -server-external-addresses)";
        AddressPrivate "address-private", "An address is reached only within its private network.",
            "check that the other side is in that network, or have a token made with another address";
        NoCaHash "no-ca-hash", "Nothing in the token says who the server is: whoever answers is believed.",
            "use the full token of the server, K10…, from /var/lib/rancher/k3s/server/token";
        ExpiresAt "expires-at", "The end of the token cannot be read, so that whoever uses it takes it for endless.",
            "ask whoever made it when it ends, or have a new one made";
        SystemRoots "system-roots", "There is no CA: the server is checked against the roots of the system.",
            "see that the server has a certificate that every system trusts, or have a new token made";
        UrlPlaintext "url-plaintext", "The URL where the token is exchanged is not one of https.",
            "have a new token made with a URL of https";
        SeveralTokens "several-tokens", "There are different tokens, of which only one was read.",
            "give only the one that is meant; of peering tokens for one peer the last that was made is good";
    }
    Note {
        ExpiresSoon "expires-soon", "The token ends within ten minutes.", "use it now, or have a new one made";
        LifeUnknown "life-unknown", "When the token ends is not in it.", "ask whoever made it";
        RoleUnknown "role-unknown", "What the token makes of a node is not in it.", "ask whoever made it";
        PinApart "pin-apart", "What vouches for the server is not in the token.",
            "join with --discovery-token-ca-cert-hash too, as kubeadm token create --print-join-command prints it";
        Fips "fips", "The token demands FIPS mode.", "join with an engine in FIPS mode";
        OtherKind "other-kind", "It is no peering token.", "give it to the program that it is for";
        AddressDuplicate "address-duplicate", "An address comes more than once.",
            "nothing; it is only dialed more often";
        ManualOnly "manual-only", "Only the manual addresses are dialed, the automatic ones are not.",
            "nothing, if the manual addresses are meant";
        TokenId "token-id", "The token's id is no UUID and is ignored.",
            "nothing, unless you meant to revoke the token by it";
        PastedUtf16 "pasted-utf16", "The text was UTF-16.", "nothing; it was read as if it were UTF-8";
        PastedInvisible "pasted-invisible", "Characters that nobody sees were taken out.",
            "nothing; the token was read without them";
        PastedBlanks "pasted-blanks", "Line breaks or blanks within the token were taken out.",
            "nothing; the token was read without them";
        PastedQuotes "pasted-quotes", "Quotes around the token, or marks of quoted lines, were taken off.",
            "nothing; the token was read without them";
        PastedBefore "pasted-before", "Text before the token was left out.", "nothing; the token was read without it";
        PastedAfter "pasted-after", "Text after the token was left out.", "nothing; the token was read without it";
        PastedJson "pasted-json", "The token was taken out of a JSON object.", "nothing; the token was read by itself";
        PastedPadding "pasted-padding", "The = signs at the end were missing and were put back.",
            "nothing; the token was read with them";
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const DOCUMENT: &str = include_str!("../../../../docs/findings.md");

    #[test]
    fn the_document_is_the_table_of_codes() {
        let mut table = String::from("| code | severity | means | what to do |\n|---|---|---|---|\n");
        for code in Code::ALL {
            let (name, severity) = (code.as_str(), code.severity().as_str());
            table.push_str(&format!("| `{name}` | {severity} | {} | {} |\n", code.meaning(), code.next_step()));
        }
        assert!(DOCUMENT.ends_with(&format!("\n\n{table}")), "docs/findings.md should end in:\n{table}");
    }

    #[test]
    fn codes_are_single_and_the_worst_come_first() {
        let names: HashSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(Code::ALL.is_sorted_by_key(|code| code.severity()));
        let is_plain = |name: &str| name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-');
        assert!(names.into_iter().all(is_plain));
    }
}
