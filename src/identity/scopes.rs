//! What is granted of what is asked: asked ∩ enrolled ∩ consented, by rule and never by guess (SM-20, SM-21).

use std::collections::BTreeSet;

use crate::model::ClinicalScope;

/// Words beside clinical scopes that are understood.
pub(super) const WORDS: [&str; 5] = ["openid", "fhirUser", "launch/patient", "offline_access", "online_access"];

/// Who a grant is for, which decides the contexts that may be granted; `system/` never is (SM-29).
#[derive(Clone, Copy, Debug)]
pub(super) enum For<'c> {
    /// A patient, for their own record.
    Patient,
    /// A professional, for one patient whose consents allow this much.
    OnePatient(&'c [ClinicalScope]),
    /// A professional, for whoever consented: each read asks.
    Everyone,
}

/// The scopes granted, in the order asked, each as it is written; whatever is not understood, not enrolled or not
/// for this person is dropped.
pub(super) fn granted(asked: &str, enrolled: &[ClinicalScope], who: For<'_>) -> Vec<String> {
    let mut out = Vec::new();
    let mut add = |text: String| {
        if !out.contains(&text) {
            out.push(text);
        }
    };
    for text in asked.split(' ').filter(|t| !t.is_empty()) {
        let context = if matches!(who, For::Everyone) { "user/" } else { "patient/" };
        if WORDS.contains(&text) {
            if text != "launch/patient" || !matches!(who, For::Everyone) {
                add(text.to_owned());
            }
        } else if let Some(scope) = text.strip_prefix(context).and_then(|t| t.parse::<ClinicalScope>().ok()) {
            let within: Vec<ClinicalScope> = enrolled.iter().filter_map(|e| meet(&scope, e)).collect();
            let within = match who {
                For::Patient | For::Everyone => within,
                For::OnePatient(consented) => {
                    within.iter().flat_map(|s| consented.iter().filter_map(|c| meet(s, c))).collect()
                }
            };
            // Sorted and unique, so that the same grants are always written the same.
            within.into_iter().collect::<BTreeSet<_>>().into_iter().for_each(|s| add(format!("{context}{s}")));
        }
    }
    // A word that says something about somebody says nothing alone.
    if !out.iter().any(|s| s == "openid") {
        out.retain(|s| s != "fhirUser");
    }
    out
}

/// Those of `granted` that are asked for again; `None` when more is asked (O25).
pub(super) fn narrowed(granted: &str, asked: &str) -> Option<String> {
    let had: Vec<&str> = granted.split(' ').collect();
    let mut out: Vec<&str> = Vec::new();
    for text in asked.split(' ').filter(|t| !t.is_empty()) {
        if !had.contains(&text) && !had.iter().any(|h| is_within(text, h)) {
            return None;
        }
        if !out.contains(&text) {
            out.push(text);
        }
    }
    (!out.is_empty()).then(|| out.join(" "))
}

fn is_within(narrow: &str, wide: &str) -> bool {
    let read = |text: &str| {
        let (context, rest) = text.split_once('/')?;
        Some((context.to_owned(), rest.parse::<ClinicalScope>().ok()?))
    };
    matches!((read(narrow), read(wide)), (Some((a, s)), Some((b, t))) if a == b && s.within(&t))
}

/// What two scopes both allow; `None` when that is nothing, or not one scope.
fn meet(a: &ClinicalScope, b: &ClinicalScope) -> Option<ClinicalScope> {
    let resource_type = match (&a.resource_type, &b.resource_type) {
        (None, other) | (other, None) => other.clone(),
        (Some(one), Some(two)) if one == two => Some(one.clone()),
        (Some(_), Some(_)) => return None,
    };
    let categories = match (a.categories.as_slice(), b.categories.as_slice()) {
        ([], some) | (some, []) => some.to_vec(),
        (one, two) => {
            // A resource may have a category of each: only what stands in both is surely in both.
            let both: Vec<_> = one.iter().filter(|c| two.contains(c)).cloned().collect();
            if both.is_empty() {
                return None;
            }
            both
        }
    };
    Some(ClinicalScope { resource_type, interactions: a.interactions.and(b.interactions)?, categories })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::SeededChance;

    fn scopes(texts: &[&str]) -> Vec<ClinicalScope> {
        texts.iter().map(|t| t.parse().unwrap()).collect()
    }

    #[test]
    fn sm_20_what_is_granted_is_asked_and_enrolled_and_consented() {
        let enrolled = scopes(&["Observation.rs", "Condition.r"]);
        let granted = |asked: &str, who| granted(asked, &enrolled, who).join(" ");
        assert_eq!(granted("patient/*.cruds", For::Patient), "patient/Condition.r patient/Observation.rs");
        assert_eq!(granted("patient/Observation.r user/Condition.r", For::Patient), "patient/Observation.r");
        assert_eq!(granted("user/Condition.r patient/Condition.r", For::Everyone), "user/Condition.r");
        let consented = scopes(&["Observation.r"]);
        assert_eq!(granted("patient/*.rs", For::OnePatient(&consented)), "patient/Observation.r");
        assert_eq!(granted("patient/*.rs", For::OnePatient(&[])), "");
        assert_eq!(granted("launch/patient openid fhirUser", For::Patient), "launch/patient openid fhirUser");
        assert_eq!(granted("launch/patient fhirUser", For::Everyone), "");
    }

    #[test]
    fn sm_21_sm_29_what_is_not_understood_is_dropped_and_never_read_otherwise() {
        let enrolled = scopes(&["*.cruds"]);
        for asked in [
            "patient/Observation.dus",
            "patient/Observation.sr",
            "patient/Observation.",
            "patient/Observation.read",
            "patient/observation.r",
            "patient/Observation.rs?code=a|b",
            "system/Observation.rs",
            "Patient/Observation.rs",
            "patient/Observation.rs,",
            "launch",
            "OPENID",
        ] {
            assert_eq!(granted(asked, &enrolled, For::Patient), Vec::<String>::new(), "{asked}");
        }
    }

    #[test]
    fn o25_a_narrowed_scope_is_never_wider() {
        let had = "openid patient/Observation.rs patient/Condition.r";
        assert_eq!(narrowed(had, "patient/Observation.r").unwrap(), "patient/Observation.r");
        assert_eq!(narrowed(had, "openid patient/Condition.r openid").unwrap(), "openid patient/Condition.r");
        for wider in ["patient/Observation.crs", "patient/*.r", "user/Observation.r", "offline_access", "", "x"] {
            assert_eq!(narrowed(had, wider), None, "{wider}");
        }
    }

    /// Whatever two scopes, what both allow is allowed by what they meet in, and nothing else is.
    #[test]
    fn two_scopes_meet_in_what_both_allow() {
        let dice = SeededChance::new(11);
        let trials = 20_000;
        println!("meet: {trials} pairs, seed 11");
        let any = || {
            let kind = ["*", "Observation", "Condition"][dice.below(3)];
            let letters: String = "cruds".chars().filter(|_| dice.below(2) == 1).collect();
            let category = ["", "?category=s|a", "?category=s|b", "?category=s|a&category=s|b"][dice.below(4)];
            format!("{kind}.{}{category}", if letters.is_empty() { "r" } else { &letters })
                .parse::<ClinicalScope>()
                .unwrap()
        };
        let coding = |code: &str| crate::model::Coding { system: "s".into(), code: code.into() };
        for _ in 0..trials {
            let (a, b) = (any(), any());
            let met = meet(&a, &b);
            if let Some(met) = &met {
                assert!(met.within(&a) && met.within(&b), "{a} {b} {met}");
            }
            for kind in ["Observation", "Condition"] {
                for categories in [vec![], vec![coding("a")], vec![coding("b")]] {
                    for interaction in crate::model::Interaction::ALL {
                        let both = a.covers(interaction, kind, &categories) && b.covers(interaction, kind, &categories);
                        let one = met.as_ref().is_some_and(|m| m.covers(interaction, kind, &categories));
                        assert_eq!(one, both, "{a} {b} {met:?} {kind} {categories:?}");
                    }
                }
            }
        }
    }
}
