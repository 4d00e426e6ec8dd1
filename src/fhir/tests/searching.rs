//! Search values and queries.

use proptest::prelude::*;

use super::tree;
use crate::clock::Timestamp;
use crate::fhir::{Answers, BadQuery, Handling, Named, Query, SearchValue, SearchValues, extract};
use crate::model::RecordKey;

const OBSERVATION: &str = r#"{"resourceType":"Observation","id":"p.1","meta":{"lastUpdated":"2024-06-01T00:00:00.000Z"},"status":"final",
 "code":{"coding":[{"system":"http://loinc.org","code":"8480-6"},{"code":"local,1"}],"text":"Tension artérielle"},
 "category":[{"coding":[{"system":"http://c","code":"vital-signs"}]}],
 "subject":{"reference":"Patient/p"},"performer":[{"reference":"http://other/fhir/Practitioner/d"},{"identifier":{"system":"urn:s","value":"7"}}],
 "effectiveDateTime":"2024-05-10T10:30:00+02:00","valueQuantity":{"value":5.40,"system":"http://unitsofmeasure.org","code":"mmol/L","unit":"mmol"}}"#;

const PATIENT: &str = r#"{"resourceType":"Patient","id":"p","name":[{"family":"Müller-Éluard","given":["Zoé"]}],"active":true,
 "identifier":[{"system":"urn:oid:1.2","value":"42"}],"address":[{"city":"Orléans"}],"birthDate":"1980-02",
 "telecom":[{"system":"phone","value":"01 02"},{"system":"email","value":"a@b"}]}"#;

fn ask(text: &str, pairs: &[(&str, &str)]) -> Result<bool, BadQuery> {
    let node = tree(text);
    let kind = node.text_of("resourceType").unwrap().to_owned();
    let now = Timestamp::from_rfc3339("2025-05-10T00:00:00Z").unwrap();
    Ok(Query::parse(&kind, pairs.iter().copied(), "https://own/fhir", now)?.matches(
        any_key(),
        &extract(&node),
        &Answers::default(),
    ))
}

fn any_key() -> RecordKey {
    "00000000000000000000000000".parse().unwrap()
}

#[track_caller]
fn check(text: &str, found: &[(&str, &str)], not_found: &[(&str, &str)]) {
    for pair in found {
        assert_eq!(ask(text, &[*pair]), Ok(true), "{pair:?}");
    }
    for pair in not_found {
        assert_eq!(ask(text, &[*pair]), Ok(false), "{pair:?}");
    }
}

#[test]
fn tokens_match_by_code_by_system_and_by_both() {
    check(
        OBSERVATION,
        &[
            ("code", "8480-6"),
            ("code", "http://loinc.org|8480-6"),
            ("code", "http://loinc.org|"),
            ("code", "|local\\,1"),
            ("code", "x,8480-6"),
            ("status", "final"),
            ("status", "http://hl7.org/fhir/observation-status|final"),
            ("code:not", "x"),
            ("_id", "p.1"),
            ("code:missing", "false"),
            ("value-concept:missing", "true"),
        ],
        &[
            ("code", "8480"),
            ("code", "http://other|8480-6"),
            ("code", "|8480-6"),
            ("code", "local,1"),
            ("code:not", "x,8480-6"),
            ("status", "FINAL"),
            ("code:missing", "true"),
            ("_id", "p"),
            ("value-concept", "a"),
        ],
    );
    check(
        PATIENT,
        &[
            ("active", "true"),
            ("deceased", "false"),
            ("identifier", "urn:oid:1.2|42"),
            ("email", "a@b"),
            ("phone", "01 02"),
        ],
        &[("deceased", "true"), ("email", "01 02"), ("identifier", "urn:oid:1|42")],
    );
}

#[test]
fn dates_match_as_stretches_of_time() {
    check(
        OBSERVATION,
        &[
            ("date", "2024"),
            ("date", "2024-05-10"),
            ("date", "eq2024-05-10T08:30:00Z"),
            ("date", "2024-05-10T08:30"),
            ("date", "ge2024-05-10"),
            ("date", "le2024-05-10"),
            ("date", "gt2024-05-09"),
            ("date", "lt2024-05-11"),
            ("date", "sa2024-05-09"),
            ("date", "eb2024-05-11"),
            ("date", "ne2023"),
            ("date", "ap2024-04-20"),
            ("_lastUpdated", "2024-06-01"),
        ],
        &[
            ("date", "2023"),
            ("date", "2024-05-10T10:30"),
            ("date", "gt2024-05-10"),
            ("date", "lt2024-05-10"),
            ("date", "sa2024-05-10"),
            ("date", "ap2023-01-01"),
        ],
    );
    assert_eq!(ask(OBSERVATION, &[("date", "ge2024-05-01"), ("date", "lt2024-06-01")]), Ok(true));
    assert_eq!(ask(OBSERVATION, &[("date", "ge2024-05-01"), ("date", "lt2024-05-02")]), Ok(false));
    let encounter = r#"{"resourceType":"Encounter","status":"finished","class":{"code":"x"},"period":{"start":"2024-01-10","end":"2024-02-10"}}"#;
    check(
        encounter,
        &[("date", "ge2024-02-01"), ("date", "lt2024-02-01"), ("date", "2024")],
        &[("date", "2024-02"), ("date", "gt2024-02-10"), ("date", "sa2024-01-10")],
    );
}

#[test]
fn references_match_by_id_by_type_and_id_and_by_our_own_url() {
    check(
        OBSERVATION,
        &[
            ("patient", "p"),
            ("subject", "Patient/p"),
            ("subject:Patient", "p"),
            ("patient", "https://own/fhir/Patient/p"),
            ("performer", "http://other/fhir/Practitioner/d"),
            ("performer:identifier", "urn:s|7"),
        ],
        &[
            ("patient", "q"),
            ("subject", "Group/p"),
            ("patient", "https://foreign/fhir/Patient/p"),
            ("performer", "d"),
            ("performer:identifier", "urn:s|8"),
            ("subject:Group", "p"),
        ],
    );
}

#[test]
fn strings_match_from_their_start_without_case_and_accents() {
    check(
        PATIENT,
        &[
            ("family", "mull"),
            ("name", "ZOE"),
            ("family:contains", "eluard"),
            ("family:exact", "Müller-Éluard"),
            ("address", "orleans"),
            ("birthdate", "1980-02"),
        ],
        &[
            ("family", "eluard"),
            ("family:exact", "müller-éluard"),
            ("family:contains", "zoe"),
            ("birthdate", "1980-02-01"),
        ],
    );
}

#[test]
fn quantities_match_within_the_precision_asked() {
    check(
        OBSERVATION,
        &[
            ("value-quantity", "5.4"),
            ("value-quantity", "5"),
            ("value-quantity", "5.4|http://unitsofmeasure.org|mmol/L"),
            ("value-quantity", "5.4||mmol"),
            ("value-quantity", "gt5.39"),
            ("value-quantity", "le5.4"),
            ("value-quantity", "ap5"),
            ("value-quantity", "ne6"),
        ],
        &[
            ("value-quantity", "5.41"),
            ("value-quantity", "6"),
            ("value-quantity", "5.4|http://other|mmol/L"),
            ("value-quantity", "5.4|http://unitsofmeasure.org|mmol"),
            ("value-quantity", "gt5.4"),
        ],
    );
}

#[test]
fn whatever_is_not_understood_in_full_is_refused() {
    use BadQuery as Q;
    for (pair, error) in [
        (("nonsense", "1"), Q::Parameter),
        (("_text", "x"), Q::Parameter),
        (("_has:x", "1"), Q::Parameter),
        (("_content", "x"), Q::Parameter),
        (("_filter", "x"), Q::Parameter),
        (("code-value-quantity", "x"), Q::Value("code-value-quantity")),
        (("code-value-quantity", "x$y"), Q::Value("code-value-quantity")),
        (("code-value-quantity:exact", "x$1"), Q::Modifier("code-value-quantity")),
        (("code:foo", "1"), Q::Modifier("code")),
        (("code:above", "1"), Q::Modifier("code")),
        (("code:in", "1"), Q::Modifier("code")),
        (("code:", "1"), Q::Modifier("code")),
        (("date:not", "2024"), Q::Modifier("date")),
        (("patient:Device", "1"), Q::Modifier("patient")),
        (("date", "2024-13"), Q::Value("date")),
        (("date", ""), Q::Value("date")),
        (("date", "xx2024"), Q::Value("date")),
        (("code", ""), Q::Value("code")),
        (("code", "a,"), Q::Value("code")),
        (("code", "|"), Q::Value("code")),
        (("code", "a|b|c"), Q::Value("code")),
        (("code", "a\\b"), Q::Value("code")),
        (("code:missing", "yes"), Q::Value("code")),
        (("value-quantity", "x"), Q::Value("value-quantity")),
        (("value-quantity", "1|a"), Q::Value("value-quantity")),
        (("subject", "Nonsense/1"), Q::Value("subject")),
        (("subject", "a b"), Q::Value("subject")),
        (("subject:Patient", "Group/1"), Q::Value("subject")),
        (("_count", "-1"), Q::Value("_count")),
        (("_count", "x"), Q::Value("_count")),
        (("_count", "+1"), Q::Value("_count")),
        (("_count", ""), Q::Value("_count")),
    ] {
        assert_eq!(ask(OBSERVATION, &[pair]), Err(error), "{pair:?}");
    }
    assert_eq!(ask(OBSERVATION, &[("_count", "1"), ("_count", "1")]), Err(Q::Twice("_count")));
    assert_eq!(ask(OBSERVATION, &[("code", &"a,".repeat(300))]), Err(Q::TooLarge));
    assert_eq!(ask(OBSERVATION, &[("code", "8480-6"); 65]), Err(Q::TooLarge));
    assert_eq!(Query::parse("Nonsense", [], "", Timestamp(0)), Err(Q::Type));
}

#[test]
fn chains_includes_and_what_shapes_the_answer_are_read_as_strictly() {
    use BadQuery as Q;
    for (pair, error) in [
        (("patient.nonsense", "x"), Q::Parameter),
        (("focus.status", "x"), Q::Parameter),
        (("code.name", "x"), Q::Parameter),
        (("_has:Encounter:patient:status", "x"), Q::Parameter),
        (("patient:Device.status", "x"), Q::Modifier("patient")),
        (("patient.name:not", "x"), Q::Modifier("name")),
        (("_include:recurse", "Observation:subject"), Q::Modifier("_include")),
        (("_include", "*"), Q::Value("_include")),
        (("_include", "Observation:*"), Q::Value("_include")),
        (("_include", "Observation:code"), Q::Value("_include")),
        (("_include", "Encounter:patient"), Q::Value("_include")),
        (("_include", "Observation:subject:Encounter"), Q::Value("_include")),
        (("_revinclude", "Encounter:patient"), Q::Value("_revinclude")),
        (("_summary", "x"), Q::Value("_summary")),
        (("_elements", "x"), Q::Value("_elements")),
        (("_total", "x"), Q::Value("_total")),
        (("_list", "x"), Q::Parameter),
        (("_query", "x"), Q::Parameter),
        (("_contained", "true"), Q::Parameter),
        (("_include", "x"), Q::Value("_include")),
        (("_sort", "code-value-quantity"), Q::Value("_sort")),
        (("_sort", "nonsense"), Q::Value("_sort")),
        (("_sort", "date,_id,code,status,category"), Q::Value("_sort")),
        (("_sort", "date,-date"), Q::Value("_sort")),
        (("_sort", ""), Q::Value("_sort")),
    ] {
        assert_eq!(ask(OBSERVATION, &[pair]), Err(error), "{pair:?}");
    }
}

#[test]
fn what_is_asked_of_a_patient_and_in_which_order_can_be_read_off() {
    let pairs = [("patient", "https://own/fhir/Patient/p,q"), ("_count", "20"), ("_sort", "-date,_lastUpdated")];
    let query = Query::parse("Observation", pairs, "https://own/fhir/", Timestamp(0)).unwrap();
    assert_eq!(query.named(), None, "two patients are not one");
    assert_eq!((query.count, query.sort.len()), (Some(20), 2));
    let early = extract(&tree(OBSERVATION));
    let late = extract(&tree(&OBSERVATION.replace("2024-05-10", "2024-05-11")));
    assert!(query.order_of(&late) < query.order_of(&early) && query.order_of(&early) == query.order_of(&early));
    let named =
        |kind: &str, name: &str, value: &str| Query::parse(kind, [(name, value)], "", Timestamp(0)).unwrap().named();
    assert_eq!(named("Observation", "subject:Patient", "p"), Some(Named::Reference("Patient/p".to_owned())));
    assert_eq!(named("Patient", "_id", "p"), Some(Named::Reference("p".to_owned())));
    let identifier = Some(Named::Identifier("s".to_owned(), "v".to_owned()));
    assert_eq!(named("Patient", "identifier", "s|v"), identifier);
    assert_eq!(named("Observation", "patient.identifier", "s|v"), identifier);
    assert_eq!(named("Observation", "patient:identifier", "s|v"), identifier);
    for (name, value) in
        [("patient.name", "v"), ("patient.identifier", "v"), ("code", "s|v"), ("patient.identifier", "s|v,s|w")]
    {
        assert_eq!(named("Observation", name, value), None, "{name}={value}");
    }
}

#[test]
fn the_order_of_the_matches_is_that_of_their_values_and_what_has_none_comes_last() {
    let made = |date: &str, value: &str| {
        let text = OBSERVATION.replace("2024-05-10T10:30:00+02:00", date).replace("5.40", value);
        extract(&tree(&text))
    };
    let all = [made("2024-05-10", "-3.5"), made("2024-05-11", "0"), made("2024-05-12", "12"), made("2023", "1e3")];
    let bare = extract(&tree(r#"{"resourceType":"Observation","status":"final","code":{"text":"x"}}"#));
    for (sort, expected) in [
        ("date", [3, 0, 1, 2]),
        ("-date", [2, 1, 0, 3]),
        ("value-quantity", [0, 1, 2, 3]),
        ("-value-quantity", [3, 2, 1, 0]),
        ("code,-value-quantity", [3, 2, 1, 0]),
    ] {
        let query = Query::parse("Observation", [("_sort", sort)], "", Timestamp(0)).unwrap();
        let mut places: Vec<usize> = (0..4).collect();
        places.sort_by_key(|i| query.order_of(&all[*i]));
        assert_eq!(places, expected, "{sort}");
        assert!(all.iter().all(|v| query.order_of(v) < query.order_of(&bare)), "{sort}");
    }
}

#[test]
fn composites_match_within_one_element_only() {
    let pressure = r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"s","code":"bp"}]},
      "component":[{"code":{"coding":[{"code":"sys"}]},"valueQuantity":{"value":120}},{"code":{"coding":[{"code":"dia"}]},"valueQuantity":{"value":80}}]}"#;
    check(
        pressure,
        &[("component-code-value-quantity", "sys$gt110"), ("combo-code-value-quantity", "dia$80")],
        &[("component-code-value-quantity", "dia$gt110"), ("code-value-quantity", "s|bp$120")],
    );
    check(
        OBSERVATION,
        &[("code-value-quantity", "http://loinc.org|8480-6$lt6"), ("code-value-quantity", "x$1,8480-6$5.4")],
        &[("code-value-quantity", "8480-6$gt6"), ("code-value-quantity", "x$5.4")],
    );
    let document = r#"{"resourceType":"DocumentReference","status":"current","content":[{"attachment":{"url":"http://a"}}],
      "relatesTo":[{"code":"replaces","target":{"reference":"DocumentReference/d"}}]}"#;
    check(
        document,
        &[("relationship", "d$replaces")],
        &[("relationship", "d$appends"), ("relationship", "e$replaces")],
    );
}

#[test]
fn text_beside_a_code_and_uris_by_their_path_are_found() {
    check(
        OBSERVATION,
        &[("code:text", "arter"), ("code:text", "TENSION")],
        &[("code:text", "8480"), ("code", "Tension")],
    );
    let questionnaire = r#"{"resourceType":"ValueSet","status":"draft","url":"http://a/b/c"}"#;
    check(
        questionnaire,
        &[
            ("url", "http://a/b/c"),
            ("url:below", "http://a/b"),
            ("url:below", "http://a/"),
            ("url:above", "http://a/b/c/d"),
        ],
        &[
            ("url", "http://a/b"),
            ("url:below", "http://a/b/c/d"),
            ("url:above", "http://a/b"),
            ("url:below", "http://a/b/cc"),
            ("url:below", "htt"),
        ],
    );
}

#[test]
fn a_lenient_reading_leaves_out_whole_parameters_and_nothing_else() {
    let read = |pairs: &[(&str, &str)]| {
        Query::read("Observation", pairs.iter().copied(), "", Timestamp(0), Handling::Lenient).map(|q| q.ignored)
    };
    assert_eq!(read(&[("patient", "p"), ("nonsense", "1"), ("_filter", "x")]), Ok(vec![1, 2]));
    assert_eq!(read(&[("code:foo", "x")]), Err(BadQuery::Modifier("code")));
    assert_eq!(read(&[("date", "2024-13")]), Err(BadQuery::Value("date")));
}

#[test]
fn values_survive_their_bytes_and_no_broken_bytes_are_read() {
    for text in [OBSERVATION, PATIENT] {
        let values = extract(&tree(text));
        assert!(values.of("_id").len() == 1 && values.of("nonsense").is_empty());
        let bytes = values.to_bytes();
        assert_eq!(SearchValues::from_bytes(&bytes), Ok(values));
        for cut in 0..bytes.len() {
            assert!(SearchValues::from_bytes(&bytes[..cut]).is_err(), "{cut}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(SearchValues::from_bytes(&longer).is_err());
        let mut other = bytes;
        other[0] = 2;
        assert!(SearchValues::from_bytes(&other).is_err());
    }
    let quantity = extract(&tree(OBSERVATION)).of("value-quantity").to_vec();
    assert!(matches!(&quantity[..], [SearchValue::Quantity { number, .. }] if number == "5.40"));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut versioned = bytes.clone();
        versioned.insert(0, 1);
        for b in [bytes, versioned] {
            if let Ok(values) = SearchValues::from_bytes(&b) {
                prop_assert!(SearchValues::from_bytes(&values.to_bytes()).is_ok());
            }
        }
    }

    #[test]
    fn any_query_is_read_or_refused_without_a_panic(name in "(code|date|subject|value-quantity|code-value-quantity|_sort|_count|_has:[A-Za-z:]{0,20}|patient\\.[a-z:.]{0,12}|_include|_elements)(:[a-z]{0,8})?", value in "\\PC{0,30}") {
        let values = extract(&tree(OBSERVATION));
        if let Ok(query) = Query::parse("Observation", [(name.as_str(), value.as_str())], "", Timestamp(0)) {
            let _either = query.matches(any_key(), &values, &Answers::default());
        }
    }
}
