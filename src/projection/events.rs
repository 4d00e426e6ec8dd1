//! The patient's own history: every leaf about them, refusals too, the latest first (AU-17, AU-18).

use super::alias::{alias, leaf};
use super::event::{Teller, event};
use super::leaf::Leaf;
use super::meeting::{Met, facts, or_empty};
use super::names::Names;
use super::shown::Told;
use super::{Page, Projection, Shown};
use crate::asking::about;
use crate::fhir::Query;
use crate::id::PatientId;
use crate::ledger::Personal;
use crate::model::{Bearer, Interaction, RecordKey};
use crate::policy::Permit;
use crate::release::Withheld;

pub(super) const KIND: &str = "AuditEvent";
/// Events on a page when nobody says how many.
const USUAL: usize = 50;
/// Events on a page at most.
const MOST: usize = 200;
/// Leaves that one search looks at; what lies further back is on a next page.
const LOOKED_AT: usize = 1000;
/// Leaves read at a time.
const AT_ONCE: i64 = 200;

/// Which stretch of the history is asked for.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// How many events at most; the server's own bound holds besides.
    pub count: Option<u32>,
    /// The id of the event that ended the page before.
    pub after: Option<String>,
}

/// What was found so far, and where to look on.
pub(super) struct Found<T> {
    pub(super) told: Vec<T>,
    /// The id of the last leaf looked at, when there is more.
    pub(super) next: Option<String>,
}

impl Projection {
    /// Shows the events of a patient that match `query`, the latest first, to that patient alone.
    ///
    /// # Errors
    /// [`Withheld::BadQuery`] for a window that is none; [`Withheld::Unavailable`].
    pub async fn events(
        &self,
        bearer: &Bearer,
        patient: PatientId,
        query: &Query,
        window: &Window,
    ) -> Result<Page, Withheld> {
        or_empty(self.events_or_refuse(bearer, patient, query, window).await)
    }

    async fn events_or_refuse(
        &self,
        bearer: &Bearer,
        patient: PatientId,
        query: &Query,
        window: &Window,
    ) -> Result<Page, Withheld> {
        let about = about(bearer, patient, "search", Some(KIND));
        let met = self.meet(bearer, RecordKey::of_patient(patient), &about).await?;
        let permit = self.history(patient, &met, &about, Interaction::Search).await?;
        let tell = |opened: &Leaf, names: &Names| {
            let told = self.tell_event(patient, opened, names)?;
            Ok(told.matches(query, RecordKey::of_patient(patient)).then_some(told))
        };
        let found = self.find(patient, &met, window, tell).await?;
        let spent = self.spend(permit, &met, about).await?;
        let whole = window.after.is_none() && found.next.is_none();
        Ok(Page {
            total: whole.then_some(found.told.len() as u64),
            next: found.next,
            leaf: Some(spent.leaf()),
            matches: found.told.into_iter().map(|told| spent.show(told)).collect(),
        })
    }

    /// Shows one event of the patient's own history.
    ///
    /// # Errors
    /// [`Withheld::Hidden`]; [`Withheld::Unavailable`].
    pub async fn event(&self, bearer: &Bearer, patient: PatientId, id: &str) -> Result<Shown, Withheld> {
        let about = about(bearer, patient, "read", Some(KIND));
        let met = self.meet(bearer, RecordKey::of_patient(patient), &about).await?;
        let permit = self.history(patient, &met, &about, Interaction::Read).await?;
        let index = leaf(&self.indexer, patient, id).and_then(|index| i64::try_from(index).ok());
        let rows = match index {
            Some(index) => self.store.leaves(index, 1).await.map_err(Withheld::unavailable)?,
            None => Vec::new(),
        };
        let opened = rows.first().map(|row| self.open(patient, row, &met.keys)).transpose()?.flatten();
        let Some(opened) = opened else { return Err(self.absent(bearer, &met, about).await) };
        let mut names = Names::default();
        self.learn(&mut names, &opened).await?;
        let told = self.tell_event(patient, &opened, &names)?;
        Ok(self.spend(permit, &met, about).await?.show(told))
    }

    /// The leave to look into the history of `patient`; one record stands for all of it.
    pub(super) async fn history(
        &self,
        patient: PatientId,
        met: &Met,
        about: &Personal,
        interaction: Interaction,
    ) -> Result<Permit, Withheld> {
        let of = [facts(patient, (*met.deed.as_bytes(), 1), KIND)];
        match self.engine.decide(met.deed, &met.asked.question(interaction, self.clock.now(), &of)) {
            Ok(permit) => Ok(permit),
            Err(denial) => Err(self.denied(&denial, met, about.clone()).await),
        }
    }

    /// Walks back through the leaves about `patient` and tells those that `tell` makes something of.
    pub(super) async fn find<T>(
        &self,
        patient: PatientId,
        met: &Met,
        window: &Window,
        tell: impl Fn(&Leaf, &Names) -> Result<Option<T>, Withheld>,
    ) -> Result<Found<T>, Withheld> {
        let mut below = match &window.after {
            None => u64::MAX,
            // An id of somebody else's history is no place in this one.
            Some(id) => leaf(&self.indexer, patient, id)
                .ok_or_else(|| Withheld::BadQuery("the page asked for is none of this search".to_owned()))?,
        };
        let count = window.count.map_or(USUAL, |n| usize::try_from(n).unwrap_or(MOST)).min(MOST);
        let (mut found, mut names, mut looked_at) = (Found { told: Vec::new(), next: None }, Names::default(), 0);
        loop {
            let top = i64::try_from(below).unwrap_or(i64::MAX);
            let rows = self.store.leaves_before(patient, top, AT_ONCE).await.map_err(Withheld::unavailable)?;
            for row in &rows {
                if found.told.len() >= count || looked_at >= LOOKED_AT {
                    found.next = Some(alias(&self.indexer, patient, below));
                    return Ok(found);
                }
                looked_at += 1;
                below = u64::try_from(row.leaf).unwrap_or(0);
                if let Some(opened) = self.open(patient, row, &met.keys)? {
                    self.learn(&mut names, &opened).await?;
                    found.told.extend(tell(&opened, &names)?);
                }
            }
            if rows.len() < usize::try_from(AT_ONCE).unwrap_or(0) {
                return Ok(found);
            }
        }
    }

    fn tell_event(&self, patient: PatientId, opened: &Leaf, names: &Names) -> Result<Told, Withheld> {
        let id = alias(&self.indexer, patient, opened.entry.index);
        let teller = Teller { patient, base_url: &self.base_url, issuer: &self.issuer, log: &self.log_origin, names };
        Told::of(&event(&id, opened, &teller))
    }
}
