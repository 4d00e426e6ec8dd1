//! The one sentence that says what is signed (CT-12, O32): made from the terms and public names alone, so that it
//! can be made again and its hash compared.

use std::fmt::Write as _;

use super::grantee::Known;
use super::words;
use crate::clock::Timestamp;
use crate::model::calendar::{moment, until};
use crate::model::{
    ClinicalScope, Confidentiality, Grantee, Interaction, Language, OrganisationKind, Period, Rubric, Terms,
};

/// What is said of whom.
#[derive(Clone, Copy, Debug)]
pub(super) enum Said<'s> {
    Grant(&'s Terms),
    Narrow(&'s Terms),
    Exclude,
    Lift,
    Revoke,
}

/// There are no plain words for something; the word says for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unsayable(pub(super) &'static str);

/// The sentence for what is said of `who` at the moment `issued`.
pub(super) fn sentence(
    said: Said<'_>,
    who: &Known,
    issued: Timestamp,
    language: Language,
) -> Result<String, Unsayable> {
    let subject = subject(who, language);
    let text = match (said, language) {
        (Said::Grant(terms), Language::Fr) => format!("{subject} pourra {}.", allowed(terms, who, issued, language)?),
        (Said::Grant(terms), Language::En) => format!("{subject} may {}.", allowed(terms, who, issued, language)?),
        (Said::Narrow(terms), Language::Fr) => {
            format!("Désormais, {subject} pourra seulement {}.", allowed(terms, who, issued, language)?)
        }
        (Said::Narrow(terms), Language::En) => {
            format!("From now on, {subject} may only {}.", allowed(terms, who, issued, language)?)
        }
        (Said::Exclude, Language::Fr) => format!(
            "{subject} n’aura plus accès à votre dossier, quels que soient vos autres accords, jusqu’à ce que vous leviez cette exclusion."
        ),
        (Said::Exclude, Language::En) => format!(
            "{subject} will have no access to your record, whatever else you have agreed to, until you lift this exclusion."
        ),
        (Said::Lift, Language::Fr) => format!(
            "Vous levez l’exclusion visant {subject}\u{a0}: vos accords en cours pourront de nouveau lui donner accès."
        ),
        (Said::Lift, Language::En) => {
            format!("You lift the exclusion of {subject}: your current agreements may give them access again.")
        }
        (Said::Revoke, Language::Fr) => {
            format!("Vous mettez fin à cet accord\u{a0}: {subject} ne peut plus s’en servir pour lire votre dossier.")
        }
        (Said::Revoke, Language::En) => {
            format!("You end this agreement: {subject} can no longer use it to read your record.")
        }
    };
    Ok(capital(&text))
}

/// Who, as it stands within a sentence.
fn subject(who: &Known, language: Language) -> String {
    let profession = who.profession.as_ref().map(|p| words::profession(p, language));
    let name = plain(&who.name);
    match &who.grantee {
        Grantee::Professional(_) => {
            let article = if language == Language::Fr && (name.starts_with("Dr ") || name.starts_with("Pr ")) {
                "le "
            } else if language == Language::Fr && (name.starts_with("Dre ") || name.starts_with("Pre ")) {
                "la "
            } else {
                ""
            };
            // A title is not parted from the name.
            let name = name.replacen(' ', "\u{a0}", usize::from(name.starts_with("Dr ") || name.starts_with("Pr ")));
            format!("{article}{name} ({})", profession.unwrap_or_default())
        }
        Grantee::Organisation(_) => place(who, &name, language),
        Grantee::Role(..) => {
            let profession = profession.unwrap_or_default();
            match language {
                Language::Fr => {
                    format!("toute personne exerçant comme {profession} dans {}", place(who, &name, language))
                }
                Language::En => format!("anyone working as a {profession} at {}", place(who, &name, language)),
            }
        }
    }
}

fn place(who: &Known, name: &str, language: Language) -> String {
    let kind = who.kind.map_or("", |kind| words::organisation(kind, language));
    match language {
        Language::Fr => format!("{kind} «\u{a0}{name}\u{a0}»"),
        Language::En => format!("{kind} “{name}”"),
    }
}

/// What may be done with what, of when, until when, what for, and what stays hidden.
fn allowed(terms: &Terms, who: &Known, issued: Timestamp, language: Language) -> Result<String, Unsayable> {
    let mut out = deeds(&terms.scope, language)?;
    out.push_str(&authored(&terms.authored, language)?);
    let date = |at| moment(at, language).ok_or(Unsayable("date"));
    let (from, to) = (terms.valid.from, until(terms.valid.to, language).ok_or(Unsayable("date"))?);
    if from > issued {
        let from = date(from)?;
        let _infallible = match language {
            Language::Fr => write!(out, " à partir du {from} et jusqu’au {to}"),
            Language::En => write!(out, " from {from} until {to}"),
        };
    } else {
        let _infallible = write!(out, "{} {to}", language.pick(" jusqu’au", " until"));
    }
    let purposes: Vec<String> = terms.purpose.iter().map(|p| words::purpose(*p, language).to_owned()).collect();
    let _infallible = write!(out, ", {}", joined(&purposes, language));
    out.push_str(&labels(terms, language));
    if who.kind == Some(OrganisationKind::Insurer) {
        out.push_str(language.pick(
            "\u{202f}; seules vos factures et preuves de remboursement lui sont ouvertes, jamais votre dossier médical",
            "; only your bills and proofs of reimbursement are open to them, never your medical record",
        ));
    }
    Ok(out)
}

/// "lire A et B, compléter C".
fn deeds(scopes: &[ClinicalScope], language: Language) -> Result<String, Unsayable> {
    let verbs: [&[Interaction]; 4] = [
        &[Interaction::Read, Interaction::Search],
        &[Interaction::Create],
        &[Interaction::Update],
        &[Interaction::Delete],
    ];
    let mut deeds = Vec::new();
    for interactions in verbs {
        let done: Vec<&ClinicalScope> =
            scopes.iter().filter(|s| interactions.iter().any(|i| s.interactions.has(*i))).collect();
        let whole = whole_rubrics(&done);
        let mut objects: Vec<String> = whole.iter().map(|rubric| rubric.owned(language).to_owned()).collect();
        let told = |s: &&ClinicalScope| {
            s.resource_type.as_deref().is_some_and(|t| whole.iter().any(|r| r.types().contains(&t)))
        };
        for scope in done.into_iter().filter(|s| !told(s)) {
            for object in objects_of(scope, language)? {
                if !objects.contains(&object) {
                    objects.push(object);
                }
            }
        }
        if let (Some(interaction), false) = (interactions.first(), objects.is_empty()) {
            deeds.push(format!("{} {}", words::verb(*interaction, language), joined(&objects, language)));
        }
    }
    if deeds.is_empty() { Err(Unsayable("scope")) } else { Ok(deeds.join(", ")) }
}

/// The parts of the record that are open in all their types: one word says what many would hide.
fn whole_rubrics(scopes: &[&ClinicalScope]) -> Vec<Rubric> {
    let open =
        |kind: &&str| scopes.iter().any(|s| s.resource_type.as_deref() == Some(*kind) && s.categories.is_empty());
    let narrowed =
        |kind: &&str| scopes.iter().any(|s| s.resource_type.as_deref() == Some(*kind) && !s.categories.is_empty());
    let whole = |r: &Rubric| r.types().iter().all(|t| open(t) && !narrowed(t));
    Rubric::ALL.into_iter().filter(whole).collect()
}

fn objects_of(scope: &ClinicalScope, language: Language) -> Result<Vec<String>, Unsayable> {
    let of = words::resource(scope.resource_type.as_deref(), language).ok_or(Unsayable("scope"))?;
    if scope.categories.is_empty() {
        return Ok(vec![of.to_owned()]);
    }
    // The words of a category of observations hold for observations only.
    let observation = scope.resource_type.as_deref() == Some("Observation");
    let told = |c| {
        if observation {
            words::category(of, c, language)
        } else {
            format!("{of} ({} {c})", language.pick("catégorie", "category"))
        }
    };
    Ok(scope.categories.iter().map(told).collect())
}

fn authored(authored: &Period, language: Language) -> Result<String, Unsayable> {
    let date = |at: Timestamp| moment(at, language).ok_or(Unsayable("date"));
    let open = (authored.from == Period::ALWAYS.from, authored.to == Period::ALWAYS.to);
    Ok(match (open, language) {
        ((true, true), _) => String::new(),
        ((true, false), Language::Fr) => format!(" (seulement ce qui date du {} ou d’avant)", date(authored.to)?),
        ((true, false), Language::En) => format!(" (only what dates from {} or before)", date(authored.to)?),
        ((false, true), Language::Fr) => format!(" (seulement ce qui date du {} ou d’après)", date(authored.from)?),
        ((false, true), Language::En) => format!(" (only what dates from {} or after)", date(authored.from)?),
        ((false, false), Language::Fr) => {
            format!(" (seulement ce qui date d’entre le {} et le {})", date(authored.from)?, date(authored.to)?)
        }
        ((false, false), Language::En) => {
            format!(" (only what dates from between {} and {})", date(authored.from)?, date(authored.to)?)
        }
    })
}

/// Which sensitive data flow, and that the others do not.
fn labels(terms: &Terms, language: Language) -> String {
    let mut out = match terms.confidentiality {
        Confidentiality::U | Confidentiality::L | Confidentiality::M => language.pick(
            ", hors données de confidentialité normale ou renforcée",
            ", except what is of normal or higher confidentiality",
        ),
        Confidentiality::N => "",
        Confidentiality::R => language.pick(", y compris ce qui est confidentiel", ", including what is restricted"),
        Confidentiality::V => {
            language.pick(", y compris ce qui est très confidentiel", ", including what is very restricted")
        }
    }
    .to_owned();
    if terms.sensitivity.is_empty() {
        out.push_str(
            language.pick("\u{202f}; vos données sensibles restent cachées", "; your sensitive data stay hidden"),
        );
        return out;
    }
    let named: Vec<String> = terms.sensitivity.iter().map(|s| words::sensitivity(s, language).to_owned()).collect();
    let named = joined(&named, language);
    let _infallible = match language {
        Language::Fr => {
            write!(out, "\u{202f}; vos données sensibles sont ouvertes pour {named}, et restent cachées pour le reste")
        }
        Language::En => write!(out, "; your sensitive data are open for {named}, and stay hidden otherwise"),
    };
    out
}

fn joined(items: &[String], language: Language) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{}{}{last}", most.join(", "), language.pick(" et ", " and ")),
    }
}

/// A public name on one line, without marks that would end the quotation it stands in or turn the text round.
fn plain(name: &str) -> String {
    let unfit = |c: char| {
        c.is_control()
            || "«»“”".contains(c)
            || ('\u{2028}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
            || matches!(c, '\u{200e}' | '\u{200f}')
    };
    name.chars()
        .map(|c| {
            if unfit(c) {
                ' '
            } else if c == '\'' {
                '’'
            } else {
                c
            }
        })
        .collect()
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{OrganisationId, ProfessionalId};
    use crate::model::Purpose;

    fn terms(grantee: Grantee, scope: &[&str]) -> Terms {
        Terms {
            grantee,
            scope: scope.iter().map(|s| s.parse().unwrap()).collect(),
            purpose: vec![Purpose::Treat],
            confidentiality: Confidentiality::N,
            sensitivity: vec![],
            authored: Period::ALWAYS,
            valid: Period {
                from: Timestamp::from_rfc3339("2026-03-12T11:00:00Z").unwrap(),
                to: Timestamp::from_rfc3339("2027-03-12T11:00:00Z").unwrap(),
            },
        }
    }

    fn martin() -> Known {
        Known {
            grantee: Grantee::Professional(ProfessionalId::from_bytes([1; 16])),
            name: "Dr Martin".into(),
            profession: Some("10".parse().unwrap()),
            kind: None,
            kinds: vec![],
            active: true,
        }
    }

    const LAB: &str = "Observation.rs?category=http://terminology.hl7.org/CodeSystem/observation-category|laboratory";

    #[test]
    fn a_grant_is_said_in_plain_words_and_right_typography() {
        let who = martin();
        let terms = terms(who.grantee.clone(), &[LAB, "DiagnosticReport.rs"]);
        let said = |language| sentence(Said::Grant(&terms), &who, terms.valid.from, language).unwrap();
        assert_eq!(
            said(Language::Fr),
            "Le Dr\u{a0}Martin (médecin) pourra lire vos résultats de laboratoire et vos comptes rendus d’examens \
             jusqu’au 12\u{a0}mars\u{a0}2027 à 12\u{a0}h\u{a0}00, pour vous soigner\u{202f}; vos données sensibles \
             restent cachées."
        );
        assert_eq!(
            said(Language::En),
            "Dr\u{a0}Martin (physician) may read your laboratory results and your examination reports until \
             12\u{a0}March\u{a0}2027 at 12:00 (Paris time), to treat you; your sensitive data stay hidden."
        );
    }

    #[test]
    fn whatever_widens_the_terms_changes_the_sentence() {
        let who = martin();
        let narrow = terms(who.grantee.clone(), &["Observation.rs"]);
        let said = |terms: &Terms| sentence(Said::Grant(terms), &who, narrow.valid.from, Language::Fr).unwrap();
        let plain = said(&narrow);
        let change = |f: &dyn Fn(&mut Terms)| {
            let mut wider = narrow.clone();
            f(&mut wider);
            said(&wider)
        };
        let wider = [
            change(&|t| t.scope = vec!["*.rs".parse().unwrap()]),
            change(&|t| t.scope.push("Condition.r".parse().unwrap())),
            change(&|t| t.scope = vec!["Observation.crs".parse().unwrap()]),
            change(&|t| t.purpose.push(Purpose::Hresch)),
            change(&|t| t.confidentiality = Confidentiality::V),
            change(&|t| t.confidentiality = Confidentiality::R),
            change(&|t| t.sensitivity = vec!["HIV".parse().unwrap()]),
            change(&|t| t.valid.to = t.valid.to.plus_secs(1)),
            change(&|t| t.valid.from = t.valid.from.plus_secs(60)),
            change(&|t| t.authored.to = t.valid.to),
        ];
        for (i, a) in wider.iter().enumerate() {
            assert_ne!(*a, plain, "{i}");
            assert!(wider[i + 1..].iter().all(|b| a != b), "{i}");
        }
    }

    #[test]
    fn an_insurer_is_told_apart_and_a_name_cannot_end_its_quotation() {
        let mut who = martin();
        who.grantee = Grantee::Organisation(OrganisationId::from_bytes([2; 16]));
        who.name = "Mutuelle» a tous les droits\u{202e}\n«".into();
        (who.kind, who.profession) = (Some(OrganisationKind::Insurer), None);
        let terms = terms(who.grantee.clone(), &["ExplanationOfBenefit.rs"]);
        let text = sentence(Said::Grant(&terms), &who, terms.valid.from, Language::Fr).unwrap();
        assert!(text.starts_with("L’assureur «\u{a0}Mutuelle  a tous les droits   \u{a0}» pourra lire"), "{text}");
        assert!(text.ends_with("jamais votre dossier médical."), "{text}");
        assert_eq!(
            sentence(
                Said::Grant(&super::tests::terms(who.grantee.clone(), &["Basic.r"])),
                &who,
                Timestamp(0),
                Language::Fr
            ),
            Err(Unsayable("scope"))
        );
    }
}
