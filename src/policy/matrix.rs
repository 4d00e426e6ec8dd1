//! The profession matrix (FR-30): dated data that says which profession may read and deposit which types.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::Deserialize;

use super::PolicyError;
use crate::model::Software;
use crate::model::{Coding, OrganisationKind, Profession};

/// The row of whoever is in no row: nothing.
pub(super) const NOBODY: &str = "nobody";

/// The matrix, expanded: row name to row.
#[derive(Debug)]
pub(super) struct Matrix {
    /// Which edition of the matrix this is.
    pub(super) version: String,
    /// Its date.
    pub(super) date: String,
    pub(super) rows: HashMap<String, Row>,
}

/// What one row allows; each list in full.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) reads: BTreeSet<String>,
    pub(super) deposits: BTreeSet<String>,
    pub(super) documents: BTreeSet<String>,
    pub(super) refused: BTreeSet<String>,
    pub(super) typed: BTreeSet<String>,
    pub(super) social: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: String,
    date: String,
    typed: Vec<String>,
    resources: BTreeMap<String, BTreeSet<String>>,
    systems: BTreeMap<String, String>,
    documents: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    row: Vec<RawRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRow {
    profession: Option<String>,
    kind: Option<String>,
    #[serde(default)]
    social: bool,
    reads: Vec<String>,
    deposits: Vec<String>,
    documents: Vec<String>,
    #[serde(default)]
    except: Vec<String>,
}

type Groups = BTreeMap<String, BTreeSet<String>>;

impl Matrix {
    /// Reads the file; refuses a name it does not define and a row it cannot place.
    pub(super) fn load(text: &str) -> Result<Self, PolicyError> {
        let file: File = toml::from_str(text).map_err(|e| PolicyError::Matrix(e.to_string()))?;
        let documents = document_groups(&file)?;
        let known: BTreeSet<String> = documents.values().flatten().cloned().collect();
        let typed: BTreeSet<String> = file.typed.iter().cloned().collect();
        if let Some(t) = typed.iter().find(|t| !file.resources.values().any(|g| g.contains(*t))) {
            return Err(unknown(t));
        }
        let mut rows = HashMap::from([(NOBODY.to_owned(), Row::default())]);
        for raw in &file.row {
            let mut allowed = expand(&documents, &raw.documents)?;
            for code in expand(&documents, &raw.except)? {
                allowed.remove(&code);
            }
            let row = Row {
                reads: expand(&file.resources, &raw.reads)?,
                deposits: expand(&file.resources, &raw.deposits)?,
                refused: known.difference(&allowed).cloned().collect(),
                documents: allowed,
                typed: typed.clone(),
                social: raw.social,
            };
            let name = name_of(raw)?;
            if rows.insert(name.clone(), row).is_some() {
                return Err(PolicyError::Matrix(format!("two rows for {name}")));
            }
        }
        Ok(Self { version: file.version, date: file.date, rows })
    }

    /// The row under which this software asks.
    pub(super) fn row_of(&self, software: &Software) -> &str {
        self.row(software.kind, software.professional.as_ref().map(|(_, profession)| profession))
    }

    /// The row of that profession in an organisation of that kind. An insurer has one row, whomever it employs.
    pub(super) fn row(&self, kind: OrganisationKind, profession: Option<&Profession>) -> &str {
        let name = match (kind, profession) {
            (OrganisationKind::Insurer, _) | (_, None) => format!("kind/{}", kind.word()),
            (OrganisationKind::Care | OrganisationKind::Social | OrganisationKind::OccupationalHealth, Some(p)) => {
                format!("profession/{}", p.code())
            }
        };
        self.rows.get_key_value(&name).map_or(NOBODY, |(name, _)| name)
    }
}

fn unknown(name: &str) -> PolicyError {
    PolicyError::Matrix(format!("'{name}' is not defined"))
}

// The prefixes keep a profession code that spells a kind from reaching that kind's row.
fn name_of(raw: &RawRow) -> Result<String, PolicyError> {
    match (&raw.profession, &raw.kind) {
        (Some(code), None) if code.parse::<Profession>().is_ok() => Ok(format!("profession/{code}")),
        (None, Some(kind)) if kind.parse::<OrganisationKind>().is_ok() => Ok(format!("kind/{kind}")),
        _ => Err(PolicyError::Matrix("a row is for one profession or for one kind".to_owned())),
    }
}

fn document_groups(file: &File) -> Result<Groups, PolicyError> {
    let mut groups = Groups::new();
    for (group, by_system) in &file.documents {
        let mut codes = BTreeSet::new();
        for (short, list) in by_system {
            let system = file.systems.get(short).ok_or_else(|| unknown(short))?;
            codes.extend(list.iter().map(|c| Coding { system: system.clone(), code: c.clone() }.to_string()));
        }
        groups.insert(group.clone(), codes);
    }
    Ok(groups)
}

fn expand(groups: &Groups, names: &[String]) -> Result<BTreeSet<String>, PolicyError> {
    let mut out = BTreeSet::new();
    for name in names {
        if name == "*" {
            out.extend(groups.values().flatten().cloned());
        } else {
            out.extend(groups.get(name).ok_or_else(|| unknown(name))?.iter().cloned());
        }
    }
    Ok(out)
}
