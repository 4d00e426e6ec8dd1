//! Evaluates a search parameter's expression over a validated resource.

use super::path::Expr;
use super::schema::{Field, Shape, TypeId, schema};
use super::subject::type_in;
use crate::json::{Node, Value};

/// A node with its FHIR type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'n, 'a> {
    pub(super) node: &'n Node<'a>,
    /// As `Quantity` or `code`; the resource type at the root.
    pub(super) type_name: &'static str,
    /// The required value set of its element.
    pub(super) binding: Option<usize>,
    shape: Shape,
}

/// What an expression yields.
#[derive(Debug)]
pub(super) enum Found<'n, 'a> {
    Items(Vec<Item<'n, 'a>>),
    Truth(bool),
}

impl<'n, 'a> Found<'n, 'a> {
    fn items(self) -> Vec<Item<'n, 'a>> {
        match self {
            Self::Items(items) => items,
            Self::Truth(_) => Vec::new(),
        }
    }

    fn truth(&self) -> bool {
        matches!(self, Self::Truth(true))
    }
}

/// Evaluates `expr` on `resource`, whose type the expression begins with.
pub(super) fn evaluate<'n, 'a>(expr: &Expr, resource: &'n Node<'a>) -> Found<'n, 'a> {
    walk(expr, resource, None)
}

/// Evaluates an expression that begins with an element of `item`, or else with the type of `resource`.
pub(super) fn evaluate_within<'n, 'a>(expr: &Expr, resource: &'n Node<'a>, item: Item<'n, 'a>) -> Vec<Item<'n, 'a>> {
    walk(expr, resource, Some(item)).items()
}

fn walk<'n, 'a>(expr: &Expr, resource: &'n Node<'a>, here: Option<Item<'n, 'a>>) -> Found<'n, 'a> {
    let below = |e: &Expr| walk(e, resource, here).items();
    Found::Items(match expr {
        Expr::Root("") if here.is_some() => here.into_iter().collect(),
        Expr::Root(_) => root(resource).into_iter().collect(),
        Expr::Member(e, name) => below(e).iter().flat_map(|i| member(i, name)).collect(),
        Expr::Where(e, name, value) => {
            let mut items = below(e);
            items.retain(|i| i.node.text_of(name) == Some(value));
            items
        }
        Expr::Resolves(e, kind) => {
            let mut items = below(e);
            items.retain(|i| points_to(i.node) == Some(kind));
            items
        }
        Expr::As(e, kind) => {
            let mut items = below(e);
            items.retain(|i| i.type_name == *kind);
            items
        }
        Expr::Index(e, index) => below(e).get(*index).copied().into_iter().collect(),
        Expr::Union(branches) => branches.iter().flat_map(below).collect(),
        Expr::Exists(e) => return Found::Truth(!below(e).is_empty()),
        Expr::And(a, b) => return Found::Truth(walk(a, resource, here).truth() && walk(b, resource, here).truth()),
        Expr::Differs(e, literal) => {
            return Found::Truth(below(e).first().is_some_and(|i| i.node.value != Value::Bool(*literal)));
        }
    })
}

fn root<'n, 'a>(node: &'n Node<'a>) -> Option<Item<'n, 'a>> {
    let (id, ty) = schema().resource(node.text_of("resourceType")?)?;
    Some(Item { node, type_name: ty.name, binding: None, shape: Shape::Complex(id) })
}

fn member<'n, 'a>(item: &Item<'n, 'a>, name: &str) -> Vec<Item<'n, 'a>> {
    let id: TypeId = match item.shape {
        Shape::Complex(id) => id,
        Shape::Primitive(_) | Shape::Resource => return Vec::new(),
    };
    let Some(ty) = schema().ty(id) else { return Vec::new() };
    let mut found = Vec::new();
    let mut take = |field: &'static Field| {
        if let Some(node) = item.node.get(field.name) {
            let nodes = if let Value::Array(items) = &node.value { items } else { std::slice::from_ref(node) };
            found.extend(nodes.iter().filter(|n| !matches!(n.value, Value::Null)).map(|node| Item {
                node,
                type_name: field.type_name,
                binding: field.binding,
                shape: field.shape,
            }));
        }
    };
    match ty.field(name) {
        Some(field) => take(field),
        None => ty.element(name).for_each(take),
    }
    found
}

/// The type that a Reference points to, as its text shows or it claims.
fn points_to<'n>(reference: &'n Node<'_>) -> Option<&'n str> {
    reference.text_of("reference").and_then(type_in).or_else(|| reference.text_of("type"))
}
