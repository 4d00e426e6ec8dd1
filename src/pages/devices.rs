//! «Mes clés»: with what the patient signs; adding a key and ending one.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};

use super::Pages;
use super::frame::{Frame, Here, show};
use super::key::{binary, credentials, registration};
use super::trouble::Trouble;
use super::visitor::Visitor;
use super::words::words;
use crate::http::see_other;
use crate::identity::PasskeyError;
use crate::model::{DeviceKind, calendar};
use crate::proof::base64url;

#[derive(Template)]
#[template(path = "pages/devices.html")]
struct Page<'p> {
    frame: &'p Frame,
    w: &'static Words,
    keys: Vec<Key>,
    /// What the browser needs to make one; nothing when the patient must sign in again first.
    making: Option<Making>,
}

struct Key {
    id: String,
    kind: &'static str,
    since: String,
}

struct Making {
    challenge: String,
    rp_id: String,
    handle: String,
    held: String,
}

/// `GET /appareils`
pub(super) async fn page(State(pages): State<Arc<Pages>>, visitor: Visitor) -> Response<Body> {
    let made = make(&pages, &visitor).await;
    visitor.answer(&pages, made).await
}

/// `POST /appareils`
pub(super) async fn add(State(pages): State<Arc<Pages>>, visitor: Visitor, body: Body) -> Response<Body> {
    let made = enrol(&pages, &visitor, body).await;
    visitor.answer(&pages, made).await
}

/// `POST /appareils/{id}/retirer`
pub(super) async fn remove(
    State(pages): State<Arc<Pages>>,
    Path(id): Path<String>,
    visitor: Visitor,
    body: Body,
) -> Response<Body> {
    let made = end(&pages, &visitor, &id, body).await;
    visitor.answer(&pages, made).await
}

async fn make(pages: &Pages, visitor: &Visitor) -> Result<Response<Body>, Trouble> {
    let w = Words::of(visitor.language);
    let held = pages.passkeys.list(visitor.patient).await?;
    let keys = held.iter().map(|device| Key {
        id: device.id.to_string(),
        kind: match device.kind {
            DeviceKind::Passkey { .. } => w.passkey,
            DeviceKind::Device => w.device,
        },
        since: calendar::day(device.since, visitor.language).unwrap_or_default(),
    });
    let making = match pages.passkeys.fresh(&visitor.signed_in) {
        Err(_) => None,
        Ok(()) => Some(Making {
            challenge: base64url::encode(&pages.passkeys.challenge(&visitor.signed_in)?),
            rp_id: pages.passkeys.site.rp_id.clone(),
            handle: base64url::encode(visitor.patient.as_bytes()),
            held: credentials(pages, visitor).await?,
        }),
    };
    let frame = visitor.frame(pages, Here::Nowhere).await;
    let page = Page { frame: &frame, w, keys: keys.collect(), making };
    Ok(show(StatusCode::OK, &frame, &page))
}

async fn enrol(pages: &Pages, visitor: &Visitor, body: Body) -> Result<Response<Body>, Trouble> {
    let fields = visitor.posted(pages, body).await?;
    let (challenge, made) = (binary(&fields, "challenge")?, registration(&fields)?);
    pages.passkeys.enrol(&visitor.signed_in, visitor.patient, &challenge, &made).await?;
    Ok(see_other("/appareils"))
}

async fn end(pages: &Pages, visitor: &Visitor, id: &str, body: Body) -> Result<Response<Body>, Trouble> {
    visitor.posted(pages, body).await?;
    let device = id.parse().map_err(|_| Trouble::NotFound)?;
    match pages.passkeys.end(&visitor.signed_in, visitor.patient, device).await {
        Ok(()) => Ok(see_other("/appareils")),
        Err(PasskeyError::Last) => Err(Trouble::LastKey),
        Err(error) => Err(error.into()),
    }
}

words! {
    /// What the page says.
    Words {
        title: "Avec quoi je signe\u{a0}?", "What do I sign with?";
        lead: "Une clé d’accès est gardée par votre appareil. Elle s’ouvre avec votre empreinte, votre visage ou le code de l’appareil.",
            "A passkey is kept by your device. It opens with your fingerprint, your face or the code of the device.";
        keys: "Mes clés", "My keys";
        none: "Aucune clé pour l’instant. Sans clé, vous pouvez lire et retirer, mais pas donner d’accès.",
            "No key so far. Without a key you can read and remove, but not give access.";
        one: "Ajoutez une deuxième clé\u{a0}: sans elle, un téléphone perdu vous empêche de donner des accès.",
            "Add a second key: without it, a lost phone keeps you from giving access.";
        young: "Une clé ajoutée ne peut pas donner d’accès pendant 24 heures, sauf la toute première. C’est pour vous protéger.",
            "A key that is added cannot give access for 24 hours, except the very first one. This protects you.";
        passkey: "Clé d’accès", "Passkey";
        device: "Appareil qui signe lui-même", "A device that signs by itself";
        since: "ajoutée le", "added on";
        add: "Ajouter une clé d’accès", "Add a passkey";
        end: "Retirer cette clé", "Remove this key";
        again: "Pour ajouter ou retirer une clé, reconnectez-vous d’abord\u{a0}: cela ne doit pas dater de plus de 15 minutes.",
            "To add or remove a key, sign in again first: it must not be longer ago than 15 minutes.";
        leave: "Se déconnecter", "Sign out";
        script: "Une clé d’accès a besoin de JavaScript.", "A passkey needs JavaScript.";
        failed: "L’appareil n’a pas fait de clé. Rien n’a changé. Vous pouvez recommencer.",
            "The device made no key. Nothing has changed. You can try again.";
    }
}
