//! What the page shows of the document: operations under their headings, and the shapes of what goes in and out.

use askama::Template;
use serde_json::Value;

/// The page.
#[derive(Template)]
#[template(path = "docs/docs.html")]
pub(super) struct Docs<'d> {
    english: bool,
    version: &'d str,
    base: &'d str,
    groups: Vec<Group<'d>>,
    shapes: Vec<Shape<'d>>,
}

struct Group<'d> {
    title: &'d str,
    operations: Vec<Operation<'d>>,
}

struct Operation<'d> {
    id: &'d str,
    method: String,
    path: &'d str,
    summary: &'d str,
    /// Whether it asks for an access token.
    token: bool,
    parameters: Vec<Member<'d>>,
    takes: Vec<Content<'d>>,
    gives: Vec<Answer<'d>>,
}

/// What is given back, under one status or several.
struct Answer<'d> {
    statuses: Vec<&'d str>,
    contents: Vec<Content<'d>>,
}

/// A body: its media type and its shape, or the members of a shape without a name.
#[derive(PartialEq, Eq)]
struct Content<'d> {
    media: &'d str,
    kind: Kind<'d>,
    members: Vec<Member<'d>>,
}

struct Shape<'d> {
    name: &'d str,
    words: &'d str,
    kind: Kind<'d>,
    /// One for each form that it may have.
    variants: Vec<(&'d str, Vec<Member<'d>>)>,
}

#[derive(PartialEq, Eq)]
struct Member<'d> {
    name: &'d str,
    kind: Kind<'d>,
    required: bool,
    words: &'d str,
}

/// The kind of a value in words, and the shape it names.
#[derive(Default, PartialEq, Eq)]
struct Kind<'d> {
    text: String,
    link: Option<&'d str>,
}

/// The document, read in one language.
#[derive(Clone, Copy)]
struct Reader<'d> {
    tree: &'d Value,
    english: bool,
}

impl<'d> Docs<'d> {
    /// The page of the document `tree`.
    pub(super) fn of(tree: &'d Value, english: bool) -> Self {
        let reader = Reader { tree, english };
        let groups = list(&tree["tags"]).iter().map(|tag| reader.group(tag));
        let shapes = members(at(tree, "/components/schemas")).map(|(name, schema)| reader.shape(name, schema));
        Self {
            english,
            version: text(at(tree, "/info/version")),
            base: text(at(tree, "/servers/0/url")),
            groups: groups.filter(|group| !group.operations.is_empty()).collect(),
            shapes: shapes.collect(),
        }
    }
}

impl<'d> Reader<'d> {
    /// What is said of something: in French where that is there, else nothing.
    fn words(self, of: &'d Value) -> &'d str {
        if self.english { text(&of["description"]) } else { text(&of["x-fr"]) }
    }

    fn group(self, tag: &'d Value) -> Group<'d> {
        let mut operations = Vec::new();
        for (path, methods) in members(&self.tree["paths"]) {
            for (method, said) in members(methods).filter(|(_, said)| *at(said, "/tags/0") == tag["name"]) {
                operations.push(self.operation((method, path), &methods["parameters"], said));
            }
        }
        Group { title: self.words(tag), operations }
    }

    fn operation(self, (method, path): (&str, &'d str), shared: &'d Value, said: &'d Value) -> Operation<'d> {
        let parameters = list(shared).iter().chain(list(&said["parameters"])).map(|one| self.parameter(one));
        let takes = members(at(said, "/requestBody/content"));
        Operation {
            id: text(&said["operationId"]),
            method: method.to_uppercase(),
            path,
            summary: if self.english { text(&said["summary"]) } else { text(&said["x-fr"]) },
            token: !list(&said["security"]).is_empty(),
            parameters: parameters.collect(),
            takes: takes.map(|(media, body)| self.content(media, &body["schema"])).collect(),
            gives: self.answers(&said["responses"]),
        }
    }

    /// The answers by status, those of one shape together.
    fn answers(self, said: &'d Value) -> Vec<Answer<'d>> {
        let mut sorted: Vec<(&str, &Value)> = members(said).collect();
        sorted.sort_unstable_by_key(|(status, _)| *status);
        let mut gives: Vec<Answer<'d>> = Vec::new();
        for (status, answer) in sorted {
            let contents = members(&self.followed(answer)["content"]);
            let contents: Vec<_> = contents.map(|(media, body)| self.content(media, &body["schema"])).collect();
            match gives.iter_mut().find(|given| given.contents == contents) {
                Some(given) => given.statuses.push(status),
                None => gives.push(Answer { statuses: vec![status], contents }),
            }
        }
        gives
    }

    fn parameter(self, one: &'d Value) -> Member<'d> {
        let one = self.followed(one);
        Member {
            name: text(&one["name"]),
            kind: kind(&one["schema"]),
            required: one["required"] == true,
            words: self.words(one),
        }
    }

    fn content(self, media: &'d str, schema: &'d Value) -> Content<'d> {
        Content { media, kind: kind(schema), members: self.members(schema) }
    }

    fn shape(self, name: &'d str, schema: &'d Value) -> Shape<'d> {
        let forms = list(&schema["oneOf"]);
        let variants = if forms.is_empty() {
            vec![("", self.members(schema))]
        } else {
            forms.iter().map(|form| (text(&form["title"]), self.members(form))).collect()
        };
        Shape { name, words: self.words(schema), kind: kind(schema), variants }
    }

    fn members(self, schema: &'d Value) -> Vec<Member<'d>> {
        let required = list(&schema["required"]);
        members(&schema["properties"])
            .map(|(name, of)| Member {
                name,
                kind: kind(of),
                required: required.iter().any(|one| one == name),
                words: self.words(of),
            })
            .collect()
    }

    /// What a reference of the form `#/components/kind/name` leads to.
    fn followed(self, of: &'d Value) -> &'d Value {
        let pointer = of["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        pointer.and_then(|pointer| self.tree.pointer(pointer)).unwrap_or(of)
    }
}

fn kind(schema: &Value) -> Kind<'_> {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return Kind { text: name.to_owned(), link: Some(name) };
    }
    if !schema["const"].is_null() {
        return Kind { text: schema["const"].to_string(), link: None };
    }
    let any = |all: &[Value]| all.iter().map(Value::to_string).collect::<Vec<_>>().join(" | ");
    match (&schema["enum"], &schema["type"]) {
        (Value::Array(all), _) => Kind { text: any(all), link: None },
        (_, Value::Array(all)) => Kind { text: any(all).replace('"', ""), link: None },
        (_, Value::String(name)) if name == "array" => {
            let Kind { text, link } = kind(&schema["items"]);
            Kind { text: if text.contains('|') { format!("({text})[]") } else { format!("{text}[]") }, link }
        }
        (_, Value::String(name)) => Kind { text: name.clone(), link: None },
        _ => joined(list(&schema["oneOf"]), list(&schema["allOf"])),
    }
}

fn joined<'d>(either: &'d [Value], all: &'d [Value]) -> Kind<'d> {
    let kinds: Vec<Kind<'d>> = either.iter().chain(all).map(kind).collect();
    let link = kinds.iter().find_map(|one| one.link);
    Kind { text: kinds.into_iter().map(|one| one.text).collect::<Vec<_>>().join(" | "), link }
}

fn at<'d>(of: &'d Value, pointer: &str) -> &'d Value {
    of.pointer(pointer).unwrap_or(&Value::Null)
}

fn text(of: &Value) -> &str {
    of.as_str().unwrap_or_default()
}

fn list(of: &Value) -> &[Value] {
    of.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn members(of: &Value) -> impl Iterator<Item = (&str, &Value)> {
    of.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}
