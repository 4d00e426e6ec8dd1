//! Giving an access, steps 2 and 3: what and until when; then one sentence, what it opens, and the passkey.

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};

use super::Pages;
use super::circle::Circle;
use super::frame::{Frame, Here, show};
use super::key::{Asked, binary, evidence};
use super::trouble::Trouble;
use super::visitor::Visitor;
use super::words::words;
use crate::clock::Timestamp;
use crate::consent::{ConsentError, Recipient, Signed, Wish};
use crate::http::see_other;
use crate::model::{Confidentiality, Grantee, Language, Period, Purpose, Rubric, Terms, calendar};
use crate::proof::base64url;

const DAY: i64 = 86_400;
/// What anybody who provides care should know.
const ESSENTIAL: [Rubric; 4] = [Rubric::Allergies, Rubric::Medicines, Rubric::Illnesses, Rubric::Vaccines];

#[derive(Template)]
#[template(path = "pages/give.html")]
struct Choice<'p> {
    frame: &'p Frame,
    w: &'static Words,
    grantee: String,
    name: String,
    circle: Circle,
    kind: &'static str,
    insurer: bool,
    rubrics: Vec<(Rubric, &'static str)>,
    first_day: String,
    last_day: String,
}

#[derive(Template)]
#[template(path = "pages/read_over.html")]
pub(super) struct ReadOver<'p> {
    pub(super) frame: &'p Frame,
    pub(super) w: &'static Words,
    pub(super) name: String,
    pub(super) sentence: String,
    pub(super) opens: Vec<String>,
    pub(super) closed: Vec<&'static str>,
    pub(super) hidden: String,
    pub(super) insurer: bool,
    pub(super) statement: String,
    pub(super) key: Option<Asked>,
    /// The request that is answered.
    pub(super) answers: Option<String>,
    pub(super) back: String,
}

/// `GET /acces/nouveau/{grantee}`
pub(super) async fn choose(
    State(pages): State<Arc<Pages>>,
    Path(grantee): Path<String>,
    visitor: Visitor,
) -> Response<Body> {
    let made = choice(&pages, &visitor, &grantee).await;
    visitor.answer(&pages, made).await
}

/// `GET /acces/nouveau/{grantee}/relire`: changes nothing.
pub(super) async fn read_over(
    State(pages): State<Arc<Pages>>,
    Path(grantee): Path<String>,
    visitor: Visitor,
) -> Response<Body> {
    let made = chosen(&pages, &visitor, &grantee).await;
    visitor.answer(&pages, made).await
}

/// `POST /acces/nouveau`: the signed statement; pressed twice it is one access.
pub(super) async fn give(State(pages): State<Arc<Pages>>, visitor: Visitor, body: Body) -> Response<Body> {
    let made = signed(&pages, &visitor, body).await;
    visitor.answer(&pages, made).await
}

async fn choice(pages: &Pages, visitor: &Visitor, grantee: &str) -> Result<Response<Body>, Trouble> {
    let who = recipient(pages, grantee).await?;
    let (language, now) = (visitor.language, visitor.now);
    let circle = Circle::of(who.kind);
    let frame = visitor.frame(pages, Here::Sees).await;
    let insurer = circle == Circle::Insurer;
    let open = openable(pages, &who).await?;
    let rubrics = offered(circle, &open).into_iter().map(|r| (r, r.word(language)));
    let page = Choice {
        frame: &frame,
        w: Words::of(language),
        grantee: grantee.to_owned(),
        name: who.name,
        circle,
        kind: circle.word(language),
        insurer,
        rubrics: rubrics.collect(),
        first_day: calendar::iso_day(now).unwrap_or_default(),
        last_day: calendar::iso_day(now.plus_secs(365 * DAY)).unwrap_or_default(),
    };
    Ok(show(StatusCode::OK, &frame, &page))
}

async fn chosen(pages: &Pages, visitor: &Visitor, grantee: &str) -> Result<Response<Body>, Trouble> {
    let who = recipient(pages, grantee).await?;
    let open = openable(pages, &who).await?;
    let Some(terms) = terms(visitor, &who, &open) else { return Err(Trouble::Incomplete) };
    shown(pages, visitor, (terms, &who.name, Circle::of(who.kind)), None, format!("/acces/nouveau/{grantee}")).await
}

/// The last page before the passkey: what will be signed, and what it would open now, by the policies themselves.
pub(super) async fn shown(
    pages: &Pages,
    visitor: &Visitor,
    (terms, name, circle): (Terms, &str, Circle),
    answers: Option<String>,
    back: String,
) -> Result<Response<Body>, Trouble> {
    let language = visitor.language;
    let preview = pages.consents.preview(visitor.patient, &terms).await?;
    let closed = closed(&terms, circle, language);
    let draft = pages.consents.prepare(visitor.patient, Wish::Grant(terms), language).await?;
    let mut counts: Vec<(Option<Rubric>, u64)> = Vec::new();
    for (kind, count) in &preview.counts {
        let rubric = Rubric::of(kind);
        match counts.iter_mut().find(|(r, _)| *r == rubric) {
            Some((_, sum)) => *sum += count,
            None => counts.push((rubric, *count)),
        }
    }
    counts.sort_by_key(|(rubric, _)| {
        rubric.map_or(usize::MAX, |r| Rubric::ALL.iter().position(|a| *a == r).unwrap_or(0))
    });
    let opens = counts.iter().map(|(rubric, count)| {
        let word = rubric.map_or(language.pick("Autres", "Others"), |r| r.word(language));
        format!("{word}{}{count}", language.pick("\u{a0}: ", ": "))
    });
    let frame = visitor.frame(pages, Here::Sees).await;
    let page = ReadOver {
        frame: &frame,
        w: Words::of(language),
        name: name.to_owned(),
        sentence: draft.text,
        opens: opens.collect(),
        closed,
        hidden: hidden(preview.hidden, language),
        insurer: circle == Circle::Insurer,
        key: Asked::to_sign(pages, visitor, &draft.statement).await?,
        statement: base64url::encode(&draft.statement),
        answers,
        back,
    };
    Ok(show(StatusCode::OK, &frame, &page))
}

/// The parts that stay closed, by name: what somebody does not see is said.
fn closed(terms: &Terms, circle: Circle, language: Language) -> Vec<&'static str> {
    let open = |r: Rubric| r.is_in(&terms.scope) && (circle != Circle::Insurer || r == Rubric::Bills);
    Rubric::ALL.into_iter().filter(|r| !open(*r)).map(|r| r.word(language)).collect()
}

fn hidden(count: u64, language: Language) -> String {
    match (count, language) {
        (0, Language::Fr) => "Rien d’autre ne se trouve dans votre dossier aujourd’hui.".to_owned(),
        (0, Language::En) => "There is nothing else in your record today.".to_owned(),
        (1, Language::Fr) => "1 autre élément de votre dossier reste fermé.".to_owned(),
        (n, Language::Fr) => format!("{n} autres éléments de votre dossier restent fermés."),
        (1, Language::En) => "1 other item of your record stays closed.".to_owned(),
        (n, Language::En) => format!("{n} other items of your record stay closed."),
    }
}

async fn signed(pages: &Pages, visitor: &Visitor, body: Body) -> Result<Response<Body>, Trouble> {
    let fields = visitor.posted(pages, body).await?;
    let answers = fields.get("demande").filter(|id| !id.is_empty()).map(str::parse).transpose();
    let signed = Signed {
        statement: binary(&fields, "statement")?,
        evidence: evidence(&fields)?,
        answers: answers.map_err(|_| Trouble::NotFound)?,
    };
    match pages.consents.sign(visitor.patient, &signed).await {
        Ok(receipt) => Ok(see_other(&format!("/acces/{}", receipt.consent))),
        Err(ConsentError::Unsigned) => Err(Trouble::Unsigned),
        Err(error) => Err(error.into()),
    }
}

/// Who an address names: `o.` an organisation, `p.` a professional.
async fn recipient(pages: &Pages, named: &str) -> Result<Recipient, Trouble> {
    let (kind, id) = named.split_once('.').ok_or(Trouble::NotFound)?;
    let grantee = match kind {
        "o" => Grantee::Organisation(id.parse().map_err(|_| Trouble::NotFound)?),
        "p" => Grantee::Professional(id.parse().map_err(|_| Trouble::NotFound)?),
        _ => return Err(Trouble::NotFound),
    };
    Ok(pages.consents.recipient(grantee).await?)
}

const fn purposes(circle: Circle) -> &'static [Purpose] {
    match circle {
        Circle::Care => &[Purpose::Treat, Purpose::Coc],
        Circle::Social => &[Purpose::Caremgt],
        Circle::Insurer => &[Purpose::Hpaymt],
    }
}

/// The FHIR types that the law lets this recipient have at all.
async fn openable(pages: &Pages, who: &Recipient) -> Result<Vec<&'static str>, Trouble> {
    let types: Vec<&'static str> = Rubric::ALL.iter().flat_map(|r| r.types()).copied().collect();
    Ok(pages.consents.openable(&who.grantee, purposes(Circle::of(who.kind)), &types).await?)
}

/// The parts of the record that may be chosen for a recipient of this kind.
fn offered(circle: Circle, open: &[&str]) -> Vec<Rubric> {
    let bills = circle == Circle::Insurer;
    let any = |r: &Rubric| (*r == Rubric::Bills) == bills && r.types().iter().any(|t| open.contains(t));
    Rubric::ALL.into_iter().filter(any).collect()
}

/// The terms that a form asks for; `None` when something is not chosen or is no choice.
fn terms(visitor: &Visitor, who: &Recipient, open: &[&str]) -> Option<Terms> {
    let asked = |name: &str| visitor.query.get(name).unwrap_or_default();
    let circle = Circle::of(who.kind);
    let mut rubrics = offered(circle, open);
    match (circle, asked("quoi")) {
        // Nothing else exists for an insurer, on the page or behind it (L.1111-18 CSP).
        (Circle::Insurer, _) | (_, "tout") => {}
        (_, "essentiel") => rubrics.retain(|r| ESSENTIAL.contains(r)),
        (_, "choix") => rubrics.retain(|r| asked(r.code()) == "oui"),
        _ => return None,
    }
    let types = rubrics.iter().flat_map(|r| r.types()).filter(|t| open.contains(t));
    let mut scope: Vec<_> = types.map(|t| format!("{t}.rs").parse()).collect::<Result<_, _>>().ok()?;
    scope.sort();
    if scope.is_empty() {
        return None;
    }
    let from = Timestamp::from_secs(visitor.now.secs());
    let to = match asked("jusqua") {
        // To the minute: seconds would only stand in the sentence.
        "visite" => Timestamp::from_secs((from.secs() + DAY).div_euclid(60) * 60 + 60),
        "mois" => calendar::end_of_day(&calendar::iso_day(from.plus_secs(30 * DAY))?)?,
        "semestre" => calendar::end_of_day(&calendar::iso_day(from.plus_secs(182 * DAY))?)?,
        "date" => calendar::end_of_day(asked("date"))?,
        _ => return None,
    };
    let authored =
        if asked("passe") == "oui" { Period { from: Period::ALWAYS.from, to: from } } else { Period::ALWAYS };
    Some(Terms {
        grantee: who.grantee.clone(),
        scope,
        purpose: purposes(circle).to_vec(),
        confidentiality: Confidentiality::N,
        sensitivity: Vec::new(),
        authored,
        valid: Period { from, to },
    })
}

words! {
    /// What the pages say.
    Words {
        step_2: "Étape 2 sur 3", "Step 2 of 3";
        what: "Que montrer, et jusqu’à quand\u{a0}?", "What to show, and until when?";
        to: "À", "To";
        which: "Ce que vous montrez", "What you show";
        essential: "L’essentiel\u{a0}: allergies, traitements, maladies, vaccins", "The essentials: allergies, medicines, illnesses, vaccines";
        all: "Tout, sauf ce que vous avez caché et ce qui est sensible", "Everything, except what you have hidden and what is sensitive";
        choice: "Je choisis\u{a0}:", "I choose:";
        bills: "Vos factures et preuves de remboursement. Rien d’autre ne peut être montré à une complémentaire.",
            "Your bills and proofs of reimbursement. Nothing else can be shown to an insurer.";
        when: "Jusqu’à quand", "Until when";
        visit: "Le temps d’une visite\u{a0}: 24 heures", "For one visit: 24 hours";
        month: "30 jours", "30 days";
        half: "6 mois", "6 months";
        date: "Jusqu’à cette date\u{a0}:", "Until this date:";
        past: "Seulement ce qui existe aujourd’hui, pas ce qui viendra", "Only what exists today, not what will come";
        next: "Relire avant de décider", "Read over before deciding";
        step_3: "Étape 3 sur 3", "Step 3 of 3";
        title: "Donner cet accès\u{a0}?", "Give this access?";
        sign: "Ce que vous signez", "What you sign";
        preview: "Voici ce qui serait visible aujourd’hui", "This is what would be visible today";
        nothing: "Rien aujourd’hui. Ce qui arrivera plus tard le sera.", "Nothing today. What comes later will be.";
        never: "Ne verra pas\u{a0}:", "Will not see:";
        give: "Donner l’accès avec ma clé", "Give access with my passkey";
        change: "Modifier", "Change";
        no_key: "Pour signer, il vous faut une clé d’accès\u{a0}: empreinte, visage ou code de votre appareil.",
            "To sign, you need a passkey: fingerprint, face or the code of your device.";
        add_key: "Ajouter une clé d’accès", "Add a passkey";
        script: "Votre clé d’accès a besoin de JavaScript. Sans lui, rien n’est donné.", "Your passkey needs JavaScript. Without it nothing is given.";
        failed: "La clé n’a pas répondu. Rien n’a été donné. Vous pouvez recommencer.", "The passkey did not answer. Nothing was given. You can try again.";
        end: "Vous pourrez retirer cet accès à tout moment, en une étape.", "You can remove this access at any time, in one step.";
    }
}
