//! Changing one record in part: what the patch makes of it is judged like any other next version.

use std::sync::Arc;

use super::deposit::may;
use super::errand::{FIXED, Target};
use super::{Intake, Receipt, Rejected};
use crate::fhir::Patch;
use crate::model::{Bearer, Interaction, RecordKey};

/// A patch that was read, and the version of the record that it rests on; nothing was opened for it yet.
#[derive(Debug)]
pub struct Patching {
    target: Target,
    version: i64,
    patch: Patch,
}

impl Patching {
    /// The record.
    #[must_use]
    pub const fn key(&self) -> RecordKey {
        self.target.key
    }

    /// The version that the patch rests on.
    #[must_use]
    pub const fn version(&self) -> i64 {
        self.version
    }
}

impl Intake {
    /// Judges, before anything is looked up, a patch of the record `id` of the type that the address names.
    ///
    /// The token must speak of reading the type as well: whether a patch succeeds tells what stands in the record.
    ///
    /// # Errors
    /// [`Rejected`]: nothing of it tells anything of any record.
    pub fn patching(
        &self,
        bearer: &Bearer,
        (resource_type, id): (&str, &str),
        if_match: Option<&str>,
        patch: &[u8],
    ) -> Result<Patching, Rejected> {
        if FIXED.contains(&resource_type) {
            return Err(Rejected::Fixed);
        }
        may(bearer, &[Interaction::Update], Some(resource_type))?;
        may(bearer, &[Interaction::Read], Some(resource_type))?;
        let patch = Patch::read(patch)?;
        let key = id.parse::<RecordKey>().map_err(|_| Rejected::NotFound)?;
        let target = Target::of(resource_type, key, if_match).map_err(Rejected::not_found)?;
        let version = target.if_match.ok_or(Rejected::NoVersion)?;
        Ok(Patching { target, version, patch })
    }

    /// Takes in what `patching` makes of the stored text, as the next version of that record.
    ///
    /// # Errors
    /// As [`Intake::update`], but what is hidden answers as what is not found; [`Rejected::Patch`].
    pub async fn patch(
        self: &Arc<Self>,
        bearer: &Bearer,
        resource_type: &str,
        patching: Patching,
        stored: impl AsRef<[u8]> + Send + 'static,
    ) -> Result<Receipt, Rejected> {
        let Patching { target, patch, .. } = patching;
        let patched = self.aside(move |_| {
            let text = std::str::from_utf8(stored.as_ref()).map_err(Rejected::unavailable)?;
            Ok(patch.apply(text)?)
        });
        let bytes = patched.await?.into_bytes();
        self.replace(bearer, resource_type, target, bytes).await.map_err(Rejected::not_found)
    }
}
