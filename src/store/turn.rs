//! What a deed writes, as data, and the statements of one turn.

use super::log::{LEAVES, leaf};
use super::rows::{Head, LeafRow};
use super::versions;
use crate::clock::Timestamp;
use crate::db::{Arg, Batch, DbError, Row, Turn, Writer};
use crate::id::{ConsentId, DeedId, DeviceId, PatientId, RecordId, StatementId};
use crate::model::{Enrolled, RecordKey, Sealed};

/// One row that a deed adds or changes within its turn.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are the columns that the migrations describe")]
pub enum Write {
    /// A new patient, or a new state of one.
    Patient { patient: PatientId, state: &'static str, since: Timestamp, seal: Vec<u8> },
    /// A way to find a patient.
    Identifier { patient: PatientId, tag: [u8; 32], seal: [u8; 32] },
    /// A device or passkey of a patient.
    Device { patient: PatientId, device: DeviceId, state: &'static str, body: String, signature: Vec<u8> },
    /// An organisation, a professional or a client; a later revision replaces the earlier.
    Party { party: [u8; 16], kind: &'static str, number: String, revision: i64, body: String, signature: Vec<u8> },
    /// An invitation to link an account.
    Invitation { patient: PatientId, tag: [u8; 32], expires: Timestamp, seal: Vec<u8> },
    /// An account linked by an invitation, which is used up and must not have ended at `since`.
    Account { patient: PatientId, tag: [u8; 32], invitation: [u8; 32], since: Timestamp, seal: Vec<u8> },
    /// The first version of a record.
    Record(NewRecord),
    /// A further version of a record; taken when its version is no longer the one that this replaces.
    Replace { replaces: i64, new: NewRecord },
    /// The deletion of a record; taken when its version is no longer the one that this ends.
    Delete(Deletion),
    /// A revision of a consent, which becomes the current one.
    Consent(NewRevision),
    /// A file that this deed imports, by its keyed tag; a second deed with the same is refused as taken.
    Import { tag: [u8; 32] },
    /// Holds a patient's signing key to being active at this very turn, and the counter of a passkey to going forward.
    Signer { patient: PatientId, device: DeviceId, counter: i64 },
    /// A request for a consent.
    Request(NewRequest),
    /// The patient's answer to an open request.
    Answer { patient: PatientId, request: DeedId, state: &'static str, seal: Vec<u8> },
    /// New facts of a record's current version, in the place of exactly those that were read.
    Facts { key: RecordKey, version: i64, was: Sealed, facts: Sealed },
    /// Forgets the content of a patient whose keys were shredded.
    Forget { patient: PatientId },
}

/// A version of a record, sealed.
#[derive(Debug)]
pub struct NewRecord {
    /// Whose.
    pub patient: PatientId,
    /// Its id.
    pub record: RecordId,
    /// Keyed tag of patient and type.
    pub kind: [u8; 8],
    /// Sealed facts.
    pub facts: Sealed,
    /// Sealed search values.
    pub found: Sealed,
    /// Sealed text.
    pub sealed: Sealed,
    /// When it was made.
    pub at: Timestamp,
}

/// The deletion of a record: a last version without text.
#[derive(Debug)]
pub struct Deletion {
    /// Whose.
    pub patient: PatientId,
    /// Which.
    pub record: RecordId,
    /// The version it ends.
    pub ends: i64,
    /// The facts of that version, sealed for the deletion.
    pub facts: Sealed,
    /// An empty text, sealed.
    pub sealed: Sealed,
    /// When.
    pub at: Timestamp,
}

impl NewRecord {
    /// Its bytes.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.facts.0.len() + self.found.0.len() + self.sealed.0.len()
    }
}

/// A revision of a consent.
#[derive(Debug)]
pub struct NewRevision {
    /// Whose.
    pub patient: PatientId,
    /// Which.
    pub consent: ConsentId,
    /// The revision this makes.
    pub revision: i64,
    /// `active` or `ended`.
    pub state: &'static str,
    /// Keyed tag of patient and grantee.
    pub grantee: [u8; 16],
    /// MAC over the row and its evidence.
    pub seal: Vec<u8>,
    /// The statement that made it.
    pub statement: StatementId,
    /// Sealed evidence.
    pub evidence: Sealed,
}

/// A request for a consent, sealed.
#[derive(Debug)]
pub struct NewRequest {
    /// Of whom.
    pub patient: PatientId,
    /// The deed that makes it.
    pub request: DeedId,
    /// Keyed tag of patient and asking organisation.
    pub asker: [u8; 16],
    /// How many requests of this asker may be open.
    pub most: i64,
    /// Requests before this one have expired and do not count.
    pub since: DeedId,
    /// MAC over the row and what is asked.
    pub seal: Vec<u8>,
    /// What is asked.
    pub sealed: Sealed,
}

/// A leaf ready to be stored.
#[derive(Debug)]
pub struct NewLeaf<'d> {
    /// Whose history it belongs to.
    pub patient: Option<PatientId>,
    /// Exact leaf bytes.
    pub entry: Vec<u8>,
    /// Personal part, sealed.
    pub personal: Option<&'d Sealed>,
}

/// Takes the turn: begins it, locks the head of the log until commit and tells where it stands.
///
/// # Errors
/// [`DbError::Column`] when the log was not begun.
pub async fn take(writer: &mut Writer, leaves: i64) -> Result<(Turn<'_>, Head), DbError> {
    // The update is the lock: on both engines nobody else passes here before our commit.
    const SQL: &str =
        "UPDATE log_head SET size = size + $1, updated_by = 'turn' WHERE one = 1 RETURNING size, time, chain";
    let read =
        |row: &Row<'_>| Ok(Head { size: row.int(0)? - leaves, time: Timestamp(row.int(1)?), chain: row.array(2)? });
    let (turn, heads) = writer.begin_with("turn", ("log_head", SQL, &[leaves.into()]), read).await?;
    let head = heads.into_iter().next().ok_or(DbError::Column { table: "log_head", column: 0 })?;
    Ok((turn, head))
}

/// The current revision and liveness of each consent named; unknown ones are absent.
pub async fn consents(
    turn: &mut Turn<'_>,
    named: &[(PatientId, ConsentId)],
) -> Result<Vec<(PatientId, ConsentId, i64, bool)>, DbError> {
    const SQL: Batch = Batch {
        head: "SELECT patient, consent, revision, state FROM consent WHERE (patient, consent) IN (VALUES",
        columns: 2,
        tail: ")",
    };
    let rows: Vec<Vec<Arg<'_>>> =
        named.iter().map(|(patient, consent)| vec![patient.as_bytes().into(), consent.as_bytes().into()]).collect();
    turn.all_rows("consent", &SQL, &rows, |row| {
        Ok((
            PatientId::from_bytes(row.array(0)?),
            ConsentId::from_bytes(row.array(1)?),
            row.int(2)?,
            row.text(3)? == "active",
        ))
    })
    .await
}

/// The revision that the row of an enrolment shows; `None` when there is no row.
pub async fn enrolled(turn: &mut Turn<'_>, what: Enrolled) -> Result<Option<i64>, DbError> {
    const PARTY: &str = "SELECT revision FROM party WHERE party = $1";
    const PATIENT: &str = "SELECT state FROM patient WHERE patient = $1";
    const DEVICE: &str = "SELECT state FROM device WHERE patient = $1 AND device = $2";
    const ACCOUNT: &str = "SELECT since FROM account WHERE patient = $1 AND tag = $2";
    let state = |row: &Row<'_>| Ok(if row.text(0)? == "active" { Enrolled::ACTIVE } else { Enrolled::ENDED });
    match what {
        Enrolled::Party(party) => turn.maybe("party", PARTY, &[(&party).into()], |row| row.int(0)).await,
        Enrolled::Patient(patient) => turn.maybe("patient", PATIENT, &[patient.as_bytes().into()], state).await,
        Enrolled::Device(patient, device) => {
            let args = [patient.as_bytes().into(), device.as_bytes().into()];
            turn.maybe("device", DEVICE, &args, state).await
        }
        Enrolled::SignIn(patient, tag) => {
            let args = [patient.as_bytes().into(), (&tag).into()];
            turn.maybe("account", ACCOUNT, &args, |_| Ok(Enrolled::ACTIVE)).await
        }
    }
}

/// At most `most` leaves from index `from` on, as this turn sees them.
pub async fn written(turn: &mut Turn<'_>, from: i64, most: i64) -> Result<Vec<LeafRow>, DbError> {
    turn.all("log_leaf", LEAVES, &[from.into(), from.saturating_add(most).into()], leaf).await
}

/// Writes the leaves from `first` on, and moves the head's time and chain.
pub async fn leaves(
    turn: &mut Turn<'_>,
    first: i64,
    leaves: Vec<NewLeaf<'_>>,
    time: Timestamp,
    chain: &[u8; 32],
) -> Result<(), DbError> {
    const SQL: Batch = Batch {
        head: "INSERT INTO log_leaf (leaf, patient, entry, personal, updated_by) VALUES",
        columns: 5,
        tail: "",
    };
    const HEAD: &str = "UPDATE log_head SET time = $1, chain = $2 WHERE one = 1";
    let rows = (first..)
        .zip(leaves)
        .map(|(index, leaf)| {
            vec![
                index.into(),
                leaf.patient.map_or(Arg::NoBytes, |p| p.as_bytes().to_vec().into()),
                leaf.entry.into(),
                leaf.personal.map_or(Arg::NoBytes, |p| p.0.clone().into()),
                "turn".into(),
            ]
        })
        .collect();
    turn.send_rows(&SQL, rows).await?;
    turn.send(HEAD, vec![time.0.into(), chain.to_vec().into()]).await
}

/// Writes what the deed at `leaf` changes; `name` is the deed's.
pub async fn apply(turn: &mut Turn<'_>, name: &'static str, leaf: i64, writes: &[Write]) -> Result<(), DbError> {
    let mut records = Vec::new();
    for write in writes {
        match write {
            Write::Record(record) => records.push(record),
            Write::Replace { replaces, new } => versions::replace(turn, name, leaf, *replaces, new).await?,
            Write::Delete(deletion) => versions::delete(turn, name, leaf, deletion).await?,
            Write::Consent(revision) => apply_consent(turn, name, leaf, revision).await?,
            Write::Patient { patient, state, since, seal } => {
                const SQL: &str = "INSERT INTO patient (patient, state, since, seal, updated_by) VALUES ($1, $2, $3, $4, $5) \
                     ON CONFLICT (patient) DO UPDATE SET state = excluded.state, seal = excluded.seal, \
                     updated_by = excluded.updated_by";
                let (since, seal) = (since.0.into(), seal.as_slice().into());
                turn.run(SQL, &[patient.as_bytes().into(), (*state).into(), since, seal, name.into()]).await?;
            }
            Write::Identifier { patient, tag, seal } => {
                const SQL: &str = "INSERT INTO identifier (patient, tag, seal, updated_by) VALUES ($1, $2, $3, $4)";
                turn.run(SQL, &[patient.as_bytes().into(), tag.into(), seal.into(), name.into()]).await?;
            }
            Write::Device { patient, device, state, body, signature } => {
                const SQL: &str = "INSERT INTO device (patient, device, state, body, signature, updated_by) \
                     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (patient, device) DO UPDATE SET \
                     state = excluded.state, body = excluded.body, signature = excluded.signature, \
                     updated_by = excluded.updated_by";
                let (patient, device) = (patient.as_bytes().into(), device.as_bytes().into());
                let (body, signature) = (body.as_str().into(), signature.as_slice().into());
                turn.run(SQL, &[patient, device, (*state).into(), body, signature, name.into()]).await?;
            }
            Write::Party { .. } => apply_party(turn, name, write).await?,
            Write::Invitation { patient, tag, expires, seal } => {
                const SQL: &str =
                    "INSERT INTO invitation (patient, tag, expires, seal, updated_by) VALUES ($1, $2, $3, $4, $5)";
                let (patient, seal) = (patient.as_bytes().into(), seal.as_slice().into());
                turn.run(SQL, &[patient, tag.into(), expires.0.into(), seal, name.into()]).await?;
            }
            Write::Account { .. } => apply_account(turn, name, write).await?,
            Write::Import { tag } => {
                const SQL: &str = "INSERT INTO import_file (tag, leaf, updated_by) VALUES ($1, $2, $3)";
                turn.run(SQL, &[tag.into(), leaf.into(), name.into()]).await?;
            }
            Write::Signer { patient, device, counter } => {
                const SQL: &str = "UPDATE device SET counter = $4, updated_by = $3 WHERE patient = $1 AND device = $2 \
                     AND state = 'active' AND (counter < $4 OR (counter = 0 AND $4 = 0))";
                let (patient, device) = (patient.as_bytes().into(), device.as_bytes().into());
                one(turn.run(SQL, &[patient, device, name.into(), (*counter).into()]).await?)?;
            }
            Write::Request(request) => apply_request(turn, name, leaf, request).await?,
            Write::Answer { patient, request, state, seal } => {
                const SQL: &str = "UPDATE consent_request SET state = $3, seal = $4, updated_by = $5 \
                     WHERE patient = $1 AND request = $2 AND state = 'open'";
                let (patient, request) = (patient.as_bytes().into(), request.as_bytes().into());
                let args = [patient, request, (*state).into(), seal.as_slice().into(), name.into()];
                one(turn.run(SQL, &args).await?)?;
            }
            Write::Facts { key, version, was, facts } => apply_facts(turn, name, (key, *version), (was, facts)).await?,
            Write::Forget { patient } => forget(turn, *patient).await?,
        }
    }
    apply_records(turn, name, leaf, &records).await
}

async fn apply_facts(
    turn: &mut Turn<'_>,
    name: &'static str,
    (key, version): (&RecordKey, i64),
    (was, facts): (&Sealed, &Sealed),
) -> Result<(), DbError> {
    const SQL: &str = "UPDATE record SET facts = $5, updated_by = $6 \
         WHERE patient = $1 AND record = $2 AND version = $3 AND facts = $4";
    let (patient, record) = (key.patient.as_bytes().into(), key.record.as_bytes().into());
    let (was, facts) = (was.0.as_slice().into(), facts.0.as_slice().into());
    one(turn.run(SQL, &[patient, record, version.into(), was, facts, name.into()]).await?)
}

async fn apply_party(turn: &mut Turn<'_>, name: &'static str, write: &Write) -> Result<(), DbError> {
    // A revision that is not the next one touches nothing and is reported as taken.
    const SQL: &str = "INSERT INTO party (party, kind, number, revision, body, signature, updated_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (party) DO UPDATE SET number = excluded.number, \
         revision = excluded.revision, body = excluded.body, signature = excluded.signature, \
         updated_by = excluded.updated_by WHERE party.revision = excluded.revision - 1";
    let Write::Party { party, kind, number, revision, body, signature } = write else { return Ok(()) };
    let (body, signature) = (body.as_str().into(), signature.as_slice().into());
    let args = [party.into(), (*kind).into(), number.as_str().into(), (*revision).into(), body, signature, name.into()];
    one(turn.run(SQL, &args).await?)
}

async fn apply_account(turn: &mut Turn<'_>, name: &'static str, write: &Write) -> Result<(), DbError> {
    // Of any number of racing logins with one invitation exactly one links its account.
    const USED: &str = "DELETE FROM invitation WHERE patient = $1 AND tag = $2 AND expires > $3";
    const SQL: &str = "INSERT INTO account (patient, tag, since, seal, updated_by) VALUES ($1, $2, $3, $4, $5)";
    let Write::Account { patient, tag, invitation, since, seal } = write else { return Ok(()) };
    one(turn.run(USED, &[patient.as_bytes().into(), invitation.into(), since.0.into()]).await?)?;
    let args = [patient.as_bytes().into(), tag.into(), since.0.into(), seal.as_slice().into(), name.into()];
    turn.run(SQL, &args).await.map(|_| ())
}

async fn apply_records(
    turn: &mut Turn<'_>,
    name: &'static str,
    leaf: i64,
    records: &[&NewRecord],
) -> Result<(), DbError> {
    const RECORD: Batch = Batch {
        head: "INSERT INTO record (patient, record, version, kind, facts, found, updated_by) VALUES",
        columns: 7,
        tail: "",
    };
    const CONTENT: Batch = Batch {
        head: "INSERT INTO content (patient, record, version, sealed, leaf, time, updated_by) VALUES",
        columns: 7,
        tail: "",
    };
    // The arguments of a large Bundle, all at once, would weigh half as much as the Bundle.
    for records in records.chunks(1024) {
        let mut heads: Vec<Vec<Arg<'_>>> = Vec::with_capacity(records.len());
        let mut bodies: Vec<Vec<Arg<'_>>> = Vec::with_capacity(records.len());
        for new in records {
            let (patient, record): (Arg<'_>, Arg<'_>) = (new.patient.as_bytes().into(), new.record.as_bytes().into());
            let sealed = new.sealed.0.as_slice().into();
            bodies.push(vec![
                patient.clone(),
                record.clone(),
                1.into(),
                sealed,
                leaf.into(),
                new.at.0.into(),
                name.into(),
            ]);
            let (facts, found) = (new.facts.0.as_slice().into(), new.found.0.as_slice().into());
            heads.push(vec![patient, record, 1.into(), (&new.kind).into(), facts, found, name.into()]);
        }
        turn.run_rows(&RECORD, &heads).await?;
        turn.run_rows(&CONTENT, &bodies).await?;
    }
    Ok(())
}

async fn apply_consent(turn: &mut Turn<'_>, name: &'static str, leaf: i64, new: &NewRevision) -> Result<(), DbError> {
    const REVISION: &str = "INSERT INTO consent_revision \
         (patient, consent, revision, statement, evidence, leaf, updated_by) VALUES ($1, $2, $3, $4, $5, $6, $7)";
    const CURRENT: &str = "INSERT INTO consent (patient, consent, revision, state, grantee, seal, updated_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (patient, consent) DO UPDATE SET \
         revision = excluded.revision, state = excluded.state, grantee = excluded.grantee, seal = excluded.seal, \
         updated_by = excluded.updated_by WHERE consent.revision = excluded.revision - 1 AND consent.state = 'active'";
    let (patient, consent) = (new.patient.as_bytes(), new.consent.as_bytes());
    let args = [
        patient.into(),
        consent.into(),
        new.revision.into(),
        new.statement.as_bytes().into(),
        new.evidence.0.as_slice().into(),
        leaf.into(),
        name.into(),
    ];
    turn.run(REVISION, &args).await?;
    let args = [
        patient.into(),
        consent.into(),
        new.revision.into(),
        new.state.into(),
        (&new.grantee).into(),
        new.seal.as_slice().into(),
        name.into(),
    ];
    one(turn.run(CURRENT, &args).await?)
}

async fn apply_request(turn: &mut Turn<'_>, name: &'static str, leaf: i64, new: &NewRequest) -> Result<(), DbError> {
    // Counted within the turn: any number of racing requests cannot pass the limit.
    const SQL: &str = "INSERT INTO consent_request (patient, request, asker, state, seal, sealed, leaf, updated_by) \
         SELECT $1, $2, $3, 'open', $4, $5, $6, $7 WHERE (SELECT COUNT(*) FROM consent_request \
         WHERE patient = $1 AND asker = $3 AND state = 'open' AND request >= $9) < $8";
    let args = [
        new.patient.as_bytes().into(),
        new.request.as_bytes().into(),
        (&new.asker).into(),
        new.seal.as_slice().into(),
        new.sealed.0.as_slice().into(),
        leaf.into(),
        name.into(),
        new.most.into(),
        new.since.as_bytes().into(),
    ];
    one(turn.run(SQL, &args).await?)
}

async fn forget(turn: &mut Turn<'_>, patient: PatientId) -> Result<(), DbError> {
    for sql in [
        "DELETE FROM content WHERE patient = $1",
        "DELETE FROM record WHERE patient = $1",
        "DELETE FROM past WHERE patient = $1",
        "DELETE FROM identifier WHERE patient = $1",
        "DELETE FROM account WHERE patient = $1",
        "DELETE FROM invitation WHERE patient = $1",
        "DELETE FROM consent_request WHERE patient = $1",
        "UPDATE consent SET state = 'ended', updated_by = 'forget' WHERE patient = $1",
    ] {
        turn.run(sql, &[patient.as_bytes().into()]).await?;
    }
    Ok(())
}

pub(super) const fn one(touched: u64) -> Result<(), DbError> {
    if touched == 1 { Ok(()) } else { Err(DbError::Taken) }
}
