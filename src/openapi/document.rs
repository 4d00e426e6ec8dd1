//! The document, put together from the routes and the words of their rooms (OpenAPI 3.1.0).

use serde_json::{Map, Value, json};

use crate::http::Told;

const ABOUT: &str = "Everything that is served and is not FHIR. FHIR R4 is told of by /fhir/metadata.";

/// Tells of the routes `told` in `words`; what the words tell beyond them is left out.
pub(super) fn written(told: &[Told], words: &[&str], base: &str, stops: &[&str]) -> Value {
    // The words are ours and a test reads them all: a room whose words are not JSON would be told of by its routes alone.
    let words: Vec<Value> = words.iter().map(|text| serde_json::from_str(text).unwrap_or_default()).collect();
    let tags: Vec<&Value> = words.iter().filter_map(|room| room["tags"].as_array()).flatten().collect();
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Garant", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT },
        "servers": [{ "url": base }],
        "tags": tags,
        "paths": paths(told, &words, stops),
        "components": components(&words),
    })
}

fn paths(told: &[Told], words: &[Value], stops: &[&str]) -> Map<String, Value> {
    let mut paths = Map::new();
    for one in told {
        let said = words.iter().find_map(|room| room["operations"].get(one.id));
        let mut operation = said.and_then(Value::as_object).cloned().unwrap_or_default();
        operation.insert("operationId".to_owned(), one.id.into());
        if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
            // What any route may answer before it is asked: the porch refuses ambiguous framing and too many requests.
            let turned_away = (!stops.contains(&one.path)).then_some(("429", "Throttled"));
            for (status, name) in [("400", "Unread")].into_iter().chain(turned_away) {
                responses.entry(status).or_insert(json!({ "$ref": format!("#/components/responses/{name}") }));
            }
        }
        let path = paths.entry(one.path).or_insert_with(|| begun(one.path));
        if let Some(path) = path.as_object_mut() {
            path.insert(one.method.to_owned(), operation.into());
        }
    }
    paths
}

/// A path with the parameters that stand in it.
fn begun(path: &str) -> Value {
    let names = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let all: Vec<Value> = names.map(|name| json!({ "$ref": format!("#/components/parameters/{name}") })).collect();
    if all.is_empty() { json!({}) } else { json!({ "parameters": all }) }
}

fn components(words: &[Value]) -> Map<String, Value> {
    let mut all: Map<String, Value> = Map::new();
    for (kind, named) in words.iter().filter_map(|room| room["components"].as_object()).flatten() {
        let of_kind = all.entry(kind.as_str()).or_insert_with(|| json!({}));
        if let (Some(of_kind), Some(named)) = (of_kind.as_object_mut(), named.as_object()) {
            of_kind.extend(named.clone());
        }
    }
    all
}
