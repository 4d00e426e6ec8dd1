//! What a patient signs: one canonical statement per act, stored and served as the bytes that were signed.

use std::fmt::Write as _;
use std::str::FromStr;

use super::label::{Confidentiality, Sensitivity};
use super::party::{Grantee, Purpose};
use super::record::Period;
use super::scope::ClinicalScope;
use crate::clock::Timestamp;
use crate::id::{ConsentId, PatientId, ProfessionalId, StatementId};
use crate::json::{self, Limits, Node, Value};

/// Why a statement cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadStatement {
    /// Not JSON as we accept it.
    #[error("the statement is not JSON: {0}")]
    Json(#[from] json::Broken),
    /// The bytes are not the canonical form of what they say.
    #[error("the statement is not in the canonical form of RFC 8785")]
    NotCanonical,
    /// A member is missing, of the wrong type, or unknown.
    #[error("the member '{0}' is missing, malformed or not known")]
    Member(&'static str),
}

/// What a consent allows, to whom, until when. All limits hold together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// Who receives access.
    pub grantee: Grantee,
    /// Which resources and interactions; not empty, sorted, unique.
    pub scope: Vec<ClinicalScope>,
    /// Exact purposes; not empty, sorted, unique.
    pub purpose: Vec<Purpose>,
    /// Highest confidentiality that flows.
    pub confidentiality: Confidentiality,
    /// Sensitive categories that flow; a record with any other is withheld. Sorted, unique, may be empty.
    pub sensitivity: Vec<Sensitivity>,
    /// Only content authored within; [`Period::ALWAYS`] when not limited. Whole seconds at both ends.
    pub authored: Period,
    /// When the access holds: from, and to which it is already over (end excluded). Whole seconds, mandatory.
    pub valid: Period,
}

impl Terms {
    /// Whether these terms allow nothing that `wider` does not.
    #[must_use]
    pub fn within(&self, wider: &Self) -> bool {
        self.grantee == wider.grantee
            && self.scope.iter().all(|s| wider.scope.iter().any(|w| s.within(w)))
            && self.purpose.iter().all(|p| wider.purpose.contains(p))
            && self.confidentiality <= wider.confidentiality
            && self.sensitivity.iter().all(|s| wider.sensitivity.iter().any(|w| w.covers(s)))
            && wider.authored.contains(&self.authored)
            && wider.valid.contains(&self.valid)
    }

    /// Whether the access holds at `moment`: dead at its second of expiry, no skew (P05).
    #[must_use]
    pub fn in_force(&self, moment: Timestamp) -> bool {
        self.valid.from <= moment && moment < self.valid.to
    }
}

/// What the statement does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// Gives access: revision 1 of a new consent.
    Grant(Terms),
    /// Replaces the terms by narrower ones.
    Narrow(Terms),
    /// Ends the consent.
    Revoke,
    /// Shuts out one professional, whatever any consent says, until lifted.
    Exclude(ProfessionalId),
    /// Ends an exclusion; it widens access, so it is signed like a grant.
    Lift,
}

impl Op {
    /// The word in the statement and in the log.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Grant(_) => "grant",
            Self::Narrow(_) => "narrow",
            Self::Revoke => "revoke",
            Self::Exclude(_) => "exclude",
            Self::Lift => "lift",
        }
    }
}

/// One act of a patient over a consent (standards WA-09).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statement {
    /// Single use.
    pub id: StatementId,
    /// The consent it makes or changes.
    pub consent: ConsentId,
    /// The revision it makes, from 1.
    pub revision: i64,
    /// Who signs.
    pub patient: PatientId,
    /// The FHIR base URL it is meant for.
    pub audience: String,
    /// When it was made, whole seconds.
    pub issued: Timestamp,
    /// The language of the text shown to the patient: `fr` or `en`.
    pub language: String,
    /// SHA-256 of the text shown, 64 hexadecimal characters.
    pub text_hash: String,
    /// Digest of the policy set in force when it was prepared, 64 hexadecimal characters.
    pub policy: String,
    /// At least 128 bits of chance, so that the hash cannot be guessed.
    pub nonce: String,
    /// What it does.
    pub op: Op,
}

impl Statement {
    /// The canonical bytes (RFC 8785) that are signed, stored and served.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Members are written in canonical order; the test below compares with the general canonicaliser.
        let mut out = String::with_capacity(640);
        let mut w = Writer { out: &mut out, first: true };
        w.open();
        w.text("aud", &self.audience);
        if let Op::Grant(t) | Op::Narrow(t) = &self.op {
            w.bound("authoredFrom", t.authored.from, i64::MIN);
            w.bound("authoredTo", t.authored.to, i64::MAX);
            w.text("confidentiality", t.confidentiality.code());
        }
        w.text("consent", &self.consent.to_string());
        match &self.op {
            Op::Grant(t) | Op::Narrow(t) => w.text("grantee", &t.grantee.to_string()),
            Op::Exclude(who) => w.text("grantee", &Grantee::Professional(*who).to_string()),
            Op::Revoke | Op::Lift => {}
        }
        w.int("iat", self.issued.secs());
        w.text("id", &self.id.to_string());
        w.text("lang", &self.language);
        w.text("nonce", &self.nonce);
        if let Op::Grant(t) | Op::Narrow(t) = &self.op {
            w.int("notAfter", t.valid.to.secs());
            w.int("notBefore", t.valid.from.secs());
        }
        w.text("op", self.op.word());
        w.text("patient", &self.patient.to_string());
        w.text("policy", &self.policy);
        if let Op::Grant(t) | Op::Narrow(t) = &self.op {
            w.list("purpose", t.purpose.iter().map(|p| p.code().to_owned()));
        }
        w.int("revision", self.revision);
        if let Op::Grant(t) | Op::Narrow(t) = &self.op {
            w.list("scope", t.scope.iter().map(ToString::to_string));
            w.list("sensitivity", t.sensitivity.iter().map(|s| s.code().to_owned()));
        }
        w.text("textHash", &self.text_hash);
        w.int("v", 1);
        out.push('}');
        out.into_bytes()
    }

    /// Reads a statement from the exact bytes that were signed.
    ///
    /// # Errors
    /// [`BadStatement`] when the bytes are not canonical, a member is missing or unknown (CT-13), a list is
    /// empty, unsorted or has a repeat, or a period is turned round.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadStatement> {
        let tree = json::parse(bytes, Limits::TOKEN)?;
        let statement = Self::read(&tree)?;
        // Whatever was not understood, reordered or written otherwise shows here: one form only.
        if statement.to_bytes() == bytes { Ok(statement) } else { Err(BadStatement::NotCanonical) }
    }

    fn read(tree: &Node<'_>) -> Result<Self, BadStatement> {
        if tree.int_of("v") != Some(1) {
            return Err(BadStatement::Member("v"));
        }
        let op = match text(tree, "op")? {
            "grant" => Op::Grant(read_terms(tree)?),
            "narrow" => Op::Narrow(read_terms(tree)?),
            "revoke" => Op::Revoke,
            "exclude" => match parsed(tree, "grantee")? {
                Grantee::Professional(who) => Op::Exclude(who),
                Grantee::Organisation(_) | Grantee::Role(..) => return Err(BadStatement::Member("grantee")),
            },
            "lift" => Op::Lift,
            _ => return Err(BadStatement::Member("op")),
        };
        let statement = Self {
            id: parsed(tree, "id")?,
            consent: parsed(tree, "consent")?,
            revision: tree.int_of("revision").filter(|r| *r >= 1).ok_or(BadStatement::Member("revision"))?,
            patient: parsed(tree, "patient")?,
            audience: text(tree, "aud")?.to_owned(),
            issued: seconds(tree, "iat")?,
            language: text(tree, "lang")?.to_owned(),
            text_hash: hex64(tree, "textHash")?,
            policy: hex64(tree, "policy")?,
            nonce: text(tree, "nonce")?.to_owned(),
            op,
        };
        if !matches!(statement.language.as_str(), "fr" | "en") {
            return Err(BadStatement::Member("lang"));
        }
        // 22 base64url characters carry 128 bits.
        if statement.nonce.len() < 22 || statement.nonce.len() > 64 {
            return Err(BadStatement::Member("nonce"));
        }
        Ok(statement)
    }
}

fn read_terms(tree: &Node<'_>) -> Result<Terms, BadStatement> {
    let valid = Period { from: seconds(tree, "notBefore")?, to: seconds(tree, "notAfter")? };
    let authored = Period {
        from: optional_seconds(tree, "authoredFrom")?.unwrap_or(Period::ALWAYS.from),
        to: optional_seconds(tree, "authoredTo")?.unwrap_or(Period::ALWAYS.to),
    };
    if valid.from >= valid.to {
        return Err(BadStatement::Member("notAfter"));
    }
    if authored.from > authored.to {
        return Err(BadStatement::Member("authoredTo"));
    }
    Ok(Terms {
        grantee: parsed(tree, "grantee")?,
        scope: some(list(tree, "scope")?, "scope")?,
        purpose: some(list(tree, "purpose")?, "purpose")?,
        confidentiality: parsed(tree, "confidentiality")?,
        sensitivity: list(tree, "sensitivity")?,
        authored,
        valid,
    })
}

fn text<'t>(tree: &'t Node<'_>, name: &'static str) -> Result<&'t str, BadStatement> {
    tree.text_of(name).filter(|t| t.len() <= 512).ok_or(BadStatement::Member(name))
}

fn parsed<T: FromStr>(tree: &Node<'_>, name: &'static str) -> Result<T, BadStatement> {
    text(tree, name)?.parse().map_err(|_| BadStatement::Member(name))
}

fn hex64(tree: &Node<'_>, name: &'static str) -> Result<String, BadStatement> {
    let hex = text(tree, name)?;
    let fits = hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if fits { Ok(hex.to_owned()) } else { Err(BadStatement::Member(name)) }
}

fn seconds(tree: &Node<'_>, name: &'static str) -> Result<Timestamp, BadStatement> {
    // Year 9999 in seconds: later moments would overflow microseconds and mean nothing.
    let fits = |s: &i64| (0..=253_402_300_799).contains(s);
    tree.int_of(name).filter(fits).map(Timestamp::from_secs).ok_or(BadStatement::Member(name))
}

fn optional_seconds(tree: &Node<'_>, name: &'static str) -> Result<Option<Timestamp>, BadStatement> {
    if tree.get(name).is_some() { seconds(tree, name).map(Some) } else { Ok(None) }
}

fn list<T: FromStr + Ord>(tree: &Node<'_>, name: &'static str) -> Result<Vec<T>, BadStatement> {
    let Some(Node { value: Value::Array(items), .. }) = tree.get(name) else {
        return Err(BadStatement::Member(name));
    };
    let read = |n: &Node<'_>| n.as_str().and_then(|t| t.parse::<T>().ok());
    let all: Option<Vec<T>> = items.iter().take(256).map(read).collect();
    let all = all.ok_or(BadStatement::Member(name))?;
    let strictly_sorted = all.windows(2).all(|w| matches!(w, [a, b] if a < b));
    if all.len() == items.len() && strictly_sorted { Ok(all) } else { Err(BadStatement::Member(name)) }
}

fn some<T>(list: Vec<T>, name: &'static str) -> Result<Vec<T>, BadStatement> {
    if list.is_empty() { Err(BadStatement::Member(name)) } else { Ok(list) }
}

struct Writer<'o> {
    out: &'o mut String,
    first: bool,
}

impl Writer<'_> {
    fn open(&mut self) {
        self.out.push('{');
    }

    fn name(&mut self, name: &str) {
        if !self.first {
            self.out.push(',');
        }
        self.first = false;
        json::quote(name, self.out);
        self.out.push(':');
    }

    fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        json::quote(value, self.out);
    }

    fn int(&mut self, name: &str, value: i64) {
        self.name(name);
        // Writing to a String cannot fail.
        let _infallible = write!(self.out, "{value}");
    }

    fn bound(&mut self, name: &str, moment: Timestamp, open: i64) {
        if moment.0 != open {
            self.int(name, moment.secs());
        }
    }

    fn list(&mut self, name: &str, values: impl Iterator<Item = String>) {
        self.name(name);
        self.out.push('[');
        for (i, value) in values.enumerate() {
            if i > 0 {
                self.out.push(',');
            }
            json::quote(&value, self.out);
        }
        self.out.push(']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;

    fn sample(op: Op) -> Statement {
        let chance = SeededChance::new(7);
        Statement {
            id: StatementId::random(&chance).unwrap(),
            consent: ConsentId::random(&chance).unwrap(),
            revision: 1,
            patient: PatientId::random(&chance).unwrap(),
            audience: "https://store.example/fhir".into(),
            issued: Timestamp::from_secs(1_790_000_000),
            language: "fr".into(),
            text_hash: "a".repeat(64),
            policy: "b".repeat(64),
            nonce: "n".repeat(22),
            op,
        }
    }

    fn terms() -> Terms {
        Terms {
            grantee: Grantee::Professional(ProfessionalId::random(&SeededChance::new(8)).unwrap()),
            scope: vec![
                "DocumentReference.rs".parse().unwrap(),
                "Observation.rs?category=http://c|lab".parse().unwrap(),
            ],
            purpose: vec![Purpose::Treat],
            confidentiality: Confidentiality::N,
            sensitivity: vec!["PSY".parse().unwrap()],
            authored: Period { from: Timestamp::from_secs(0), to: Period::ALWAYS.to },
            valid: Period { from: Timestamp::from_secs(1_790_000_000), to: Timestamp::from_secs(1_797_776_000) },
        }
    }

    #[test]
    fn every_act_is_written_in_canonical_form_and_read_back_the_same() {
        let who = ProfessionalId::random(&SeededChance::new(9)).unwrap();
        for op in [Op::Grant(terms()), Op::Narrow(terms()), Op::Revoke, Op::Exclude(who), Op::Lift] {
            let statement = sample(op);
            let bytes = statement.to_bytes();
            let tree = json::parse(&bytes, Limits::TOKEN).unwrap();
            assert_eq!(json::canonical(&tree).unwrap().into_bytes(), bytes);
            assert_eq!(Statement::parse(&bytes), Ok(statement));
        }
    }

    #[test]
    fn what_is_unknown_missing_or_written_otherwise_is_refused() {
        let text = String::from_utf8(sample(Op::Grant(terms())).to_bytes()).unwrap();
        for (from, to) in [
            ("\"v\":1", "\"v\":1,\"x\":2"),
            ("\"v\":1", "\"v\":2"),
            ("\"purpose\":[\"TREAT\"]", "\"purpose\":[]"),
            ("\"purpose\":[\"TREAT\"]", "\"purpose\":[\"TREAT\",\"TREAT\"]"),
            ("\"purpose\":[\"TREAT\"]", "\"purpose\":[\"FooBar\"]"),
            ("\"notAfter\":1797776000", "\"notAfter\":1790000000"),
            ("\"notAfter\":1797776000,", ""),
            ("{\"aud\"", "{ \"aud\""),
            ("\"iat\":1790000000", "\"iat\":1e9"),
        ] {
            assert!(text.contains(from), "{from}");
            assert!(Statement::parse(text.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
        }
    }

    #[test]
    fn narrower_terms_are_within_and_wider_are_not() {
        let wide = terms();
        let mut narrow = terms();
        narrow.scope.truncate(1);
        narrow.valid.to = narrow.valid.to.plus_secs(-1);
        assert!(narrow.within(&wide) && !wide.within(&narrow));
        let mut other = terms();
        other.confidentiality = Confidentiality::R;
        assert!(!other.within(&wide));
    }

    #[test]
    fn an_access_is_dead_at_its_second_of_expiry() {
        let t = terms();
        assert!(t.in_force(Timestamp(t.valid.to.0 - 1)));
        assert!(!t.in_force(t.valid.to));
        assert!(!t.in_force(Timestamp(t.valid.from.0 - 1)));
    }
}
