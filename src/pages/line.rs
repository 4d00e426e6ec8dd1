//! A line of the history: who did what, when, and on which access, in a sentence; repeats folded into one.

use crate::clock::Timestamp;
use crate::id::ConsentId;
use crate::model::{Language, calendar};
use crate::projection::{Account, By, Did};

/// Readings of the same kind by the same reader that lie closer together than this are one line, in seconds.
const FOLDED_SECONDS: i64 = 600;

/// Whether a person or a machine is behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Doer {
    /// The patient.
    Oneself,
    /// A person.
    Person,
    /// Software on its own, or the service.
    Machine,
}

/// One line.
pub(super) struct Line {
    pub(super) doer: Doer,
    pub(super) who: String,
    /// Where they work, when a person is named.
    pub(super) place: Option<String>,
    pub(super) what: String,
    pub(super) refused: bool,
    /// The moment for machines (RFC 3339) and for people.
    pub(super) time: String,
    pub(super) when: String,
    pub(super) day: String,
    /// How often, when it is more than once.
    pub(super) times: Option<String>,
    /// The access it rested on.
    pub(super) access: Option<ConsentId>,
}

impl Line {
    /// Whether nobody in person was behind it.
    pub(super) fn is_machine(&self) -> bool {
        self.doer == Doer::Machine
    }
}

/// Who is behind an account.
pub(super) fn doer(of: &By) -> Doer {
    match of {
        By::Patient => Doer::Oneself,
        By::Software { person: Some(_), .. } => Doer::Person,
        By::Software { person: None, .. } | By::Guarantor => Doer::Machine,
    }
}

/// The lines of these accounts, which come the latest first.
pub(super) fn lines(accounts: &[Account], language: Language) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut rest = accounts;
    while let Some((latest, after)) = rest.split_first() {
        let mut records = latest.records;
        let (mut count, mut earliest) = (1usize, latest.at);
        let same = after.iter().take_while(|next| {
            let near = (earliest.0 - next.at.0) / 1_000_000 <= FOLDED_SECONDS;
            let alike = next.by == latest.by
                && next.did == latest.did
                && next.resource_type == latest.resource_type
                && next.refused.is_some() == latest.refused.is_some()
                && next.consents == latest.consents;
            if near && alike {
                (count, earliest, records) = (count + 1, next.at, records + next.records);
            }
            near && alike
        });
        let folded = same.count();
        lines.push(line(latest, records, (count, earliest), language));
        rest = after.get(folded..).unwrap_or_default();
    }
    lines
}

fn line(of: &Account, records: u64, (count, earliest): (usize, Timestamp), language: Language) -> Line {
    let doer = doer(&of.by);
    let unknown = language.pick("une personne qui n’est plus inscrite", "somebody who is no longer enrolled");
    let (who, place) = match &of.by {
        By::Patient => (language.pick("Vous", "You").to_owned(), None),
        By::Guarantor => (language.pick("Le service", "The service").to_owned(), None),
        By::Software { person: Some(name), place, .. } => {
            (name.clone().unwrap_or_else(|| unknown.to_owned()), place.clone())
        }
        By::Software { person: None, place, client } => {
            (place.clone().or_else(|| client.clone()).unwrap_or_else(|| unknown.to_owned()), None)
        }
    };
    let hour = calendar::hour(of.at, language).unwrap_or_default();
    let minutes = (of.at.0 - earliest.0) / 60_000_000;
    let times = (count > 1).then(|| match language {
        Language::Fr if minutes > 0 => format!("{count} fois en {minutes}\u{a0}min"),
        Language::Fr => format!("{count} fois de suite"),
        Language::En if minutes > 0 => format!("{count} times in {minutes}\u{a0}min"),
        Language::En => format!("{count} times in a row"),
    });
    Line {
        doer,
        who,
        place,
        what: what(of, records, doer == Doer::Oneself, language),
        refused: of.refused.is_some(),
        time: of.at.to_rfc3339(),
        when: hour,
        day: calendar::named_day(of.at, language).unwrap_or_default(),
        times,
        access: of.consents.first().copied().filter(|_| of.refused.is_none()),
    }
}

/// What was done, as it goes on from who did it.
fn what(of: &Account, records: u64, oneself: bool, language: Language) -> String {
    let fr = |you: &'static str, they: &'static str| if oneself { you } else { they };
    if of.refused.is_some() {
        return match (of.did, language) {
            (Did::Asked, Language::Fr) => "n’a pas pu vous adresser de demande".to_owned(),
            (Did::Asked, Language::En) => "could not send you a request".to_owned(),
            (Did::Added, Language::Fr) => "n’a pas pu ajouter à votre dossier".to_owned(),
            (Did::Added, Language::En) => "could not add to your record".to_owned(),
            (_, Language::Fr) => fr("n’avez pas pu lire cela", "n’a pas pu lire").to_owned(),
            (_, Language::En) => "could not read".to_owned(),
        };
    }
    let things = things(of.resource_type.as_deref(), records, language);
    match language {
        Language::Fr => match of.did {
            Did::Read if records == 0 => {
                fr("avez cherché, sans rien trouver", "a cherché, sans rien trouver").to_owned()
            }
            Did::Read => format!("{} {things}", fr("avez lu", "a lu")),
            Did::Added => format!("{} {things}", fr("avez ajouté", "a ajouté")),
            Did::Changed => format!("{} {things}", fr("avez modifié", "a modifié")),
            Did::Deleted => format!("{} {things}", fr("avez effacé", "a effacé")),
            Did::Hid => fr("avez changé qui voit un élément", "a changé qui voit un élément").to_owned(),
            Did::Granted => fr("avez donné un accès", "a donné un accès").to_owned(),
            Did::Narrowed => fr("avez réduit un accès", "a réduit un accès").to_owned(),
            Did::Revoked => fr("avez retiré un accès", "a retiré un accès").to_owned(),
            Did::Excluded => fr("avez exclu un professionnel", "a exclu un professionnel").to_owned(),
            Did::Lifted => fr("avez levé une exclusion", "a levé une exclusion").to_owned(),
            Did::Asked => fr("avez demandé un accès", "vous a demandé un accès").to_owned(),
            Did::Declined => fr("avez refusé une demande", "a refusé une demande").to_owned(),
            Did::Enrolled => {
                fr("avez changé vos clés ou votre inscription", "a changé vos clés ou votre inscription").to_owned()
            }
            Did::Looked => fr("avez regardé cet historique", "a regardé cet historique").to_owned(),
        },
        Language::En => match of.did {
            Did::Read if records == 0 => "searched and found nothing".to_owned(),
            Did::Read => format!("read {things}"),
            Did::Added => format!("added {things}"),
            Did::Changed => format!("changed {things}"),
            Did::Deleted => format!("erased {things}"),
            Did::Hid => "changed who sees an item".to_owned(),
            Did::Granted => "gave an access".to_owned(),
            Did::Narrowed => "made an access narrower".to_owned(),
            Did::Revoked => "removed an access".to_owned(),
            Did::Excluded => "shut out a professional".to_owned(),
            Did::Lifted => "lifted an exclusion".to_owned(),
            Did::Asked => "asked you for an access".to_owned(),
            Did::Declined => "declined a request".to_owned(),
            Did::Enrolled => "changed your keys or your enrolment".to_owned(),
            Did::Looked => "looked at this history".to_owned(),
        },
    }
}

/// So many of such things.
fn things(kind: Option<&str>, count: u64, language: Language) -> String {
    let (one_fr, many_fr, one_en, many_en) = match kind {
        Some("Observation" | "DiagnosticReport") => ("résultat", "résultats", "result", "results"),
        Some("AllergyIntolerance") => ("allergie", "allergies", "allergy", "allergies"),
        Some("MedicationRequest" | "MedicationStatement" | "MedicationDispense" | "MedicationAdministration") => {
            ("traitement", "traitements", "medicine", "medicines")
        }
        Some("Immunization") => ("vaccin", "vaccins", "vaccine", "vaccines"),
        Some("DocumentReference" | "Composition") => ("document", "documents", "document", "documents"),
        Some("Condition") => ("problème de santé", "problèmes de santé", "health problem", "health problems"),
        Some("CarePlan") => ("plan d’aide", "plans d’aide", "support plan", "support plans"),
        Some("Claim" | "ExplanationOfBenefit" | "Invoice") => ("facture", "factures", "bill", "bills"),
        Some(_) | None => ("élément", "éléments", "item", "items"),
    };
    // French counts zero as one.
    let word = match language {
        Language::Fr if count < 2 => one_fr,
        Language::Fr => many_fr,
        Language::En if count == 1 => one_en,
        Language::En => many_en,
    };
    format!("{count}\u{a0}{word}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(minute: i64, by: By, records: u64) -> Account {
        Account {
            id: "x".into(),
            leaf: 1,
            at: Timestamp::from_secs(1_780_000_000 + 60 * minute),
            did: Did::Read,
            by,
            purpose: None,
            records,
            resource_type: Some("Observation".into()),
            consents: Vec::new(),
            refused: None,
        }
    }

    fn martin() -> By {
        By::Software { person: Some(Some("Dr Martin".into())), place: Some("CHU".into()), client: None }
    }

    #[test]
    fn readings_close_together_are_one_line_and_others_are_not() {
        let far = [read(40, martin(), 1), read(39, martin(), 2), read(31, martin(), 1), read(10, martin(), 1)];
        let told = lines(&far, Language::Fr);
        let texts: Vec<(&str, Option<&str>)> = told.iter().map(|l| (l.what.as_str(), l.times.as_deref())).collect();
        assert_eq!(texts, [("a lu 4\u{a0}résultats", Some("3 fois en 9\u{a0}min")), ("a lu 1\u{a0}résultat", None)]);
        let mixed = [read(2, martin(), 1), read(1, By::Patient, 1), read(0, martin(), 1)];
        assert_eq!(lines(&mixed, Language::En).len(), 3, "another reader ends a line");
    }

    #[test]
    fn a_refusal_is_told_apart_and_names_no_access() {
        let mut refused = read(1, martin(), 0);
        refused.refused = Some("no-consent".into());
        refused.consents = vec![ConsentId::from_bytes([1; 16])];
        let told = lines(&[refused, read(0, martin(), 1)], Language::Fr);
        assert_eq!(told.len(), 2);
        assert!(told[0].refused && told[0].access.is_none() && told[0].what == "n’a pas pu lire");
    }

    #[test]
    fn a_person_is_told_from_a_machine() {
        let machine = By::Software { person: None, place: Some("CHU".into()), client: None };
        assert_eq!([doer(&martin()), doer(&machine), doer(&By::Patient)], [Doer::Person, Doer::Machine, Doer::Oneself]);
    }
}
