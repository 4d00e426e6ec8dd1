//! P10 and P16: a changed statement, signature or row gives nothing.

use super::cases;
use super::world::{START, World};
use crate::chance::SeededChance;
use crate::consent::{ConsentError, Signed, Wish};
use crate::db::Arg;
use crate::id::{ConsentId, PatientId, ProfessionalId, StatementId};
use crate::model::{Confidentiality, Grantee, Op, Purpose, Statement, Terms};
use crate::proof::Evidence;
use crate::release::Withheld;

type Change = (&'static str, fn(&mut Statement, &SeededChance));

fn terms(statement: &mut Statement) -> &mut Terms {
    match &mut statement.op {
        Op::Grant(terms) | Op::Narrow(terms) => terms,
        Op::Revoke | Op::Exclude(_) | Op::Lift => panic!("not a grant"),
    }
}

const CHANGES: [Change; 14] = [
    ("id", |s, c| s.id = StatementId::random(c).unwrap()),
    ("consent", |s, c| s.consent = ConsentId::random(c).unwrap()),
    ("revision", |s, c| s.revision = 2 + i64::try_from(c.below(9)).unwrap()),
    ("patient", |s, c| s.patient = PatientId::random(c).unwrap()),
    ("aud", |s, c| s.audience = format!("https://other{}.example/fhir", c.below(99))),
    ("iat", |s, c| s.issued = s.issued.plus_secs(-1 - i64::try_from(c.below(200)).unwrap())),
    ("lang", |s, _| s.language = "en".into()),
    ("textHash", |s, c| s.text_hash = format!("{:064x}", c.below(usize::MAX))),
    ("policy", |s, c| s.policy = format!("{:064x}", c.below(usize::MAX))),
    ("nonce", |s, c| s.nonce = format!("{:043}", c.below(usize::MAX))),
    ("grantee", |s, c| terms(s).grantee = Grantee::Professional(ProfessionalId::random(c).unwrap())),
    ("scope", |s, _| terms(s).scope = vec!["*.cruds".parse().unwrap()]),
    ("purpose", |s, c| terms(s).purpose = vec![[Purpose::Coc, Purpose::Etreat, Purpose::Hresch][c.below(3)]]),
    ("labels and times", |s, c| match c.below(4) {
        0 => terms(s).confidentiality = Confidentiality::V,
        1 => terms(s).sensitivity = vec!["HIV".parse().unwrap()],
        2 => terms(s).valid.to = terms(s).valid.to.plus_secs(1 + i64::try_from(c.below(9)).unwrap()),
        _ => terms(s).authored.from = START,
    }),
];

/// P10, also when the forger holds the patient's key: what was not prepared here is not taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_with_any_member_changed_is_refused_even_when_signed_anew() {
    let world = World::new().await;
    let me = world.patient().await;
    let (seed, chance) = (1010, SeededChance::new(1010));
    let n = cases("P10 changed members, each of 14", seed, 20, 500);
    let draft = world.draft(&me, Wish::Grant(world.terms(&["Observation.rs"]))).await.unwrap();
    let size = world.leaves().await.len();
    for (name, change) in CHANGES {
        for _ in 0..n {
            let mut forged = Statement::parse(&draft.statement).unwrap();
            change(&mut forged, &chance);
            let forged = forged.to_bytes();
            assert_ne!(forged, draft.statement, "{name}");
            assert!(world.house.consents.sign(me.patient, &me.signed(&forged)).await.is_err(), "{name}");
            // With the signature over what was shown, too.
            let stale = Signed { statement: forged, ..me.signed(&draft.statement) };
            assert!(world.house.consents.sign(me.patient, &stale).await.is_err(), "{name}");
        }
    }
    assert_eq!(world.leaves().await.len(), size);
    world.house.consents.sign(me.patient, &me.signed(&draft.statement)).await.unwrap();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_with_any_byte_changed_is_refused() {
    let world = World::new().await;
    let me = world.patient().await;
    let (seed, chance) = (1011, SeededChance::new(1011));
    let draft = world.draft(&me, Wish::Grant(world.terms(&["Observation.rs"]))).await.unwrap();
    let jws = me.jws(me.device, &draft.statement);
    for _ in 0..cases("P10 changed evidence", seed, 200, 6_000) {
        let mut bytes = jws.clone().into_bytes();
        let at = chance.below(bytes.len());
        bytes[at] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."[chance.below(65)];
        let forged = String::from_utf8(bytes).unwrap();
        if forged == jws {
            continue;
        }
        let signed = Signed { statement: draft.statement.clone(), evidence: Evidence::Device(forged), answers: None };
        let refused = world.house.consents.sign(me.patient, &signed).await;
        assert!(matches!(refused, Err(ConsentError::Unsigned)), "{at}: {refused:?}");
    }
    world.end().await;
}

async fn column(world: &World, sql: &'static str, consent: ConsentId) -> Vec<u8> {
    let args = [consent.as_bytes().into()];
    world.house.store.db().maybe("test", sql, &args, |row| Ok(row.bytes(0)?.to_vec())).await.unwrap().unwrap()
}

const TAG: &str = "UPDATE consent SET grantee = $2 WHERE consent = $1";
const STATE: &str = "UPDATE consent SET state = $2 WHERE consent = $1";

async fn put(world: &World, sql: &'static str, consent: ConsentId, value: Arg<'static>) {
    let args = vec![consent.as_bytes().to_vec().into(), value];
    world.house.store.db().transact("test", vec![(sql, args)]).await.unwrap();
}

/// P16, DX-02: the row is an index, the signatures are the proof.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_with_any_byte_changed_gives_no_access_and_cannot_be_listed_as_if_it_held() {
    let world = World::new().await;
    let me = world.patient().await;
    let lab = world.admit(&me, "Observation", |_| {}).await;
    let martin = world.bearer(world.martin);
    let consent = world.granted(&me, &["Observation.rs"]).await.consent;
    assert!(world.reads(&martin, "Observation", lab).await);
    let (seed, chance) = (1616, SeededChance::new(1616));
    let n = cases("P16 flips in each column", seed, 24, 2_000);
    let columns: [(&str, &str); 2] = [
        ("SELECT seal FROM consent WHERE consent = $1", "UPDATE consent SET seal = $2 WHERE consent = $1"),
        (
            "SELECT evidence FROM consent_revision WHERE consent = $1",
            "UPDATE consent_revision SET evidence = $2 WHERE consent = $1",
        ),
    ];
    for (read, write) in columns {
        let good = column(&world, read, consent).await;
        for _ in 0..n {
            let mut bad = good.clone();
            let at = chance.below(bad.len());
            bad[at] ^= 1 << chance.below(8);
            put(&world, write, consent, bad.into()).await;
            let read = world.house.door.read(&martin, "Observation", lab).await;
            assert!(matches!(read, Err(Withheld::Unavailable(_))), "{write} at {at}: {read:?}");
            assert!(world.house.consents.list(me.patient).await.is_err());
            assert!(world.house.consents.revoke(me.patient, consent).await.is_err());
        }
        put(&world, write, consent, good.into()).await;
    }
    // A tag that was moved leads nobody to the row, and does not let the patient believe it holds.
    let tag = column(&world, "SELECT grantee FROM consent WHERE consent = $1", consent).await;
    put(&world, TAG, consent, vec![7u8; 16].into()).await;
    assert!(!world.reads(&martin, "Observation", lab).await);
    assert!(world.house.consents.list(me.patient).await.is_err());
    put(&world, TAG, consent, tag.into()).await;
    // An end that the house did not write is not taken for one: put back, it would live again.
    put(&world, STATE, consent, "ended".to_owned().into()).await;
    assert!(world.house.consents.revoke(me.patient, consent).await.is_err());
    put(&world, STATE, consent, "active".to_owned().into()).await;
    assert!(world.reads(&martin, "Observation", lab).await);
    // A revoked consent made active again by another hand.
    world.house.consents.revoke(me.patient, consent).await.unwrap();
    put(&world, STATE, consent, "active".to_owned().into()).await;
    let revived = world.house.door.read(&martin, "Observation", lab).await;
    assert!(matches!(revived, Err(Withheld::Unavailable(_))), "{revived:?}");
    world.end().await;
}
