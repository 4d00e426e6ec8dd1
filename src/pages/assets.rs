//! Style, script, fonts and the icon, under names that change with their content, so that browsers may keep them.

use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Response, StatusCode};
use ring::digest::{SHA256, digest};

/// One file: its name with the hash of its content, its type, its bytes.
struct Asset {
    name: String,
    kind: &'static str,
    bytes: &'static [u8],
}

/// The addresses that pages name.
pub(super) struct Addresses {
    pub(super) style: String,
    pub(super) script: String,
    pub(super) icon: String,
}

const FONTS: [(&str, &[u8]); 3] = [
    ("latin", include_bytes!("../../assets/source-sans-3-latin.woff2")),
    ("latin-ext", include_bytes!("../../assets/source-sans-3-latin-ext.woff2")),
    ("vietnamese", include_bytes!("../../assets/source-sans-3-vietnamese.woff2")),
];

static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::of("icon", "svg", "image/svg+xml", include_bytes!("../../assets/icon.svg")));
static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::of("style", "css", "text/css; charset=utf-8", include_bytes!("../../assets/style.css")));

static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::of("script", "js", "text/javascript; charset=utf-8", include_bytes!("../../assets/script.js"))
});

/// Where the pages find them.
pub(super) static ADDRESSES: LazyLock<Addresses> = LazyLock::new(|| Addresses {
    style: format!("/assets/{}", STYLE.name),
    script: format!("/assets/{}", SCRIPT.name),
    icon: format!("/assets/{}", ICON.name),
});

impl Asset {
    fn of(stem: &str, end: &str, kind: &'static str, bytes: &'static [u8]) -> Self {
        let hash: String = digest(&SHA256, bytes).as_ref().iter().take(8).map(|b| format!("{b:02x}")).collect();
        Self { name: format!("{stem}.{hash}.{end}"), kind, bytes }
    }
}

/// `GET /favicon.ico`: where browsers look on pages that name no icon.
pub(super) async fn icon() -> Response<Body> {
    asset(Path(ICON.name.clone())).await
}

/// `GET /assets/{name}`
pub(super) async fn asset(Path(name): Path<String>) -> Response<Body> {
    // Style sheets name fonts by a name that cannot hold their hash; a font that changes gets a new name.
    let font = FONTS.iter().find(|(stem, _)| name.strip_suffix(".woff2").is_some_and(|n| n == *stem));
    let found = match font {
        Some((_, bytes)) => Some(("font/woff2", *bytes)),
        None => [&*STYLE, &*SCRIPT, &*ICON]
            .into_iter()
            .find(|asset| asset.name == name)
            .map(|asset| (asset.kind, asset.bytes)),
    };
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let Some((kind, bytes)) = found else {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    *response.body_mut() = Body::from(bytes);
    response
}
