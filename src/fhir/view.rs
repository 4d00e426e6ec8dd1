//! Parts of a resource: `_summary` and `_elements` (FH-47). What is kept is kept byte for byte.

use super::query::BadQuery;
use super::schema::{Field, Shape, Type, schema};
use crate::json::{self, Limits, Member, Node, quote};

/// How much of each resource is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum View {
    /// All of it.
    Whole,
    /// Only the narrative.
    Text,
    /// Everything but the narrative.
    Data,
    /// The elements that the definitions mark as summary.
    Summary,
    /// These elements.
    Elements(Vec<&'static str>),
}

/// What a part of a resource is marked with, so that nobody takes it for the whole.
const TAG: &str = r#"{"system":"http://terminology.hl7.org/CodeSystem/v3-ObservationValue","code":"SUBSETTED"}"#;

/// Kept whatever is asked for: who it is, its labels, and what changes the meaning of the rest.
const ALWAYS: [&str; 5] = ["resourceType", "id", "meta", "implicitRules", "modifierExtension"];

impl View {
    pub(super) fn summary(value: &str) -> Option<Self> {
        Some(match value {
            "false" => Self::Whole,
            "true" => Self::Summary,
            "text" => Self::Text,
            "data" => Self::Data,
            _ => return None,
        })
    }

    pub(super) fn elements(resource_type: &str, value: &str) -> Result<Self, BadQuery> {
        const BAD: BadQuery = BadQuery::Value("_elements");
        let (_, ty) = schema().resource(resource_type).ok_or(BadQuery::Type)?;
        let known = |name: &str| ty.slots.iter().map(|s| stem(s)).find(|s| *s == name).ok_or(BAD);
        value.split(',').map(known).collect::<Result<_, _>>().map(Self::Elements)
    }

    /// The part of the resource `text` that is shown; `None` when it is no resource.
    ///
    /// Elements that must be there stay (FHIR R4 §3.1.1.5.9).
    #[must_use]
    pub fn of(&self, text: &str) -> Option<String> {
        let node = json::parse(text.as_bytes(), Limits::FHIR).ok()?;
        let (_, ty) = schema().resource(node.text_of("resourceType")?)?;
        let mut out = Out { text, all: String::with_capacity(text.len() / 2 + 256) };
        out.resource(&node, ty, self);
        Some(out.all)
    }

    fn keeps(&self, ty: &Type, field: &Field, must: bool) -> bool {
        let name = ty.slots.get(field.slot).map_or("", |s| stem(s));
        ALWAYS.contains(&name)
            || match self {
                Self::Whole => true,
                Self::Text => must || name == "text",
                Self::Data => name != "text",
                Self::Summary => must || field.summary,
                Self::Elements(wanted) => must || wanted.contains(&name),
            }
    }
}

/// `value` of `value[x]`.
fn stem(slot: &'static str) -> &'static str {
    slot.strip_suffix("[x]").unwrap_or(slot)
}

struct Out<'t> {
    text: &'t str,
    all: String,
}

impl Out<'_> {
    fn resource(&mut self, node: &Node<'_>, ty: &Type, view: &View) {
        self.all.push_str(r#"{"resourceType":"#);
        quote(ty.name, &mut self.all);
        let mut tagged = false;
        for member in node.members().iter().filter(|m| m.name != "resourceType") {
            let Some(field) = kept(member, ty, view) else { continue };
            self.name(&member.name);
            if member.name == "meta" {
                self.meta(&member.node);
                tagged = true;
            } else if let (View::Summary, Shape::Complex(id)) = (view, field.shape) {
                self.summary(&member.node, schema().ty(id));
            } else {
                self.copy(&member.node);
            }
        }
        if !tagged {
            self.name("meta");
            self.all.push_str(r#"{"tag":["#);
            self.all.push_str(TAG);
            self.all.push_str("]}");
        }
        self.all.push('}');
    }

    /// Within the elements that belong to a resource alone, the summary has its own marks; a data type is kept whole.
    fn summary(&mut self, node: &Node<'_>, ty: Option<&Type>) {
        let Some(ty) = ty.filter(|t| t.name.contains('.')) else { return self.copy(node) };
        if node.is_object() {
            self.all.push('{');
            for member in node.members() {
                if let Some(field) = kept(member, ty, &View::Summary) {
                    self.name(&member.name);
                    let inner = if let Shape::Complex(id) = field.shape { schema().ty(id) } else { None };
                    self.summary(&member.node, inner);
                }
            }
            self.all.push('}');
        } else if node.items().is_empty() {
            self.copy(node);
        } else {
            for (i, item) in node.items().iter().enumerate() {
                self.all.push(if i == 0 { '[' } else { ',' });
                self.summary(item, Some(ty));
            }
            self.all.push(']');
        }
    }

    fn meta(&mut self, meta: &Node<'_>) {
        self.all.push_str(r#"{"tag":["#);
        self.all.push_str(TAG);
        for tag in meta.get("tag").map_or(&[][..], Node::items) {
            self.all.push(',');
            self.copy(tag);
        }
        self.all.push(']');
        for member in meta.members().iter().filter(|m| m.name != "tag") {
            self.name(&member.name);
            self.copy(&member.node);
        }
        self.all.push('}');
    }

    fn name(&mut self, name: &str) {
        if !self.all.ends_with('{') {
            self.all.push(',');
        }
        quote(name, &mut self.all);
        self.all.push(':');
    }

    fn copy(&mut self, node: &Node<'_>) {
        self.all.push_str(self.text.get(node.span.start..node.span.end).unwrap_or("null"));
    }
}

/// The field of `member`, or of the element it is the companion of, when the view keeps it.
fn kept<'t>(member: &Member<'_>, ty: &'t Type, view: &View) -> Option<&'t Field> {
    let name = member.name.strip_prefix('_').unwrap_or(&member.name);
    let field = ty.field(name)?;
    let must = u32::try_from(field.slot).ok().and_then(|s| 1u128.checked_shl(s)).is_some_and(|b| ty.required & b != 0);
    view.keeps(ty, field, must).then_some(field)
}

#[cfg(test)]
mod tests {
    use super::super::tests::tree;
    use super::super::validate;
    use super::*;

    const TEXT: &str = r#"{"resourceType":"Observation","id":"a","meta":{"versionId":"1","security":[{"code":"R"}]},
      "text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>"},"status":"final","_status":{"id":"s"},
      "code":{"text":"c"},"valueQuantity":{"value":1.50,"unit":"g"},"note":[{"text":"n"}],
      "component":[{"code":{"text":"k"},"valueString":"v","interpretation":[{"text":"i"}]}]}"#;

    fn names(view: &View) -> Vec<String> {
        let text = view.of(TEXT).unwrap();
        let node = tree(&text);
        assert_eq!(validate(&node), [], "{text}");
        assert!(text.contains("SUBSETTED") && text.contains(r#""security":[{"code":"R"}]"#), "{text}");
        node.members().iter().map(|m| m.name.to_string()).collect()
    }

    #[test]
    fn fh_47_a_part_keeps_what_must_be_there_its_labels_and_every_byte() {
        let must = ["resourceType", "id", "meta", "status", "_status", "code"];
        assert_eq!(names(&View::Text), ["resourceType", "id", "meta", "text", "status", "_status", "code"]);
        let elements = View::elements("Observation", "value,id").unwrap();
        assert_eq!(names(&elements), [&must[..], &["valueQuantity"]].concat());
        assert!(elements.of(TEXT).unwrap().contains("1.50"));
        assert_eq!(names(&View::Data), [&must[..], &["valueQuantity", "note", "component"]].concat());
        assert_eq!(names(&View::Summary), [&must[..], &["valueQuantity", "component"]].concat());
        let summary = View::Summary.of(TEXT).unwrap();
        assert!(summary.contains(r#""valueString":"v""#) && !summary.contains("interpretation"), "{summary}");
        assert_eq!(View::elements("Observation", "nonsense"), Err(BadQuery::Value("_elements")));
    }

    #[test]
    fn a_part_of_what_has_no_meta_and_of_what_was_a_part_before_is_marked() {
        for text in [r#"{"resourceType":"Patient"}"#, r#"{"resourceType":"Patient","meta":{"tag":[{"code":"x"}]}}"#] {
            let part = View::Summary.of(text).unwrap();
            assert_eq!(validate(&tree(&part)), [], "{part}");
            assert!(part.contains("SUBSETTED"));
        }
        assert_eq!(View::Summary.of("[]"), None);
    }
}
