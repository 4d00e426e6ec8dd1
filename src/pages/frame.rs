//! What stands around every page.

use askama::Template;
use axum::body::Body;
use axum::http::{Response, StatusCode};

use super::Pages;
use super::assets::{ADDRESSES, Addresses};
use super::words::words;
use crate::http::app_page;
use crate::model::Language;

/// Which of the five places a page belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Here {
    /// What happened, what is to be decided.
    Home,
    /// What is in the record.
    Record,
    /// Who sees what.
    Sees,
    /// Who read what.
    History,
    /// Requests.
    Requests,
    /// None of them.
    Nowhere,
}

/// The frame of one page.
pub(super) struct Frame {
    pub(super) language: Language,
    pub(super) here: Here,
    /// Where the pages are, from the configuration.
    pub(super) base_url: String,
    /// The page's own address, for the link to the other language.
    pub(super) path: String,
    /// What makes a form ours.
    pub(super) form: String,
    pub(super) signed_in: bool,
    /// Requests that wait for an answer.
    pub(super) waiting: usize,
    pub(super) development: bool,
    /// Style, script and icon.
    pub(super) assets: &'static Addresses,
}

impl Frame {
    /// A frame for somebody who is not signed in here.
    pub(super) fn bare(pages: &Pages, language: Language) -> Self {
        let (base_url, path, form) = (pages.base_url.clone(), "/".to_owned(), String::new());
        let (here, assets, development) = (Here::Nowhere, &*ADDRESSES, pages.development);
        Self { language, here, base_url, path, form, signed_in: false, waiting: 0, development, assets }
    }

    pub(super) const fn w(&self) -> &'static Words {
        Words::of(self.language)
    }

    pub(super) const fn other(&self) -> Language {
        self.language.pick(Language::En, Language::Fr)
    }

    /// The word that marks the place where we are, given its address.
    pub(super) fn current(&self, place: &str) -> &'static str {
        let here = match self.here {
            Here::Home => "/",
            Here::Record => "/dossier",
            Here::Sees => "/acces",
            Here::History => "/historique",
            Here::Requests => "/demandes",
            Here::Nowhere => "",
        };
        if here == place { "page" } else { "false" }
    }
}

words! {
    /// What the frame says.
    Words {
        name: "Garant", "Garant";
        skip: "Aller au contenu", "Skip to the content";
        places: "Principal", "Main";
        home: "Accueil", "Home";
        record: "Mon dossier", "My record";
        sees: "Qui voit quoi", "Who sees what";
        history: "Historique", "History";
        requests: "Demandes", "Requests";
        other: "English", "Français";
        account: "Mes connexions", "My sign-ins";
        keys: "Mes clés", "My keys";
        leave: "Se déconnecter", "Sign out";
        development: "Mode développement\u{a0}: rien ici n’est réel, et le fournisseur d’identité croit tout le monde.",
            "Development mode: nothing here is real, and the identity provider believes anyone.";
    }
}

/// The page that `template` makes within `frame`.
pub(super) fn show(status: StatusCode, frame: &Frame, template: &impl Template) -> Response<Body> {
    let assets = format!("{}/assets/", frame.base_url);
    match template.render() {
        Ok(html) => app_page(status, html, &assets),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            app_page(StatusCode::INTERNAL_SERVER_ERROR, String::new(), &assets)
        }
    }
}
