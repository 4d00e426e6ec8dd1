//! Wishes and signatures as a patient's device writes them in JSON.

use std::str::FromStr;

use super::{RequestId, Signed, Wish, terms};
use crate::id::PatientId;
use crate::json::Node;
use crate::model::statement::BadStatement;
use crate::model::{Language, Terms};
use crate::proof::webauthn::Assertion;
use crate::proof::{Evidence, base64url};

/// Reads a wish and the language it is to be told in: `{"wish":"grant","terms":{…},"language":"fr"}`.
///
/// # Errors
/// [`BadStatement::Member`] for whatever is missing, malformed or unknown.
pub fn wish(tree: &Node<'_>) -> Result<(Wish, Language), BadStatement> {
    let language = parsed(tree, "language")?;
    let wish = match text(tree, "wish")? {
        "grant" => {
            only(tree, &["wish", "language", "terms"])?;
            Wish::Grant(terms_of(tree)?)
        }
        "narrow" => {
            only(tree, &["wish", "language", "consent", "terms"])?;
            Wish::Narrow(parsed(tree, "consent")?, terms_of(tree)?)
        }
        "exclude" => {
            only(tree, &["wish", "language", "professional"])?;
            Wish::Exclude(parsed(tree, "professional")?)
        }
        "lift" => {
            only(tree, &["wish", "language", "consent"])?;
            Wish::Lift(parsed(tree, "consent")?)
        }
        _ => return Err(BadStatement::Member("wish")),
    };
    Ok((wish, language))
}

/// Reads `{"terms":{…}}`.
///
/// # Errors
/// As [`wish`].
pub fn preview(tree: &Node<'_>) -> Result<Terms, BadStatement> {
    only(tree, &["terms"])?;
    terms_of(tree)
}

/// Reads a signed statement: `{"statement":…,"signature":{"kind":…},"answers":…}`, binary parts in base64url.
///
/// # Errors
/// As [`wish`].
pub fn signed(tree: &Node<'_>) -> Result<Signed, BadStatement> {
    only(tree, &["statement", "signature", "answers"])?;
    let signature = tree.get("signature").ok_or(BadStatement::Member("signature"))?;
    let evidence = match text(signature, "kind")? {
        "device" => {
            only(signature, &["kind", "jws"])?;
            Evidence::Device(text(signature, "jws")?.to_owned())
        }
        "passkey" => {
            let (data, client) = ("authenticatorData", "clientDataJSON");
            only(signature, &["kind", data, client, "signature", "credentialId", "userHandle"])?;
            Evidence::Passkey(Assertion {
                credential: binary(signature, "credentialId")?,
                authenticator_data: binary(signature, data)?,
                client_data: binary(signature, client)?,
                signature: binary(signature, "signature")?,
                user_handle: signature.get("userHandle").map(|_| binary(signature, "userHandle")).transpose()?,
            })
        }
        _ => return Err(BadStatement::Member("kind")),
    };
    let answers = tree.get("answers").map(|_| parsed::<RequestId>(tree, "answers")).transpose()?;
    Ok(Signed { statement: binary(tree, "statement")?, evidence, answers })
}

/// Reads a request of software: `{"patient":…,"terms":{…},"message":…}`.
///
/// # Errors
/// As [`wish`].
pub fn request<'t>(tree: &'t Node<'_>) -> Result<(PatientId, Terms, &'t str), BadStatement> {
    only(tree, &["patient", "terms", "message"])?;
    Ok((parsed(tree, "patient")?, terms_of(tree)?, text(tree, "message")?))
}

/// A member that nobody knows could be one that somebody relied on.
fn only(tree: &Node<'_>, names: &[&str]) -> Result<(), BadStatement> {
    let known = tree.is_object() && tree.members().iter().all(|m| names.contains(&m.name.as_ref()));
    if known { Ok(()) } else { Err(BadStatement::Member("(unknown)")) }
}

fn terms_of(tree: &Node<'_>) -> Result<Terms, BadStatement> {
    terms::read(tree.get("terms").ok_or(BadStatement::Member("terms"))?)
}

fn text<'t>(tree: &'t Node<'_>, name: &'static str) -> Result<&'t str, BadStatement> {
    tree.text_of(name).ok_or(BadStatement::Member(name))
}

fn parsed<T: FromStr>(tree: &Node<'_>, name: &'static str) -> Result<T, BadStatement> {
    text(tree, name)?.parse().map_err(|_| BadStatement::Member(name))
}

fn binary(tree: &Node<'_>, name: &'static str) -> Result<Vec<u8>, BadStatement> {
    base64url::decode(text(tree, name)?).map_err(|_| BadStatement::Member(name))
}
