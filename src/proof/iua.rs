//! Who asks and why, as IHE IUA puts it into tokens (`extensions.ihe_iua`, ITI-71).

use super::claims::{self, object, optional_text};
use super::write::Object;
use super::{Claims, Refused};
use crate::json::{Node, Value};
use crate::model::{Coding, Purpose};

const TEXTS: [&str; 6] = [
    "subject_name",
    "subject_organization",
    "subject_organization_id",
    "home_community_id",
    "national_provider_identifier",
    "person_id",
];

/// The same code system by its OID, as IHE documents write it.
const PURPOSE_OID: &str = "urn:oid:2.16.840.1.113883.5.8";

/// The members of `ihe_iua` that are used; whether any of them is true is for `identity` to find out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Iua {
    /// `subject_organization_id`
    pub organisation: Option<String>,
    /// `national_provider_identifier`
    pub professional: Option<String>,
    /// `subject_role`
    pub role: Option<Coding>,
    /// `purpose_of_use`
    pub purpose: Option<Purpose>,
}

impl Iua {
    /// Reads `extensions.ihe_iua`; absent is empty, a member of the wrong type is refused (IU-03).
    pub(super) fn read(claims: &Claims<'_>) -> Result<Self, Refused> {
        let Some(extensions) = object(claims.get("extensions"))? else { return Ok(Self::default()) };
        let Some(iua) = object(extensions.get("ihe_iua"))? else { return Ok(Self::default()) };
        for name in TEXTS {
            optional_text(iua, name)?;
        }
        let owned = |name| optional_text(iua, name).map(|t| t.map(str::to_owned));
        let purpose = match coding(iua, "purpose_of_use")? {
            None => None,
            Some(c) if c.system == Purpose::SYSTEM || c.system == PURPOSE_OID => {
                Some(c.code.parse().map_err(|_| Refused::because("purpose"))?)
            }
            Some(_) => return Err(Refused::because("purpose")),
        };
        Ok(Self {
            organisation: owned("subject_organization_id")?,
            professional: owned("national_provider_identifier")?,
            role: coding(iua, "subject_role")?,
            purpose,
        })
    }

    /// The value of the claim `extensions`.
    pub(super) fn to_json(&self) -> String {
        let one =
            |system: &str, code: &str| format!("[{}]", Object::new().text("system", system).text("code", code).end());
        let mut iua = Object::new()
            .optional("subject_organization_id", self.organisation.as_deref())
            .optional("national_provider_identifier", self.professional.as_deref());
        if let Some(role) = &self.role {
            iua = iua.json("subject_role", &one(&role.system, &role.code));
        }
        if let Some(purpose) = self.purpose {
            iua = iua.json("purpose_of_use", &one(Purpose::SYSTEM, purpose.code()));
        }
        Object::new().json("ihe_iua", &iua.end()).end()
    }
}

/// The one coding of an array; several would let two readers choose differently.
fn coding(node: &Node<'_>, name: &str) -> Result<Option<Coding>, Refused> {
    let Some(node) = node.get(name) else { return Ok(None) };
    match (&node.value, node.items()) {
        (Value::Array(_), [one]) if one.is_object() => Ok(Some(Coding {
            system: claims::text(one, "system")?.to_owned(),
            code: claims::text(one, "code")?.to_owned(),
        })),
        _ => Err(Refused::because("coding")),
    }
}
