//! One finding about a resource.

/// How bad it is (FHIR issue-severity).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// The action failed and nothing more was checked.
    Fatal,
    /// The action failed.
    Error,
    /// The action may have an unwanted result.
    Warning,
    /// For the reader only.
    Information,
}

impl Severity {
    /// The code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Fatal => "fatal",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Information => "information",
        }
    }
}

macro_rules! codes {
    ($($name:ident $code:literal),+ $(,)?) => {
        /// What kind of finding it is (FHIR issue-type).
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Code {
            $(#[doc = concat!("`", $code, "`")] $name,)+
        }

        impl Code {
            /// The code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }
        }
    };
}

codes! {
    Invalid "invalid", Structure "structure", Required "required", Value "value", Invariant "invariant",
    Security "security", Login "login", Unknown "unknown", Expired "expired", Forbidden "forbidden",
    Suppressed "suppressed", Processing "processing", NotSupported "not-supported", Duplicate "duplicate",
    MultipleMatches "multiple-matches", NotFound "not-found", Deleted "deleted", TooLong "too-long",
    CodeInvalid "code-invalid", Extension "extension", TooCostly "too-costly", BusinessRule "business-rule",
    Conflict "conflict", Transient "transient", LockError "lock-error", NoStore "no-store",
    Exception "exception", Timeout "timeout", Incomplete "incomplete", Throttled "throttled",
    Informational "informational",
}

/// One finding; never quotes a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Issue {
    /// How bad.
    pub severity: Severity,
    /// What kind.
    pub code: Code,
    /// Where, as a FHIRPath expression such as `Bundle.entry[3].resource.status`; may be empty.
    pub expression: String,
    /// What is wrong, in plain words.
    pub reason: &'static str,
}
