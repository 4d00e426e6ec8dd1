//! The plain words for codes, as data: what cannot be said to a patient cannot be signed by them.

use crate::model::{Coding, Interaction, Language, OrganisationKind, Profession, Purpose, Sensitivity};

type Words = (&'static str, &'static str, &'static str);

/// What a patient owns of each resource type, as the object of "read".
const TYPES: &[Words] = &[
    ("Account", "vos comptes de frais de soins", "your billing accounts"),
    ("AdverseEvent", "vos événements indésirables", "your adverse events"),
    ("AllergyIntolerance", "vos allergies et intolérances", "your allergies and intolerances"),
    ("Appointment", "vos rendez-vous", "your appointments"),
    ("AppointmentResponse", "vos réponses à des rendez-vous", "your answers to appointments"),
    ("Binary", "vos fichiers", "your files"),
    ("BodyStructure", "vos descriptions anatomiques", "your body structures"),
    ("CarePlan", "vos plans de soins", "your care plans"),
    ("CareTeam", "votre équipe de soins", "your care team"),
    ("ChargeItem", "vos actes facturés", "your charged items"),
    ("Claim", "vos factures", "your bills"),
    ("ClaimResponse", "vos réponses de remboursement", "your answers to claims"),
    ("ClinicalImpression", "vos évaluations cliniques", "your clinical assessments"),
    ("Communication", "vos messages", "your messages"),
    ("CommunicationRequest", "vos demandes de message", "your message requests"),
    ("Composition", "vos synthèses médicales", "your medical summaries"),
    ("Condition", "vos maladies et problèmes de santé", "your illnesses and health problems"),
    ("Coverage", "votre couverture santé", "your health cover"),
    ("CoverageEligibilityRequest", "vos demandes de droits", "your eligibility requests"),
    ("CoverageEligibilityResponse", "vos droits à remboursement", "your eligibility"),
    ("DetectedIssue", "vos alertes cliniques", "your clinical alerts"),
    ("Device", "vos dispositifs médicaux", "your medical devices"),
    ("DeviceRequest", "vos prescriptions de dispositifs", "your device prescriptions"),
    ("DeviceUseStatement", "votre usage de dispositifs", "your use of devices"),
    ("DiagnosticReport", "vos comptes rendus d’examens", "your examination reports"),
    ("DocumentManifest", "vos dossiers de documents", "your document sets"),
    ("DocumentReference", "vos documents médicaux", "your medical documents"),
    ("Encounter", "vos consultations et séjours", "your visits and stays"),
    ("EpisodeOfCare", "vos épisodes de soins", "your episodes of care"),
    ("ExplanationOfBenefit", "vos preuves de remboursement", "your proofs of reimbursement"),
    ("FamilyMemberHistory", "vos antécédents familiaux", "your family history"),
    ("Flag", "vos signalements", "your flags"),
    ("Goal", "vos objectifs de soins", "your care goals"),
    ("ImagingStudy", "vos examens d’imagerie", "your imaging studies"),
    ("Immunization", "vos vaccinations", "your vaccinations"),
    ("ImmunizationEvaluation", "vos bilans de vaccination", "your vaccination reviews"),
    ("ImmunizationRecommendation", "vos vaccins recommandés", "your recommended vaccines"),
    ("Invoice", "vos notes d’honoraires", "your invoices"),
    ("List", "vos listes médicales", "your medical lists"),
    ("Media", "vos images et enregistrements", "your images and recordings"),
    ("Medication", "vos médicaments", "your medicines"),
    ("MedicationAdministration", "vos prises de médicaments", "your medicine administrations"),
    ("MedicationDispense", "vos médicaments délivrés", "your dispensed medicines"),
    ("MedicationRequest", "vos ordonnances", "your prescriptions"),
    ("MedicationStatement", "vos traitements déclarés", "your reported medicines"),
    ("MolecularSequence", "vos analyses génétiques", "your genetic sequences"),
    ("NutritionOrder", "vos régimes prescrits", "your diet orders"),
    ("Observation", "vos mesures et résultats", "your measurements and results"),
    ("Patient", "votre identité et vos coordonnées", "your identity and contact details"),
    ("PaymentNotice", "vos avis de paiement", "your payment notices"),
    ("PaymentReconciliation", "vos relevés de paiement", "your payment statements"),
    ("Procedure", "vos actes et interventions", "your procedures"),
    ("QuestionnaireResponse", "vos réponses à des questionnaires", "your answers to questionnaires"),
    ("RelatedPerson", "vos proches déclarés", "your relatives"),
    ("RequestGroup", "vos demandes groupées", "your grouped requests"),
    ("RiskAssessment", "vos évaluations de risque", "your risk assessments"),
    ("ServiceRequest", "vos examens et soins demandés", "your referrals and orders"),
    ("Specimen", "vos prélèvements", "your specimens"),
    ("SupplyDelivery", "vos livraisons de matériel", "your supply deliveries"),
    ("SupplyRequest", "vos demandes de matériel", "your supply requests"),
    ("Task", "vos tâches de soins", "your care tasks"),
    ("VisionPrescription", "vos ordonnances de lunettes", "your glasses prescriptions"),
];

const OBSERVATION_CATEGORIES: &str = "http://terminology.hl7.org/CodeSystem/observation-category";

const CATEGORIES: &[Words] = &[
    ("activity", "vos mesures d’activité physique", "your activity measurements"),
    ("exam", "vos examens cliniques", "your clinical examinations"),
    ("imaging", "vos résultats d’imagerie", "your imaging results"),
    ("laboratory", "vos résultats de laboratoire", "your laboratory results"),
    ("procedure", "vos mesures faites lors d’actes", "your measurements from procedures"),
    ("social-history", "vos habitudes de vie", "your social history"),
    ("survey", "vos résultats de questionnaires", "your survey results"),
    ("therapy", "vos mesures de rééducation", "your therapy measurements"),
    ("vital-signs", "vos constantes (tension, pouls, poids…)", "your vital signs"),
];

const SENSITIVITIES: &[Words] = &[
    ("BH", "troubles cognitifs, du développement et émotionnels", "cognitive, developmental and emotional disorders"),
    ("COGN", "troubles cognitifs", "cognitive disorders"),
    ("DVD", "troubles du développement", "developmental disorders"),
    ("EMOTDIS", "troubles émotionnels", "emotional disorders"),
    ("ETH", "addictions", "substance use"),
    ("ETHUD", "alcool", "alcohol use"),
    ("GDIS", "génétique", "genetics"),
    ("HIV", "VIH", "HIV"),
    ("MH", "santé mentale", "mental health"),
    ("OPIOIDUD", "opioïdes", "opioid use"),
    ("PSY", "psychiatrie", "psychiatry"),
    ("PSYTHPN", "notes de psychothérapie", "psychotherapy notes"),
    ("SCA", "drépanocytose (porteur)", "sickle cell trait"),
    ("SDV", "violences conjugales ou sexuelles", "sexual and domestic violence"),
    ("SEX", "sexualité et contraception", "sexuality and reproductive health"),
    ("SICKLE", "drépanocytose", "sickle cell disease"),
    (
        "SPI",
        "santé mentale, troubles du comportement et addictions",
        "mental and behavioural health, and substance use",
    ),
    ("STD", "infections sexuellement transmissibles", "sexually transmitted diseases"),
    ("SUD", "dépendances", "substance use disorders"),
    ("TBOO", "sujets que vous jugez intimes", "matters you hold private"),
    ("VIO", "violences", "violence"),
];

const PROFESSIONS: &[Words] = &[
    ("10", "médecin", "physician"),
    ("21", "pharmacien", "pharmacist"),
    ("26", "audioprothésiste", "hearing aid specialist"),
    ("28", "opticien-lunetier", "optician"),
    ("40", "chirurgien-dentiste", "dentist"),
    ("41", "assistant de service social", "social worker"),
    ("50", "sage-femme", "midwife"),
    ("60", "infirmier", "nurse"),
    ("70", "masseur-kinésithérapeute", "physiotherapist"),
    ("80", "pédicure-podologue", "podiatrist"),
    ("91", "orthophoniste", "speech therapist"),
    ("92", "orthoptiste", "orthoptist"),
    ("93", "psychologue", "psychologist"),
    ("94", "ergothérapeute", "occupational therapist"),
    ("95", "diététicien", "dietitian"),
];

fn look(table: &'static [Words], code: &str, language: Language) -> Option<&'static str> {
    let (_, fr, en) = table.iter().find(|(c, _, _)| *c == code)?;
    Some(language.pick(fr, en))
}

/// What a scope over `resource_type` reaches; `None` when there are no plain words for it.
pub(super) fn resource(resource_type: Option<&str>, language: Language) -> Option<&'static str> {
    match resource_type {
        None => Some(language.pick("tout votre dossier", "your whole record")),
        Some(name) => look(TYPES, name, language),
    }
}

/// One category of a resource type. A category of a system we do not know is shown as it is written.
pub(super) fn category(of: &'static str, category: &Coding, language: Language) -> String {
    let known = (category.system == OBSERVATION_CATEGORIES).then(|| look(CATEGORIES, &category.code, language));
    known
        .flatten()
        .map_or_else(|| format!("{of} ({} {category})", language.pick("catégorie", "category")), str::to_owned)
}

/// A sensitive category.
pub(super) fn sensitivity(of: &Sensitivity, language: Language) -> &'static str {
    look(SENSITIVITIES, of.code(), language).unwrap_or(of.code())
}

/// A profession, or its code when we have no word for it.
/// A profession, in words.
#[must_use]
pub fn profession(of: &Profession, language: Language) -> String {
    let plain = || format!("{} {}", language.pick("profession", "profession"), of.code());
    look(PROFESSIONS, of.code(), language).map_or_else(plain, str::to_owned)
}

/// What for.
pub(super) const fn purpose(of: Purpose, language: Language) -> &'static str {
    let (fr, en) = match of {
        Purpose::Treat => ("pour vous soigner", "to treat you"),
        Purpose::Etreat => ("pour vous soigner en urgence", "to treat you in an emergency"),
        Purpose::Btg => ("pour un accès exceptionnel en urgence vitale", "to break the glass in an emergency"),
        Purpose::Coc => ("pour coordonner vos soins", "to coordinate your care"),
        Purpose::Hpaymt => ("pour le remboursement de vos soins", "to reimburse your care"),
        Purpose::Eligver => ("pour vérifier vos droits", "to verify your eligibility"),
        Purpose::Caremgt => ("pour votre accompagnement social et médico-social", "to support you socially"),
        Purpose::Patrqt => ("à votre demande", "at your own request"),
        Purpose::Hresch => ("pour la recherche", "for research"),
    };
    language.pick(fr, en)
}

/// What is done.
pub(super) const fn verb(of: Interaction, language: Language) -> &'static str {
    let (fr, en) = match of {
        Interaction::Read | Interaction::Search => ("lire", "read"),
        Interaction::Create => ("compléter", "add to"),
        Interaction::Update => ("modifier", "change"),
        Interaction::Delete => ("effacer", "erase"),
    };
    language.pick(fr, en)
}

/// What an organisation is, with its article.
pub(super) const fn organisation(of: OrganisationKind, language: Language) -> &'static str {
    let (fr, en) = match of {
        OrganisationKind::Care => ("l’établissement de soins", "the care provider"),
        OrganisationKind::Social => ("le service social", "the social service"),
        OrganisationKind::Insurer => ("l’assureur", "the insurer"),
        OrganisationKind::OccupationalHealth => ("le service de santé au travail", "the occupational health service"),
    };
    language.pick(fr, en)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_we_know_has_words_in_both_languages() {
        for language in [Language::Fr, Language::En] {
            for (code, _) in Sensitivity::ALL {
                assert!(look(SENSITIVITIES, code, language).is_some(), "{code}");
            }
        }
        for table in [TYPES, CATEGORIES, SENSITIVITIES, PROFESSIONS] {
            assert!(table.windows(2).all(|w| w[0].0 < w[1].0));
            assert!(table.iter().all(|(_, fr, en)| !fr.is_empty() && !en.is_empty() && !fr.contains('\'')));
        }
    }

    #[test]
    fn every_type_of_the_profession_matrix_has_words() {
        let matrix: toml::Value = include_str!("../../policies/fr/matrix.toml").parse().unwrap();
        let groups = matrix["resources"].as_table().unwrap();
        for name in groups.values().flat_map(|g| g.as_array().unwrap()).filter_map(|n| n.as_str()) {
            assert!(resource(Some(name), Language::Fr).is_some(), "{name}");
        }
    }
}
