//! Small random worlds, crowded enough that yes and no are both frequent; and the plain cases tests start from.

use crate::chance::SeededChance;
use crate::clock::Timestamp;
use crate::id::{ClientId, ConsentId, DeedId, OrganisationId, PatientId, ProfessionalId, RecordId};
use crate::model::{
    Actor, ClinicalScope, Coding, Confidentiality, Grantee, Interaction, OrganisationKind, Period, Purpose,
    RecordClass, RecordFacts, RecordKey, Sensitivity, Software, Terms, Visibility,
};
use crate::policy::{Exclusion, Provision, Question, Standing};

pub(super) const DEED: DeedId = DeedId::from_bytes([9; 16]);
pub(super) const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);
pub(super) const ANS: &str =
    "https://mos.esante.gouv.fr/NOS/TRE_A05-TypeDocComplementaire/FHIR/TRE-A05-TypeDocComplementaire";

pub(super) const KINDS: [OrganisationKind; 4] =
    [OrganisationKind::Care, OrganisationKind::Social, OrganisationKind::Insurer, OrganisationKind::OccupationalHealth];
pub(super) const PROFESSIONS: [&str; 6] = ["10", "40", "41", "60", "10", "99"];
pub(super) const PURPOSES: [Purpose; 7] =
    [Purpose::Treat, Purpose::Treat, Purpose::Hpaymt, Purpose::Eligver, Purpose::Caremgt, Purpose::Btg, Purpose::Coc];
pub(super) const TYPES: [&str; 7] = [
    "Observation",
    "DocumentReference",
    "DiagnosticReport",
    "Coverage",
    "ExplanationOfBenefit",
    "Patient",
    "AuditEvent",
];
const LABELS: [&str; 4] = ["HIV", "SUD", "OPIOIDUD", "ETHUD"];

#[derive(Clone)]
pub(super) struct World {
    pub(super) actor: Actor,
    pub(super) standing: Standing,
    pub(super) interaction: Interaction,
    pub(super) records: Vec<RecordFacts>,
    pub(super) provisions: Vec<Provision>,
    pub(super) exclusions: Vec<Exclusion>,
}

impl World {
    pub(super) fn question(&self) -> Question<'_> {
        Question {
            actor: &self.actor,
            standing: self.standing,
            interaction: self.interaction,
            now: NOW,
            records: &self.records,
            provisions: &self.provisions,
            exclusions: &self.exclusions,
        }
    }

    pub(super) fn software(&mut self) -> &mut Software {
        match &mut self.actor {
            Actor::Software(software) => software,
            Actor::Patient(_) => panic!("a patient asks"),
        }
    }
}

/// A physician of a hospital reads one dated laboratory result, under one narrow consent: allowed.
pub(super) fn physician_reads() -> World {
    let lab = vec!["http://x|laboratory".parse().unwrap()];
    World {
        actor: Actor::Software(Software {
            client: ClientId::from_bytes([1; 16]),
            organisation: organisation(1),
            kind: OrganisationKind::Care,
            professional: Some((professional(1), "10".parse().unwrap())),
            purpose: Purpose::Treat,
            scopes: scopes(&["Observation.rs", "Coverage.rs", "DocumentReference.rs"]),
        }),
        standing: Standing::ACTIVE,
        interaction: Interaction::Read,
        records: vec![RecordFacts { categories: lab, ..record(1, "Observation") }],
        provisions: vec![Provision {
            consent: ConsentId::from_bytes([7; 16]),
            revision: 3,
            patient: PatientId::from_bytes([1; 16]),
            terms: Terms {
                grantee: Grantee::Organisation(organisation(1)),
                scope: scopes(&["Observation.rs?category=http://x|laboratory"]),
                purpose: vec![Purpose::Treat],
                confidentiality: Confidentiality::R,
                sensitivity: vec!["SUD".parse().unwrap()],
                authored: Period { from: NOW.plus_secs(-1000), to: NOW },
                valid: Period { from: NOW.plus_secs(-1000), to: NOW.plus_secs(1000) },
            },
        }],
        exclusions: Vec::new(),
    }
}

pub(super) fn record(n: u8, resource_type: &str) -> RecordFacts {
    RecordFacts {
        key: RecordKey { patient: PatientId::from_bytes([1; 16]), record: RecordId::from_bytes([n; 16]) },
        version: i64::from(n),
        resource_type: resource_type.to_owned(),
        class: RecordClass::Medical,
        confidentiality: Confidentiality::N,
        sensitivities: Vec::new(),
        categories: Vec::new(),
        document_types: Vec::new(),
        authored: Some(Period { from: NOW.plus_secs(-500), to: NOW.plus_secs(-400) }),
        visibility: Vec::new(),
        announced: None,
        author: None,
    }
}

pub(super) fn scopes(texts: &[&str]) -> Vec<ClinicalScope> {
    texts.iter().map(|t| t.parse().unwrap()).collect()
}

pub(super) fn organisation(n: u8) -> OrganisationId {
    OrganisationId::from_bytes([n; 16])
}

pub(super) fn professional(n: u8) -> ProfessionalId {
    ProfessionalId::from_bytes([n; 16])
}

/// Draws from a seeded stream.
pub(super) struct Dice(pub(super) SeededChance);

impl Dice {
    pub(super) fn of<T: Clone>(&self, from: &[T]) -> T {
        from[self.0.below(from.len())].clone()
    }

    /// True `n` times in ten.
    pub(super) fn tenths(&self, n: usize) -> bool {
        self.0.below(10) < n
    }

    fn some<T: Clone>(&self, from: &[T], n: usize) -> Vec<T> {
        from.iter().filter(|_| self.tenths(n)).cloned().collect()
    }

    fn small(&self, n: u8) -> u8 {
        u8::try_from(self.0.below(usize::from(n))).unwrap()
    }

    fn codings(&self) -> Vec<Coding> {
        self.some(&["http://x|laboratory", "http://x|vital-signs"].map(|c| c.parse().unwrap()), 4)
    }

    fn scope(&self) -> ClinicalScope {
        let kind = if self.tenths(2) { "*" } else { self.of(&TYPES) };
        let letters = self.of(&["rs", "r", "cruds", "s", "rs"]);
        ClinicalScope {
            categories: if self.tenths(2) { self.codings() } else { Vec::new() },
            ..format!("{kind}.{letters}").parse().unwrap()
        }
    }

    fn scopes(&self, most: usize) -> Vec<ClinicalScope> {
        (0..self.0.below(most + 1)).map(|_| self.scope()).collect()
    }

    fn labels(&self, n: usize) -> Vec<Sensitivity> {
        self.some(&LABELS.map(|l| l.parse().unwrap()), n)
    }

    fn confidentiality(&self) -> Confidentiality {
        self.of(&[Confidentiality::U, Confidentiality::N, Confidentiality::N, Confidentiality::R, Confidentiality::V])
    }

    fn period(&self) -> Period {
        let from = NOW.plus_secs(-100 * i64::from(self.small(10)));
        Period { from, to: from.plus_secs(100 * i64::from(self.small(10))) }
    }

    fn record(&self, n: u8) -> RecordFacts {
        let loinc = |c: &str| Coding { system: "http://loinc.org".to_owned(), code: c.to_owned() };
        let types =
            [loinc("11488-4"), loinc("68599-0"), loinc("99999-9"), format!("{ANS}|ATTEST-RESID").parse().unwrap()];
        RecordFacts {
            class: self.of(&[RecordClass::Medical, RecordClass::Reimbursement]),
            confidentiality: self.confidentiality(),
            sensitivities: self.labels(1),
            categories: self.codings(),
            document_types: if self.tenths(7) { vec![self.of(&types)] } else { self.some(&types, 3) },
            authored: if self.tenths(8) { Some(self.period()) } else { None },
            visibility: if self.tenths(2) { self.some(&Visibility::ALL, 3) } else { Vec::new() },
            announced: if self.tenths(2) { Some(NOW.plus_secs(i64::from(self.small(3)) - 1)) } else { None },
            author: if self.tenths(3) { Some(professional(1 + self.small(2))) } else { None },
            ..record(n, self.of(&TYPES))
        }
    }

    pub(super) fn terms(&self) -> Terms {
        let (org, who) = (organisation(1 + self.small(2)), professional(1 + self.small(2)));
        let grantee = match self.small(3) {
            0 => Grantee::Organisation(org),
            1 => Grantee::Professional(who),
            _ => Grantee::Role(org, self.of(&PROFESSIONS).parse().unwrap()),
        };
        let late = self.tenths(1);
        Terms {
            grantee,
            scope: self.scopes(4),
            purpose: self.some(&PURPOSES, 7),
            confidentiality: self.confidentiality(),
            sensitivity: self.labels(6),
            authored: if self.tenths(6) { Period::ALWAYS } else { Period { from: NOW.plus_secs(-900), to: NOW } },
            valid: Period { from: NOW.plus_secs(-9), to: if late { NOW } else { NOW.plus_secs(1) } },
        }
    }

    fn provision(&self, n: u8) -> Provision {
        Provision {
            consent: ConsentId::from_bytes([n; 16]),
            revision: i64::from(n),
            patient: PatientId::from_bytes([if self.tenths(9) { 1 } else { 2 }; 16]),
            terms: self.terms(),
        }
    }

    pub(super) fn software(&self, kind: OrganisationKind) -> Software {
        let named = self.tenths(9);
        let professional = named.then(|| (professional(1 + self.small(2)), self.of(&PROFESSIONS).parse().unwrap()));
        let all = self.tenths(9);
        Software {
            client: ClientId::from_bytes([1; 16]),
            organisation: organisation(1 + self.small(2)),
            kind,
            professional,
            purpose: self.of(&PURPOSES),
            scopes: if all { scopes(&["*.cruds"]) } else { self.scopes(4) },
        }
    }

    pub(super) fn world(&self) -> World {
        let kind = if self.tenths(5) { OrganisationKind::Care } else { self.of(&KINDS) };
        let actor = if self.tenths(1) {
            Actor::Patient(PatientId::from_bytes([1 + self.small(2); 16]))
        } else {
            Actor::Software(self.software(kind))
        };
        let mut standing = Standing::ACTIVE;
        if self.tenths(1) {
            standing.organisation = false;
        }
        let records: Vec<RecordFacts> = (0..=self.small(4)).map(|n| self.record(n)).collect();
        let mut provisions: Vec<Provision> = (0..self.small(6)).map(|n| self.provision(n)).collect();
        if let Actor::Software(software) = &actor {
            // Half of the consents are meant for this very question, or a yes would be rare.
            for provision in provisions.iter_mut().filter(|_| self.tenths(5)) {
                provision.terms.grantee = self.of(&software.grantees());
                provision.terms.purpose.push(software.purpose);
                provision.terms.confidentiality =
                    self.of(&[Confidentiality::N, Confidentiality::V, Confidentiality::V]);
                let fitting = format!("{}.cruds", self.of(&records).resource_type);
                provision.terms.scope.push(fitting.parse().unwrap());
            }
        }
        World {
            actor,
            standing,
            interaction: if self.tenths(8) { Interaction::Read } else { self.of(&Interaction::ALL) },
            records,
            provisions,
            exclusions: if self.tenths(1) {
                vec![Exclusion { consent: ConsentId::from_bytes([8; 16]), revision: 1, professional: professional(1) }]
            } else {
                Vec::new()
            },
        }
    }
}
