//! Security labels: what is read from a text, what leaves it, what a successor must keep.

use super::tree;
use crate::clock::Timestamp;
use crate::fhir::{ContentFacts, FactsError, LabelError, strip, successor};
use crate::id::{PatientId, RecordId};
use crate::model::{Coding, Confidentiality, RecordFacts, RecordKey, Sensitivity, Visibility};

const LEVEL: &str = Confidentiality::SYSTEM;
const ACT: &str = Sensitivity::SYSTEM;
const MASK: &str = Visibility::SYSTEM;

fn coding(system: &str, code: &str) -> String {
    format!(r#"{{"system":"{system}","code":"{code}"}}"#)
}

/// An Observation with these labels in `meta.security`.
fn labelled(labels: &[(&str, &str)]) -> String {
    let labels: Vec<String> = labels.iter().map(|(s, c)| coding(s, c)).collect();
    format!(r#"{{"resourceType":"Observation","meta":{{"security":[{}]}}}}"#, labels.join(","))
}

fn facts(text: &str) -> Result<RecordFacts, FactsError> {
    let key = RecordKey { patient: PatientId::from_bytes([1; 16]), record: RecordId::from_bytes([2; 16]) };
    ContentFacts::read(&tree(text)).map(|facts| facts.of(key, 1))
}

#[test]
fn sl_01_and_09_one_confidentiality_n_by_default_and_no_unknown_code() {
    assert_eq!(facts(&labelled(&[])).unwrap().confidentiality, Confidentiality::N);
    for code in ["U", "L", "M", "N", "R", "V"] {
        assert_eq!(facts(&labelled(&[(LEVEL, code)])).unwrap().confidentiality.code(), code);
    }
    let bad = |labels: &[(&str, &str)]| facts(&labelled(labels)).unwrap_err();
    assert_eq!(bad(&[(LEVEL, "N"), (LEVEL, "N")]), FactsError::Label(LabelError::SeveralConfidentialities));
    for label in [(LEVEL, "X"), (ACT, "DIABETES"), (ACT, "DEMO"), (MASK, "MASQUE"), (MASK, "masque_ps")] {
        assert_eq!(bad(&[label]), FactsError::Label(LabelError::UnknownCode), "{label:?}");
    }
    // SL trap: a code of v3-ActCode that is no sensitivity is none.
    assert!(facts(&labelled(&[(ACT, "NOAUTH")])).unwrap().sensitivities.is_empty());
}

/// Every sensitivity and purpose that the code knows, against the hierarchy in HL7's own definitions.
#[test]
fn sl_05_and_06_the_codes_in_use_stand_where_hl7_puts_them() {
    let concepts = include_str!("../definitions/concepts.txt");
    let parents = |system: &str, code: &str| -> Option<Vec<&str>> {
        let line = concepts.lines().find(|l| l.starts_with(&format!("{system}\t{code}\t")))?;
        line.split('\t').nth(2).map(|parents| parents.split(' ').collect())
    };
    for (code, parent) in Sensitivity::ALL {
        let parents = parents(ACT, code).unwrap_or_else(|| panic!("{code} is not in v3-ActCode"));
        match parent {
            Some(parent) => assert!(parents.contains(&parent), "{code} is below {parents:?}"),
            None => assert!(!parents.iter().any(|p| p.parse::<Sensitivity>().is_ok()), "{code} is below {parents:?}"),
        }
    }
    let below = |code: &str, above: &str| {
        let mut at = vec![code];
        while let Some(code) = at.pop() {
            if code == above {
                return true;
            }
            at.extend(parents(crate::model::Purpose::SYSTEM, code).unwrap_or_default());
        }
        false
    };
    for purpose in crate::model::Purpose::ALL {
        assert!(below(purpose.code(), "PurposeOfUse"), "{purpose:?}");
    }
    // DX-05: why a plain walk up the hierarchy must never be the rule.
    assert!(below("BTG", "TREAT") && below("COC", "TREAT"));
    for code in ["U", "L", "M", "N", "R", "V"] {
        assert!(parents(LEVEL, code).is_some(), "{code}");
    }
}

#[test]
fn sl_13_what_is_contained_raises_the_label_of_its_container() {
    let text = format!(
        r#"{{"resourceType":"Observation","contained":[{{"resourceType":"DocumentReference","id":"d",
            "securityLabel":[{{"coding":[{}]}}]}}]}}"#,
        coding(LEVEL, "V")
    );
    assert_eq!(facts(&text).unwrap().confidentiality, Confidentiality::V);
}

#[test]
fn fr_14_visibility_codes_are_facts_wherever_they_stand_and_leave_the_text_one_by_one() {
    let [level, ps, pt] = [coding(LEVEL, "R"), coding(MASK, "MASQUE_PS"), coding(MASK, "MASQUE_PT")];
    let other = coding("urn:local", "x");
    // Text before, text after.
    let cases = [
        (format!(r#""securityLabel":[{{"coding":[{ps}]}}]"#), String::new()),
        (
            format!(r#""securityLabel":[{{"coding":[{ps},{level}]}}]"#),
            format!(r#""securityLabel":[{{"coding":[{level}]}}]"#),
        ),
        (
            format!(r#""securityLabel":[{{"coding":[{level}]}},{{"coding":[{ps}]}},{{"coding":[{other},{pt}]}}]"#),
            format!(r#""securityLabel":[{{"coding":[{level}]}},{{"coding":[{other}]}}]"#),
        ),
        (
            format!(r#""securityLabel":[{{"coding":[{ps}],"text":"masked"}}]"#),
            r#""securityLabel":[{"text":"masked"}]"#.to_owned(),
        ),
        (format!(r#""meta":{{"security":[{ps}]}}"#), r#""meta":{}"#.to_owned()),
        (
            format!(r#""meta":{{"security":[{level},{ps}],"source":"s"}}"#),
            format!(r#""meta":{{"security":[{level}],"source":"s"}}"#),
        ),
    ];
    for (before, after) in &cases {
        for (head, tail) in
            [("", r#","status":"current""#), (r#""status":"current","#, ""), (r#""id":"1","#, r#","date":"2026""#)]
        {
            let text = format!(r#"{{"resourceType":"DocumentReference",{head}{before}{tail}}}"#);
            let found = facts(&text).unwrap().visibility;
            assert!(found.contains(&Visibility::MasquePs), "{text}");
            assert_eq!(found.contains(&Visibility::MasquePt), before.contains("MASQUE_PT"));
            let left = strip(&text).unwrap().unwrap();
            assert!(!left.contains("TRE_A07"), "{left}");
            assert_eq!(strip(&left).unwrap(), None);
            assert_eq!(facts(&left).unwrap().visibility, []);
            assert!(left.contains(after.as_str()), "{left} has no {after}");
            let plain = |t: &str| t.len();
            assert!(plain(&left) < plain(&text));
        }
    }
    // Spelled with escapes it is the same system.
    let text = format!(r#"{{"resourceType":"DocumentReference","securityLabel":[{{"coding":[{ps}]}}]}}"#);
    let escaped = text.replace("TRE_A07", "TR\\u0045_A07");
    assert_eq!(facts(&escaped).unwrap().visibility, [Visibility::MasquePs]);
    assert_eq!(strip(&escaped).unwrap().unwrap(), r#"{"resourceType":"DocumentReference"}"#);
    // What has none stays as it is.
    assert_eq!(strip(r#"{"resourceType":"DocumentReference","note":"TRE \u0041"}"#).unwrap(), None);
}

#[test]
fn fr_21_hidden_from_the_patient_and_masked_from_professionals_is_nobodys() {
    let both = labelled(&[(MASK, "INVISIBLE_PATIENT"), (MASK, "MASQUE_PS")]);
    assert_eq!(facts(&both).unwrap_err(), FactsError::Label(LabelError::HiddenFromAll));
    assert!(facts(&labelled(&[(MASK, "INVISIBLE_PATIENT"), (MASK, "MASQUE_PT")])).is_ok());
}

/// Labels before; labels the successor says; by its author; level and codes put back, or a refusal.
type Case<'a> =
    (&'a [(&'a str, &'a str)], &'a [(&'a str, &'a str)], bool, Result<(&'a str, &'a [&'a str]), LabelError>);

#[test]
fn sl_07_a_successor_is_never_less_protected_unless_its_author_says_so() {
    let (v, r, n) = ((LEVEL, "V"), (LEVEL, "R"), (LEVEL, "N"));
    let (hiv, sud) = ((ACT, "HIV"), (ACT, "SUD"));
    let cases: [Case<'_>; 14] = [
        (&[r], &[], false, Ok(("R", &[]))),
        (&[r], &[r], false, Ok(("R", &[]))),
        (&[r], &[v], false, Ok(("V", &[]))),
        (&[n], &[r], false, Ok(("R", &[]))),
        (&[r], &[n], false, Err(LabelError::Lowered)),
        (&[v], &[r], false, Err(LabelError::Lowered)),
        (&[r], &[n], true, Ok(("N", &[]))),
        (&[r], &[], true, Ok(("R", &[]))),
        (&[r, hiv], &[], false, Ok(("R", &["HIV"]))),
        (&[r, hiv], &[sud], false, Ok(("R", &["HIV"]))),
        (&[r, hiv], &[n], false, Err(LabelError::Lowered)),
        // The author takes the level back and keeps the category: the category brings its level.
        (&[r, hiv], &[n], true, Ok(("R", &["HIV"]))),
        (&[r, hiv], &[r, sud], true, Ok(("R", &[]))),
        (&[v, hiv], &[r, hiv], false, Err(LabelError::Lowered)),
    ];
    for (before, says, author, want) in cases {
        let before = facts(&labelled(before)).unwrap();
        let text = labelled(says);
        let found = successor(&tree(&text), &before, author);
        let want = want.map(|(level, codes)| {
            let coding = |c: &&str| Coding { system: ACT.to_owned(), code: (*c).to_owned() };
            (level.parse().unwrap(), codes.iter().map(coding).collect::<Vec<_>>())
        });
        assert_eq!(found, want, "{says:?} after {:?}, by author: {author}", before.sensitivities);
    }
}

#[test]
fn fr_15_a_version_of_the_past_is_as_hidden_as_the_record_is_now() {
    let mut now = facts(&labelled(&[(LEVEL, "V"), (ACT, "HIV")])).unwrap();
    now.visibility = vec![Visibility::MasquePs];
    now.announced = Some(Timestamp(5));
    let then = facts(&labelled(&[(LEVEL, "N"), (ACT, "SUD")])).unwrap().protected_as(&now);
    assert_eq!(
        (then.confidentiality, then.visibility, then.announced),
        (Confidentiality::V, now.visibility.clone(), now.announced)
    );
    assert_eq!(then.sensitivities, ["HIV".parse().unwrap(), "SUD".parse().unwrap()]);
    let next = facts(&labelled(&[])).unwrap().masked_as(&now);
    assert_eq!((next.confidentiality, next.visibility), (Confidentiality::N, now.visibility));
}
