//! The guarantor's countersignature over a patient's grant (`typ: consent+jwt`, standards §2.2).
//!
//! Only a statement that gives access has one (grant, narrow): it says what a signed statement allows, in the
//! form other systems read. A revocation is the statement alone. The token is a pointer, the row is the
//! authority (J38), and the key that signs it signs nothing else (J30).

use std::fmt::Write as _;

use super::claims::{object, only, text};
use super::jws::{self, Rules};
use super::key::Algorithm;
use super::refused::ensure;
use super::webauthn::challenge_of;
use super::write::Object;
use super::{Claims, Memo, PublicKey, Refused, Window, base64url};
use crate::clock::Timestamp;
use crate::id::{ConsentId, DeviceId, PatientId, StatementId};
use crate::json::{Node, Value};
use crate::model::{ClinicalScope, Grantee, Op, Purpose, Statement};

/// The value of `typ`.
pub const TYP: &str = "consent+jwt";

const CLAIMS: [&str; 14] =
    ["iss", "aud", "jti", "sub", "iat", "nbf", "exp", "consent", "grantee", "scope", "purpose", "stmt", "policy", "op"];

/// What a consent token says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConsentToken {
    /// `iss`, the guarantor.
    pub issuer: String,
    /// `aud`, the FHIR base URL.
    pub audience: String,
    /// `jti`, the statement it countersigns.
    pub statement: StatementId,
    /// `sub`
    pub patient: PatientId,
    /// `iat`
    pub issued: Timestamp,
    /// `nbf`
    pub from: Timestamp,
    /// `exp`
    pub to: Timestamp,
    /// `consent.id`
    pub consent: ConsentId,
    /// `consent.revision`
    pub revision: i64,
    /// `consent.hash` and `stmt.hash`: SHA-256 of the statement's bytes.
    pub statement_hash: [u8; 32],
    /// `grantee`
    pub grantee: Grantee,
    /// `scope`, as in the statement.
    pub scope: Vec<ClinicalScope>,
    /// `purpose`, as in the statement.
    pub purpose: Vec<Purpose>,
    /// `stmt.key`, the device or passkey that signed the statement.
    pub device: DeviceId,
    /// `stmt.kind`: `device` or `passkey`.
    pub kind: &'static str,
    /// `policy`, the digest of the policies in force.
    pub policy: String,
    /// `op`: `grant` or `narrow`.
    pub op: &'static str,
}

/// What a token must agree with.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'e> {
    /// Exact `iss` (J31).
    pub issuer: &'e str,
    /// Exact `aud`.
    pub audience: &'e str,
    /// Limits in time; `longest` is the policy's maximum (CT-05).
    pub window: Window,
    /// Where verified signatures are remembered.
    pub memo: Option<&'e Memo>,
}

impl ConsentToken {
    /// The token for a statement, from the exact bytes the patient signed; `None` when it gives no access or the
    /// bytes are not a statement.
    #[must_use]
    pub fn of(statement_bytes: &[u8], issuer: &str, device: DeviceId, kind: &'static str) -> Option<Self> {
        let statement = Statement::parse(statement_bytes).ok()?;
        let op = statement.op.word();
        let (Op::Grant(terms) | Op::Narrow(terms)) = statement.op else { return None };
        Some(Self {
            issuer: issuer.to_owned(),
            audience: statement.audience,
            statement: statement.id,
            patient: statement.patient,
            issued: statement.issued,
            from: terms.valid.from,
            to: terms.valid.to,
            consent: statement.consent,
            revision: statement.revision,
            statement_hash: challenge_of(statement_bytes),
            grantee: terms.grantee,
            scope: terms.scope,
            purpose: terms.purpose,
            device,
            kind,
            policy: statement.policy,
            op,
        })
    }

    /// Whether it says exactly what `statement`, read from `statement_bytes`, says, and names the key that signed it.
    #[must_use]
    pub fn agrees_with(&self, statement: &Statement, statement_bytes: &[u8], device: DeviceId, kind: &str) -> bool {
        let (Op::Grant(terms) | Op::Narrow(terms)) = &statement.op else { return false };
        let same_act = self.statement == statement.id
            && self.consent == statement.consent
            && self.revision == statement.revision
            && self.patient == statement.patient
            && self.audience == statement.audience
            && self.issued == statement.issued
            && self.policy == statement.policy
            && self.op == statement.op.word();
        let same_terms = self.grantee == terms.grantee
            && self.scope == terms.scope
            && self.purpose == terms.purpose
            && (self.from, self.to) == (terms.valid.from, terms.valid.to);
        let same_signer = self.device == device && self.kind == kind;
        same_act && same_terms && same_signer && self.statement_hash == challenge_of(statement_bytes)
    }

    /// The claims to be signed.
    #[must_use]
    pub fn to_claims_json(&self) -> String {
        let consent = Object::new()
            .text("id", &self.consent.to_string())
            .int("revision", self.revision)
            .text("hash", &hex(&self.statement_hash))
            .end();
        let stmt = Object::new()
            .text("hash", &base64url::encode(&self.statement_hash))
            .text("key", &self.device.to_string())
            .text("kind", self.kind)
            .end();
        Object::new()
            .text("iss", &self.issuer)
            .text("aud", &self.audience)
            .text("jti", &self.statement.to_string())
            .text("sub", &format!("Patient/{}", self.patient))
            .int("iat", self.issued.secs())
            .int("nbf", self.from.secs())
            .int("exp", self.to.secs())
            .json("consent", &consent)
            .text("grantee", &self.grantee.to_string())
            .list("scope", self.scope.iter().map(ToString::to_string))
            .list("purpose", self.purpose.iter().map(|p| p.code().to_owned()))
            .json("stmt", &stmt)
            .text("policy", &self.policy)
            .text("op", self.op)
            .end()
    }
}

/// Verifies a consent token: CT-01, CT-02, CT-05, CT-09, CT-13, CT-14.
///
/// # Errors
/// [`Refused`] when anything is absent, unknown, malformed, out of time or not signed by the key found.
pub fn verify(
    token: &str,
    expected: &Expected<'_>,
    keys: impl FnOnce(&str) -> Option<PublicKey>,
) -> Result<ConsentToken, Refused> {
    let verified = jws::verify(token, &Rules::of(TYP, &[Algorithm::Es256]), expected.memo, keys)?;
    let claims = verified.claims()?;
    claims.only(&CLAIMS)?;
    claims.exact("iss", expected.issuer, "iss")?;
    claims.audience(&[expected.audience], false)?;
    let (issued, from, to) = (claims.time("iat")?, claims.time("nbf")?, claims.time("exp")?);
    expected.window.holds(Some(issued), Some(from), to)?;
    let patient = claims.text("sub")?.strip_prefix("Patient/").ok_or(Refused::because("sub"))?;
    let consent = object(claims.get("consent"))?.ok_or(Refused::because("consent"))?;
    only(consent, &["id", "revision", "hash"])?;
    let stmt = object(claims.get("stmt"))?.ok_or(Refused::because("stmt"))?;
    only(stmt, &["hash", "key", "kind"])?;
    let statement_hash = base64url::decode_exact(text(stmt, "hash")?)?;
    ensure(text(consent, "hash")? == hex(&statement_hash), "hashes differ")?;
    Ok(ConsentToken {
        issuer: expected.issuer.to_owned(),
        audience: expected.audience.to_owned(),
        statement: parsed(claims.text("jti")?)?,
        patient: parsed(patient)?,
        issued,
        from,
        to,
        consent: parsed(text(consent, "id")?)?,
        revision: consent.int_of("revision").filter(|r| *r >= 1).ok_or(Refused::because("revision"))?,
        statement_hash,
        grantee: parsed(claims.text("grantee")?)?,
        scope: list(&claims, "scope")?,
        purpose: list(&claims, "purpose")?,
        device: parsed(text(stmt, "key")?)?,
        kind: one_of(text(stmt, "kind")?, ["device", "passkey"])?,
        policy: claims.text("policy")?.to_owned(),
        op: one_of(claims.text("op")?, ["grant", "narrow"])?,
    })
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, Refused> {
    text.parse().map_err(|_| Refused::because("claim malformed"))
}

fn one_of(text: &str, words: [&'static str; 2]) -> Result<&'static str, Refused> {
    words.into_iter().find(|w| *w == text).ok_or(Refused::because("word unknown"))
}

/// A list as in statements: not empty, sorted, no repeats, every element known (CT-13).
fn list<T: std::str::FromStr + Ord>(claims: &Claims<'_>, name: &str) -> Result<Vec<T>, Refused> {
    let Some(Node { value: Value::Array(items), .. }) = claims.get(name) else {
        return Err(Refused::because("list"));
    };
    let all: Option<Vec<T>> = items.iter().map(|n| n.as_str()?.parse().ok()).collect();
    let all = all.filter(|l| !l.is_empty() && l.windows(2).all(|w| matches!(w, [a, b] if a < b)));
    all.ok_or(Refused::because("list"))
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut out, b| {
        // Writing to a String cannot fail.
        let _infallible = write!(out, "{b:02x}");
        out
    })
}
