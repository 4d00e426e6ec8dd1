//! What is said to a person who was not signed in: what happened, whether their record is safe, what to do.

use axum::http::StatusCode;

use crate::identity::LoginError;
use crate::openid::Unproved;

/// One thing said, in both languages: title, what it means, what to do.
pub(super) struct Told {
    pub(super) status: StatusCode,
    pub(super) fr: [&'static str; 3],
    pub(super) en: [&'static str; 3],
}

/// What is said of `error`; the reasons stay in the log.
pub(super) const fn told(error: &LoginError) -> &'static Told {
    match error {
        LoginError::NotOffered => &NOT_OFFERED,
        LoginError::NoAttempt => &NO_ATTEMPT,
        LoginError::Denied(_) => &DENIED,
        LoginError::NotLinked { invited: false } => &NOT_LINKED,
        LoginError::NotLinked { invited: true } => &NOT_INVITED,
        LoginError::NotEnrolled(_) => &NOT_ENROLLED,
        LoginError::Unproved(Unproved::Refused(_)) => &REFUSED,
        LoginError::Unproved(Unproved::Unreachable(_) | Unproved::Settings(_)) | LoginError::Unavailable(_) => {
            &UNAVAILABLE
        }
    }
}

const NOT_OFFERED: Told = Told {
    status: StatusCode::NOT_FOUND,
    fr: ["Connexion impossible ici", "Ce service n’offre pas cette façon de se connecter.", "Choisissez-en une autre."],
    en: ["You cannot sign in this way", "This service does not offer this way to sign in.", "Choose another."],
};

const NO_ATTEMPT: Told = Told {
    status: StatusCode::BAD_REQUEST,
    fr: [
        "La connexion n’est pas allée au bout",
        "Elle a pris trop de temps, ou elle a commencé dans un autre navigateur. Votre dossier n’est pas touché.",
        "Recommencez depuis le début.",
    ],
    en: [
        "Signing in was not completed",
        "It took too long, or it began in another browser. Your record is not affected.",
        "Start again from the beginning.",
    ],
};

const DENIED: Told = Told {
    status: StatusCode::FORBIDDEN,
    fr: [
        "Vous n’êtes pas connecté",
        "La connexion a été refusée ou abandonnée. Votre dossier n’est pas touché.",
        "Vous pouvez recommencer quand vous voulez.",
    ],
    en: [
        "You are not signed in",
        "Signing in was refused or given up. Your record is not affected.",
        "You can start again whenever you like.",
    ],
};

const NOT_LINKED: Told = Told {
    status: StatusCode::FORBIDDEN,
    fr: [
        "Ce compte n’est pas encore relié à un dossier",
        "Nous vous avons reconnu, mais aucun dossier n’est relié à ce compte.",
        "Recommencez avec le code d’invitation que vous avez reçu.",
    ],
    en: [
        "This account is not linked to a record yet",
        "You were recognised, but no record is linked to this account.",
        "Start again with the invitation code you received.",
    ],
};

const NOT_INVITED: Told = Told {
    status: StatusCode::FORBIDDEN,
    fr: [
        "Ce code d’invitation ne marche pas",
        "Il a déjà servi, il a pris fin, ou il est mal recopié. Rien n’a été relié.",
        "Vérifiez-le, ou demandez-en un autre à l’organisme qui garde votre dossier.",
    ],
    en: [
        "This invitation code does not work",
        "It was used already, it has ended, or it was copied wrongly. Nothing was linked.",
        "Check it, or ask the organisation that keeps your record for another.",
    ],
};

const NOT_ENROLLED: Told = Told {
    status: StatusCode::FORBIDDEN,
    fr: [
        "Vous n’êtes pas inscrit ici",
        "Vous avez été reconnu, mais l’annuaire de ce service ne vous connaît pas ainsi.",
        "Demandez votre inscription au garant de ce service.",
    ],
    en: [
        "You are not enrolled here",
        "You were recognised, but this service’s directory does not know you so.",
        "Ask the guarantor of this service to enrol you.",
    ],
};

const REFUSED: Told = Told {
    status: StatusCode::FORBIDDEN,
    fr: [
        "La connexion a été refusée",
        "La réponse du fournisseur d’identité n’a pas pu être vérifiée. Votre dossier n’est pas touché.",
        "Recommencez. Si cela se répète, prévenez-nous.",
    ],
    en: [
        "Signing in was refused",
        "The identity provider’s answer could not be verified. Your record is not affected.",
        "Start again. If it happens again, tell us.",
    ],
};

const UNAVAILABLE: Told = Told {
    status: StatusCode::SERVICE_UNAVAILABLE,
    fr: [
        "La connexion ne répond pas",
        "Le service d’identité ne répond pas en ce moment. Votre dossier n’est pas touché.",
        "Réessayez dans quelques minutes.",
    ],
    en: [
        "Signing in does not answer",
        "The identity service does not answer at the moment. Your record is not affected.",
        "Try again in a few minutes.",
    ],
};
