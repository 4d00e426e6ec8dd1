//! From what a provider says of a professional to an enrolment in our directory.

use super::{ClaimNames, LoginError, Logins};
use crate::directory::Professional;
use crate::identity::session::Person;
use crate::openid::Arrival;

impl Logins {
    /// The one active professional with the national number asserted, whose enrolment agrees with the profession and
    /// the organisations asserted, where any are.
    pub(super) async fn professional(&self, arrival: &Arrival, names: &ClaimNames) -> Result<Person, LoginError> {
        let [number] = arrival.texts(&names.national_id)[..] else {
            return Err(LoginError::NotEnrolled("no national number"));
        };
        if number.is_empty() {
            // The directory writes a missing number so.
            return Err(LoginError::NotEnrolled("no national number"));
        }
        let rows = self.store.parties_by_number("professional", number).await.map_err(unavailable)?;
        let mut found = Vec::new();
        for row in &rows {
            let party = self.register.check(row).map_err(|n| LoginError::NotEnrolled(n.0))?;
            let Ok(person) = party.professional() else { continue };
            if person.active && person.number == number {
                found.push(person.clone());
            }
        }
        let [person] = &found[..] else {
            return Err(LoginError::NotEnrolled(if found.is_empty() { "unknown number" } else { "number twice" }));
        };
        let roles = arrival.texts(&names.role);
        let has = |role: &&str| role.split('^').next() == Some(person.profession.code());
        if !roles.is_empty() && !roles.iter().any(has) {
            return Err(LoginError::NotEnrolled("another profession"));
        }
        self.belongs(person, &arrival.texts(&names.organisation)).await?;
        Ok(Person::Professional(person.id))
    }

    /// Holds the person to one of the organisations for which the provider says they act.
    async fn belongs(&self, person: &Professional, numbers: &[&str]) -> Result<(), LoginError> {
        if numbers.is_empty() {
            return Ok(());
        }
        for id in &person.organisations {
            let Some(row) = self.store.party(id.as_bytes()).await.map_err(unavailable)? else { continue };
            let party = self.register.check(&row).map_err(|n| LoginError::NotEnrolled(n.0))?;
            if party.active() && numbers.contains(&party.number()) {
                return Ok(());
            }
        }
        Err(LoginError::NotEnrolled("another organisation"))
    }
}

fn unavailable(error: crate::db::DbError) -> LoginError {
    LoginError::Unavailable(Box::new(error))
}
