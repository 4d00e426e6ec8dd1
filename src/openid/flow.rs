//! The authorization code flow with PKCE, state and nonce (OpenID Connect Core §3.1, RFC 7636, RFC 9207).

use std::time::Duration;

use openidconnect::core::{CoreAuthPrompt, CoreAuthenticationFlow, CoreClient};
use openidconnect::{
    AuthenticationContextClass, AuthorizationCode, ClientId, CsrfToken, LanguageTag, Nonce, OAuth2TokenResponse as _,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, TokenResponse as _,
};

use super::known::Metadata;
use super::{Arrival, Provider, Unproved};
use crate::clock::Timestamp;

/// What a person is sent to the provider with.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Where the answer is to come.
    pub redirect_uri: &'a str,
    /// Binds the answer to the browser that was sent.
    pub state: &'a str,
    /// Binds the ID token to it.
    pub nonce: &'a str,
    /// Binds the code to it: 43 to 128 characters.
    pub verifier: &'a str,
    /// The language of the pages, `fr` or `en`.
    pub language: &'a str,
    /// Requires an authentication after this moment.
    pub after: Option<Timestamp>,
    /// Levels of authentication that are wanted, parted by spaces; of those configured, the ones among them are asked
    /// for, or all.
    pub acr: &'a str,
}

/// How we show the provider who we are.
#[derive(Clone, Copy)]
pub enum Credential<'a> {
    /// A shared secret, sent as HTTP Basic.
    Secret(&'a str),
    /// `private_key_jwt` (RFC 7523).
    Assertion(&'a str),
}

/// The answer that came back through the browser, and what it must fit.
#[derive(Clone, Copy)]
pub struct Redeem<'a> {
    /// What was asked.
    pub ask: Ask<'a>,
    /// The code.
    pub code: &'a str,
    /// Who says to have answered, if it says so.
    pub issuer: Option<&'a str>,
    /// Who we are.
    pub credential: Credential<'a>,
    /// Claims that are needed; `userinfo` is asked for those that the ID token lacks.
    pub wanted: &'a [&'a str],
}

impl Provider {
    /// The URL to send a person to.
    ///
    /// # Errors
    /// [`Unproved`] when the provider cannot be reached.
    pub async fn authorize(&self, ask: &Ask<'_>) -> Result<String, Unproved> {
        let known = self.known().await?;
        let client = CoreClient::from_provider_metadata(Metadata::clone(&known), self.our_id(), None)
            .set_redirect_uri(redirect(ask)?);
        let (state, nonce) = (ask.state.to_owned(), ask.nonce.to_owned());
        let verifier = PkceCodeVerifier::new(ask.verifier.to_owned());
        let mut request = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .add_scopes(self.settings.scopes.iter().cloned().map(Scope::new))
            .add_ui_locale(LanguageTag::new(ask.language.to_owned()));
        let wanted = |acr: &&String| ask.acr.split(' ').any(|wanted| wanted == *acr);
        let none = !self.settings.acr.iter().any(|acr| wanted(&acr));
        for acr in self.settings.acr.iter().filter(|acr| none || wanted(acr)) {
            request = request.add_auth_context_value(AuthenticationContextClass::new(acr.clone()));
        }
        if ask.after.is_some() {
            // Either alone is enough; providers in the field heed one or the other.
            request = request.set_max_age(Duration::ZERO).add_prompt(CoreAuthPrompt::Login);
        }
        Ok(request.url().0.to_string())
    }

    /// Exchanges the code and believes the ID token, or not.
    ///
    /// # Errors
    /// [`Unproved`].
    pub async fn redeem(&self, redeem: &Redeem<'_>) -> Result<Arrival, Unproved> {
        let known = self.known().await?;
        match redeem.issuer {
            Some(issuer) if issuer == self.settings.issuer => {}
            // Another provider's answer must not be redeemed here (mix-up; O14, RFC 9207 §2.4).
            Some(_) => return Err(Unproved::refused("iss of the answer")),
            None if known.additional_metadata().authorization_response_iss_parameter_supported => {
                return Err(Unproved::refused("no iss in the answer"));
            }
            None => {}
        }
        let secret = Self::secret(&redeem.credential);
        let client = CoreClient::from_provider_metadata(Metadata::clone(&known), self.our_id(), secret)
            .set_redirect_uri(redirect(&redeem.ask)?);
        let mut request = client
            .exchange_code(AuthorizationCode::new(redeem.code.to_owned()))
            .map_err(|_| Unproved::refused("no token endpoint"))?
            .set_pkce_verifier(PkceCodeVerifier::new(redeem.ask.verifier.to_owned()));
        if let Credential::Assertion(assertion) = redeem.credential {
            request = request
                .add_extra_param("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
                .add_extra_param("client_assertion", assertion);
        }
        let answer = request.request_async(&self.fetch).await.map_err(|error| match error {
            RequestTokenError::ServerResponse(error) => Unproved::refused(format!("the code: {}", error.error())),
            RequestTokenError::Request(error) => Unproved::Unreachable(error.to_string()),
            RequestTokenError::Parse(..) => Unproved::refused("the token endpoint's answer"),
            RequestTokenError::Other(_) => Unproved::Unreachable("no answer from the token endpoint".to_owned()),
        })?;
        let token = answer.id_token().ok_or_else(|| Unproved::refused("no ID token"))?;
        let mut arrival = self.believe(token, answer.access_token(), &redeem.ask).await?;
        if redeem.wanted.iter().any(|name| !arrival.says(name)) && known.userinfo_endpoint().is_some() {
            self.ask_more(&known, &mut arrival, answer.access_token()).await?;
        }
        Ok(arrival)
    }

    pub(super) fn our_id(&self) -> ClientId {
        ClientId::new(self.settings.client_id.clone())
    }
}

fn redirect(ask: &Ask<'_>) -> Result<RedirectUrl, Unproved> {
    RedirectUrl::new(ask.redirect_uri.to_owned()).map_err(|_| Unproved::Settings("the redirect URI is not a URL"))
}
