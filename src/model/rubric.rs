//! The parts of a record as people call them, and the FHIR types in each.

use super::{ClinicalScope, Interaction, Language};

/// A part of the record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rubric {
    /// Allergies and intolerances.
    Allergies,
    /// Prescriptions and what was taken.
    Medicines,
    /// Health problems and what was done about them.
    Illnesses,
    /// Vaccinations.
    Vaccines,
    /// Measurements, reports, imaging.
    Results,
    /// Letters and summaries.
    Documents,
    /// Social and medico-social support.
    Support,
    /// Bills and proofs of reimbursement.
    Bills,
}

impl Rubric {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::Allergies,
        Self::Medicines,
        Self::Illnesses,
        Self::Vaccines,
        Self::Results,
        Self::Documents,
        Self::Support,
        Self::Bills,
    ];

    /// What it is called.
    #[must_use]
    pub const fn word(self, language: Language) -> &'static str {
        match self {
            Self::Allergies => language.pick("Allergies", "Allergies"),
            Self::Medicines => language.pick("Traitements", "Medicines"),
            Self::Illnesses => language.pick("Maladies et soins", "Illnesses and care"),
            Self::Vaccines => language.pick("Vaccins", "Vaccines"),
            Self::Results => language.pick("Résultats", "Results"),
            Self::Documents => language.pick("Documents", "Documents"),
            Self::Support => language.pick("Plan d’aide", "Support plan"),
            Self::Bills => language.pick("Factures", "Bills"),
        }
    }

    /// What the patient owns of it, as the object of "read"; all of its types and no other.
    #[must_use]
    pub const fn owned(self, language: Language) -> &'static str {
        match self {
            Self::Allergies => language.pick("vos allergies et intolérances", "your allergies and intolerances"),
            Self::Medicines => language.pick(
                "vos traitements (ordonnances, délivrances, prises)",
                "your medicines (prescribed, dispensed, taken)",
            ),
            Self::Illnesses => language.pick(
                "vos maladies, consultations et actes, avec vos antécédents familiaux",
                "your illnesses, visits and procedures, with your family history",
            ),
            Self::Vaccines => {
                language.pick("vos vaccins, faits et recommandés", "your vaccines, given and recommended")
            }
            Self::Results => {
                language.pick("vos mesures, examens et imagerie", "your measurements, examinations and imaging")
            }
            Self::Documents => {
                language.pick("vos documents et synthèses médicales", "your medical documents and summaries")
            }
            Self::Support => language.pick(
                "votre plan d’aide, vos objectifs, votre équipe et vos questionnaires",
                "your support plan, goals, team and questionnaires",
            ),
            Self::Bills => language.pick(
                "vos factures, votre couverture et vos preuves de remboursement",
                "your bills, your cover and your proofs of reimbursement",
            ),
        }
    }

    /// As it stands in forms.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Allergies => "allergies",
            Self::Medicines => "traitements",
            Self::Illnesses => "maladies",
            Self::Vaccines => "vaccins",
            Self::Results => "resultats",
            Self::Documents => "documents",
            Self::Support => "aide",
            Self::Bills => "factures",
        }
    }

    /// The FHIR types in it.
    #[must_use]
    pub const fn types(self) -> &'static [&'static str] {
        match self {
            Self::Allergies => &["AllergyIntolerance"],
            Self::Medicines => {
                &["MedicationRequest", "MedicationStatement", "MedicationAdministration", "MedicationDispense"]
            }
            Self::Illnesses => &["Condition", "Procedure", "Encounter", "FamilyMemberHistory", "ClinicalImpression"],
            Self::Vaccines => &["Immunization", "ImmunizationRecommendation"],
            Self::Results => &["Observation", "DiagnosticReport", "ImagingStudy"],
            Self::Documents => &["DocumentReference", "Composition"],
            Self::Support => &["CarePlan", "Goal", "CareTeam", "QuestionnaireResponse"],
            Self::Bills => &["Claim", "ExplanationOfBenefit", "Invoice", "Coverage", "ClaimResponse"],
        }
    }

    /// The part that holds a FHIR type.
    #[must_use]
    pub fn of(resource_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rubric| rubric.types().contains(&resource_type))
    }

    /// Whether these scopes let somebody read any of it, as far as scopes go.
    #[must_use]
    pub fn is_in(self, scopes: &[ClinicalScope]) -> bool {
        let reads =
            |s: &&ClinicalScope| s.interactions.has(Interaction::Read) || s.interactions.has(Interaction::Search);
        scopes.iter().filter(reads).any(|s| s.resource_type.as_deref().is_none_or(|t| self.types().contains(&t)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_is_in_one_part_only() {
        for rubric in Rubric::ALL {
            for kind in rubric.types() {
                assert_eq!(Rubric::of(kind), Some(rubric), "{kind}");
            }
        }
        let scopes = ["Observation.rs".parse().unwrap(), "CarePlan.c".parse().unwrap()];
        let open: Vec<_> = Rubric::ALL.into_iter().filter(|r| r.is_in(&scopes)).collect();
        assert_eq!(open, [Rubric::Results]);
        assert!(Rubric::ALL.into_iter().all(|r| r.is_in(&["*.rs".parse().unwrap()])));
    }
}
