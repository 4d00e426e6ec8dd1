//! Why the answer is no.

use std::fmt;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal),+ $(,)?) => {
        /// Why the answer is no, ordered by how far the question came: the later, the nearer to a yes.
        ///
        /// For the log and the patient's access history. The one who asked is told nothing (RD-01).
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Reason {
            $($(#[$doc])* $name),+
        }

        impl Reason {
            /// Every reason, in order.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The stable word for the log.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code),+
                }
            }
        }
    };
}

reasons! {
    /// Nothing was asked for, or nothing is left.
    NoRecord = "no-record",
    /// The records are not all of one patient.
    SeveralPatients = "several-patients",
    /// A patient asks for another patient's record.
    OtherPatient = "other-patient",
    /// The software, its organisation or its professional is suspended.
    Inactive = "inactive",
    /// The patient has shut this professional out.
    Excluded = "excluded",
    /// The access token does not go that far.
    TokenScope = "token-scope",
    /// The law names no ground for an organisation of this kind.
    NoGround = "no-ground",
    /// An insurer asks for what is not proof of reimbursement (L.1111-18 CSP).
    InsurerMedical = "insurer-medical",
    /// Occupational health without express consent (L.1111-17 IV CSP).
    OccupationalExpress = "occupational-express",
    /// Outside the profession's row of the matrix.
    Matrix = "matrix",
    /// No consent reaches this actor.
    NoConsent = "no-consent",
    /// A consent reaches this actor, but not now.
    Window = "window",
    /// Not for this purpose.
    Purpose = "purpose",
    /// Not this type, category or interaction.
    Scope = "scope",
    /// Not content of that date.
    Authored = "authored",
    /// Too confidential, or a sensitive category that was not allowed.
    Label = "label",
    /// Masked from this asker (FR-15, FR-21a).
    Masked = "masked",
    /// Not announced to the patient yet; told to nobody, and recorded as absent (FR-19).
    Unannounced = "unannounced",
    /// A policy could not be evaluated: in doubt, no; and an alarm.
    PolicyError = "policy-error",
}

impl Reason {
    /// The reason of that code.
    pub(super) fn of(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|r| r.code() == code)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
