//! Visits every primitive of a validated resource together with its type.

use super::schema::{Field, Schema, Shape, Type, TypeId, schema};
use crate::json::{Node, Value};

/// A primitive and the element it is the value of.
pub(super) struct Visit<'n, 'a> {
    pub(super) parent: &'n Type,
    pub(super) field: &'n Field,
    pub(super) node: &'n Node<'a>,
}

/// Calls `visitor` for every primitive below `resource`, contained and nested resources included.
pub(super) fn primitives<'n, 'a, E>(
    resource: &'n Node<'a>,
    visitor: &mut impl FnMut(Visit<'n, 'a>) -> Result<(), E>,
) -> Result<(), E> {
    let schema = schema();
    match resource.text_of("resourceType").and_then(|t| schema.resource(t)) {
        Some((id, _)) => object(schema, resource, id, visitor),
        None => Ok(()),
    }
}

fn object<'n, 'a, E>(
    schema: &'static Schema,
    node: &'n Node<'a>,
    id: TypeId,
    visitor: &mut impl FnMut(Visit<'n, 'a>) -> Result<(), E>,
) -> Result<(), E> {
    let Some(ty) = schema.ty(id) else { return Ok(()) };
    for member in node.members() {
        let companion = member.name.strip_prefix('_');
        let Some(field) = ty.field(companion.unwrap_or(&member.name)) else { continue };
        let one = std::slice::from_ref(&member.node);
        let items = if let Value::Array(items) = &member.node.value { items } else { one };
        for item in items {
            match field.shape {
                _ if companion.is_some() => object(schema, item, schema.element, visitor)?,
                Shape::Primitive(_) => visitor(Visit { parent: ty, field, node: item })?,
                Shape::Complex(id) => object(schema, item, id, visitor)?,
                Shape::Resource => primitives(item, visitor)?,
            }
        }
    }
    Ok(())
}
