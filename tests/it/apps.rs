//! Software that people allow to act for them, from enrolment to tokens, without a browser.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use garant::app::House;
use garant::chance::SystemChance;
use garant::directory::{Client, Party, Profile};
use garant::id::{ClientId, OrganisationId, StatementId};
use garant::identity::{
    Answered, AuthorizationRequest, ClientProof, Identifier, Issued, Login, NotAsked, Page, Person, Refusal, Reply,
    TokenRequest, Visit,
};
use garant::proof::dpop;

use crate::cast::{Key, REDIRECT};
use crate::house::BASE;

pub const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub const STATE: &str = "af0ifjsldkj";

/// A piece of software and what it holds.
pub struct App {
    pub client: ClientId,
    /// `None`: it is public.
    pub key: Option<Key>,
    /// What its tokens are bound to.
    pub bound: Key,
    pub profile: Profile,
}

impl App {
    pub async fn enrol(house: &House, organisation: OrganisationId, profile: Profile, public: bool) -> Self {
        Self::told(house, organisation, profile, public, "").await
    }

    /// As [`App::enrol`], told at `logout` when a session is over.
    pub async fn told(
        house: &House,
        organisation: OrganisationId,
        profile: Profile,
        public: bool,
        logout: &str,
    ) -> Self {
        let client = ClientId::random(&*house.chance).unwrap();
        let key = (!public).then(Key::new);
        let party = Party::Client(Client {
            id: client,
            organisation,
            name: "App <i>".to_owned(),
            profile,
            keys: key.iter().map(|key| key.jwk.clone()).collect(),
            redirects: vec![REDIRECT.to_owned()],
            logout: logout.to_owned(),
            scopes: vec!["Condition.rs".parse().unwrap(), "Observation.rs".parse().unwrap()],
            active: true,
        });
        house.enrolments.enrol(&party).await.unwrap();
        Self { client, key, bound: Key::new(), profile }
    }

    /// A fresh assertion; empty for a public client.
    pub fn assertion(&self, house: &House) -> String {
        let Some(key) = &self.key else { return String::new() };
        let now = house.clock.now().secs();
        let (client, id) = (self.client.to_string(), fresh());
        let claims = serde_json::json!({
            "iss": client, "sub": client, "aud": house.config.issuer(), "iat": now, "exp": now + 60, "jti": id,
        });
        key.jws("JWT", "k1", claims.to_string().as_bytes())
    }

    /// A fresh proof of possession for one of our endpoints; empty where none is needed.
    pub fn proof(&self, house: &House, path: &str) -> String {
        self.proof_by(&self.bound, house, "POST", &format!("{}{path}", house.config.issuer()), None)
    }

    pub fn proof_by(&self, key: &Key, house: &House, method: &str, url: &str, token: Option<&str>) -> String {
        if self.profile == Profile::Smart {
            return String::new();
        }
        let mut claims =
            serde_json::json!({ "jti": fresh(), "htm": method, "htu": url, "iat": house.clock.now().secs() });
        if let Some(token) = token {
            claims["ath"] = dpop::token_hash(token).into();
        }
        let jwk: serde_json::Value = serde_json::from_str(&key.jwk).unwrap();
        let header = serde_json::json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk });
        key.compact(&header, claims.to_string().as_bytes())
    }

    /// Brings a request in, pushed where the profile demands it.
    pub async fn ask(&self, house: &House, scope: &str) -> Result<String, Refusal> {
        let id = self.client.to_string();
        let request = request(&id, scope);
        if self.profile == Profile::Smart {
            return Ok(house.authorizer.take(&request).await.unwrap());
        }
        let assertion = self.assertion(house);
        let proof = ClientProof { assertion_type: Some(ASSERTION), assertion: Some(&assertion), client_id: None };
        house.authorizer.push(&proof, None, &request).await
    }

    /// The page that a signed-in person sees.
    pub async fn page(&self, house: &House, reference: &str, cookie: &str) -> Page {
        match house.authorizer.visit(Some(&self.client.to_string()), reference, Some(cookie)).await.unwrap() {
            Visit::Ask(page) => *page,
            Visit::SignIn { .. } => panic!("nobody is signed in"),
        }
    }

    /// From the request to the code: the person allows everything they are shown.
    pub async fn code(&self, house: &House, cookie: &str, scope: &str, patient: Option<&Identifier>) -> String {
        let reference = self.ask(house, scope).await.unwrap();
        let page = self.page(house, &reference, cookie).await;
        self.allow(house, &page, cookie, patient).await.unwrap()
    }

    pub async fn allow(
        &self,
        house: &House,
        page: &Page,
        cookie: &str,
        patient: Option<&Identifier>,
    ) -> Result<String, NotAsked> {
        match house.authorizer.answer(&all_of(page, patient), Some(cookie)).await? {
            Answered::Code { redirect, code, state } => {
                assert_eq!((redirect.as_str(), state.as_deref()), (REDIRECT, Some(STATE)));
                Ok(code)
            }
            Answered::Again(page) => panic!("asked again: {page:?}"),
        }
    }

    /// Redeems a code as it should be.
    pub async fn redeem(&self, house: &House, code: &str) -> Result<Issued, Refusal> {
        let proof = self.proof(house, "/oauth/token");
        self.redeem_with(house, code, &proof).await
    }

    /// Redeems a code with this proof of possession, or none.
    pub async fn redeem_with(&self, house: &House, code: &str, proof: &str) -> Result<Issued, Refusal> {
        let (assertion, id) = (self.assertion(house), self.client.to_string());
        let request = TokenRequest {
            grant_type: "authorization_code",
            code: Some(code),
            redirect_uri: Some(REDIRECT),
            verifier: Some(VERIFIER),
            ..credentials(&assertion, proof, &id)
        };
        house.authorizer.token(request).await
    }

    pub async fn refresh(&self, house: &House, token: &str, scope: &str) -> Result<Issued, Refusal> {
        let (assertion, proof, id) =
            (self.assertion(house), self.proof(house, "/oauth/token"), self.client.to_string());
        let request = TokenRequest {
            grant_type: "refresh_token",
            refresh_token: Some(token),
            scope,
            ..credentials(&assertion, &proof, &id)
        };
        house.authorizer.token(request).await
    }

    /// What we are told of a token.
    pub async fn introspect(&self, house: &House, token: &str) -> serde_json::Value {
        let assertion = self.assertion(house);
        let proof = ClientProof { assertion_type: Some(ASSERTION), assertion: Some(&assertion), client_id: None };
        serde_json::from_str(&house.authorizer.introspect(&proof, Some(token)).await.unwrap()).unwrap()
    }

    pub async fn revoke(&self, house: &House, token: &str) -> Result<(), Refusal> {
        let (assertion, id) = (self.assertion(house), self.client.to_string());
        let proof = ClientProof {
            assertion_type: self.key.as_ref().map(|_| ASSERTION),
            assertion: self.key.as_ref().map(|_| assertion.as_str()),
            client_id: Some(&id),
        };
        house.authorizer.revoke(&proof, Some(token)).await
    }
}

fn credentials<'r>(assertion: &'r str, proof: &'r str, id: &'r str) -> TokenRequest<'r> {
    TokenRequest {
        assertion_type: (!assertion.is_empty()).then_some(ASSERTION),
        assertion: (!assertion.is_empty()).then_some(assertion),
        client_id: Some(id),
        dpop: (!proof.is_empty()).then_some(proof),
        ..TokenRequest::default()
    }
}

/// The answer that leaves everything ticked.
pub fn all_of<'p>(page: &'p Page, patient: Option<&Identifier>) -> Reply<'p> {
    Reply {
        token: &page.token,
        allow: true,
        scopes: page.scopes.iter().map(String::as_str).collect(),
        patient: patient.cloned(),
    }
}

/// Signs `person` in and gives the cookie.
pub async fn sign_in(house: &House, person: Person) -> String {
    let login = Login { person, auth_time: house.clock.now(), acr: "eidas2".into(), amr: vec![], provider: None };
    house.sessions.start(&login).await.unwrap().expose().clone()
}

/// The claims of a token, unverified.
pub fn claims(token: &str) -> serde_json::Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

fn fresh() -> String {
    StatementId::random(&SystemChance::new()).unwrap().to_string()
}

/// A request as software makes it.
pub fn request<'r>(id: &'r str, scope: &'r str) -> AuthorizationRequest<'r> {
    AuthorizationRequest {
        client_id: Some(id),
        redirect_uri: Some(REDIRECT),
        response_type: Some("code"),
        scope: Some(scope),
        state: Some(STATE),
        nonce: Some("n-0S6_WzA2Mj"),
        challenge: Some(CHALLENGE),
        challenge_method: Some("S256"),
        audience: Some(BASE),
        ..AuthorizationRequest::default()
    }
}
