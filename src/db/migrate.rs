//! Bringing a database up to date, on either engine.

use super::{Db, DbError, Migration};

/// Any number that no other program is likely to lock with.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7310866512)";
const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS migration (number BIGINT PRIMARY KEY, name TEXT NOT NULL, statements TEXT NOT NULL)";

/// Applies what was not applied before, all in one transaction: two processes that start together do it once.
pub(super) async fn migrate(db: &Db, migrations: &[Migration]) -> Result<(), DbError> {
    const APPLIED: &str = "SELECT number, name, statements FROM migration ORDER BY number";
    const APPLY: &str = "INSERT INTO migration (number, name, statements) VALUES ($1, $2, $3)";
    let mut writer = db.writer().await?;
    let mut turn = writer.begin("migrate").await?;
    let postgres = db.is_postgres();
    if postgres {
        turn.script(LOCK).await?;
    }
    turn.script(TABLE).await?;
    let read = |row: &super::Row<'_>| Ok((row.int(0)?, row.text(1)?.to_owned(), row.text(2)?.to_owned()));
    let applied = turn.all("migration", APPLIED, &[], read).await?;
    if let Some((_, name, _)) = applied.iter().find(|(number, ..)| !migrations.iter().any(|m| m.number == *number)) {
        let why = format!("its tables are those of a later version ({name}) of this program");
        return Err(DbError::Migration(why));
    }
    for migration in migrations {
        let statements = if postgres { migration.postgres } else { migration.sqlite };
        match applied.iter().find(|(number, ..)| *number == migration.number) {
            Some((_, _, then)) if then == statements => {}
            Some(_) => {
                let why = format!("its tables ({}) are not those of this version of the program", migration.name);
                return Err(DbError::Migration(why));
            }
            None => {
                turn.script(statements).await.map_err(|e| DbError::Migration(format!("{}: {e:?}", migration.name)))?;
                let args = [migration.number.into(), migration.name.into(), statements.into()];
                turn.run(APPLY, &args).await?;
            }
        }
    }
    turn.commit().await
}
