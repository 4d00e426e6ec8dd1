//! Changing one record: its next version, or its end.

use std::sync::Arc;

use super::deposit::may;
use super::errand::{FIXED, Target};
use super::{Intake, Reading, Receipt, Rejected};
use crate::model::{Bearer, Interaction, RecordKey};

impl Intake {
    /// Takes in `bytes` as the next version of the record `id` of the type that the address names.
    ///
    /// `if_match` is the weak ETag of the version it rests on (FHIR R4 §3.1.0.5.1); the resource has the same id.
    ///
    /// # Errors
    /// [`Rejected::Fixed`] for types whose records never change. [`Rejected::NoUpdate`] whether there is no such record or no consent for the change: a refusal is on record.
    /// [`Rejected::Stale`] and [`Rejected::Lowered`] only for one who may make the change.
    pub async fn update(
        self: &Arc<Self>,
        bearer: &Bearer,
        (resource_type, id): (&str, &str),
        if_match: Option<&str>,
        bytes: Vec<u8>,
    ) -> Result<Receipt, Rejected> {
        if FIXED.contains(&resource_type) {
            return Err(Rejected::Fixed);
        }
        may(bearer, &[Interaction::Update], Some(resource_type))?;
        let key = id.parse::<RecordKey>().map_err(|_| Rejected::NoUpdate)?;
        let target = Target::of(resource_type, key, if_match).map_err(Rejected::no_update)?;
        self.replace(bearer, resource_type, target, bytes).await
    }

    pub(super) async fn replace(
        self: &Arc<Self>,
        bearer: &Bearer,
        resource_type: &str,
        target: Target,
        bytes: Vec<u8>,
    ) -> Result<Receipt, Rejected> {
        let reading = self.aside(move |intake| intake.read_next(bytes, target)).await?;
        if reading.types().any(|t| t != resource_type) {
            return Err(Rejected::WrongType);
        }
        self.take(bearer, reading).await
    }

    /// Ends the record `id` of the type that the address names; its past stays, for those who might see it.
    ///
    /// # Errors
    /// [`Rejected::NotFound`] whether there is no such record or no consent to delete it: a refusal is on record.
    /// [`Rejected::Deleted`] when it was deleted before, for one who might delete it.
    pub async fn delete(
        self: &Arc<Self>,
        bearer: &Bearer,
        (resource_type, id): (&str, &str),
        if_match: Option<&str>,
    ) -> Result<Receipt, Rejected> {
        // A patient is enrolled or erased as a whole; the resource that says who it is does not go alone.
        if resource_type == "Patient" || FIXED.contains(&resource_type) {
            return Err(Rejected::Fixed);
        }
        may(bearer, &[Interaction::Delete], Some(resource_type))?;
        let key = id.parse::<RecordKey>().map_err(|_| Rejected::NotFound)?;
        let target = Target::of(resource_type, key, if_match).map_err(Rejected::not_found)?;
        let reading = Reading::of_end(resource_type, target);
        self.take(bearer, reading).await
    }
}

impl Rejected {
    /// What is hidden answers an update as what is not there does.
    pub(super) fn no_update(self) -> Self {
        if let Self::Hidden = self { Self::NoUpdate } else { self }
    }

    /// What is hidden answers a deletion or a patch as what is not there does.
    pub(super) fn not_found(self) -> Self {
        if let Self::Hidden | Self::NoUpdate = self { Self::NotFound } else { self }
    }
}
