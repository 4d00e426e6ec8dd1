//! The ways in, as data: what is asked of each hidden thing. A new route is a new line.
//!
//! `{patient}` is the patient, `{type}` and `{hidden}` the hidden thing, `{HIDDEN}` its id in other letters, `{seen}` a
//! record the asker may see, `{secret}` a text that stands in what is hidden.

/// Method, target, headers, body.
pub type Way = (&'static str, &'static str, &'static [&'static str], &'static str);

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";
const PATCH: &str = "Content-Type: application/json-patch+json";
const FHIR: &str = "Content-Type: application/fhir+json";

const BODY: &str = r#"{"resourceType":"{type}","id":"{hidden}","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/{patient}"}}"#;
const PATCHED: &str = r#"[{"op":"test","path":"/code/text","value":"{secret}"}]"#;
const REMOVED: &str = r#"[{"op":"remove","path":"/note/0"},{"op":"replace","path":"/status","value":"final"}]"#;
const CREATE: &str = r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/{patient}"}}"#;

macro_rules! batch {
    ($kind:literal, $entry:literal) => {
        concat!(r#"{"resourceType":"Bundle","type":""#, $kind, r#"","entry":[{"#, $entry, "}]}")
    };
}

/// Asked once for each hidden thing.
pub const OF_ONE: &[Way] = &[
    // read, and what an HTTP client can do to it
    ("GET", "/fhir/{type}/{hidden}", &[], ""),
    ("HEAD", "/fhir/{type}/{hidden}", &[], ""),
    ("OPTIONS", "/fhir/{type}/{hidden}", &[], ""),
    ("TRACE", "/fhir/{type}/{hidden}", &[], ""),
    ("PROPFIND", "/fhir/{type}/{hidden}", &[], ""),
    ("GET", "/fhir/{type}/{hidden}", &["If-None-Match: W/\"1\""], ""),
    ("GET", "/fhir/{type}/{hidden}", &["If-None-Match: *"], ""),
    ("GET", "/fhir/{type}/{hidden}", &["If-Match: W/\"1\""], ""),
    ("GET", "/fhir/{type}/{hidden}", &["If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT"], ""),
    ("GET", "/fhir/{type}/{hidden}", &["Range: bytes=0-9"], ""),
    ("GET", "/fhir/{type}/{hidden}", &["Accept: application/fhir+xml"], ""),
    ("GET", "/fhir/{type}/{hidden}", &["Accept: text/html"], ""),
    ("GET", "/fhir/{type}/{hidden}", &["Accept: */*;q=0"], ""),
    ("GET", "/fhir/{type}/{hidden}", &["Prefer: handling=lenient"], ""),
    ("GET", "/fhir/{type}/{hidden}", &["X-HTTP-Method-Override: DELETE"], ""),
    ("POST", "/fhir/{type}/{hidden}", &["X-HTTP-Method-Override: GET", FHIR], "{}"),
    ("POST", "/fhir/{type}/{hidden}?_method=GET", &[FHIR], "{}"),
    ("GET", "/fhir/{type}/{hidden}", &["X-Forwarded-Host: elsewhere.example", "X-Original-URL: /fhir/metadata"], ""),
    ("GET", "/fhir/{type}/{hidden}?_format=json", &[], ""),
    ("GET", "/fhir/{type}/{hidden}?_format=xml", &[], ""),
    ("GET", "/fhir/{type}/{hidden}?_summary=true", &[], ""),
    ("GET", "/fhir/{type}/{hidden}?_elements=id", &[], ""),
    ("GET", "/fhir/{type}/{hidden}?_pretty=true&_pretty=false", &[], ""),
    ("GET", "/fhir/{type}/{hidden}?", &[], ""),
    // other spellings of the same address
    ("GET", "/fhir/{type}/{hidden}/", &[], ""),
    ("GET", "/fhir//{type}/{hidden}", &[], ""),
    ("GET", "/fhir/{type}//{hidden}", &[], ""),
    ("GET", "/fhir/./{type}/{hidden}", &[], ""),
    ("GET", "/fhir/metadata/../{type}/{hidden}", &[], ""),
    ("GET", "/fhir/{type}%2f{hidden}", &[], ""),
    ("GET", "/fhir/%7B%7D/../{type}/{hidden}", &[], ""),
    ("GET", "/fhir/{type}/{hidden};x=1", &[], ""),
    ("GET", "/fhir/{type}/{hidden}.json", &[], ""),
    ("GET", "/fhir/{type}/{hidden}%00", &[], ""),
    ("GET", "/fhir/{type}/{HIDDEN}", &[], ""),
    ("GET", "/FHIR/{type}/{hidden}", &[], ""),
    ("GET", "/fhir/Basic/{hidden}", &[], ""),
    ("GET", "/fhir/Patient/{patient}/{type}/{hidden}", &[], ""),
    // versions
    ("GET", "/fhir/{type}/{hidden}/_history", &[], ""),
    ("GET", "/fhir/{type}/{hidden}/_history?_count=1", &[], ""),
    ("GET", "/fhir/{type}/{hidden}/_history?_since=2000-01-01", &[], ""),
    ("GET", "/fhir/{type}/{hidden}/_history/1", &[], ""),
    ("GET", "/fhir/{type}/{hidden}/_history/1", &["If-None-Match: W/\"1\""], ""),
    ("GET", "/fhir/{type}/{hidden}/_history/2", &[], ""),
    ("GET", "/fhir/{type}/{hidden}/_history/0", &[], ""),
    // operations
    ("GET", "/fhir/{type}/{hidden}/$everything", &[], ""),
    ("GET", "/fhir/{type}/{hidden}/$meta", &[], ""),
    ("POST", "/fhir/{type}/{hidden}/$meta-add", &[FHIR], r#"{"resourceType":"Parameters"}"#),
    ("POST", "/fhir/{type}/{hidden}/$meta-delete", &[FHIR], r#"{"resourceType":"Parameters"}"#),
    ("GET", "/fhir/{type}/{hidden}/$graph", &[], ""),
    ("GET", "/fhir/{type}/{hidden}/$graphql?query={id}", &[], ""),
    ("POST", "/fhir/{type}/{hidden}/$validate", &[FHIR], BODY),
    ("GET", "/fhir/Binary/{hidden}", &["Accept: application/pdf"], ""),
    // searches that name it
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_id={hidden}", &[], ""),
    ("GET", "/fhir/{type}?_id={hidden}", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_id={hidden}&_summary=count", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_id:not={hidden}", &[], ""),
    ("GET", "/fhir/Observation?patient=Patient/{patient}&has-member={type}/{hidden}", &[], ""),
    ("GET", "/fhir/Observation?patient=Patient/{patient}&derived-from={type}/{hidden}", &[], ""),
    ("GET", "/fhir/DiagnosticReport?patient=Patient/{patient}&result={type}/{hidden}", &[], ""),
    ("GET", "/fhir/Provenance?patient=Patient/{patient}&target={type}/{hidden}", &[], ""),
    ("GET", "/fhir/Provenance?target={type}/{hidden}", &[], ""),
    // writes that meet it
    ("PUT", "/fhir/{type}/{hidden}", &[FHIR], BODY),
    ("PUT", "/fhir/{type}/{hidden}", &[FHIR, "If-Match: W/\"1\""], BODY),
    ("PUT", "/fhir/{type}/{hidden}", &[FHIR, "If-Match: W/\"7\""], BODY),
    ("PUT", "/fhir/{type}?_id={hidden}", &[FHIR], BODY),
    ("PATCH", "/fhir/{type}/{hidden}", &[PATCH], PATCHED),
    ("PATCH", "/fhir/{type}/{hidden}", &[PATCH, "If-Match: W/\"1\""], PATCHED),
    ("PATCH", "/fhir/{type}/{hidden}", &[PATCH, "If-Match: W/\"7\""], PATCHED),
    ("PATCH", "/fhir/{type}/{hidden}", &[PATCH, "If-Match: W/\"1\""], REMOVED),
    ("PATCH", "/fhir/{type}/{hidden}", &["Content-Type: application/xml-patch+xml", "If-Match: W/\"1\""], "<diff/>"),
    ("PATCH", "/fhir/{type}?_id={hidden}", &[PATCH], PATCHED),
    ("DELETE", "/fhir/{type}/{hidden}", &[], ""),
    ("DELETE", "/fhir/{type}/{hidden}", &["If-Match: W/\"7\""], ""),
    ("DELETE", "/fhir/{type}?_id={hidden}", &[], ""),
    ("POST", "/fhir/{type}", &[FHIR, "If-None-Exist: _id={hidden}"], BODY),
    ("POST", "/fhir/{type}", &[FHIR, "If-None-Exist: identifier=urn:secret|{secret}"], BODY),
    ("POST", "/fhir/Observation", &[FHIR, "If-None-Exist: _id={hidden}"], CREATE),
    ("POST", "/fhir/Observation", &[FHIR, "If-None-Exist: _id={seen},{hidden}"], CREATE),
    ("POST", "/fhir/Observation", &[FHIR, "If-None-Exist: identifier=urn:secret|{secret}"], CREATE),
    ("POST", "/fhir/Observation", &[FHIR, "If-None-Exist: value-quantity=gt70&date=1987"], CREATE),
    ("POST", "/fhir/Observation", &[FHIR, "If-None-Exist: derived-from={type}/{hidden}"], CREATE),
    ("POST", "/fhir/{type}", &[FHIR], r#"{"resourceType":"{type}","id":"{hidden}"}"#),
    (
        "POST",
        "/fhir/Observation",
        &[FHIR],
        r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/{patient}"},"hasMember":[{"reference":"Observation/{hidden}"}]}"#,
    ),
    (
        "POST",
        "/fhir/Observation",
        &[FHIR],
        r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"{type}/{hidden}"}}"#,
    ),
    (
        "POST",
        "/fhir/Observation",
        &[FHIR],
        r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/{patient}"},"hasMember":[{"reference":"{type}?_id={hidden}"}]}"#,
    ),
    // Bundles
    ("POST", "/fhir", &[FHIR], batch!("batch", r#""request":{"method":"GET","url":"{type}/{hidden}"}"#)),
    ("POST", "/fhir", &[FHIR], batch!("batch", r#""request":{"method":"HEAD","url":"{type}/{hidden}"}"#)),
    (
        "POST",
        "/fhir",
        &[FHIR],
        batch!("batch", r#""request":{"method":"GET","url":"{type}/{hidden}","ifNoneMatch":"W/\"1\""}"#),
    ),
    ("POST", "/fhir", &[FHIR], batch!("batch", r#""request":{"method":"GET","url":"{type}/{hidden}/_history/1"}"#)),
    (
        "POST",
        "/fhir",
        &[FHIR],
        batch!("batch", r#""request":{"method":"GET","url":"{type}?patient=Patient/{patient}&_id={hidden}"}"#),
    ),
    (
        "POST",
        "/fhir",
        &[FHIR],
        batch!(
            "batch",
            r#""resource":{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/{patient}"}},"request":{"method":"POST","url":"Observation","ifNoneExist":"_id={hidden}"}"#
        ),
    ),
    (
        "POST",
        "/fhir",
        &[FHIR],
        batch!(
            "batch",
            r#""resource":{"resourceType":"Binary","contentType":"application/json-patch+json","data":"W3sib3AiOiJyZW1vdmUiLCJwYXRoIjoiL25vdGUvMCJ9XQ=="},"request":{"method":"PATCH","url":"{type}/{hidden}","ifMatch":"W/\"1\""}"#
        ),
    ),
    ("POST", "/fhir", &[FHIR], batch!("batch", r#""request":{"method":"DELETE","url":"{type}/{hidden}"}"#)),
    ("POST", "/fhir", &[FHIR], batch!("transaction", r#""request":{"method":"GET","url":"{type}/{hidden}"}"#)),
    (
        "POST",
        "/fhir",
        &[FHIR],
        batch!(
            "transaction",
            r#""resource":{"resourceType":"{type}","id":"{hidden}"},"request":{"method":"PUT","url":"{type}/{hidden}"}"#
        ),
    ),
    (
        "POST",
        "/fhir",
        &[FHIR],
        batch!(
            "transaction",
            r#""resource":{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/{patient}"}},"request":{"method":"POST","url":"Observation","ifNoneExist":"_id={hidden}"}"#
        ),
    ),
    // the patients' own interface
    ("GET", "/api/records/{type}/{hidden}", &[], ""),
    ("GET", "/api/records/{type}/{hidden}/visibility", &[], ""),
    ("POST", "/api/records/{type}/{hidden}/visibility/MASQUE_PT", &[], ""),
    ("POST", "/api/records/{type}/{hidden}/visibility/NOSUCH", &[], ""),
    ("DELETE", "/api/records/{type}/{hidden}/visibility/MASQUE_PS", &[], ""),
    ("DELETE", "/api/records/{type}/{hidden}/visibility/INVISIBLE_PATIENT", &[], ""),
    ("GET", "/api/consents/{hidden}", &[], ""),
];

/// Asked once for each type of which something is hidden.
pub const OF_TYPE: &[Way] = &[
    ("GET", "/fhir/{type}?patient=Patient/{patient}", &[], ""),
    ("GET", "/fhir/{type}?subject=Patient/{patient}", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&patient=Patient/{patient}", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_count=1", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_count=0", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_total=accurate", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_summary=count", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_elements=code", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_sort=-_lastUpdated", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_sort=code", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_include=*", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_include:iterate=*", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_include=Observation:has-member", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_revinclude=*", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_revinclude=Provenance:target", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_revinclude=Observation:has-member", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_contained=true", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_security=R,V", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_security:not=N", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_lastUpdated=gt2000", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&date=1987-06-05", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&code:missing=false", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&code:text={secret}", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&code:not=x", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&code:in=http://x", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_text={secret}", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_content={secret}", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_filter=code%20eq%20{secret}", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_query=all", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_list=1", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&unknown={secret}", &["Prefer: handling=lenient"], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_has:Condition:subject:code={secret}", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&subject:Patient.name={secret}", &[], ""),
    ("GET", "/fhir/{type}?patient.name={secret}", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&encounter.reason-code={secret}", &[], ""),
    ("GET", "/fhir/{type}?patient:identifier=urn:secret|{secret}", &[], ""),
    ("GET", "/fhir/{type}?identifier=urn:secret|{secret}", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&identifier=urn:secret|{secret}", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&page=2", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_offset=1", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_cursor=AAAA", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_getpages=1", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient/{patient}&_format=xml", &[], ""),
    ("GET", "/fhir/{type}?patient=Patient%2F{patient}", &[], ""),
    ("GET", "/fhir/{type}/?patient=Patient/{patient}", &[], ""),
    ("HEAD", "/fhir/{type}?patient=Patient/{patient}", &[], ""),
    ("OPTIONS", "/fhir/{type}?patient=Patient/{patient}", &[], ""),
    ("GET", "/fhir/{type}", &[], ""),
    ("GET", "/fhir/{type}/_history", &[], ""),
    ("GET", "/fhir/{type}/_history?patient=Patient/{patient}", &[], ""),
    ("GET", "/fhir/{type}/$lastn?patient=Patient/{patient}", &[], ""),
    ("POST", "/fhir/{type}/_search", &[FORM], "patient=Patient/{patient}"),
    ("POST", "/fhir/{type}/_search?patient=Patient/{patient}", &[FORM], "code={secret}"),
    ("POST", "/fhir/{type}/_search", &[FORM], "patient=Patient/{patient}&_count=1"),
    ("POST", "/fhir/{type}/_search", &[FORM], "patient=Patient/{patient}&code:text={secret}"),
    ("GET", "/fhir/Patient/{patient}/{type}", &[], ""),
    ("GET", "/fhir/Patient/{patient}/{type}?code={secret}", &[], ""),
    ("DELETE", "/fhir/{type}?patient=Patient/{patient}&code={secret}", &[], ""),
    (
        "POST",
        "/fhir",
        &[FHIR],
        batch!("batch", r#""request":{"method":"GET","url":"{type}?patient=Patient/{patient}"}"#),
    ),
    (
        "POST",
        "/fhir",
        &[FHIR],
        batch!("batch", r#""request":{"method":"GET","url":"{type}?patient=Patient/{patient}&code={secret}"}"#),
    ),
];

/// Asked once.
pub const OF_ALL: &[Way] = &[
    ("GET", "/fhir/Patient/{patient}", &[], ""),
    ("GET", "/fhir/Patient/{patient}/_history", &[], ""),
    ("GET", "/fhir/Patient/{patient}/_history/1", &[], ""),
    ("GET", "/fhir/Patient/{patient}/$everything", &[], ""),
    ("GET", "/fhir/Patient/{patient}/$everything?_count=1", &[], ""),
    ("GET", "/fhir/Patient/{patient}/$everything?_since=2000-01-01", &[], ""),
    ("GET", "/fhir/Patient/{patient}/$everything?_type=Condition", &[], ""),
    ("POST", "/fhir/Patient/{patient}/$everything", &[FHIR], r#"{"resourceType":"Parameters"}"#),
    ("GET", "/fhir/Patient/$everything", &[], ""),
    ("GET", "/fhir/Patient/{patient}/$export", &[], ""),
    ("GET", "/fhir/Patient/$export", &[], ""),
    ("GET", "/fhir/Group/1/$export", &[], ""),
    ("GET", "/fhir/$export", &[], ""),
    ("GET", "/fhir/$graphql?query=%7BPatient%7D", &[], ""),
    ("GET", "/fhir/Patient/{patient}/*", &[], ""),
    ("GET", "/fhir/Patient?_id={patient}", &[], ""),
    ("GET", "/fhir/Patient?_id={patient}&_revinclude=*", &[], ""),
    ("GET", "/fhir/Patient?_id={patient}&_revinclude=Observation:patient", &[], ""),
    ("GET", "/fhir/Patient?_id={patient}&_has:Condition:patient:code={secret}", &[], ""),
    ("GET", "/fhir/Patient?_has:Condition:subject:code={secret}", &[], ""),
    ("GET", "/fhir/Patient?_has:Observation:patient:_has:Provenance:target:agent=x", &[], ""),
    ("GET", "/fhir/Patient?identifier=urn:secret|{secret}", &[], ""),
    ("GET", "/fhir/Patient?name={secret}", &[], ""),
    ("GET", "/fhir/_history", &[], ""),
    ("GET", "/fhir/_page/AAAA", &[], ""),
    ("GET", "/fhir?_type=Observation,Condition&patient=Patient/{patient}", &[], ""),
    ("POST", "/fhir/_search", &[FORM], "_type=Observation&patient=Patient/{patient}"),
    ("GET", "/fhir/Observation/{seen}", &[], ""),
    ("GET", "/fhir/Observation/{seen}", &["If-None-Match: W/\"1\""], ""),
    ("GET", "/fhir/Observation/{seen}/_history", &[], ""),
    (
        "POST",
        "/fhir/Subscription",
        &[FHIR],
        r#"{"resourceType":"Subscription","status":"requested","reason":"x","criteria":"Observation?patient=Patient/{patient}","channel":{"type":"rest-hook"}}"#,
    ),
    ("POST", "/fhir/Observation", &[FHIR, "If-None-Exist: identifier=urn:secret|{secret}"], CREATE),
    ("POST", "/fhir/Observation", &[FHIR, "If-None-Exist: patient=Patient/{patient}&code:text={secret}"], CREATE),
    ("PUT", "/fhir/Observation?identifier=urn:secret|{secret}", &[FHIR], CREATE),
    ("DELETE", "/fhir/Observation?identifier=urn:secret|{secret}", &[], ""),
    (
        "POST",
        "/fhir",
        &[FHIR],
        batch!(
            "transaction",
            r#""resource":{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/{patient}"}},"request":{"method":"POST","url":"Observation","ifNoneExist":"identifier=urn:secret|{secret}"}"#
        ),
    ),
    ("POST", "/fhir", &[FHIR], batch!("batch", r#""request":{"method":"GET","url":"Patient/{patient}/$everything"}"#)),
    (
        "POST",
        "/fhir/Observation",
        &[FHIR],
        r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient?identifier=urn:secret|{secret}"}}"#,
    ),
    ("POST", "/fhir/Observation", &[FHIR], r#"{"resourceType":"Observation""#),
    ("GET", "/api/consents", &[], ""),
    ("GET", "/api/records", &[], ""),
    ("GET", "/fhir/metadata", &[], ""),
];

/// Values tried in every search parameter.
pub const VALUES: &[&str] = &["{secret}", "gt1987-06-05", "http://loinc.org|99999-9", "gt77"];
