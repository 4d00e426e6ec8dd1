//! Codes and refresh tokens become tokens (RFC 6749 §4.1.3, §6; RFC 7636 §4.6; RFC 9700 §4.14).

use ring::digest::{SHA256, digest};

use super::authorize::Authorizer;
use super::bearer::LONGEST_SECONDS;
use super::issue::{Issued, PROFESSIONS, Refusal, TokenRequest};
use super::scopes;
use super::session::{Person, Who};
use super::software::Believed;
use super::ticket::Ticket;
use super::voucher::{Kind, Voucher};
use crate::directory::Client;
use crate::id::GrantId;
use crate::model::{ClinicalScope, Coding};
use crate::proof::{AccessToken, Behind, Iua, Thumbprint, base64url};

impl Authorizer {
    /// Answers a token request of any kind.
    ///
    /// # Errors
    /// [`Refusal`]; nothing is said about why.
    pub async fn token(&self, request: TokenRequest<'_>) -> Result<Issued, Refusal> {
        match request.grant_type {
            "client_credentials" => self.issuer.issue(request).await,
            "authorization_code" => self.redeem(request).await,
            "refresh_token" => self.refresh(request).await,
            _ => Err(Refusal::Grant),
        }
    }

    async fn redeem(&self, request: TokenRequest<'_>) -> Result<Issued, Refusal> {
        let (believed, key) = self.show(&request).await?;
        let code = request.code.ok_or(Refusal::Request("code"))?;
        let voucher =
            self.vouchers.find(Kind::Code, code).await?.ok_or(Refusal::InvalidGrant("code unknown or over"))?;
        let (grant, ticket) = opened(&voucher)?;
        if ticket.client != believed.client.id {
            tracing::warn!(target: "garant::security", client = %believed.client.id, "a code of another client");
            return Err(Refusal::InvalidGrant("code of another client"));
        }
        self.stands(grant, &believed.client).await?;
        // Used up before anything else is looked at: a guess at the verifier costs the code.
        self.spend_or_end(&voucher, grant, "a code was used twice").await?;
        if let Err(refusal) = redeems(&ticket, &request, key) {
            self.grants.end(grant).await.map_err(|_| Refusal::Unavailable)?;
            return Err(refusal);
        }
        let scope = ticket.scope.clone();
        self.tokens(&believed.client, ticket, scope, (grant, key), true).await
    }

    async fn refresh(&self, request: TokenRequest<'_>) -> Result<Issued, Refusal> {
        let (believed, key) = self.show(&request).await?;
        let client = &believed.client;
        let token = request.refresh_token.ok_or(Refusal::Request("refresh_token"))?;
        let found = self.vouchers.find(Kind::Refresh, token).await?;
        let voucher = found.ok_or(Refusal::InvalidGrant("refresh token unknown or over"))?;
        let (grant, ticket) = opened(&voucher)?;
        if ticket.client != client.id {
            tracing::warn!(target: "garant::security", client = %client.id, "a refresh token of another client");
            return Err(Refusal::InvalidGrant("refresh token of another client"));
        }
        if ticket.bound_to.is_some() && ticket.bound_to != key {
            return Err(Refusal::InvalidGrant("bound to another key"));
        }
        let scope = if request.scope.is_empty() {
            ticket.scope.clone()
        } else {
            scopes::narrowed(&ticket.scope, request.scope).ok_or(Refusal::Scope)?
        };
        if !ticket.outlives {
            let standing = self.sessions.standing(&ticket.session).await.map_err(|_| Refusal::Unavailable)?;
            standing.ok_or(Refusal::InvalidGrant("session over"))?;
        }
        self.stands(grant, client).await?;
        // Only a public client's token changes hands each time; a confidential one proves itself (CF-05, FA-19).
        let rotates = client.is_public();
        if rotates {
            self.spend_or_end(&voucher, grant, "a refresh token was used twice").await?;
        }
        self.tokens(client, ticket, scope, (grant, key), rotates).await
    }

    /// Software that shows who it is and, where it must, that it holds a key.
    async fn show(&self, request: &TokenRequest<'_>) -> Result<(Believed, Option<Thumbprint>), Refusal> {
        let believed = self.issuer.believe(&request.proof()).await?;
        let url = &self.issuer.token_url;
        let key = self.issuer.possession(request.dpop, believed.client.profile, url).await?;
        self.issuer.spend(&believed).await?;
        Ok((believed, key))
    }

    /// Asked before a secret is used up, never after: of many uses at once one must win, though the others end what
    /// it wins (P48).
    async fn stands(&self, grant: GrantId, client: &Client) -> Result<(), Refusal> {
        match self.grants.stands(grant, client.id).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(Refusal::InvalidGrant("grant ended")),
            Err(_) => Err(Refusal::Unavailable),
        }
    }

    /// Uses a secret up; whoever comes second ends everything that came of it (OA-42, OA-43).
    async fn spend_or_end(&self, voucher: &Voucher, grant: GrantId, word: &'static str) -> Result<(), Refusal> {
        if !voucher.used && self.vouchers.spend(voucher).await? {
            return Ok(());
        }
        tracing::warn!(target: "garant::security", %grant, word, "the grant was ended");
        self.grants.end(grant).await.map_err(|_| Refusal::Unavailable)?;
        Err(Refusal::InvalidGrant(word))
    }

    async fn tokens(
        &self,
        client: &Client,
        ticket: Ticket,
        scope: String,
        (grant, key): (GrantId, Option<Thumbprint>),
        refreshes: bool,
    ) -> Result<Issued, Refusal> {
        let who = self.sessions.who(ticket.person).await.map_err(|_| Refusal::Unavailable)?;
        let who = who.ok_or(Refusal::InvalidGrant("nobody any more"))?;
        let now = self.issuer.now_in_seconds();
        let scope = still_enrolled(&scope, &client.scopes);
        let subject = match ticket.person {
            Person::Patient(id) => id.to_string(),
            Person::Professional(id) => id.to_string(),
        };
        let token = AccessToken {
            issuer: self.issuer.issuer.clone(),
            audience: self.issuer.audience.clone(),
            subject,
            client: client.id,
            issued: now,
            expires: now.plus_secs(LONGEST_SECONDS).min(crate::clock::Timestamp::from_secs(ticket.until.secs())),
            id: self.issuer.token_id()?,
            scope,
            patient: ticket.patient,
            bound_to: key,
            iua: iua(&who, &ticket)?,
            person: Some(Behind { grant, authenticated: ticket.auth_time, acr: acr(&ticket) }),
        };
        let mut issued = self.issuer.sign(&token)?;
        issued.patient = ticket.patient.filter(|_| ticket.has("launch/patient") || ticket.scope.contains("patient/"));
        if token.scope.split(' ').any(|s| s == "openid") {
            issued.id_token = Some(self.issuer.id_token(&token, &ticket)?);
        }
        if refreshes && (ticket.has("offline_access") || ticket.has("online_access")) {
            let bound_to = key.filter(|_| client.is_public());
            let until = ticket.until;
            let (redirect, challenge) = (String::new(), String::new());
            let ticket = Ticket { bound_to, redirect, challenge, ..ticket };
            issued.refresh = Some(self.vouchers.give(Kind::Refresh, Some(grant), &ticket.to_text(), until).await?);
        }
        Ok(issued)
    }
}

/// The grant and the ticket that a voucher holds.
pub(super) fn opened(voucher: &Voucher) -> Result<(GrantId, Ticket), Refusal> {
    let grant = voucher.family.ok_or(Refusal::InvalidGrant("no grant"))?;
    let ticket = Ticket::parse(&voucher.body).ok_or(Refusal::InvalidGrant("malformed"))?;
    Ok((grant, ticket))
}

/// Whether a code comes from where it was sent, by whoever asked for it.
fn redeems(ticket: &Ticket, request: &TokenRequest<'_>, key: Option<Thumbprint>) -> Result<(), Refusal> {
    if request.redirect_uri != Some(ticket.redirect.as_str()) {
        return Err(Refusal::InvalidGrant("redirect_uri"));
    }
    // RFC 7636 §4.1; an absent verifier is a wrong one (O05).
    let verifier = request.verifier.filter(|v| (43..=128).contains(&v.len()));
    let verifier = verifier.ok_or(Refusal::InvalidGrant("code_verifier"))?;
    if base64url::encode(digest(&SHA256, verifier.as_bytes()).as_ref()) != ticket.challenge {
        return Err(Refusal::InvalidGrant("code_verifier"));
    }
    if ticket.bound_to.is_some() && ticket.bound_to != key {
        return Err(Refusal::InvalidGrant("bound to another key"));
    }
    Ok(())
}

/// Those of the scopes granted that the client is still enrolled for.
fn still_enrolled(scope: &str, enrolled: &[ClinicalScope]) -> String {
    let stands = |text: &&str| {
        let clinical = text.split_once('/').and_then(|(_, rest)| rest.parse::<ClinicalScope>().ok());
        clinical.is_none_or(|scope| enrolled.iter().any(|e| scope.within(e)))
    };
    scope.split(' ').filter(stands).collect::<Vec<_>>().join(" ")
}

/// Organisation, professional and purpose, as the register has them now (IU-12).
fn iua(who: &Who, ticket: &Ticket) -> Result<Iua, Refusal> {
    let mut iua = Iua { purpose: Some(ticket.purpose), ..Iua::default() };
    if let Who::Professional(person) = who {
        if !person.organisations.contains(&ticket.organisation) {
            return Err(Refusal::InvalidGrant("professional not of this organisation"));
        }
        iua.organisation = Some(ticket.organisation.to_string());
        iua.professional = Some(person.id.to_string());
        iua.role = Some(Coding { system: PROFESSIONS.to_owned(), code: person.profession.code().to_owned() });
    }
    Ok(iua)
}

fn acr(ticket: &Ticket) -> Option<String> {
    (!ticket.acr.is_empty()).then(|| ticket.acr.clone())
}
