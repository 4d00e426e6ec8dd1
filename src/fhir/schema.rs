//! The element definitions, loaded once.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::primitive::Primitive;

/// Index of a type in the schema.
pub(super) type TypeId = usize;

/// What the JSON value of a field is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    Primitive(Primitive),
    Complex(TypeId),
    /// Any resource, named by its `resourceType`.
    Resource,
}

/// One JSON property of a type; a choice element gives one field per type.
#[derive(Debug)]
pub(super) struct Field {
    /// The property's name, as `valueQuantity`.
    pub(super) name: &'static str,
    /// The FHIR type, as `Quantity`.
    pub(super) type_name: &'static str,
    /// Number of the element within its type; the fields of one choice share it.
    pub(super) slot: usize,
    pub(super) many: bool,
    /// Part of the summary of its resource (`isSummary`).
    pub(super) summary: bool,
    pub(super) shape: Shape,
    /// Index of the required value set.
    pub(super) binding: Option<usize>,
}

/// A resource type, data type or backbone element.
#[derive(Debug)]
pub(super) struct Type {
    pub(super) name: &'static str,
    pub(super) is_resource: bool,
    /// Sorted by name.
    pub(super) fields: Vec<Field>,
    /// Bit per slot that must be there.
    pub(super) required: u128,
    /// Element names by slot, as `value[x]`.
    pub(super) slots: Vec<&'static str>,
}

impl Type {
    /// The field called `name`.
    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.binary_search_by(|f| f.name.cmp(name)).ok().and_then(|i| self.fields.get(i))
    }

    /// The fields of the element called `name`: one, or all of a choice (`value` for `value[x]`).
    pub(super) fn element(&self, name: &str) -> impl Iterator<Item = &Field> {
        let slot = self.slots.iter().position(|s| s.strip_suffix("[x]").unwrap_or(s) == name);
        self.fields.iter().filter(move |f| Some(f.slot) == slot)
    }
}

/// Codes of a value set, by code system.
#[derive(Debug)]
pub(super) struct ValueSet {
    pub(super) url: &'static str,
    /// Codes sorted.
    pub(super) systems: Vec<(&'static str, Vec<&'static str>)>,
}

impl ValueSet {
    /// Whether `code` is in the set, whatever its system.
    pub(super) fn has_code(&self, code: &str) -> bool {
        self.systems.iter().any(|(_, codes)| codes.binary_search(&code).is_ok())
    }

    /// The system of a bare `code`.
    pub(super) fn system_of(&self, code: &str) -> Option<&'static str> {
        self.systems.iter().find(|(_, codes)| codes.binary_search(&code).is_ok()).map(|(system, _)| *system)
    }

    /// The codes that the set takes from `system`; `None` when it takes none.
    pub(super) fn codes_of(&self, system: &str) -> Option<&[&'static str]> {
        self.systems.iter().find(|(s, _)| *s == system).map(|(_, codes)| codes.as_slice())
    }
}

/// All definitions.
#[derive(Debug)]
pub(super) struct Schema {
    types: Vec<Type>,
    by_name: HashMap<&'static str, TypeId>,
    sets: Vec<ValueSet>,
    /// What `_field` companions hold.
    pub(super) element: TypeId,
    pub(super) extension: TypeId,
    pub(super) reference: TypeId,
}

static SCHEMA: LazyLock<Schema> =
    LazyLock::new(|| Schema::read(include_str!("definitions/elements.txt"), include_str!("definitions/codes.txt")));

/// The definitions of R4.
pub(super) fn schema() -> &'static Schema {
    &SCHEMA
}

/// The names of all resource types, sorted.
pub fn resource_types() -> impl Iterator<Item = &'static str> {
    schema().types.iter().filter(|t| t.is_resource).map(|t| t.name)
}

impl Schema {
    pub(super) fn ty(&self, id: TypeId) -> Option<&Type> {
        self.types.get(id)
    }

    pub(super) fn set(&self, id: usize) -> Option<&ValueSet> {
        self.sets.get(id)
    }

    /// The value set with this address.
    pub(super) fn set_at(&self, url: &str) -> Option<&ValueSet> {
        self.sets.iter().find(|s| s.url == url)
    }

    /// The resource type called `name`.
    pub(super) fn resource(&self, name: &str) -> Option<(TypeId, &Type)> {
        let id = *self.by_name.get(name)?;
        self.ty(id).filter(|t| t.is_resource).map(|t| (id, t))
    }

    fn read(elements: &'static str, codes: &'static str) -> Self {
        let mut blocks: Vec<(&str, &'static str, Vec<&'static str>)> = Vec::new();
        for line in elements.lines() {
            match (line.strip_prefix('=').and_then(|h| h.split_once(' ')), blocks.last_mut()) {
                (Some((kind, name)), _) => blocks.push((kind, name, Vec::new())),
                (None, Some((_, _, lines))) => lines.push(line),
                (None, None) => {}
            }
        }
        let by_name: HashMap<_, _> = blocks.iter().enumerate().map(|(i, (_, name, _))| (*name, i)).collect();
        let lines_of = |name: &str| {
            by_name.get(name).and_then(|i| blocks.get(*i)).map(|(_, _, l)| l.as_slice()).unwrap_or_default()
        };
        let types = blocks.iter().map(|(kind, name, lines)| {
            let base = match *kind {
                "D" => lines_of("DomainResource"),
                "R" => lines_of("Resource"),
                "B" => lines_of("BackboneElement"),
                "E" => lines_of("Element"),
                _ => &[],
            };
            read_type(name, matches!(*kind, "D" | "R"), base.iter().chain(lines), &by_name)
        });
        let types: Vec<_> = types.collect();
        let id = |name: &str| by_name.get(name).copied().unwrap_or(usize::MAX);
        let (element, extension, reference) = (id("Element"), id("Extension"), id("Reference"));
        Self { types, by_name, sets: read_sets(codes), element, extension, reference }
    }
}

fn read_type<'l>(
    name: &'static str,
    is_resource: bool,
    lines: impl Iterator<Item = &'l &'static str>,
    by_name: &HashMap<&'static str, TypeId>,
) -> Type {
    let mut ty = Type { name, is_resource, fields: Vec::new(), required: 0, slots: Vec::new() };
    for line in lines {
        let mut words = line.split(' ');
        let (Some(element), Some(min), Some(max), Some(types)) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            continue;
        };
        let slot = ty.slots.len();
        ty.slots.push(element);
        let (min, summary) = min.strip_suffix('s').map_or((min, false), |min| (min, true));
        if min != "0" {
            ty.required |= 1 << slot;
        }
        let binding = words.next().and_then(|n| n.parse().ok());
        for type_name in types.split(',') {
            let shape = if type_name == "Resource" {
                Shape::Resource
            } else if let Some(primitive) = Primitive::named(type_name) {
                Shape::Primitive(primitive)
            } else {
                Shape::Complex(by_name.get(type_name).copied().unwrap_or(usize::MAX))
            };
            let name = element.strip_suffix("[x]").map_or(element, |stem| choice_name(stem, type_name));
            ty.fields.push(Field { name, type_name, slot, many: max != "1", summary, shape, binding });
        }
    }
    ty.fields.sort_unstable_by_key(|f| f.name);
    ty
}

/// `value` + `dateTime` → `valueDateTime`; leaked once per definition, for the life of the process.
fn choice_name(stem: &str, type_name: &str) -> &'static str {
    let mut name = String::with_capacity(stem.len() + type_name.len());
    name.push_str(stem);
    let mut rest = type_name.chars();
    name.extend(rest.next().map(|c| c.to_ascii_uppercase()));
    name.push_str(rest.as_str());
    name.leak()
}

fn read_sets(codes: &'static str) -> Vec<ValueSet> {
    let mut sets: Vec<ValueSet> = Vec::new();
    for line in codes.lines() {
        match (line.strip_prefix('='), sets.last_mut()) {
            (Some(url), _) => sets.push(ValueSet { url, systems: Vec::new() }),
            (None, Some(set)) => {
                let mut words = line.split('\t');
                if let Some(system) = words.next() {
                    set.systems.push((system, words.collect()));
                }
            }
            (None, None) => {}
        }
    }
    sets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_definitions_are_the_ones_the_script_made() {
        let files: [(&str, &[u8]); 5] = [
            ("codes.txt", include_bytes!("definitions/codes.txt")),
            ("compartment.txt", include_bytes!("definitions/compartment.txt")),
            ("concepts.txt", include_bytes!("definitions/concepts.txt")),
            ("elements.txt", include_bytes!("definitions/elements.txt")),
            ("parameters.txt", include_bytes!("definitions/parameters.txt")),
        ];
        let listed: Vec<_> = include_str!("definitions/SHA256SUMS").lines().collect();
        let found: Vec<_> = files
            .iter()
            .map(|(name, bytes)| {
                let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
                let hex: String = digest.as_ref().iter().map(|b| format!("{b:02x}")).collect();
                format!("{hex}  {name}")
            })
            .collect();
        assert_eq!(listed, found);
    }

    #[test]
    fn every_field_has_a_known_type_and_every_required_element_has_a_bit() {
        let schema = schema();
        assert_eq!(resource_types().count(), 145);
        assert!(schema.types.iter().all(|t| t.slots.len() <= 128));
        for ty in &schema.types {
            for field in &ty.fields {
                let known = match field.shape {
                    Shape::Complex(id) => schema.ty(id).is_some(),
                    Shape::Primitive(_) | Shape::Resource => true,
                };
                assert!(known, "{}.{}: {}", ty.name, field.name, field.type_name);
                assert!(field.binding.is_none_or(|b| schema.set(b).is_some()), "{}.{}", ty.name, field.name);
            }
        }
        let (_, observation) = schema.resource("Observation").unwrap();
        assert_eq!(observation.element("value").count(), 11);
        assert!(schema.resource("Quantity").is_none());
        let sorted = schema.sets.iter().flat_map(|s| &s.systems).all(|(_, codes)| codes.is_sorted());
        assert!(sorted, "codes are looked up by bisection");
    }
}
