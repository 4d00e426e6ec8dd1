//! The page on which a person allows software to act for them, or does not: plain HTML, no script, French before
//! English (OA-46, S04).

use std::fmt::Write as _;

use axum::body::Body;
use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_FRAME_OPTIONS};
use axum::http::{HeaderValue, Response, StatusCode};

use crate::http::problem;
use crate::identity::Page;

const HTML: &str = "text/html; charset=utf-8";
/// What each clinical letter allows, in French and in English.
const LETTERS: [(char, &str, &str); 5] = [
    ('c', "ajouter", "add"),
    ('r', "lire", "read"),
    ('u', "modifier", "change"),
    ('d', "supprimer", "delete"),
    ('s', "rechercher", "search"),
];

/// What a professional asks for, in French and in English; none of them is asked for here otherwise (IU-11).
const PURPOSES: [(&str, &str, &str); 6] = [
    ("TREAT", "soigner le patient", "to treat the patient"),
    ("COC", "coordonner les soins", "to coordinate care"),
    ("CAREMGT", "accompagnement social et médico-social", "social care"),
    ("HPAYMT", "remboursement des soins", "to reimburse care"),
    ("ELIGVER", "vérifier des droits", "to verify eligibility"),
    ("HRESCH", "recherche", "research"),
];

/// Writes the question.
pub(super) fn ask(page: &Page) -> Response<Body> {
    let (client, organisation) = (html(&page.client), html(&page.organisation));
    let title = format!("Autoriser {client} ?");
    let mut body = format!("<h1>Autoriser « {client} » ? <span class=\"en\" lang=\"en\">Allow “{client}”?</span></h1>");
    let who = page.professional.as_ref().map_or_else(
        || {
            both(
                &format!(
                    "Le logiciel « {client} » ({organisation}) demande à accéder à <strong>votre</strong> dossier."
                ),
                &format!("The software “{client}” ({organisation}) asks for access to <strong>your</strong> record."),
            )
        },
        |name| {
            let (name, code) = (html(name), page.purpose.code());
            let known = PURPOSES.iter().find(|(known, ..)| *known == code);
            let (motif, purpose) = known.map_or((code, code), |(_, french, english)| (french, english));
            both(
                &format!(
                    "{name}, le logiciel « {client} » ({organisation}) demande à agir pour vous (motif : {motif})."
                ),
                &format!("{name}, the software “{client}” ({organisation}) asks to act for you (purpose: {purpose})."),
            )
        },
    );
    body.push_str(&who);
    if page.named_in_vain {
        let wrong = both(
            "Aucun patient avec cet identifiant ne vous a donné accès.",
            "No patient with this identifier has given you access.",
        );
        // Writing to a String cannot fail.
        let _infallible = write!(body, "<div class=\"wrong\" role=\"alert\">{wrong}</div>");
    }
    let to = html(origin(&page.redirect));
    body.push_str(&both(&format!("Ensuite, vous reviendrez à {to}."), &format!("Then you go back to {to}.")));
    body.push_str("<form method=\"post\" action=\"/oauth/answer\" autocomplete=\"off\">");
    let _infallible = write!(body, "<input type=\"hidden\" name=\"page\" value=\"{}\">", html(&page.token));
    if page.names_patient {
        body.push_str(NAME_PATIENT);
    }
    body.push_str(&scopes(&page.scopes));
    if page.outlives {
        body.push_str(&both(
            "L’autorisation continue après votre déconnexion, au plus 90 jours.",
            "The permission goes on after you sign out, for at most 90 days.",
        ));
    }
    body.push_str(BUTTONS);
    body.push_str("</form>");
    document(StatusCode::OK, &title, &body, &page.redirect)
}

const NAME_PATIENT: &str = "<fieldset><legend>Patient <span class=\"en\" lang=\"en\">(patient)</span></legend>\
     <label>Système de l’identifiant <span class=\"en\" lang=\"en\">(identifier system)</span>\
     <input type=\"text\" name=\"system\" required value=\"urn:oid:1.2.250.1.213.1.4.8\"></label>\
     <label>Identifiant, par exemple le matricule INS <span class=\"en\" lang=\"en\">(identifier)</span>\
     <input type=\"text\" name=\"identifier\" required inputmode=\"text\" autofocus></label></fieldset>";
const BUTTONS: &str = "<p><button name=\"decision\" value=\"allow\">Autoriser \
     <span lang=\"en\">/ Allow</span></button> <button class=\"second\" name=\"decision\" value=\"deny\" formnovalidate>Refuser \
     <span lang=\"en\">/ Refuse</span></button></p>";

fn scopes(scopes: &[String]) -> String {
    if scopes.is_empty() {
        return String::new();
    }
    let mut out = String::from(
        "<fieldset><legend>Ce que vous autorisez <span class=\"en\" lang=\"en\">(what you allow)</span></legend>",
    );
    for scope in scopes {
        let _infallible = write!(
            out,
            "<label><input type=\"checkbox\" name=\"scope\" value=\"{}\" checked> {}</label>",
            html(scope),
            plain(scope)
        );
    }
    out.push_str("</fieldset>");
    out
}

/// A scope in words: what kind of entry, what may be done with it, and the exact scope for whoever knows it.
fn plain(scope: &str) -> String {
    let rest = scope.split_once('/').map_or(scope, |(_, rest)| rest);
    let (head, filter) = rest.split_once('?').map_or((rest, None), |(head, filter)| (head, Some(filter)));
    let (kind, letters) = head.split_once('.').unwrap_or((head, ""));
    let list = |english: bool| {
        let of = LETTERS.iter().filter(|(letter, _, _)| letters.contains(*letter));
        of.map(|(_, french, word)| if english { *word } else { *french }).collect::<Vec<_>>().join(", ")
    };
    let (tout, all) = if kind == "*" { ("tout le dossier", "the whole record") } else { (kind, kind) };
    let filter = filter.map_or_else(String::new, |f| format!(" [{}]", html(f)));
    let (tout, all) = (html(tout), html(all));
    format!(
        "{tout} : {}{filter} <span class=\"en\" lang=\"en\">({all}: {})</span> <code>{}</code>",
        list(false),
        list(true),
        html(scope)
    )
}

/// A refusal that is shown here and sent nowhere. The reason stays in the log.
pub(super) fn refuse(status: StatusCode) -> Response<Body> {
    let text = if status == StatusCode::SERVICE_UNAVAILABLE {
        both("Le service ne répond pas pour le moment. Réessayez.", "The service does not answer now. Try again.")
    } else {
        both(
            "Cette demande n’est pas valable, ou ne l’est plus. Revenez à l’application et recommencez.",
            "This request is not valid, or no longer. Go back to the application and begin again.",
        )
    };
    let heading = "<h1>Demande refusée <span class=\"en\" lang=\"en\">Request refused</span></h1>";
    document(status, "Demande refusée", &format!("{heading}{text}"), "")
}

fn both(french: &str, english: &str) -> String {
    format!("<p>{french}</p><p class=\"en\" lang=\"en\">{english}</p>")
}

fn document(status: StatusCode, title: &str, body: &str, redirect: &str) -> Response<Body> {
    let text = format!(
        "<!DOCTYPE html><html lang=\"fr\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <link rel=\"stylesheet\" href=\"/login/style.css\"></head><body><main id=\"main\">{body}</main></body></html>"
    );
    let mut response = problem(status, HTML, text);
    guarded(&mut response, redirect);
    response
}

/// Nobody frames it, nothing runs in it, and no address of ours goes anywhere (OA-46, S10). Some browsers hold
/// `form-action` against what the answer redirects to as well, so the client's own place is named beside ours.
pub(super) fn guarded(response: &mut Response<Body>, redirect: &str) {
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action 'self' {}; frame-ancestors 'none'; base-uri 'none'",
        origin(redirect)
    );
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'")),
    );
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
}

/// Scheme and authority of an enrolled redirect URI, as a policy may name them; empty for anything that is not one.
fn origin(redirect: &str) -> &str {
    let end = redirect.match_indices('/').nth(2).map_or(redirect.len(), |(at, _)| at);
    let origin = redirect.get(..end).unwrap_or_default();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b":/.-[]".contains(&b);
    if origin.bytes().all(plain) { origin } else { "" }
}

/// `text` where HTML may stand: every character that could begin or end anything is written as a reference.
fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Purpose;
    use http_body_util::BodyExt as _;

    fn page() -> Page {
        Page {
            token: "t".into(),
            client: "<b>\"App\"</b>".into(),
            organisation: "A & 'B'".into(),
            professional: None,
            purpose: Purpose::Treat,
            scopes: vec!["patient/Observation.rs?category=\"><script>|x".into()],
            names_patient: false,
            named_in_vain: false,
            outlives: true,
            redirect: "https://app.example:8443/cb?x=\"".into(),
        }
    }

    async fn text(response: Response<Body>) -> String {
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_professional_reads_in_words_what_the_software_asks_for() {
        for purpose in Purpose::ALL {
            let text = text(ask(&Page { professional: Some("Dr".into()), purpose, ..page() })).await;
            // These three are never asked for on this page.
            let elsewhere = matches!(purpose, Purpose::Btg | Purpose::Etreat | Purpose::Patrqt);
            assert_eq!(text.contains(&format!("motif : {})", purpose.code())), elsewhere, "{purpose:?}");
            assert_eq!(text.contains(&format!("purpose: {})", purpose.code())), elsewhere, "{purpose:?}");
        }
    }

    #[tokio::test]
    async fn a_page_holds_no_markup_from_outside_and_loads_nothing() {
        for named in [false, true] {
            let professional = named.then(|| "<i>Dr</i>".to_owned());
            let page = Page { professional, names_patient: named, named_in_vain: named, ..page() };
            let response = ask(&page);
            for (name, value) in
                [("x-frame-options", "DENY"), ("referrer-policy", "no-referrer"), ("cache-control", "no-store")]
            {
                assert_eq!(response.headers()[name], value);
            }
            let policy = response.headers()["content-security-policy"].to_str().unwrap().to_owned();
            assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
            assert!(policy.contains("form-action 'self' https://app.example:8443;") && !policy.contains("unsafe"));
            let text = text(response).await;
            for never in ["<b>", "<script", "<i>", "src=", "style=", "javascript:"] {
                assert!(!text.contains(never), "{never}: {text}");
            }
            assert!(text.contains("&lt;b&gt;&quot;App&quot;&lt;/b&gt;") && text.contains("A &amp; &#39;B&#39;"));
            // Every input has its label, and the language of each part is said.
            assert_eq!(text.matches("<label>").count(), text.matches("<input").count() - 1);
            assert!(text.contains("<html lang=\"fr\">") && text.contains("lang=\"en\""));
        }
    }
}
