//! Routes that are served and told of in one call, so that the document of the interfaces cannot know others.

use std::convert::Infallible;

use axum::Router;
use axum::handler::Handler;
use axum::routing::MethodRouter;

/// The routes of a room, and the words in which they are told.
pub struct Routes<S = ()> {
    router: Router<S>,
    told: Vec<Told>,
    words: Vec<&'static str>,
}

/// An operation that is served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// The method, in lower case as OpenAPI writes it.
    pub method: &'static str,
    /// The path, as the router has it.
    pub path: &'static str,
    /// Under which name the room's words tell of it.
    pub id: &'static str,
}

/// What is served at a path: each method with the name under which it is told.
pub struct Methods<S> {
    handlers: MethodRouter<S, Infallible>,
    told: Vec<(&'static str, &'static str)>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// No routes yet, told in `words`: JSON with `operations` by their ids, `components` and `tags` (OpenAPI 3.1).
    #[must_use]
    pub fn new(words: &'static str) -> Self {
        Self { router: Router::new(), told: Vec::new(), words: vec![words] }
    }

    /// Serves and tells of one more path.
    #[must_use]
    pub fn route(mut self, path: &'static str, methods: Methods<S>) -> Self {
        self.told.extend(methods.told.into_iter().map(|(method, id)| Told { method, path, id }));
        Self { router: self.router.route(path, methods.handlers), ..self }
    }

    /// Serves and tells of what `other` does, too.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.told.extend(other.told);
        self.words.extend(other.words);
        Self { router: self.router.merge(other.router), ..self }
    }

    /// Gives the handlers what they need.
    pub fn with_state<T>(self, state: S) -> Routes<T> {
        Routes { router: self.router.with_state(state), told: self.told, words: self.words }
    }

    /// All that is told.
    #[must_use]
    pub fn told(&self) -> (&[Told], &[&'static str]) {
        (&self.told, &self.words)
    }

    /// What serves them.
    pub fn into_router(self) -> Router<S> {
        self.router
    }
}

/// Begins with GET.
pub fn get<H: Handler<T, S>, T: 'static, S: Clone + Send + Sync + 'static>(id: &'static str, handler: H) -> Methods<S> {
    Methods { handlers: axum::routing::get(handler), told: vec![("get", id)] }
}

/// Begins with POST.
pub fn post<H: Handler<T, S>, T: 'static, S: Clone + Send + Sync + 'static>(
    id: &'static str,
    handler: H,
) -> Methods<S> {
    Methods { handlers: axum::routing::post(handler), told: vec![("post", id)] }
}

impl<S: Clone + Send + Sync + 'static> Methods<S> {
    /// And POST.
    #[must_use]
    pub fn post<H: Handler<T, S>, T: 'static>(mut self, id: &'static str, handler: H) -> Self {
        self.told.push(("post", id));
        Self { handlers: self.handlers.post(handler), ..self }
    }

    /// And DELETE.
    #[must_use]
    pub fn delete<H: Handler<T, S>, T: 'static>(mut self, id: &'static str, handler: H) -> Self {
        self.told.push(("delete", id));
        Self { handlers: self.handlers.delete(handler), ..self }
    }
}
