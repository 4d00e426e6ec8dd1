//! What comes along with the matches: `_include` and `_revinclude`, each record through the same decision (FH-60).

use std::collections::HashSet;

use super::Withheld;
use super::scan::{Scan, Seen};
use super::wanted::MOST;
use crate::fhir::{Include, Query};
use crate::id::RecordId;
use crate::model::RecordKey;

/// How often what came along may bring more along.
const DEEPEST: usize = 3;

impl Scan<'_> {
    /// The records that come along with `page`, each once.
    ///
    /// # Errors
    /// [`Withheld::TooMany`] beyond a page's most; the number of what may not be seen has no part in it.
    pub(super) async fn included(&mut self, query: &Query, page: &[Seen]) -> Result<Vec<Seen>, Withheld> {
        let mut here: HashSet<RecordKey> = page.iter().map(|seen| seen.facts.key).collect();
        let mut came: Vec<Seen> = Vec::new();
        let mut begin = 0;
        for round in 0..=DEEPEST {
            let rules: Vec<&Include> = query.includes.iter().filter(|rule| round == 0 || rule.iterate).collect();
            let fresh = if round == 0 { page } else { came.get(begin..).unwrap_or_default() };
            if rules.is_empty() || fresh.is_empty() {
                break;
            }
            let mut new = self.forward(query, &rules, fresh, &here).await?;
            here.extend(new.iter().map(|seen| seen.facts.key));
            for rule in rules.iter().filter(|rule| rule.reverse) {
                let back = self.backward(query, rule, fresh, &here).await?;
                here.extend(back.iter().map(|seen| seen.facts.key));
                new.extend(back);
            }
            begin = came.len();
            came.extend(new);
            if came.len() > MOST {
                return Err(Withheld::TooMany);
            }
        }
        Ok(came)
    }

    async fn forward(
        &mut self,
        query: &Query,
        rules: &[&Include],
        fresh: &[Seen],
        here: &HashSet<RecordKey>,
    ) -> Result<Vec<Seen>, Withheld> {
        let mut wanted: HashSet<(&'static str, RecordKey)> = HashSet::new();
        for seen in fresh {
            let own = rules.iter().filter(|rule| !rule.reverse && rule.source == seen.facts.resource_type);
            wanted.extend(own.flat_map(|rule| query.follow(rule, &seen.values)));
        }
        // Another patient's record is never looked for.
        wanted.retain(|(_, key)| key.patient == self.patient && !here.contains(key));
        let mut ids: Vec<RecordId> = wanted.iter().map(|(_, key)| key.record).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.door.store.records_named(self.patient, &ids).await.map_err(Withheld::unavailable)?;
        self.see(rows, |facts| wanted.iter().any(|(kind, key)| *key == facts.key && *kind == facts.resource_type))
    }

    async fn backward(
        &mut self,
        query: &Query,
        rule: &Include,
        fresh: &[Seen],
        here: &HashSet<RecordKey>,
    ) -> Result<Vec<Seen>, Withheld> {
        let to: HashSet<(String, RecordKey)> =
            fresh.iter().map(|seen| (seen.facts.resource_type.clone(), seen.facts.key)).collect();
        let mut found = Vec::new();
        let first = RecordId::from_bytes([0; 16]);
        let refers = |seen: &Seen| {
            query.follow(rule, &seen.values).into_iter().any(|(kind, key)| to.contains(&(kind.to_owned(), key)))
        };
        self.go(Some(rule.source), first, None, |seen| {
            if !here.contains(&seen.facts.key) && refers(&seen) {
                found.push(seen);
            }
            found.len() <= MOST
        })
        .await?;
        Ok(found)
    }
}
