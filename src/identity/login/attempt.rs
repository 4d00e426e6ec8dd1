//! One attempt to sign in, as the browser keeps it between leaving for the provider and coming back.
//!
//! Nothing of it is stored: state, nonce and PKCE verifier are computed from a secret that only the browser's cookie
//! holds. Whoever comes back without that cookie comes back from somebody else's attempt (login CSRF, RFC 9700 §4.7).

use ring::hmac;

use super::Kind;
use crate::chance::{self, Chance, NoChance};
use crate::clock::Timestamp;
use crate::identity::account::InvitationTag;
use crate::proof::base64url;

/// How long a person may take at the provider, in seconds.
pub const LONGEST_ATTEMPT_SECONDS: i64 = 30 * 60;

/// An attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Attempt {
    pub(super) kind: Kind,
    pub(super) expires: Timestamp,
    pub(super) english: bool,
    pub(super) go_on: String,
    pub(super) invitation: Option<InvitationTag>,
    /// Whether the provider must ask them, though it knows them already.
    pub(super) anew: bool,
    secret: [u8; 32],
}

impl Attempt {
    /// A fresh attempt that will go on at the local path `go_on`.
    pub(super) fn new(
        (kind, anew): (Kind, bool),
        english: bool,
        go_on: String,
        invitation: Option<InvitationTag>,
        (now, chance): (Timestamp, &dyn Chance),
    ) -> Result<Self, NoChance> {
        let expires = now.plus_secs(LONGEST_ATTEMPT_SECONDS);
        Ok(Self { kind, expires, english, go_on, invitation, anew, secret: chance::bytes(chance)? })
    }

    /// Reads the cookie back.
    pub(super) fn read(cookie: &str) -> Option<Self> {
        let mut parts = cookie.split('.');
        let mut next = || parts.next();
        let secret = base64url::decode_exact(next()?).ok()?;
        let kind = match next()? {
            "patient" => Kind::Patient,
            "professional" => Kind::Professional,
            _ => return None,
        };
        let english = next()? == "en";
        let anew = next()? == "anew";
        let expires = Timestamp(next()?.parse().ok()?);
        let go_on = String::from_utf8(base64url::decode(next()?).ok()?).ok()?;
        let invitation = match next()? {
            "" => None,
            text => Some(base64url::decode_exact(text).ok()?),
        };
        next().is_none().then_some(Self { kind, expires, english, go_on, invitation, anew, secret })
    }

    /// The cookie's value.
    pub(super) fn cookie(&self) -> String {
        format!("{}.{}", base64url::encode(&self.secret), self.open())
    }

    /// All but the secret.
    fn open(&self) -> String {
        let invitation = self.invitation.map_or_else(String::new, |tag| base64url::encode(&tag));
        let (kind, language) = (self.kind.word(), if self.english { "en" } else { "fr" });
        let go_on = base64url::encode(self.go_on.as_bytes());
        let anew = if self.anew { "anew" } else { "" };
        format!("{kind}.{language}.{anew}.{}.{go_on}.{invitation}", self.expires.0)
    }

    /// Since when the person must have authenticated at the provider.
    pub(super) fn after(&self) -> Option<Timestamp> {
        self.anew.then(|| self.expires.plus_secs(LONGEST_ATTEMPT_SECONDS.saturating_neg()))
    }

    /// `state`: bound to everything in the attempt, the provider too (mix-up, RFC 9700 §4.4).
    pub(super) fn state(&self) -> String {
        self.derived("state", &self.open())
    }

    /// `nonce`
    pub(super) fn nonce(&self) -> String {
        self.derived("nonce", "")
    }

    /// PKCE's `code_verifier`, 43 characters.
    pub(super) fn verifier(&self) -> String {
        self.derived("verifier", "")
    }

    /// What names the attempt among those used up.
    pub(super) fn id(&self) -> String {
        self.derived("id", "")
    }

    fn derived(&self, what: &str, over: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.secret);
        let mut context = hmac::Context::with_key(&key);
        context.update(what.as_bytes());
        context.update(&[0]);
        context.update(over.as_bytes());
        base64url::encode(context.sign().as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;

    fn attempt(seed: u64) -> Attempt {
        let chance = SeededChance::new(seed);
        Attempt::new((Kind::Patient, true), false, "/a?b=é.".to_owned(), Some([7; 32]), (Timestamp(5), &chance))
            .unwrap()
    }

    #[test]
    fn an_attempt_comes_back_as_it_left_and_its_four_values_differ() {
        let one = attempt(1);
        assert_eq!(Attempt::read(&one.cookie()).unwrap(), one);
        let all = [one.state(), one.nonce(), one.verifier(), one.id(), attempt(2).state()];
        for (i, a) in all.iter().enumerate() {
            assert_eq!(a.len(), 43);
            assert!(all[i + 1..].iter().all(|b| a != b));
            assert!(!one.cookie().contains(a.as_str()), "the cookie shows what is sent");
        }
    }

    #[test]
    fn the_state_is_bound_to_every_part_of_the_attempt() {
        let one = attempt(1);
        let others = [
            Attempt { kind: Kind::Professional, ..one.clone() },
            Attempt { english: true, ..one.clone() },
            Attempt { anew: false, ..one.clone() },
            Attempt { expires: Timestamp(6), ..one.clone() },
            Attempt { go_on: "/b".to_owned(), ..one.clone() },
            Attempt { invitation: None, ..one.clone() },
            Attempt { secret: [0; 32], ..one.clone() },
        ];
        for other in others {
            assert_ne!(other.state(), one.state(), "{other:?}");
        }
    }

    #[test]
    fn no_text_that_is_not_an_attempt_is_read_as_one() {
        let good = attempt(1).cookie();
        for bad in
            ["", ".....", "x", &good[1..], &format!("{good}."), &format!("{good}.x"), &good.replace("patient", "admin")]
        {
            assert_eq!(Attempt::read(bad), None, "{bad}");
        }
    }
}
