//! The house law, replayed over the leaves alone (P03): no database, no keys, no trust in who wrote them.

use std::collections::hash_map::Entry as Slot;
use std::collections::{HashMap, HashSet};

use super::entry::{Basis, Entry};
use super::mark::Marked;
use super::words::{Act, Ground};
use crate::clock::Timestamp;
use crate::id::{ConsentId, DeedId, Mark};

/// Which rule is broken, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// Positions are dense.
    #[error("it calls itself entry {0}")]
    Position(u64),
    /// The log begins once.
    #[error("the log begins with a genesis entry and has no second one")]
    Genesis,
    /// Time never runs back.
    #[error("its time lies before that of the entry before it")]
    Time,
    /// A deed is recorded once.
    #[error("its deed {0} is already on record")]
    Deed(DeedId),
    /// An act on a consent names that consent and nothing else.
    #[error("an act on a consent names exactly the revision it makes")]
    OneConsent,
    /// A consent is made once, at revision 1.
    #[error("consent {0} is made by a first revision, once")]
    Made(ConsentId),
    /// Revisions follow one another while the consent is active.
    #[error("consent {0} is not active at the revision before")]
    Follows(ConsentId),
    /// What rests on a consent says on which.
    #[error("it rests on consent and cites none")]
    Uncited,
    /// What does not rest on a consent cites none.
    #[error("the patient's own access rests on no consent and cites one")]
    Cited,
    /// A cited consent is active at the cited revision at this position (P03).
    #[error("it cites consent {0} at a revision that is not active here")]
    Inactive(ConsentId),
    /// A refusal says why.
    #[error("a refusal carries a reason")]
    Reason,
    /// Enrolments, erasures and exclusions name their subject, and nothing else does.
    #[error("it names a subject without being about one, or is about one and names none")]
    Subject,
    /// The revisions of what is enrolled follow one another from 1.
    #[error("it is not the next revision of what it enrols, {0}")]
    Enrolled(Mark),
    /// An exclusion is lifted for the one whom it shut out.
    #[error("exclusion {0} shuts out somebody else")]
    ShutOut(ConsentId),
}

/// The first position where the log breaks the house law.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {index} breaks the law of the log: {rule}")]
pub struct Breach {
    /// Position, as counted by the reader.
    pub index: u64,
    /// What is wrong there.
    pub rule: Rule,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Consent,
    Exclusion,
}

#[derive(Clone, Copy)]
struct Standing {
    revision: i64,
    kind: Kind,
    active: bool,
    /// Whom an exclusion shuts out.
    whom: Option<Mark>,
}

/// What must be remembered of the leaves so far: a few words per consent and the id of each deed.
#[derive(Default)]
pub struct Law {
    next: u64,
    last: Option<Timestamp>,
    consents: HashMap<ConsentId, Standing>,
    deeds: HashSet<DeedId>,
    enrolled: HashMap<Mark, i64>,
}

impl Law {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of entries taken.
    #[must_use]
    pub const fn taken(&self) -> u64 {
        self.next
    }

    /// Number of consents in force after the entries taken.
    #[must_use]
    pub fn active_consents(&self) -> u64 {
        self.consents.values().filter(|s| s.active && s.kind == Kind::Consent).count() as u64
    }

    /// Takes the next entry of the log.
    ///
    /// # Errors
    /// [`Breach`] at the first entry that breaks the law; the law then takes no further entries in good faith.
    pub fn take(&mut self, entry: &Entry) -> Result<(), Breach> {
        let index = self.next;
        self.weigh(entry).map_err(|rule| Breach { index, rule })?;
        self.next += 1;
        self.last = Some(entry.time);
        Ok(())
    }

    fn weigh(&mut self, entry: &Entry) -> Result<(), Rule> {
        if entry.index != self.next {
            return Err(Rule::Position(entry.index));
        }
        if (entry.act == Act::Genesis) != (self.next == 0) {
            return Err(Rule::Genesis);
        }
        if self.last.is_some_and(|last| entry.time < last) {
            return Err(Rule::Time);
        }
        if !self.deeds.insert(entry.deed) {
            return Err(Rule::Deed(entry.deed));
        }
        let about_one = matches!(entry.act, Act::Enrol | Act::Suspend | Act::Shred | Act::Exclude | Act::Lift);
        if entry.subject.is_some() != about_one {
            return Err(Rule::Subject);
        }
        match entry.act {
            Act::Grant => self.make(entry, Kind::Consent),
            Act::Exclude => self.make(entry, Kind::Exclusion),
            Act::Narrow => self.change(entry, Kind::Consent, true),
            Act::Revoke => self.change(entry, Kind::Consent, false),
            Act::Lift => self.change(entry, Kind::Exclusion, false),
            // A refusal may cite what failed it: a consent revoked meanwhile, for one.
            Act::Refuse => entry.reason.as_ref().map(|_| ()).ok_or(Rule::Reason),
            Act::Enrol | Act::Suspend | Act::Shred => {
                entry.subject.map_or(Ok(()), |subject| self.enrol(subject))?;
                self.rests(entry)
            }
            Act::Genesis | Act::Disclose | Act::Request | Act::Decline | Act::Admit | Act::Rotate | Act::Inspect => {
                self.rests(entry)
            }
        }
    }

    fn make(&mut self, entry: &Entry, kind: Kind) -> Result<(), Rule> {
        let made = the_one(entry)?;
        match self.consents.entry(made.consent) {
            Slot::Vacant(slot) if made.revision == 1 => {
                slot.insert(Standing { revision: 1, kind, active: true, whom: entry.subject.map(|s| s.mark) });
                Ok(())
            }
            Slot::Vacant(_) | Slot::Occupied(_) => Err(Rule::Made(made.consent)),
        }
    }

    fn change(&mut self, entry: &Entry, kind: Kind, stays: bool) -> Result<(), Rule> {
        let made = the_one(entry)?;
        let standing = self
            .consents
            .get_mut(&made.consent)
            .filter(|s| s.active && s.kind == kind && s.revision.checked_add(1) == Some(made.revision));
        let standing = standing.ok_or(Rule::Follows(made.consent))?;
        if standing.whom != entry.subject.map(|s| s.mark) {
            return Err(Rule::ShutOut(made.consent));
        }
        standing.revision = made.revision;
        standing.active = stays;
        Ok(())
    }

    fn enrol(&mut self, subject: Marked) -> Result<(), Rule> {
        let last = self.enrolled.entry(subject.mark).or_default();
        if last.checked_add(1) != Some(subject.revision) {
            return Err(Rule::Enrolled(subject.mark));
        }
        *last = subject.revision;
        Ok(())
    }

    fn rests(&self, entry: &Entry) -> Result<(), Rule> {
        match (entry.ground, entry.basis.is_empty()) {
            (Ground::Consent, true) => return Err(Rule::Uncited),
            (Ground::Oneself, false) => return Err(Rule::Cited),
            (Ground::Consent, false) | (Ground::Oneself, true) | (Ground::Law | Ground::Guarantor, _) => {}
        }
        let active = |basis: &Basis| {
            let standing = self.consents.get(&basis.consent);
            // An exclusion shuts out; nothing ever rests on it.
            standing.is_some_and(|s| s.active && s.kind == Kind::Consent && s.revision == basis.revision)
        };
        entry.basis.iter().find(|b| !active(b)).map_or(Ok(()), |b| Err(Rule::Inactive(b.consent)))
    }
}

fn the_one(entry: &Entry) -> Result<Basis, Rule> {
    if let [one] = entry.basis.as_slice() { Ok(*one) } else { Err(Rule::OneConsent) }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{Dice, act, full, lawful};
    use super::super::words::Reason;
    use super::*;

    fn replay(log: &[Entry]) -> Result<Law, Breach> {
        let mut law = Law::new();
        log.iter().try_for_each(|entry| law.take(entry)).map(|()| law)
    }

    fn consent(n: u8, revision: i64) -> Basis {
        Basis { consent: ConsentId::from_bytes([n; 16]), revision }
    }

    /// A log of these acts after a genesis.
    fn log(acts: &[(Act, &[Basis])]) -> Vec<Entry> {
        let mut dice = Dice::announced("law", 51);
        let first = (Act::Genesis, &[][..]);
        std::iter::once(&first).chain(acts).zip(0..).map(|((a, basis), i)| act(&mut dice, i, *a, basis)).collect()
    }

    fn rule(acts: &[(Act, &[Basis])]) -> Result<u64, (u64, Rule)> {
        replay(&log(acts)).map(|law| law.active_consents()).map_err(|b| (b.index, b.rule))
    }

    #[test]
    fn a_lawful_log_is_accepted() {
        let (n, mut dice) = (full(20, 1_000), Dice::announced("lawful logs", 52));
        for _ in 0..n {
            assert_eq!(replay(&lawful(&mut dice, 100)).unwrap().taken(), 100);
        }
        println!("N = {n} logs of 100");
    }

    /// P03, with the disclosure put in by hand at every position of a log.
    #[test]
    fn a_disclosure_on_a_consent_that_is_not_active_there_is_found() {
        let (a1, a2, a3) = (consent(1, 1), consent(1, 2), consent(1, 3));
        let base: [(Act, &[Basis]); 4] =
            [(Act::Admit, &[]), (Act::Grant, &[a1]), (Act::Narrow, &[a2]), (Act::Revoke, &[a3])];
        for at in 0..=base.len() {
            for (cited, lawful_at) in [(a1, Some(2)), (a2, Some(3)), (a3, None)] {
                let mut acts = base.to_vec();
                let basis = [cited];
                acts.insert(at, (Act::Disclose, &basis));
                let expected =
                    if lawful_at == Some(at) { Ok(0) } else { Err((at as u64 + 1, Rule::Inactive(cited.consent))) };
                assert_eq!(rule(&acts), expected, "{cited:?} at {at}");
            }
        }
    }

    #[test]
    fn consents_are_made_once_and_their_revisions_follow() {
        let c = |r| consent(1, r);
        let id = c(1).consent;
        assert_eq!(rule(&[(Act::Grant, &[c(1)])]), Ok(1));
        assert_eq!(rule(&[(Act::Grant, &[c(2)])]), Err((1, Rule::Made(id))));
        assert_eq!(rule(&[(Act::Grant, &[c(1)]), (Act::Grant, &[c(1)])]), Err((2, Rule::Made(id))));
        assert_eq!(rule(&[(Act::Grant, &[c(1)]), (Act::Narrow, &[c(3)])]), Err((2, Rule::Follows(id))));
        assert_eq!(rule(&[(Act::Narrow, &[c(2)])]), Err((1, Rule::Follows(id))));
        let revoked: [(Act, &[Basis]); 2] = [(Act::Grant, &[c(1)]), (Act::Revoke, &[c(2)])];
        assert_eq!(rule(&revoked), Ok(0));
        for after in [(Act::Revoke, c(3)), (Act::Narrow, c(3)), (Act::Lift, c(3))] {
            let basis = [after.1];
            assert_eq!(rule(&[&revoked[..], &[(after.0, &basis)]].concat()), Err((3, Rule::Follows(id))));
        }
        assert_eq!(rule(&[&revoked[..], &[(Act::Grant, &[c(1)])]].concat()), Err((3, Rule::Made(id))));
        assert_eq!(rule(&[(Act::Grant, &[])]), Err((1, Rule::OneConsent)));
        assert_eq!(rule(&[(Act::Grant, &[c(1), consent(2, 1)])]), Err((1, Rule::OneConsent)));
    }

    #[test]
    fn an_exclusion_is_lifted_not_revoked_and_nothing_rests_on_it() {
        let (e1, e2) = (consent(9, 1), consent(9, 2));
        assert_eq!(rule(&[(Act::Exclude, &[e1]), (Act::Lift, &[e2])]), Ok(0));
        assert_eq!(rule(&[(Act::Exclude, &[e1]), (Act::Revoke, &[e2])]), Err((2, Rule::Follows(e1.consent))));
        assert_eq!(rule(&[(Act::Exclude, &[e1]), (Act::Disclose, &[e1])]), Err((2, Rule::Inactive(e1.consent))));
    }

    #[test]
    fn what_is_enrolled_or_shut_out_is_named_and_its_revisions_follow() {
        let mut dice = Dice::announced("subjects", 55);
        let genesis = act(&mut dice, 0, Act::Genesis, &[]);
        let mut judge = |acts: &[(Act, Option<(u8, i64)>)]| {
            let mut log = vec![genesis.clone()];
            for (index, (word, subject)) in (1..).zip(acts) {
                let basis = [consent(4, if *word == Act::Lift { 2 } else { 1 })];
                let named = matches!(word, Act::Exclude | Act::Lift);
                let mut entry = act(&mut dice, index, *word, if named { &basis } else { &[] });
                entry.subject = subject.map(|(n, revision)| Marked { mark: Mark::from_bytes([n; 16]), revision });
                log.push(entry);
            }
            replay(&log).map(|_| ()).map_err(|b| b.rule)
        };
        let mark = Mark::from_bytes([1; 16]);
        let (enrol, suspend) = (|r| (Act::Enrol, Some((1, r))), |r| (Act::Suspend, Some((1, r))));
        assert_eq!(judge(&[enrol(1), suspend(2), enrol(3)]), Ok(()));
        assert_eq!(judge(&[enrol(1), (Act::Enrol, Some((2, 1))), (Act::Shred, Some((2, 2)))]), Ok(()));
        assert_eq!(judge(&[enrol(2)]), Err(Rule::Enrolled(mark)));
        assert_eq!(judge(&[enrol(1), suspend(2), suspend(2)]), Err(Rule::Enrolled(mark)));
        assert_eq!(judge(&[enrol(1), suspend(3)]), Err(Rule::Enrolled(mark)));
        for word in [Act::Enrol, Act::Suspend, Act::Shred, Act::Exclude] {
            assert_eq!(judge(&[(word, None)]), Err(Rule::Subject), "{word}");
        }
        assert_eq!(judge(&[(Act::Admit, Some((1, 1)))]), Err(Rule::Subject));
        let shut = (Act::Exclude, Some((7, 1)));
        assert_eq!(judge(&[shut, (Act::Lift, Some((7, 2)))]), Ok(()));
        assert_eq!(judge(&[shut, (Act::Lift, Some((8, 2)))]), Err(Rule::ShutOut(consent(4, 1).consent)));
    }

    #[test]
    fn positions_times_and_deeds_are_each_right_or_found() {
        let mut dice = Dice::announced("positions", 53);
        let good = lawful(&mut dice, 30);
        let found = |change: &dyn Fn(&mut Vec<Entry>)| {
            let mut log = good.clone();
            change(&mut log);
            replay(&log).map(|_| ()).map_err(|b| (b.index, b.rule))
        };
        assert_eq!(found(&|l| l[7].index = 8), Err((7, Rule::Position(8))));
        assert_eq!(found(&|l| drop(l.remove(7))), Err((7, Rule::Position(8))));
        assert_eq!(found(&|l| l.swap(7, 8)), Err((7, Rule::Position(8))));
        assert_eq!(found(&|l| l[7].time = Timestamp(l[6].time.0 - 1)), Err((7, Rule::Time)));
        assert_eq!(found(&|l| l[7].act = Act::Genesis), Err((7, Rule::Genesis)));
        assert_eq!(found(&|l| l[0].act = Act::Admit), Err((0, Rule::Genesis)));
        assert_eq!(found(&|l| l[7].deed = l[3].deed), Err((7, Rule::Deed(good[3].deed))));
    }

    #[test]
    fn grounds_and_reasons_are_stated() {
        let mut dice = Dice::announced("grounds", 54);
        let genesis = act(&mut dice, 0, Act::Genesis, &[]);
        let granted = act(&mut dice, 1, Act::Grant, &[consent(1, 1)]);
        let mut judge = |word: Act, ground: Ground, basis: &[Basis], reason: Option<&'static str>| {
            let mut entry = act(&mut dice, 2, word, basis);
            entry.ground = ground;
            entry.reason = reason.map(|r| Reason::new(r).unwrap());
            replay(&[genesis.clone(), granted.clone(), entry]).map(|_| ()).map_err(|b| b.rule)
        };
        let cited = [consent(1, 1)];
        assert_eq!(judge(Act::Disclose, Ground::Consent, &[], None), Err(Rule::Uncited));
        assert_eq!(judge(Act::Disclose, Ground::Consent, &cited, None), Ok(()));
        assert_eq!(judge(Act::Disclose, Ground::Oneself, &[], None), Ok(()));
        assert_eq!(judge(Act::Disclose, Ground::Oneself, &cited, None), Err(Rule::Cited));
        assert_eq!(judge(Act::Disclose, Ground::Law, &[], None), Ok(()));
        let stale = [consent(1, 2)];
        assert_eq!(judge(Act::Disclose, Ground::Law, &stale, None), Err(Rule::Inactive(stale[0].consent)));
        assert_eq!(judge(Act::Refuse, Ground::Law, &stale, None), Err(Rule::Reason));
        assert_eq!(judge(Act::Refuse, Ground::Law, &stale, Some("revoked")), Ok(()));
    }
}
