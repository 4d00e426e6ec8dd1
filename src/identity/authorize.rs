//! The authorization endpoint's deeds: take up a request, show it to whoever is signed in, answer it.
//!
//! A request is checked once and kept; the browser carries only its reference. It is used up by the answer, not by
//! being looked at (FA-07); the page is used up by being sent (OA-47).

use std::sync::Arc;

use super::grant::Grants;
use super::patients::Identifier;
use super::picker::{Namer, Picker};
use super::request::{AuthorizationRequest, NotAsked, Prompt, Wish};
use super::scopes::{self, For};
use super::session::{Person, Sessions, SignedIn, Who};
use super::software::ClientProof;
use super::ticket::Ticket;
use super::voucher::{Kind, Voucher, Vouchers};
use super::{Issuer, Refusal};
use crate::directory::Client;
use crate::id::{OrganisationId, PatientId};
use crate::json::{self, Limits};
use crate::model::{ClinicalScope, Purpose};
use crate::proof::Thumbprint;

/// What every reference to a pushed request begins with (RFC 9126 §2.2).
pub const REQUEST_URI: &str = "urn:ietf:params:oauth:request_uri:";
/// How long a pushed request waits for its browser, in seconds.
pub const REQUEST_SECONDS: i64 = 90;
/// How long one that has come to a browser waits for its answer, in seconds: people sign in meanwhile.
const ANSWER_SECONDS: i64 = 600;
/// How long a code lives, in seconds (SM-15, FA-12).
pub const CODE_SECONDS: i64 = 60;
/// How long a grant lives that outlives its session, in seconds.
pub const OFFLINE_SECONDS: i64 = 90 * 86_400;
/// The level of authentication that is asked for is not reached (OpenID Connect Core Unmet Authentication Requirements).
const UNMET: &str = "unmet_authentication_requirements";
/// How many patients a professional may name in vain before the request is over.
const MOST_TRIES: i64 = 5;

/// Takes up and answers authorization requests, and makes tokens for what was answered.
pub struct Authorizer {
    /// Believes software, makes tokens.
    pub issuer: Arc<Issuer>,
    /// Who is signed in.
    pub sessions: Arc<Sessions>,
    /// Secrets given out.
    pub vouchers: Vouchers,
    /// What was allowed.
    pub grants: Arc<Grants>,
    /// Finds patients by consent.
    pub picker: Picker,
    /// The URL of the PAR endpoint, to which proofs of possession are bound.
    pub par_url: String,
    /// The levels at which people can be identified here; empty: any that a provider says.
    pub acr: Vec<String>,
}

/// What happens next in the browser.
#[derive(Debug)]
pub enum Visit {
    /// The person must be identified first.
    SignIn {
        /// Though they are signed in.
        anew: bool,
        /// As surely as any of these says, parted by spaces; empty: at all.
        acr: String,
    },
    /// The person is asked.
    Ask(Box<Page>),
}

/// What the person is asked, in terms of which a page is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// The page's own secret, sent back with the answer.
    pub token: String,
    /// The software's public name.
    pub client: String,
    /// Its organisation's public name.
    pub organisation: String,
    /// The professional who is signed in; `None` for a patient.
    pub professional: Option<String>,
    /// What a professional asks for it.
    pub purpose: Purpose,
    /// Clinical scopes that may be granted; the person may leave some out.
    pub scopes: Vec<String>,
    /// Whether a patient is to be named.
    pub names_patient: bool,
    /// Whether the patient named last cannot be chosen.
    pub named_in_vain: bool,
    /// Whether the grant outlives the session.
    pub outlives: bool,
    /// Where the answer goes.
    pub redirect: String,
}

/// What the person answered.
#[derive(Clone, Debug, Default)]
pub struct Reply<'r> {
    /// The page's secret.
    pub token: &'r str,
    /// Whether they allow it.
    pub allow: bool,
    /// The scopes they left ticked.
    pub scopes: Vec<&'r str>,
    /// The patient they named.
    pub patient: Option<Identifier>,
}

/// What comes of an answer.
#[derive(Debug)]
pub enum Answered {
    /// A code for the client.
    Code {
        /// Where to.
        redirect: String,
        /// The code.
        code: String,
        /// `state`
        state: Option<String>,
    },
    /// The same question once more.
    Again(Box<Page>),
}

/// What a page stands for.
struct Shown {
    request: String,
    session: [u8; 32],
    offered: String,
    tries: i64,
}

impl Authorizer {
    /// Takes a request from software that shows who it is (RFC 9126); gives its `request_uri`.
    ///
    /// # Errors
    /// [`Refusal`].
    pub async fn push(
        &self,
        proof: &ClientProof<'_>,
        dpop: Option<&str>,
        request: &AuthorizationRequest<'_>,
    ) -> Result<String, Refusal> {
        let believed = self.issuer.believe(proof).await?;
        // FA-46: a proof here binds the code, and must not contradict `dpop_jkt`.
        let key = match dpop {
            Some(_) => self.issuer.possession(dpop, believed.client.profile, &self.par_url).await?,
            None => None,
        };
        self.issuer.spend(&believed).await?;
        if request.request_uri.is_some() {
            return Err(Refusal::Request("request_uri in a pushed request"));
        }
        let now = self.issuer.clock.now();
        let mut wish = request.check(&believed.client, true, &self.issuer.audience, now).map_err(|not| match not {
            NotAsked::Here(word) => Refusal::Request(word),
            NotAsked::Back { error, .. } => Refusal::Pushed(error),
            NotAsked::Unavailable => Refusal::Unavailable,
        })?;
        if let Some(key) = key {
            if wish.bound_to.is_some_and(|said| said != key) {
                return Err(Refusal::Proof("dpop_jkt is another key"));
            }
            wish.bound_to = Some(key);
        }
        if !self.reaches(&wish) {
            return Err(Refusal::Pushed(UNMET));
        }
        self.keep(&wish).await
    }

    /// Takes a request that a browser brought; gives its `request_uri`.
    ///
    /// # Errors
    /// [`NotAsked`].
    pub async fn take(&self, request: &AuthorizationRequest<'_>) -> Result<String, NotAsked> {
        let client = self.named(request.client_id).await?;
        let wish = request.check(&client, false, &self.issuer.audience, self.issuer.clock.now())?;
        if !self.reaches(&wish) {
            return Err(wish.back(UNMET));
        }
        self.keep(&wish).await.map_err(|_| NotAsked::Unavailable)
    }

    /// Whether anybody here could be identified as surely as is asked.
    fn reaches(&self, wish: &Wish) -> bool {
        let known = |acr| self.acr.iter().any(|known| known == acr);
        wish.acr.is_empty() || self.acr.is_empty() || wish.acr.split(' ').any(known)
    }

    async fn keep(&self, wish: &Wish) -> Result<String, Refusal> {
        let until = wish.made.plus_secs(REQUEST_SECONDS);
        let secret = self.vouchers.give(Kind::Request, None, &wish.to_text(), until).await?;
        Ok(format!("{REQUEST_URI}{secret}"))
    }

    /// Shows a kept request to whoever is signed in.
    ///
    /// # Errors
    /// [`NotAsked`].
    pub async fn visit(
        &self,
        client_id: Option<&str>,
        request_uri: &str,
        cookie: Option<&str>,
    ) -> Result<Visit, NotAsked> {
        let client = self.named(client_id).await?;
        let secret = request_uri.strip_prefix(REQUEST_URI).ok_or(NotAsked::Here("request_uri"))?;
        let (voucher, wish) = self.kept(secret).await?;
        if wish.client != client.id {
            tracing::warn!(target: "garant::security", client = %client.id, "a request_uri of another client");
            return Err(NotAsked::Here("request_uri of another client"));
        }
        still_enrolled(&client, &wish)?;
        let signed = match cookie {
            Some(cookie) => self.sessions.current(cookie).await.map_err(|_| NotAsked::Unavailable)?,
            None => None,
        };
        let now = self.issuer.clock.now();
        let (fits, sure) = match &signed {
            Some(signed) => (wish.is_fresh(signed, now) && wish.is_sure(signed), wish.is_sure(signed)),
            None => (false, true),
        };
        // Whoever comes from signing in for this very request cannot do better: sent again, they would go in circles.
        if signed.as_ref().is_some_and(|signed| signed.since >= wish.made && !sure) {
            return Err(wish.back(UNMET));
        }
        let anew = signed.is_some() || wish.prompt == Prompt::Login || wish.max_age.is_some();
        match (signed.filter(|_| fits), wish.prompt) {
            (None, Prompt::None) => Err(wish.back("login_required")),
            (Some(_), Prompt::None) => Err(wish.back("interaction_required")),
            (None, Prompt::Any | Prompt::Login) => {
                let until = wish.made.plus_secs(ANSWER_SECONDS);
                self.vouchers.prolong(&voucher, until).await.map_err(|_| NotAsked::Unavailable)?;
                Ok(Visit::SignIn { anew, acr: wish.acr })
            }
            (Some(signed), Prompt::Any | Prompt::Login) => {
                let until = wish.made.plus_secs(ANSWER_SECONDS);
                self.vouchers.prolong(&voucher, until).await.map_err(|_| NotAsked::Unavailable)?;
                Ok(Visit::Ask(Box::new(self.page(secret, &wish, &client, &signed, 0).await?)))
            }
        }
    }

    /// Answers a request as the person said.
    ///
    /// # Errors
    /// [`NotAsked`]; `access_denied` when they do not allow it.
    pub async fn answer(&self, reply: &Reply<'_>, cookie: Option<&str>) -> Result<Answered, NotAsked> {
        let unavailable = |_| NotAsked::Unavailable;
        let page = self.vouchers.find(Kind::Page, reply.token).await.map_err(unavailable)?;
        let page = page.filter(|page| !page.used).ok_or(NotAsked::Here("page unknown or sent before"))?;
        let shown = Shown::parse(&page.body).ok_or(NotAsked::Unavailable)?;
        let signed = match cookie {
            Some(cookie) => self.sessions.current(cookie).await.map_err(|_| NotAsked::Unavailable)?,
            None => None,
        };
        // The page belongs to the session it was shown in: nobody answers for somebody else (OA-47).
        let signed = signed.filter(|s| s.session == shown.session).ok_or(NotAsked::Here("page of another session"))?;
        if !self.vouchers.spend(&page).await.map_err(unavailable)? {
            return Err(NotAsked::Here("page sent before"));
        }
        let (request, wish) = self.kept(&shown.request).await?;
        let client = self.issuer.client(wish.client).await.map_err(|_| NotAsked::Here("client"))?;
        still_enrolled(&client, &wish)?;
        if !reply.allow {
            self.use_up(&request).await?;
            return Err(wish.back("access_denied"));
        }
        // Only what the page offered can be left ticked (O32); words without a box stay.
        let is_left = |s: &&str| !s.contains('/') || *s == "launch/patient" || reply.scopes.contains(s);
        let chosen = shown.offered.split(' ').filter(is_left).collect::<Vec<_>>().join(" ");
        let Some((patient, granted)) = self.settle(&chosen, &client, &wish, &signed, reply).await? else {
            if shown.tries + 1 >= MOST_TRIES {
                self.use_up(&request).await?;
                return Err(wish.back("access_denied"));
            }
            let again = self.page(&shown.request, &wish, &client, &signed, shown.tries + 1).await?;
            return Ok(Answered::Again(Box::new(again)));
        };
        self.use_up(&request).await?;
        if !speaks(&granted) {
            return Err(wish.back("access_denied"));
        }
        let code = self.grant(&wish, &client, &signed, patient, granted.join(" ")).await?;
        Ok(Answered::Code { redirect: wish.redirect, code, state: wish.state })
    }

    /// Whose record, and which scopes; `None` when the patient named cannot be chosen.
    async fn settle(
        &self,
        chosen: &str,
        client: &Client,
        wish: &Wish,
        signed: &SignedIn,
        reply: &Reply<'_>,
    ) -> Result<Option<(Option<PatientId>, Vec<String>)>, NotAsked> {
        let professional = match &signed.who {
            Who::Patient(id) => {
                let granted = scopes::granted(chosen, &client.scopes, For::Patient);
                return Ok(Some((Some(*id), granted)));
            }
            Who::Professional(professional) => professional,
        };
        if !names_patient(&wish.scope) {
            return Ok(Some((None, scopes::granted(chosen, &client.scopes, For::Everyone))));
        }
        let Some(identifier) = &reply.patient else { return Ok(None) };
        let (organisation, purpose) = (client.organisation, wish.purpose);
        let namer = Namer { client: client.id, organisation, professional, purpose };
        let picked = self.picker.pick(identifier, &namer).await.map_err(|_| NotAsked::Unavailable)?;
        let Some((patient, consented)) = picked else { return Ok(None) };
        Ok(Some((Some(patient), scopes::granted(chosen, &client.scopes, For::OnePatient(&consented)))))
    }

    /// Writes the grant and gives a code for it.
    async fn grant(
        &self,
        wish: &Wish,
        client: &Client,
        signed: &SignedIn,
        patient: Option<PatientId>,
        scope: String,
    ) -> Result<String, NotAsked> {
        let now = self.issuer.clock.now();
        let outlives = outlives(&scope);
        let until = if outlives { now.plus_secs(OFFLINE_SECONDS) } else { signed.until };
        let (person, purpose) = match &signed.who {
            Who::Patient(id) => (Person::Patient(*id), Purpose::Patrqt),
            Who::Professional(p) => (Person::Professional(p.id), wish.purpose),
        };
        let grant = self.grants.allow(client.id, person, (signed.session, outlives), until).await;
        let grant = grant.map_err(|_| NotAsked::Unavailable)?;
        let ticket = Ticket {
            client: client.id,
            person,
            organisation: client.organisation,
            purpose,
            patient,
            scope,
            bound_to: wish.bound_to,
            nonce: wish.nonce.clone(),
            auth_time: signed.auth_time,
            acr: signed.acr.clone(),
            session: signed.session,
            outlives,
            until,
            redirect: wish.redirect.clone(),
            challenge: wish.challenge.clone(),
        };
        let until = now.plus_secs(CODE_SECONDS);
        let code = self.vouchers.give(Kind::Code, Some(grant), &ticket.to_text(), until).await;
        code.map_err(|_| NotAsked::Unavailable)
    }

    /// Writes a page for this person and keeps what it stands for.
    async fn page(
        &self,
        request: &str,
        wish: &Wish,
        client: &Client,
        signed: &SignedIn,
        tries: i64,
    ) -> Result<Page, NotAsked> {
        let names_patient = names_patient(&wish.scope) && matches!(signed.who, Who::Professional(_));
        let (professional, who) = match &signed.who {
            Who::Patient(_) => (None, For::Patient),
            Who::Professional(p) if !p.organisations.contains(&client.organisation) => {
                tracing::warn!(target: "garant::security", client = %client.id, "a professional of another organisation");
                return Err(wish.back("access_denied"));
            }
            // What consents allow is asked when a patient is named.
            Who::Professional(p) if names_patient => (Some(p.name.clone()), For::OnePatient(&client.scopes)),
            Who::Professional(p) => (Some(p.name.clone()), For::Everyone),
        };
        let offered = scopes::granted(&wish.scope, &client.scopes, who);
        if !speaks(&offered) {
            return Err(wish.back("invalid_scope"));
        }
        let shown = Shown { request: request.to_owned(), session: signed.session, offered: offered.join(" "), tries };
        let until = wish.made.plus_secs(ANSWER_SECONDS);
        let token = self.vouchers.give(Kind::Page, None, &shown.to_text(), until).await;
        Ok(Page {
            token: token.map_err(|_| NotAsked::Unavailable)?,
            client: client.name.clone(),
            organisation: self.organisation(client.organisation).await?,
            professional,
            purpose: wish.purpose,
            scopes: offered.iter().filter(|s| is_clinical(s)).cloned().collect(),
            names_patient,
            named_in_vain: tries > 0,
            outlives: outlives(&shown.offered),
            redirect: wish.redirect.clone(),
        })
    }

    async fn organisation(&self, id: OrganisationId) -> Result<String, NotAsked> {
        let row = self.issuer.store.party(id.as_bytes()).await.map_err(|_| NotAsked::Unavailable)?;
        let party = row.and_then(|row| self.issuer.register.check(&row).ok()).ok_or(NotAsked::Unavailable)?;
        party.organisation().map(|o| o.name.clone()).map_err(|_| NotAsked::Unavailable)
    }

    async fn named(&self, client_id: Option<&str>) -> Result<Client, NotAsked> {
        let id = client_id.and_then(|id| id.parse().ok()).ok_or(NotAsked::Here("client_id"))?;
        self.issuer.client(id).await.map_err(|refusal| {
            if matches!(refusal, Refusal::Unavailable) { NotAsked::Unavailable } else { NotAsked::Here("client") }
        })
    }

    /// The request under this secret that nobody has answered yet.
    async fn kept(&self, secret: &str) -> Result<(Voucher, Wish), NotAsked> {
        let voucher = self.vouchers.find(Kind::Request, secret).await.map_err(|_| NotAsked::Unavailable)?;
        let voucher = voucher.filter(|v| !v.used).ok_or(NotAsked::Here("request unknown, over or answered"))?;
        let wish = Wish::parse(&voucher.body).ok_or(NotAsked::Unavailable)?;
        Ok((voucher, wish))
    }

    async fn use_up(&self, request: &Voucher) -> Result<(), NotAsked> {
        match self.vouchers.spend(request).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(NotAsked::Here("request answered before")),
            Err(_) => Err(NotAsked::Unavailable),
        }
    }
}

impl Shown {
    fn to_text(&self) -> String {
        serde_json::json!({
            "request": self.request, "session": Thumbprint(self.session).to_string(), "offered": self.offered,
            "tries": self.tries,
        })
        .to_string()
    }

    fn parse(text: &str) -> Option<Self> {
        let tree = json::parse(text.as_bytes(), Limits { bytes: 64 * 1024, ..Limits::TOKEN }).ok()?;
        Some(Self {
            request: tree.text_of("request")?.to_owned(),
            session: tree.text_of("session")?.parse::<Thumbprint>().ok()?.0,
            offered: tree.text_of("offered")?.to_owned(),
            tries: tree.int_of("tries")?,
        })
    }
}

/// The register may have changed since the request was made.
fn still_enrolled(client: &Client, wish: &Wish) -> Result<(), NotAsked> {
    if client.redirects.contains(&wish.redirect) { Ok(()) } else { Err(NotAsked::Here("redirect_uri")) }
}

/// Whether one patient is meant by a professional's request.
fn names_patient(scope: &str) -> bool {
    scope.split(' ').any(|s| s.starts_with("patient/") || s == "launch/patient")
}

fn is_clinical(scope: &str) -> bool {
    scope.split_once('/').is_some_and(|(_, rest)| rest.parse::<ClinicalScope>().is_ok())
}

/// Whether anything is left that a token could be for.
fn speaks(scopes: &[String]) -> bool {
    scopes.iter().any(|s| s == "openid" || is_clinical(s))
}

/// Whether the grant goes on when the session is over; whoever asks for both gets the shorter.
fn outlives(scope: &str) -> bool {
    let has = |word| scope.split(' ').any(|s| s == word);
    has("offline_access") && !has("online_access")
}
