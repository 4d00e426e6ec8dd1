//! The parts of a record as people call them, and the FHIR types in each.

use crate::model::{ClinicalScope, Interaction, Language};

/// A part of the record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Rubric {
    Allergies,
    Medicines,
    Illnesses,
    Vaccines,
    Results,
    Documents,
    Support,
    Bills,
}

impl Rubric {
    /// All of them, in the order in which they are shown.
    pub(super) const ALL: [Self; 8] = [
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
    pub(super) const fn word(self, language: Language) -> &'static str {
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

    /// The FHIR types in it.
    pub(super) const fn types(self) -> &'static [&'static str] {
        match self {
            Self::Allergies => &["AllergyIntolerance"],
            Self::Medicines => &["MedicationRequest", "MedicationStatement", "MedicationAdministration", "MedicationDispense"],
            Self::Illnesses => &["Condition", "Procedure", "Encounter", "FamilyMemberHistory", "ClinicalImpression"],
            Self::Vaccines => &["Immunization", "ImmunizationRecommendation"],
            Self::Results => &["Observation", "DiagnosticReport", "ImagingStudy"],
            Self::Documents => &["DocumentReference", "Composition"],
            Self::Support => &["CarePlan", "Goal", "CareTeam", "QuestionnaireResponse"],
            Self::Bills => &["Claim", "ExplanationOfBenefit", "Invoice", "Coverage", "ClaimResponse"],
        }
    }

    /// The part that holds a FHIR type.
    pub(super) fn of(resource_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rubric| rubric.types().contains(&resource_type))
    }

    /// Whether these scopes let somebody read any of it, as far as scopes go.
    pub(super) fn is_in(self, scopes: &[ClinicalScope]) -> bool {
        let reads = |s: &&ClinicalScope| s.interactions.has(Interaction::Read) || s.interactions.has(Interaction::Search);
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
