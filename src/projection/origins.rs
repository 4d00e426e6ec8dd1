//! Provenance: where each version of a record or consent comes from, for whoever may read that record or consent.

use std::fmt;
use std::str::FromStr;

use super::meeting::{Met, facts, or_empty};
use super::names::Names;
use super::origin::{About, of_admission, of_revision, revisions};
use super::shown::{Told, in_order};
use super::{Page, Projection, Shown};
use crate::asking::about;
use crate::consent::ConsentError;
use crate::fhir::Query;
use crate::id::{ConsentId, NotAnId};
use crate::ledger::Personal;
use crate::ledger::personal::{Records, Touched};
use crate::model::{Bearer, Interaction, RecordFacts, RecordKey};
use crate::policy::{Denial, Permit};
use crate::release::Withheld;
use crate::vault::Place;

const KIND: &str = "Provenance";

/// Names the Provenance of one version: `PATIENT.RECORD.VERSION`, at most 64 characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    /// Of which record or consent.
    pub key: RecordKey,
    /// Of which version, from 1.
    pub version: i64,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.key, self.version)
    }
}

impl FromStr for Origin {
    type Err = NotAnId;
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let (key, version) = text.rsplit_once('.').ok_or(NotAnId)?;
        let version = version.parse::<i64>().ok().filter(|v| *v >= 1).ok_or(NotAnId)?;
        let origin = Self { key: key.parse()?, version };
        // One spelling: neither `+1` nor `01`.
        if origin.to_string() == text { Ok(origin) } else { Err(NotAnId) }
    }
}

/// Whose origin is sought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// The type of the target.
    pub kind: &'static str,
    /// Which record or consent.
    pub key: RecordKey,
    /// Which version; every one when none is named.
    pub version: Option<i64>,
}

impl Projection {
    /// Shows the origin of each version of `target` that matches `query`.
    ///
    /// # Errors
    /// [`Withheld::Unavailable`].
    pub async fn origins(&self, bearer: &Bearer, target: &Target, query: &Query) -> Result<Page, Withheld> {
        or_empty(self.origins_or_refuse(bearer, target, query).await)
    }

    async fn origins_or_refuse(&self, bearer: &Bearer, target: &Target, query: &Query) -> Result<Page, Withheld> {
        let mut about = about(bearer, target.key.patient, "search", Some(KIND));
        let met = self.meet(bearer, target.key, &about).await?;
        let (permit, told) = self.origin_of(bearer, target, &met, &mut about).await?;
        let mut told: Vec<Told> = told.into_iter().filter(|told| told.matches(query, target.key)).collect();
        in_order(&mut told, query);
        Ok(self.spend(permit, &met, about).await?.show_all(told))
    }

    /// Shows the origin of one version; of which type the record is, is not in the name.
    ///
    /// # Errors
    /// [`Withheld::Hidden`]; [`Withheld::Unavailable`].
    pub async fn origin(&self, bearer: &Bearer, origin: Origin) -> Result<Shown, Withheld> {
        let Origin { key, version } = origin;
        let mut about = about(bearer, key.patient, "read", Some(KIND));
        let met = self.meet(bearer, key, &about).await?;
        let kind = if met.gathered.records.is_empty() { "Consent" } else { "" };
        let target = Target { kind, key, version: Some(version) };
        let (permit, mut told) = self.origin_of(bearer, &target, &met, &mut about).await?;
        let Some(told) = told.pop() else { return Err(self.absent(bearer, &met, about).await) };
        Ok(self.spend(permit, &met, about).await?.show(told))
    }

    /// The leave to know the origin of `target`, which is the leave to read it, and what there is to tell.
    async fn origin_of(
        &self,
        bearer: &Bearer,
        target: &Target,
        met: &Met,
        about: &mut Personal,
    ) -> Result<(Permit, Vec<Told>), Withheld> {
        let Target { kind, key, version } = *target;
        if kind == "Consent" {
            return self.of_consent(bearer, target, met, about).await;
        }
        let facts = match met.gathered.records.last() {
            None => None,
            Some(row) => {
                let opened = self.reader.open(&met.keys, &Place::facts(key, row.version), &row.facts);
                let read = RecordFacts::from_bytes(key, row.version, &opened.map_err(Withheld::unavailable)?);
                read.filter(|facts| kind.is_empty() || facts.resource_type == kind)
            }
        };
        let Some(facts) = facts else { return Err(self.absent(bearer, met, about.clone()).await) };
        let question = met.asked.question(Interaction::Read, self.clock.now(), std::slice::from_ref(&facts));
        let permit = self.granted(self.engine.decide(met.deed, &question), met, about).await?;
        let target = format!("{}/{key}", facts.resource_type);
        let (mut told, mut names) = (Vec::new(), Names::default());
        for (at, leaf) in self.store.admissions(key).await.map_err(Withheld::unavailable)? {
            if version.is_some_and(|wanted| wanted != at) {
                continue;
            }
            let rows = self.store.leaves(leaf, 1).await.map_err(Withheld::unavailable)?;
            let opened = rows.first().map(|row| self.open(key.patient, row, &met.keys)).transpose()?.flatten();
            let opened = opened.ok_or_else(|| Withheld::unavailable(Untraceable))?;
            self.learn(&mut names, &opened).await?;
            let id = Origin { key, version: at }.to_string();
            let of = About { target: &target, version: at, id: &id };
            told.push(Told::of(&of_admission(&of, &opened, &names, &self.issuer))?);
        }
        Ok((permit, told))
    }

    async fn of_consent(
        &self,
        bearer: &Bearer,
        target: &Target,
        met: &Met,
        about: &mut Personal,
    ) -> Result<(Permit, Vec<Told>), Withheld> {
        let Target { key, version, .. } = *target;
        let view = match self.consents.one(key.patient, ConsentId::from_bytes(*key.record.as_bytes())).await {
            Ok(view) => view,
            Err(ConsentError::Unknown) => return Err(self.absent(bearer, met, about.clone()).await),
            Err(other) => return Err(Withheld::unavailable(other)),
        };
        let of = [facts(key.patient, (*view.consent.as_bytes(), view.revision), "Consent")];
        let question = met.asked.question(Interaction::Read, self.clock.now(), &of);
        let permit = self.granted(self.engine.decide_named(met.deed, &question), met, about).await?;
        let target = format!("Consent/{key}");
        let mut told = Vec::new();
        for past in revisions(&view, version) {
            let id = Origin { key, version: past.revision }.to_string();
            let of = About { target: &target, version: past.revision, id: &id };
            told.push(Told::of(&of_revision(&of, key.patient, past))?);
        }
        Ok((permit, told))
    }

    async fn granted(
        &self,
        decided: Result<Permit, Denial>,
        met: &Met,
        about: &mut Personal,
    ) -> Result<Permit, Withheld> {
        match decided {
            Ok(permit) => {
                let touched = |(key, version): &(RecordKey, i64)| Touched { record: key.record, version: *version };
                about.records = Records::of(&permit.records().iter().map(touched).collect::<Vec<_>>());
                Ok(permit)
            }
            Err(denial) => Err(self.denied(&denial, met, about.clone()).await),
        }
    }
}

/// A version has no admission in its patient's history.
#[derive(Debug, thiserror::Error)]
#[error("a version has no admission in its patient's history")]
struct Untraceable;
