//! What may be granted at all, asked before it is shown and again when it is signed (FR-02, CT-05, CT-10).

use super::grantee::Known;
use super::{ConsentError, Consents, LONGEST};
use crate::clock::Timestamp;
use crate::model::{Confidentiality, Grantee, OrganisationKind, Period, Purpose, Terms};
use crate::policy::{Prospect, Reason};

/// The longest a consent to an insurer may last: contracts are renewed each year, and so is the question.
const INSURER_LONGEST: i64 = 366 * 86_400;

impl Consents {
    /// Whether these terms could ever be honoured for `who`, counted from `issued`.
    pub(super) fn lawful(&self, terms: &Terms, who: &Known, issued: Timestamp) -> Result<(), ConsentError> {
        let longest = if insurer(who) { INSURER_LONGEST } else { LONGEST };
        let begins = terms.valid.from.max(issued);
        let too_long = terms.valid.to > begins.plus_secs(longest) || terms.valid.to > issued.plus_secs(LONGEST);
        if self.clock.now() >= terms.valid.to || too_long {
            return Err(ConsentError::Refused { reason: Reason::Window.code(), article: None });
        }
        let prospect = Prospect { kinds: &who.kinds, profession: who.profession.as_ref() };
        self.engine.would_grant(terms, &prospect).map_err(|reason| refused(reason, who))
    }
}

impl Consents {
    /// Those of these FHIR types that could be opened to `grantee` for these purposes at all: the others are not to
    /// be offered.
    ///
    /// # Errors
    /// [`ConsentError::NoGrantee`].
    pub async fn openable(
        &self,
        grantee: &Grantee,
        purpose: &[Purpose],
        types: &[&'static str],
    ) -> Result<Vec<&'static str>, ConsentError> {
        let who = self.known(grantee).await?;
        let from = self.clock.now();
        let open = |kind: &&&'static str| {
            let Ok(scope) = format!("{kind}.rs").parse() else { return false };
            let terms = Terms {
                grantee: grantee.clone(),
                scope: vec![scope],
                purpose: purpose.to_vec(),
                confidentiality: Confidentiality::N,
                sensitivity: Vec::new(),
                authored: Period::ALWAYS,
                valid: Period { from, to: from.plus_secs(86_400) },
            };
            self.lawful(&terms, &who, from).is_ok()
        };
        Ok(types.iter().filter(open).copied().collect())
    }
}

fn insurer(who: &Known) -> bool {
    who.kinds.contains(&OrganisationKind::Insurer)
}

/// The refusal with the article behind it.
fn refused(reason: Reason, who: &Known) -> ConsentError {
    let by_kind = || {
        Some(match who.kinds.first()? {
            OrganisationKind::Care => "articles L.1110-4 and L.1111-17 I of the Code de la santé publique",
            OrganisationKind::Social => "articles L.1110-4 III and R.1110-1 of the Code de la santé publique",
            OrganisationKind::Insurer => "article L.1111-18 of the Code de la santé publique",
            OrganisationKind::OccupationalHealth => "article L.1111-17 IV of the Code de la santé publique",
        })
    };
    let article = match reason {
        Reason::InsurerMedical => Some("article L.1111-18 of the Code de la santé publique"),
        Reason::OccupationalExpress => Some("article L.1111-17 IV of the Code de la santé publique"),
        Reason::Matrix | Reason::Purpose | Reason::Scope | Reason::NoGround => by_kind(),
        Reason::NoRecord
        | Reason::SeveralPatients
        | Reason::OtherPatient
        | Reason::Inactive
        | Reason::Excluded
        | Reason::TokenScope
        | Reason::NoConsent
        | Reason::Window
        | Reason::Authored
        | Reason::Label
        | Reason::Masked
        | Reason::Unannounced
        | Reason::PolicyError => None,
    };
    ConsentError::Refused { reason: reason.code(), article }
}
