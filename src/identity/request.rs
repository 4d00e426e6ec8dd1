//! Authorization requests: checked once, kept sealed until they are answered (RFC 6749 §4.1.1, RFC 9126, RFC 7636).

use super::session::SignedIn;
use crate::clock::Timestamp;
use crate::directory::{Client, Profile};
use crate::id::ClientId;
use crate::json::{self, Limits};
use crate::model::Purpose;
use crate::proof::{Thumbprint, base64url};

/// The parameters of an authorization request, each at most once.
#[derive(Clone, Copy, Debug, Default)]
pub struct AuthorizationRequest<'r> {
    /// `client_id`
    pub client_id: Option<&'r str>,
    /// `redirect_uri`
    pub redirect_uri: Option<&'r str>,
    /// `response_type`
    pub response_type: Option<&'r str>,
    /// `response_mode`
    pub response_mode: Option<&'r str>,
    /// `scope`
    pub scope: Option<&'r str>,
    /// `state`
    pub state: Option<&'r str>,
    /// `nonce`
    pub nonce: Option<&'r str>,
    /// `code_challenge`
    pub challenge: Option<&'r str>,
    /// `code_challenge_method`
    pub challenge_method: Option<&'r str>,
    /// `aud` (SMART)
    pub audience: Option<&'r str>,
    /// `resource` (RFC 8707)
    pub resource: Option<&'r str>,
    /// `prompt`
    pub prompt: Option<&'r str>,
    /// `max_age`
    pub max_age: Option<&'r str>,
    /// `acr_values`
    pub acr_values: Option<&'r str>,
    /// `dpop_jkt` (RFC 9449 §10)
    pub dpop_jkt: Option<&'r str>,
    /// `purpose_of_use`: a code of HL7 v3 PurposeOfUse, for professionals.
    pub purpose: Option<&'r str>,
    /// `request_uri` (RFC 9126)
    pub request_uri: Option<&'r str>,
    /// `request` (RFC 9101), which is not taken.
    pub request: Option<&'r str>,
}

/// Why a request is not taken up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotAsked {
    /// Said on a page, never to a redirect URI: who asks, or where to, is not sure (SM-11, O01). The word is for the log.
    Here(&'static str),
    /// Said to the client at its own redirect URI.
    Back {
        /// Where to.
        redirect: String,
        /// `state`
        state: Option<String>,
        /// An error code of RFC 6749 §4.1.2.1 or OpenID Connect.
        error: &'static str,
    },
    /// Something below does not answer.
    Unavailable,
}

/// A checked authorization request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Wish {
    pub(super) client: ClientId,
    pub(super) redirect: String,
    pub(super) scope: String,
    pub(super) state: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) challenge: String,
    pub(super) bound_to: Option<Thumbprint>,
    pub(super) purpose: Purpose,
    pub(super) max_age: Option<i64>,
    pub(super) prompt: Prompt,
    /// Levels of authentication, any of which will do, parted by spaces; empty: any at all.
    pub(super) acr: String,
    pub(super) made: Timestamp,
}

/// How the person may be met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Prompt {
    /// As is needed.
    Any,
    /// Identified anew.
    Login,
    /// Not at all.
    None,
}

const LONGEST_SCOPE: usize = 2048;
const LONGEST_STATE: usize = 2048;
const LONGEST_NONCE: usize = 512;
const LONGEST_ACR: usize = 256;
/// How far a provider's clock may be behind ours, in seconds.
const BEHIND_SECONDS: i64 = 10;

impl AuthorizationRequest<'_> {
    /// Checks the request of `client` against its enrolment.
    ///
    /// Where to answer is settled first: until then nothing is sent anywhere.
    pub(super) fn check(&self, client: &Client, pushed: bool, base: &str, now: Timestamp) -> Result<Wish, NotAsked> {
        let redirect = self.redirect_uri.ok_or(NotAsked::Here("redirect_uri missing"))?;
        // Byte for byte: every cleverer comparison was an open redirector once (O01, O02, SM-14).
        if !client.redirects.iter().any(|enrolled| enrolled == redirect) {
            return Err(NotAsked::Here("redirect_uri not enrolled"));
        }
        if self.response_type != Some("code") {
            return Err(NotAsked::Here("response_type"));
        }
        let state = self.state.filter(|s| s.len() <= LONGEST_STATE);
        let back = |error| NotAsked::Back { redirect: redirect.to_owned(), state: state.map(str::to_owned), error };
        if self.request.is_some() {
            return Err(back("request_not_supported"));
        }
        if client.profile == Profile::Fapi2 && !pushed {
            return Err(back("invalid_request"));
        }
        let bounded = state == self.state && self.nonce.is_none_or(|n| n.len() <= LONGEST_NONCE);
        // SMART demands a state, FAPI 2.0 must do without (IU-06, FA-11): the challenge protects there.
        let stated = state.is_some_and(|s| !s.is_empty()) || client.profile == Profile::Fapi2;
        let challenge = self.challenge.filter(|c| base64url::decode_exact::<32>(c).is_ok());
        let challenged = self.challenge_method == Some("S256") && challenge.is_some();
        if !bounded || !stated || !challenged || self.response_mode.is_some_and(|m| m != "query") {
            return Err(back("invalid_request"));
        }
        self.meant_for_us(client.profile, base).map_err(back)?;
        let scope = self.scope.filter(|s| s.len() <= LONGEST_SCOPE).ok_or_else(|| back("invalid_scope"))?;
        let optional = |wrong: bool| if wrong { Err(back("invalid_request")) } else { Ok(()) };
        let prompt = Prompt::read(self.prompt).ok_or_else(|| back("invalid_request"))?;
        let acr = self.acr_values.unwrap_or_default();
        optional(acr.len() > LONGEST_ACR)?;
        let max_age = self.max_age.map(str::parse::<i64>).transpose().map_err(|_| back("invalid_request"))?;
        optional(max_age.is_some_and(|age| age < 0))?;
        let bound_to = self.dpop_jkt.map(str::parse).transpose().map_err(|_| back("invalid_request"))?;
        let purpose = self.purpose().ok_or_else(|| back("invalid_request"))?;
        Ok(Wish {
            client: client.id,
            redirect: redirect.to_owned(),
            scope: scope.to_owned(),
            state: state.map(str::to_owned),
            nonce: self.nonce.map(str::to_owned),
            challenge: challenge.unwrap_or_default().to_owned(),
            bound_to,
            purpose,
            max_age,
            prompt,
            acr: acr.to_owned(),
            made: now,
        })
    }

    /// `aud` or `resource` must name our FHIR base; SMART demands that one of them does (SM-12).
    fn meant_for_us(&self, profile: Profile, base: &str) -> Result<(), &'static str> {
        let ours = |text: &str| text.strip_suffix('/').unwrap_or(text) == base;
        if self.audience.is_some_and(|a| !ours(a)) {
            return Err("invalid_request");
        }
        if self.resource.is_some_and(|r| !ours(r)) {
            return Err("invalid_target");
        }
        if self.audience.is_none() && self.resource.is_none() && profile == Profile::Smart {
            return Err("invalid_request");
        }
        Ok(())
    }

    /// What a professional asks for: treatment unless they say otherwise. An emergency is never asked for here, nor
    /// is a patient's own purpose (IU-11).
    fn purpose(&self) -> Option<Purpose> {
        let Some(code) = self.purpose else { return Some(Purpose::Treat) };
        let purpose: Purpose = code.parse().ok()?;
        (!matches!(purpose, Purpose::Btg | Purpose::Etreat | Purpose::Patrqt)).then_some(purpose)
    }
}

impl Prompt {
    /// Reads `prompt`: words parted by spaces; of `none`, nothing else (OpenID Connect Core §3.1.2.1). Consent is
    /// always asked for, and whoever is to choose an account signs in anew.
    fn read(text: Option<&str>) -> Option<Self> {
        let words: Vec<&str> = text.unwrap_or_default().split(' ').filter(|w| !w.is_empty()).collect();
        match words[..] {
            ["none"] => Some(Self::None),
            _ if words.iter().any(|w| !matches!(*w, "login" | "consent" | "select_account")) => None,
            _ if words.iter().any(|w| *w != "consent") => Some(Self::Login),
            _ => Some(Self::Any),
        }
    }
}

impl Wish {
    /// Whether a person is as surely identified as is asked.
    pub(super) fn is_sure(&self, signed: &SignedIn) -> bool {
        self.acr.is_empty() || self.acr.split(' ').any(|acr| acr == signed.acr)
    }

    /// Whether a person was identified as lately as is asked. Whoever came by a login of their own after the request
    /// was made is, however long they then look at the page; a login at which the provider asked nothing is none.
    pub(super) fn is_fresh(&self, signed: &SignedIn, now: Timestamp) -> bool {
        let anew = signed.since >= self.made && signed.auth_time.plus_secs(BEHIND_SECONDS) >= self.made;
        let old = self.max_age.is_some_and(|age| signed.auth_time.plus_secs(age) < now);
        anew || !(old || self.prompt == Prompt::Login)
    }

    /// The text that is sealed.
    pub(super) fn to_text(&self) -> String {
        serde_json::json!({
            "client": self.client.to_string(), "redirect": self.redirect, "scope": self.scope, "state": self.state,
            "nonce": self.nonce, "challenge": self.challenge, "jkt": self.bound_to.map(|t| t.to_string()),
            "purpose": self.purpose.code(), "max_age": self.max_age, "acr": self.acr, "made": self.made.0,
            "prompt": match self.prompt { Prompt::Any => "", Prompt::Login => "login", Prompt::None => "none" },
        })
        .to_string()
    }

    /// Reads that text back.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let limits = Limits { bytes: 64 * 1024, ..Limits::TOKEN };
        let tree = json::parse(text.as_bytes(), limits).ok()?;
        let maybe = |name| tree.text_of(name).map(str::to_owned);
        Some(Self {
            client: tree.text_of("client")?.parse().ok()?,
            redirect: maybe("redirect")?,
            scope: maybe("scope")?,
            state: maybe("state"),
            nonce: maybe("nonce"),
            challenge: maybe("challenge")?,
            bound_to: tree.text_of("jkt").map(str::parse).transpose().ok()?,
            purpose: tree.text_of("purpose")?.parse().ok()?,
            max_age: tree.int_of("max_age"),
            acr: maybe("acr")?,
            prompt: match tree.text_of("prompt")? {
                "login" => Prompt::Login,
                "none" => Prompt::None,
                _ => Prompt::Any,
            },
            made: Timestamp(tree.int_of("made")?),
        })
    }

    /// The refusal that is sent to the client.
    pub(super) fn back(&self, error: &'static str) -> NotAsked {
        NotAsked::Back { redirect: self.redirect.clone(), state: self.state.clone(), error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::OrganisationId;

    const BASE: &str = "https://garant.example/fhir";
    const REDIRECT: &str = "https://app.example/cb";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn client(profile: Profile) -> Client {
        Client {
            id: ClientId::from_bytes([1; 16]),
            organisation: OrganisationId::from_bytes([2; 16]),
            name: "App".into(),
            profile,
            keys: Vec::new(),
            redirects: vec![REDIRECT.into(), "https://app.example/other".into()],
            logout: String::new(),
            scopes: Vec::new(),
            active: true,
        }
    }

    fn good() -> AuthorizationRequest<'static> {
        AuthorizationRequest {
            redirect_uri: Some(REDIRECT),
            response_type: Some("code"),
            scope: Some("openid patient/Observation.rs"),
            state: Some("s"),
            nonce: Some("n"),
            challenge: Some(CHALLENGE),
            challenge_method: Some("S256"),
            audience: Some(BASE),
            ..AuthorizationRequest::default()
        }
    }

    fn check(request: &AuthorizationRequest<'_>) -> Result<Wish, NotAsked> {
        request.check(&client(Profile::Smart), false, BASE, Timestamp::from_secs(1))
    }

    fn error(request: &AuthorizationRequest<'_>) -> &'static str {
        match check(request) {
            Err(NotAsked::Back { error, state, .. }) => {
                assert_eq!(state.as_deref(), request.state.filter(|s| s.len() <= LONGEST_STATE));
                error
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_checked_request_reads_back_the_same() {
        let wish = check(&AuthorizationRequest {
            dpop_jkt: Some(CHALLENGE),
            max_age: Some("60"),
            acr_values: Some("eidas3 eidas2"),
            prompt: Some("login consent"),
            purpose: Some("COC"),
            resource: Some("https://garant.example/fhir/"),
            ..good()
        })
        .unwrap();
        assert_eq!((wish.purpose, wish.max_age, wish.prompt), (Purpose::Coc, Some(60), Prompt::Login));
        assert_eq!(Wish::parse(&wish.to_text()), Some(wish));
        let least = check(&AuthorizationRequest { nonce: None, ..good() }).unwrap();
        assert_eq!(Wish::parse(&least.to_text()), Some(least));
    }

    #[test]
    fn o01_o02_sm_11_nothing_is_sent_to_a_redirect_uri_that_is_not_enrolled_to_the_byte() {
        let wrong = [
            "https://app.example/cb/",
            "https://app.example/cb?x",
            "https://app.example/cb#x",
            "https://app.example/cb/../cb",
            "https://app.example//cb",
            "https://app.example:443/cb",
            "https://App.example/cb",
            "http://app.example/cb",
            "https://x@app.example/cb",
            "https://app.example\\@evil.example/cb",
            "https://app.example/cb%00",
            "https://sub.app.example/cb",
            "https://localhost.evil.example/cb",
            "",
        ];
        for redirect in wrong {
            let refused = check(&AuthorizationRequest { redirect_uri: Some(redirect), ..good() });
            assert!(matches!(refused, Err(NotAsked::Here(_))), "{redirect}");
        }
        for kind in [None, Some("token"), Some("code id_token"), Some("")] {
            let refused = check(&AuthorizationRequest { response_type: kind, ..good() });
            assert!(matches!(refused, Err(NotAsked::Here(_))), "{kind:?}");
        }
        assert!(matches!(check(&AuthorizationRequest { redirect_uri: None, ..good() }), Err(NotAsked::Here(_))));
    }

    #[test]
    fn sm_12_sm_13_o12_what_is_wrong_otherwise_goes_back_with_its_code_and_state() {
        let long = "x".repeat(LONGEST_STATE + 1);
        let cases = [
            ("invalid_request", AuthorizationRequest { challenge: None, ..good() }),
            ("invalid_request", AuthorizationRequest { challenge: Some("short"), ..good() }),
            ("invalid_request", AuthorizationRequest { challenge_method: None, ..good() }),
            ("invalid_request", AuthorizationRequest { challenge_method: Some("plain"), ..good() }),
            ("invalid_request", AuthorizationRequest { state: None, ..good() }),
            ("invalid_request", AuthorizationRequest { state: Some(&long), ..good() }),
            ("invalid_request", AuthorizationRequest { audience: None, ..good() }),
            ("invalid_request", AuthorizationRequest { audience: Some("https://other.example/fhir"), ..good() }),
            ("invalid_request", AuthorizationRequest { audience: Some("https://garant.example"), ..good() }),
            ("invalid_target", AuthorizationRequest { resource: Some("https://other.example"), ..good() }),
            ("invalid_request", AuthorizationRequest { response_mode: Some("query.jwt"), ..good() }),
            ("invalid_request", AuthorizationRequest { response_mode: Some("web_message"), ..good() }),
            ("invalid_request", AuthorizationRequest { response_mode: Some("fragment"), ..good() }),
            ("request_not_supported", AuthorizationRequest { request: Some("x.y.z"), ..good() }),
            ("invalid_request", AuthorizationRequest { prompt: Some("none login"), ..good() }),
            ("invalid_request", AuthorizationRequest { max_age: Some("-1"), ..good() }),
            ("invalid_request", AuthorizationRequest { max_age: Some("soon"), ..good() }),
            ("invalid_request", AuthorizationRequest { dpop_jkt: Some("x"), ..good() }),
            ("invalid_request", AuthorizationRequest { purpose: Some("BTG"), ..good() }),
            ("invalid_request", AuthorizationRequest { purpose: Some("PATRQT"), ..good() }),
            ("invalid_scope", AuthorizationRequest { scope: None, ..good() }),
        ];
        for (code, request) in cases {
            assert_eq!(error(&request), code, "{request:?}");
        }
    }

    #[test]
    fn oi_07_prompts_are_read_word_by_word_and_none_stands_alone() {
        let read = |text| check(&AuthorizationRequest { prompt: Some(text), ..good() }).map(|wish| wish.prompt);
        for (text, prompt) in [
            ("", Prompt::Any),
            ("consent", Prompt::Any),
            ("login", Prompt::Login),
            ("consent login", Prompt::Login),
            ("select_account", Prompt::Login),
            ("none", Prompt::None),
        ] {
            assert_eq!(read(text).unwrap(), prompt, "{text}");
        }
        for wrong in ["none login", "consent none", "create", "LOGIN", "login,consent"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn fa_02_fa_11_under_fapi2_a_request_must_be_pushed_and_needs_no_state() {
        let request = AuthorizationRequest { state: None, audience: None, ..good() };
        let check = |pushed| request.check(&client(Profile::Fapi2), pushed, BASE, Timestamp::from_secs(1));
        assert!(check(true).is_ok());
        assert!(matches!(check(false), Err(NotAsked::Back { error: "invalid_request", .. })));
    }
}
