//! The deeds request, decline and accept: software asks a patient for a consent, and the patient answers.

use ring::digest::{SHA256, digest};

use super::check::Unproved;
use super::grantee::Known;
use super::record::about;
use super::sentence::{Said, sentence};
use super::{ConsentError, Consents, terms};
use crate::clock::Timestamp;
use crate::id::{ClientId, DeedId, OrganisationId, PatientId, ProfessionalId};
use crate::json::{self, Limits};
use crate::ledger::{Act, Ground, Personal, Placed, Refusal, Unplaced, Unrecorded};
use crate::model::{Bearer, Grantee, Language, Op, Profession, Sealed, Statement, Subject, Terms};
use crate::store::consents::RequestRow;
use crate::store::turn::{NewRequest, Write};
use crate::vault::{PatientKeys, Place};

/// The most requests of one organisation that may be open with one patient: a patient is asked, not worn down.
pub const MOST_OPEN: i64 = 20;

/// How long a request stays open, in days. A yes to what was asked long ago would be a yes to another situation.
pub const OPEN_DAYS: i64 = 90;

/// The longest message, in characters.
pub const LONGEST_MESSAGE: usize = 500;

/// Names a request: the deed that made it.
pub type RequestId = DeedId;

/// A request as the patient sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Which.
    pub id: RequestId,
    /// `open`, `accepted`, `declined` or `expired`.
    pub state: String,
    /// When it was made.
    pub made: Timestamp,
    /// Whose software asked.
    pub organisation: OrganisationId,
    /// Its public name; absent when the register no longer knows it.
    pub name: Option<String>,
    /// For whom of its people.
    pub professional: Option<ProfessionalId>,
    /// What it asks for.
    pub terms: Terms,
    /// Why, in its own words.
    pub message: String,
}

/// Who asks, from the bearer.
struct Asking<'b> {
    client: ClientId,
    organisation: OrganisationId,
    professional: Option<&'b (ProfessionalId, Profession)>,
}

impl Consents {
    /// Puts a request to a patient.
    ///
    /// Whether there is such a patient is not told: a request to nobody, and one too many, are answered like any
    /// other. Both are on record as refused.
    ///
    /// # Errors
    /// [`ConsentError::Refused`] when the law would never honour the terms (FR-05).
    pub async fn request(
        &self,
        bearer: &Bearer,
        patient: PatientId,
        terms: &Terms,
        message: &str,
    ) -> Result<RequestId, ConsentError> {
        let asking = self.asking(bearer, terms).await?;
        if message.chars().count() > LONGEST_MESSAGE || message.chars().any(|c| c.is_control() && c != '\n') {
            return Err(ConsentError::BadMessage);
        }
        let who = self.known(&terms.grantee).await?;
        let id = DeedId::ordered(&*self.clock, &*self.chance)?;
        let keys = match self.keys(patient).await {
            Ok(keys) => Some(keys),
            Err(ConsentError::Unknown) => None,
            Err(other) => return Err(other),
        };
        let about = Personal {
            client: Some(asking.client),
            organisation: Some(asking.organisation),
            professional: asking.professional.map(|(id, _)| *id),
            ..about(patient, "consent/request")
        };
        if let Err(refused) = self.askable(terms, &who) {
            self.refuse(id, &refused, bearer, about, keys.as_ref()).await?;
            return Err(refused);
        }
        let refusal = |reason| Refusal { deed: id, reason, purpose: Some(bearer.purpose), policy: None };
        let Some(keys) = keys else {
            self.ledger.refuse(refusal("absent"), about, None).await?;
            return Ok(id);
        };
        if !self.put(id, (patient, &asking), (terms, message), about.clone(), &keys).await? {
            self.ledger.refuse(refusal("too-many"), about, Some(&keys)).await?;
        }
        Ok(id)
    }

    /// Puts several requests to a patient, all of them or none; how many.
    ///
    /// # Errors
    /// As [`Consents::request`], when any of them may not be asked.
    pub async fn ask(
        &self,
        bearer: &Bearer,
        patient: PatientId,
        all: &[Terms],
        message: &str,
    ) -> Result<usize, ConsentError> {
        for terms in all {
            if self.may_ask(bearer, terms).await.is_err() {
                // Asked alone, it is refused, and the refusal is on record.
                self.request(bearer, patient, terms, message).await?;
            }
        }
        for terms in all {
            self.request(bearer, patient, terms, message).await?;
        }
        Ok(all.len())
    }

    async fn may_ask(&self, bearer: &Bearer, terms: &Terms) -> Result<(), ConsentError> {
        self.asking(bearer, terms).await?;
        self.askable(terms, &self.known(&terms.grantee).await?)
    }

    /// The requests to a patient, the newest first.
    ///
    /// # Errors
    /// [`ConsentError`].
    pub async fn requests(&self, patient: PatientId) -> Result<Vec<Request>, ConsentError> {
        let keys = self.keys(patient).await?;
        let mut requests = Vec::new();
        for row in self.store.requests_of(patient).await?.iter().rev() {
            let mut request = self.read(patient, row, &keys)?;
            if row.state == "open" && self.expired(row) {
                "expired".clone_into(&mut request.state);
            }
            request.name = match self.organisation(request.organisation).await {
                Ok(place) => Some(place.name),
                Err(ConsentError::NoGrantee) => None,
                Err(other) => return Err(other),
            };
            requests.push(request);
        }
        Ok(requests)
    }

    /// How many requests wait for an answer.
    ///
    /// # Errors
    /// [`ConsentError`].
    pub async fn waiting(&self, patient: PatientId) -> Result<usize, ConsentError> {
        let rows = self.store.requests_of(patient).await?;
        let open = rows.iter().filter(|row| row.state == "open" && !self.expired(row));
        open.map(|row| self.believe(patient, row)).try_fold(0, |count, believed| believed.map(|()| count + 1))
    }

    /// What a request asks for, in the sentence that would be signed `now` if all of it were accepted.
    ///
    /// # Errors
    /// [`ConsentError::NoGrantee`]; [`ConsentError::Unsayable`] for terms that have no words.
    pub async fn asked_sentence(
        &self,
        request: &Request,
        now: Timestamp,
        language: Language,
    ) -> Result<String, ConsentError> {
        let who = self.known(&request.terms.grantee).await?;
        Ok(sentence(Said::Grant(&request.terms), &who, now, language)?)
    }

    /// Says no to an open request.
    ///
    /// # Errors
    /// [`ConsentError::Conflict`] when it was accepted; declined already is declined.
    pub async fn decline(&self, patient: PatientId, id: RequestId) -> Result<(), ConsentError> {
        let keys = self.keys(patient).await?;
        let row = self.held(patient, id).await?;
        if row.state == "declined" {
            return Ok(());
        }
        let write = self.answer(patient, &row, "declined")?;
        let deed = DeedId::ordered(&*self.clock, &*self.chance)?;
        let mut deed = self.ledger.prepare(deed, Act::Decline, about(patient, "consent/decline"), Some(&keys)).await?;
        deed.ground = Ground::Oneself;
        deed.writes.push(write);
        match self.ledger.record(deed).await {
            Ok(Placed::Done { .. }) => Ok(()),
            Ok(Placed::Stale) | Err(Unrecorded::Unplaced(Unplaced::Taken)) => Err(ConsentError::Conflict),
            Err(other) => Err(other.into()),
        }
    }

    /// The write that accepts a request in the turn of the grant which answers it.
    pub(super) async fn accepting(
        &self,
        said: &Statement,
        id: RequestId,
        keys: &PatientKeys,
    ) -> Result<Write, ConsentError> {
        let row = self.held(said.patient, id).await?;
        let request = self.read(said.patient, &row, keys)?;
        match &said.op {
            Op::Grant(terms) if terms.grantee == request.terms.grantee => self.answer(said.patient, &row, "accepted"),
            Op::Grant(_) | Op::Narrow(_) | Op::Revoke | Op::Exclude(_) | Op::Lift => Err(ConsentError::Conflict),
        }
    }

    /// The bearer as the register has them; they ask for themselves, their organisation or its people.
    async fn asking<'b>(&self, bearer: &'b Bearer, terms: &Terms) -> Result<Asking<'b>, ConsentError> {
        let Subject::Client { client, organisation, professional } = &bearer.subject else {
            return Err(ConsentError::NotForYou);
        };
        let row = self.store.party(client.as_bytes()).await?.ok_or(ConsentError::NotForYou)?;
        let party = self.register.check(&row).map_err(ConsentError::unavailable)?;
        let enrolled = party.client().map_err(|_| ConsentError::NotForYou)?;
        let place = self.organisation(*organisation).await?;
        let mut stands = enrolled.active && enrolled.organisation == *organisation && place.active;
        if let Some((id, profession)) = professional {
            let person = self.professional(*id).await?;
            stands &= person.active && person.profession == *profession && person.organisations.contains(organisation);
        }
        let theirs = match &terms.grantee {
            Grantee::Organisation(id) | Grantee::Role(id, _) => id == organisation,
            Grantee::Professional(id) => professional.as_ref().is_some_and(|(asks, _)| asks == id),
        };
        if !stands || !theirs {
            return Err(ConsentError::NotForYou);
        }
        Ok(Asking { client: *client, organisation: *organisation, professional: professional.as_ref() })
    }

    /// Whether such terms may be asked for: what a statement can hold, and what the law may honour.
    fn askable(&self, terms: &Terms, who: &Known) -> Result<(), ConsentError> {
        let scope = ConsentError::Refused { reason: "scope", article: None };
        if terms.scope.is_empty() || terms.purpose.is_empty() || terms.valid.from >= terms.valid.to {
            return Err(scope);
        }
        self.lawful(terms, who, self.clock.now())
    }

    async fn refuse(
        &self,
        deed: DeedId,
        why: &ConsentError,
        bearer: &Bearer,
        about: Personal,
        keys: Option<&PatientKeys>,
    ) -> Result<(), ConsentError> {
        let ConsentError::Refused { reason, .. } = why else { return Ok(()) };
        let policy = Some(self.engine.digest());
        let refusal = Refusal { deed, reason, purpose: Some(bearer.purpose), policy };
        Ok(self.ledger.refuse(refusal, about, keys).await?)
    }

    /// Puts it before the patient; `false` when too many of the asker's are open with them already.
    async fn put(
        &self,
        id: RequestId,
        (patient, asking): (PatientId, &Asking<'_>),
        (terms, message): (&Terms, &str),
        about: Personal,
        keys: &PatientKeys,
    ) -> Result<bool, ConsentError> {
        let asker = self.indexer.grantee(patient, &Grantee::Organisation(asking.organisation));
        let (most, since) = (MOST_OPEN, self.oldest_open());
        if self.store.open_requests(patient, &asker, since).await? >= most {
            return Ok(false);
        }
        let body = serde_json::json!({
            "made": self.clock.now().0,
            "message": message,
            "organisation": asking.organisation.to_string(),
            "professional": asking.professional.map(|(id, _)| id.to_string()),
            "terms": terms::write(terms),
        });
        let sealed = self.sealer.seal(keys, &Place::request(patient, id), body.to_string().as_bytes())?;
        let seal = self.seal_of(patient, (id, &asker), "open", &sealed).to_vec();
        let mut deed = self.ledger.prepare(id, Act::Request, about, Some(keys)).await?;
        deed.writes.push(Write::Request(NewRequest { patient, request: id, asker, most, since, seal, sealed }));
        match self.ledger.record(deed).await {
            Ok(Placed::Done { .. }) => Ok(true),
            // The only thing used once here is the last free place.
            Ok(Placed::Stale) | Err(Unrecorded::Unplaced(Unplaced::Taken)) => Ok(false),
            Err(other) => Err(other.into()),
        }
    }

    /// The least name that a request still open may bear: a request is named by its deed, in the order of time.
    fn oldest_open(&self) -> RequestId {
        RequestId::earliest(self.clock.now().plus_secs(-OPEN_DAYS * 86_400))
    }

    fn expired(&self, row: &RequestRow) -> bool {
        row.request < self.oldest_open()
    }

    async fn held(&self, patient: PatientId, id: RequestId) -> Result<RequestRow, ConsentError> {
        let row = self.store.request_of(patient, id).await?.ok_or(ConsentError::Unknown)?;
        self.believe(patient, &row)?;
        Ok(row)
    }

    fn answer(&self, patient: PatientId, row: &RequestRow, state: &'static str) -> Result<Write, ConsentError> {
        if row.state != "open" || self.expired(row) {
            return Err(ConsentError::Conflict);
        }
        let seal = self.seal_of(patient, (row.request, &row.asker), state, &row.sealed).to_vec();
        Ok(Write::Answer { patient, request: row.request, state, seal })
    }

    fn read(&self, patient: PatientId, row: &RequestRow, keys: &PatientKeys) -> Result<Request, ConsentError> {
        self.believe(patient, row)?;
        let opened = self.checker.reader.open(keys, &Place::request(patient, row.request), &row.sealed)?;
        parse(row, &opened).ok_or_else(|| Unproved("request malformed").into())
    }

    fn believe(&self, patient: PatientId, row: &RequestRow) -> Result<(), ConsentError> {
        let seal = self.seal_of(patient, (row.request, &row.asker), &row.state, &row.sealed);
        let holds: bool = subtle::ConstantTimeEq::ct_eq(seal.as_slice(), row.seal.as_slice()).into();
        if holds { Ok(()) } else { Err(Unproved("request row altered").into()) }
    }

    fn seal_of(&self, patient: PatientId, (id, asker): (RequestId, &[u8]), state: &str, sealed: &Sealed) -> [u8; 32] {
        let asked = digest(&SHA256, &sealed.0);
        let parts = [b"consent_request".as_slice(), patient.as_bytes(), id.as_bytes(), asker, state.as_bytes()];
        self.mac.mac(&[parts.as_slice(), &[asked.as_ref()]].concat())
    }
}

fn parse(row: &RequestRow, bytes: &[u8]) -> Option<Request> {
    let tree = json::parse(bytes, Limits { bytes: 64 * 1024, depth: 8 }).ok()?;
    Some(Request {
        id: row.request,
        state: row.state.clone(),
        made: Timestamp(tree.int_of("made")?),
        organisation: tree.text_of("organisation")?.parse().ok()?,
        name: None,
        professional: tree.text_of("professional").map(str::parse).transpose().ok()?,
        terms: terms::read(tree.get("terms")?).ok()?,
        message: tree.text_of("message")?.to_owned(),
    })
}
