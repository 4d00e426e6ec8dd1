//! Assertions of passkeys (WebAuthn Level 3 §7.2), with user verification always required.
//!
//! What it proves is presence of the person at the authenticator, not that they saw the text: no browser shows
//! it for us (K16, WA-15).

use ring::digest::{SHA256, digest};

use super::memo::{self, Form, Memo};
use super::refused::ensure;
use super::{PublicKey, Refused, base64url};
use crate::json::{self, Limits, Value};

/// The site whose assertions are taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Site {
    /// The relying party's identifier, a domain.
    pub rp_id: String,
    /// The exact origins; no prefix or suffix of them (WA-03).
    pub origins: Vec<String>,
}

/// A passkey as it was enrolled.
#[derive(Clone, Copy, Debug)]
pub struct Passkey<'k> {
    /// Its public key.
    pub key: PublicKey,
    /// Its credential id.
    pub credential: &'k [u8],
    /// The handle of the patient it belongs to, when one was given to the authenticator.
    pub user_handle: Option<&'k [u8]>,
    /// Where it may be used.
    pub site: &'k Site,
}

/// What an authenticator answers, exactly as received.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assertion {
    /// `rawId`
    pub credential: Vec<u8>,
    /// `response.authenticatorData`
    pub authenticator_data: Vec<u8>,
    /// `response.clientDataJSON`, never re-serialised.
    pub client_data: Vec<u8>,
    /// `response.signature`
    pub signature: Vec<u8>,
    /// `response.userHandle`
    pub user_handle: Option<Vec<u8>>,
}

/// What a verified assertion tells besides who made it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// The signature counter; 0 for synced passkeys.
    pub counter: u32,
    /// Whether the passkey is backed up, and so may live on several devices.
    pub backed_up: bool,
}

/// The longest clientDataJSON and authenticatorData that are looked at.
const LONGEST: usize = 4096;

impl Assertion {
    /// The signature counter (WebAuthn §6.1); worth something only after [`Assertion::verify`].
    #[must_use]
    pub fn counter(&self) -> Option<u32> {
        self.authenticator_data.get(33..37)?.try_into().ok().map(u32::from_be_bytes)
    }

    /// Verifies that this passkey answered this challenge: WA-01 to WA-06 and WA-12.
    ///
    /// # Errors
    /// [`Refused`] when any of them fails.
    pub fn verify(&self, challenge: &[u8], passkey: &Passkey<'_>, memo: Option<&Memo>) -> Result<Seen, Refused> {
        ensure(self.credential == passkey.credential, "credential")?;
        // Absent is allowed: an authenticator asked for one credential by its id need not tell whose it is.
        ensure(self.user_handle.is_none() || self.user_handle.as_deref() == passkey.user_handle, "user handle")?;
        ensure(self.client_data.len().max(self.authenticator_data.len()) <= LONGEST, "too long")?;
        agrees(&self.client_data, "webauthn.get", challenge, passkey.site)?;
        let (seen, flags, extensions) = head(&self.authenticator_data, passkey.site)?;
        // An assertion carries no credential data, and extensions exactly when it says so.
        ensure(flags & ATTESTED == 0 && (flags & EXTENDED != 0) != extensions.is_empty(), "authenticator data")?;
        let mut signed = self.authenticator_data.clone();
        signed.extend_from_slice(digest(&SHA256, &self.client_data).as_ref());
        memo::verify(memo, &passkey.key, Form::WebAuthn, &signed, &self.signature)?;
        Ok(seen)
    }
}

/// What a browser hands over when a passkey is made (`getAuthenticatorData()` and `clientDataJSON`).
///
/// No attestation is asked for: that the passkey is the patient's rests on the session it is enrolled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registration {
    /// `response.getAuthenticatorData()`
    pub authenticator_data: Vec<u8>,
    /// `response.clientDataJSON`, never re-serialised.
    pub client_data: Vec<u8>,
}

/// A passkey that may be enrolled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewPasskey {
    /// Its credential id.
    pub credential: Vec<u8>,
    /// Its public key, on its curve and not of small order (J21).
    pub key: PublicKey,
    /// Counter and backup.
    pub seen: Seen,
}

impl Registration {
    /// Reads a new passkey made for this site and challenge by a person who was verified (WebAuthn §7.1).
    ///
    /// # Errors
    /// [`Refused`] otherwise.
    pub fn verify(&self, challenge: &[u8], site: &Site) -> Result<NewPasskey, Refused> {
        ensure(self.client_data.len().max(self.authenticator_data.len()) <= LONGEST, "too long")?;
        agrees(&self.client_data, "webauthn.create", challenge, site)?;
        let (seen, flags, rest) = head(&self.authenticator_data, site)?;
        ensure(flags & ATTESTED != 0, "authenticator data")?;
        // Attested credential data: AAGUID, length, credential id, COSE key (WebAuthn §6.5.1).
        let (_aaguid, rest) = rest.split_at_checked(16).ok_or(MALFORMED)?;
        let [l0, l1, rest @ ..] = rest else { return Err(MALFORMED) };
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        ensure((1..=1023).contains(&length), "authenticator data")?;
        let (credential, rest) = rest.split_at_checked(length).ok_or(MALFORMED)?;
        let (key, extensions) = PublicKey::from_cose_prefix(rest)?;
        ensure((flags & EXTENDED != 0) != extensions.is_empty(), "authenticator data")?;
        Ok(NewPasskey { credential: credential.to_vec(), key, seen })
    }
}

const MALFORMED: Refused = Refused::because("authenticator data");

/// Flags of authenticatorData (WebAuthn §6.1).
const PRESENT: u8 = 0x01;
const VERIFIED: u8 = 0x04;
const BACKUP_ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const ATTESTED: u8 = 0x40;
const EXTENDED: u8 = 0x80;

fn agrees(client_data: &[u8], kind: &str, challenge: &[u8], site: &Site) -> Result<(), Refused> {
    // Members we do not know are allowed: browsers add some on purpose (WebAuthn §5.8.1).
    let data = json::parse(client_data, Limits::TOKEN).map_err(|_| Refused::because("client data"))?;
    ensure(data.text_of("type") == Some(kind), "client data type")?;
    ensure(data.text_of("challenge") == Some(&base64url::encode(challenge)), "challenge")?;
    let origin = data.text_of("origin").ok_or(Refused::because("origin"))?;
    ensure(site.origins.iter().any(|o| o == origin), "origin")?;
    let within = data.get("crossOrigin").is_none_or(|n| n.value == Value::Bool(false));
    ensure(within && data.get("topOrigin").is_none(), "cross-origin")
}

/// What every authenticatorData begins with; gives the flags and what follows.
fn head<'d>(authenticator_data: &'d [u8], site: &Site) -> Result<(Seen, u8, &'d [u8]), Refused> {
    let (rp_hash, rest) = authenticator_data.split_at_checked(32).ok_or(MALFORMED)?;
    let [flags, c0, c1, c2, c3, rest @ ..] = rest else { return Err(MALFORMED) };
    ensure(rp_hash == digest(&SHA256, site.rp_id.as_bytes()).as_ref(), "rp id")?;
    let has = |flag: u8| flags & flag != 0;
    ensure(has(PRESENT) && has(VERIFIED), "user not verified")?;
    ensure(has(BACKUP_ELIGIBLE) || !has(BACKED_UP), "backed up but not eligible")?;
    let counter = u32::from_be_bytes([*c0, *c1, *c2, *c3]);
    Ok((Seen { counter, backed_up: has(BACKED_UP) }, *flags, rest))
}

/// Whether a counter went forward: both 0 for synced passkeys, else strictly up; a copy shows here (WA-07).
///
/// # Errors
/// [`Refused`] when it stood still or went back. It belongs to login and intake, not to evidence read later.
pub fn counter_advances(stored: u32, seen: u32) -> Result<(), Refused> {
    ensure((stored == 0 && seen == 0) || seen > stored, "counter")
}

/// The challenge that binds an assertion to a statement: the hash of its exact bytes (WA-01).
#[must_use]
pub fn challenge_of(statement_bytes: &[u8]) -> [u8; 32] {
    let hash = digest(&SHA256, statement_bytes);
    let mut out = [0; 32];
    out.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
    out
}
