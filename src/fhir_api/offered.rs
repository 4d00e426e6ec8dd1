//! What this door offers, as data: the CapabilityStatement is written from it, and a test calls each row.

/// On what an interaction is offered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum On {
    /// Each resource type.
    Type,
    /// The whole server.
    System,
}

/// One interaction (FHIR type-restful-interaction and system-restful-interaction).
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    /// The code, as `search-type`.
    pub(super) code: &'static str,
    /// On what.
    pub(super) on: On,
    /// Types on which it is not offered although it is on the others.
    pub(super) except: &'static [&'static str],
}

const fn on_types(code: &'static str) -> Offer {
    Offer { code, on: On::Type, except: &[] }
}

const fn on_system(code: &'static str) -> Offer {
    Offer { code, on: On::System, except: &[] }
}

const fn on_types_but(code: &'static str, except: &'static [&'static str]) -> Offer {
    Offer { code, on: On::Type, except }
}

/// Every interaction, in the order the statement lists them.
pub(super) const OFFERED: &[Offer] = &[
    on_types("read"),
    on_types_but("vread", &["AuditEvent"]),
    on_types_but("update", &["AuditEvent", "Consent", "Provenance"]),
    on_types_but("patch", &["AuditEvent", "Consent", "Provenance"]),
    on_types_but("delete", &["AuditEvent", "Consent", "Patient", "Provenance"]),
    on_types_but("history-instance", &["AuditEvent", "Consent"]),
    on_types_but("create", &["AuditEvent", "Consent"]),
    on_types("search-type"),
    on_system("transaction"),
    on_system("batch"),
];

/// What is said of every type beside its interactions: member of `rest.resource` and its JSON value.
pub(super) const TRAITS: &[(&str, &str)] = &[
    ("versioning", "\"versioned-update\""),
    ("readHistory", "true"),
    ("updateCreate", "false"),
    ("conditionalRead", "\"full-support\""),
    ("conditionalUpdate", "false"),
    ("conditionalDelete", "\"not-supported\""),
];

/// Whether resources of this type can be a patient's, and are therefore offered: those of the patient compartment, and
/// the devices a patient carries.
pub(super) fn is_searched(name: &str) -> bool {
    name == "Device" || crate::fhir::is_in_patient_compartment(name)
}

/// The codes offered on the resource type `name`.
pub(super) fn of_type(name: &str) -> impl Iterator<Item = &'static str> {
    OFFERED.iter().filter(move |o| o.on == On::Type && !o.except.contains(&name)).map(|o| o.code)
}

/// The codes offered on the whole server.
pub(super) fn of_system() -> impl Iterator<Item = &'static str> {
    OFFERED.iter().filter(|o| o.on == On::System).map(|o| o.code)
}
