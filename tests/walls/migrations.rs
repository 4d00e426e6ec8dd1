//! Compares the migrations of the two engines.

use std::collections::BTreeSet;

/// A table as one migration makes it: its columns in order, and those without a comment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    pub(crate) bare: Vec<String>,
}

/// What differs between the two texts of one migration, and every column that nobody explains.
pub(crate) fn differences(sqlite: &str, postgres: &str) -> Vec<String> {
    let (ours, theirs) = (tables(sqlite), tables(postgres));
    let explained = explained(postgres);
    let mut wrong = Vec::new();
    let names = |tables: &[Table]| tables.iter().map(|t| t.name.clone()).collect::<Vec<_>>();
    if names(&ours) != names(&theirs) {
        wrong.push(format!("tables differ: {:?} and {:?}", names(&ours), names(&theirs)));
    }
    if indexes(sqlite) != indexes(postgres) {
        wrong.push(format!("indexes differ: {:?} and {:?}", indexes(sqlite), indexes(postgres)));
    }
    for (a, b) in ours.iter().zip(&theirs) {
        if a.columns != b.columns {
            wrong.push(format!("columns of {} differ: {:?} and {:?}", a.name, a.columns, b.columns));
        }
        wrong.extend(a.bare.iter().map(|c| format!("SQLite: no comment before {}.{c}", a.name)));
        let silent = b.columns.iter().filter(|c| !explained.contains(&format!("{}.{c}", b.name)));
        wrong.extend(silent.map(|c| format!("PostgreSQL: no COMMENT ON COLUMN {}.{c}", b.name)));
    }
    wrong
}

/// The tables a text makes; one column or constraint per line, as all our migrations are written.
fn tables(sql: &str) -> Vec<Table> {
    let mut found: Vec<Table> = Vec::new();
    let (mut inside, mut commented) = (false, false);
    for line in sql.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
            let name = rest.trim_start_matches("IF NOT EXISTS ").split([' ', '(']).next().unwrap_or_default();
            found.push(Table { name: name.to_owned(), ..Table::default() });
            (inside, commented) = (true, false);
        } else if let Some((name, column)) = added(line) {
            let bare = if commented { Vec::new() } else { vec![column.to_owned()] };
            found.push(Table { name: name.to_owned(), columns: vec![column.to_owned()], bare });
            commented = false;
        } else if line.starts_with("--") {
            commented = true;
        } else if line.starts_with(')') {
            inside = false;
        } else if inside && let Some(column) = column(line) {
            if let Some(table) = found.last_mut() {
                table.columns.push(column.to_owned());
                if !commented {
                    table.bare.push(column.to_owned());
                }
            }
            commented = false;
        } else {
            commented = false;
        }
    }
    found
}

/// The table and column of `ALTER TABLE t ADD COLUMN c …`; other changes of a table are an engine's own business.
fn added(line: &str) -> Option<(&str, &str)> {
    let (table, rest) = line.strip_prefix("ALTER TABLE ")?.split_once(" ADD COLUMN ")?;
    Some((table, rest.split_whitespace().next()?))
}

/// The column that a line of a table makes; `None` for constraints.
fn column(line: &str) -> Option<&str> {
    let word = line.split([' ', '(']).next().filter(|w| !w.is_empty())?;
    (!["PRIMARY", "FOREIGN", "UNIQUE", "CHECK", "CONSTRAINT"].contains(&word)).then_some(word)
}

fn explained(sql: &str) -> BTreeSet<String> {
    let comment = |line: &str| {
        let (column, text) = line.trim().strip_prefix("COMMENT ON COLUMN ")?.split_once(" IS ")?;
        (text.len() > 4).then(|| column.to_owned())
    };
    sql.lines().filter_map(comment).collect()
}

/// Index definitions, which both engines write alike.
fn indexes(sql: &str) -> Vec<&str> {
    sql.lines()
        .map(str::trim)
        .filter(|l| l.starts_with("CREATE INDEX") || l.starts_with("CREATE UNIQUE INDEX"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQLITE: &str = "CREATE TABLE t (\n    -- One.\n    a INTEGER NOT NULL,\n    -- Two.\n    b BLOB,\n    \
                          PRIMARY KEY (a)\n) STRICT;\nCREATE INDEX t_b ON t (b);\n";
    const POSTGRES: &str = "CREATE TABLE t (\n    a BIGINT NOT NULL,\n    b BYTEA,\n    PRIMARY KEY (a)\n);\n\
                            COMMENT ON COLUMN t.a IS 'One.';\nCOMMENT ON COLUMN t.b IS 'Two.';\n\
                            CREATE INDEX t_b ON t (b);\n";

    #[test]
    fn each_difference_is_found() {
        assert_eq!(differences(SQLITE, POSTGRES), Vec::<String>::new());
        let spoilt = [
            (SQLITE.replace("    -- Two.\n", ""), POSTGRES.to_owned()),
            (SQLITE.replace("b BLOB", "c BLOB"), POSTGRES.to_owned()),
            (SQLITE.replace("CREATE TABLE t", "CREATE TABLE u"), POSTGRES.to_owned()),
            (SQLITE.to_owned(), POSTGRES.replace("COMMENT ON COLUMN t.b IS 'Two.';\n", "")),
            (SQLITE.to_owned(), POSTGRES.replace("'Two.'", "''")),
            (SQLITE.to_owned(), POSTGRES.replace("    b BYTEA,\n", "")),
            (SQLITE.to_owned(), POSTGRES.replace("ON t (b)", "ON t (a)")),
            (format!("{SQLITE}ALTER TABLE t ADD COLUMN d BLOB;\n"), POSTGRES.to_owned()),
        ];
        for (sqlite, postgres) in spoilt {
            assert_ne!(differences(&sqlite, &postgres), Vec::<String>::new(), "{sqlite}\n{postgres}");
        }
    }
}
