//! The registry of a trial: a real PostgreSQL with one table, and a list of all changes that its own trigger keeps.

use std::net::SocketAddr;
use std::path::Path;

use crate::postgres::Postgres;

/// Records that several callers write. They are there from the beginning and stay.
pub const SHARED: usize = 4;

/// The database of a trial.
#[derive(Debug)]
pub struct Registry(Postgres);

impl Registry {
    /// Starts a server with an empty table.
    ///
    /// # Panics
    /// When PostgreSQL does not start.
    #[must_use]
    pub fn start() -> Self {
        let postgres = Postgres::start();
        postgres.run(TABLES);
        for number in 0..SHARED {
            postgres.run(&format!("INSERT INTO accounts VALUES ('{}', 'from the beginning', NULL)", shared(number)));
        }
        // Only now, so that what is there from the beginning is no change.
        postgres.run(TRIGGER);
        Self(postgres)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Writes the list of changes into a file.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn write_effects(&self, file: &Path) {
        std::fs::write(file, self.0.run(LIST)).unwrap_or_else(|error| panic!("cannot write {}: {error}", file.display()));
    }
}

/// The key of a record that several callers write.
#[must_use]
pub fn shared(number: usize) -> String {
    format!("shared-{number}")
}

/// `note` holds the name of the update that wrote the row last, `remark` only takes room.
const TABLES: &str = "
CREATE TABLE accounts (number varchar(40) PRIMARY KEY, note varchar(40), remark text);
CREATE TABLE effects (
    serial bigserial PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    operation text NOT NULL,
    number text NOT NULL,
    note text
);
";

/// A change holds the lock of its row when the trigger runs, so the serials of one row stand in the order of its changes.
/// A change that is rolled back takes its line with it. A row that is written with what it held already counts too.
/// A change takes a while, as it does in a registry, so that a kill comes while some are half made.
const TRIGGER: &str = "
CREATE FUNCTION note_effect() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(random() * 0.03);
    IF TG_OP = 'DELETE' THEN
        INSERT INTO effects (operation, number) VALUES (TG_OP, OLD.number);
        RETURN OLD;
    END IF;
    INSERT INTO effects (operation, number, note) VALUES (TG_OP, NEW.number, NEW.note);
    RETURN NEW;
END
$$;
CREATE TRIGGER note_effect AFTER INSERT OR UPDATE OR DELETE ON accounts FOR EACH ROW EXECUTE FUNCTION note_effect();
";

const LIST: &str = "
SELECT concat_ws(' ', serial, (extract(epoch FROM at) * 1000000)::bigint, operation, number, coalesce(note, '-'))
FROM effects ORDER BY serial";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::effects::{self, Kind};
    use crate::scratch::Scratch;

    #[test]
    fn the_list_holds_each_change_of_each_row_and_none_that_was_rolled_back() {
        let (registry, scratch) = (Registry::start(), Scratch::new("effects"));
        for sql in [
            "INSERT INTO accounts VALUES ('r', 'u1', NULL)",
            "UPDATE accounts SET note = 'u2' WHERE number = 'r'",
            "UPDATE accounts SET note = 'u2' WHERE number = 'r'",
            "BEGIN; UPDATE accounts SET note = 'u3' WHERE number = 'r'; ROLLBACK",
            "UPDATE accounts SET note = 'u4' WHERE number = 'nowhere'",
            "DELETE FROM accounts WHERE number = 'r'",
        ] {
            registry.0.run(sql);
        }
        let file = scratch.path().join("effects");
        registry.write_effects(&file);
        let effects = effects::read(&file);
        let told: Vec<_> = effects.iter().map(|it| (it.kind, it.record.as_str(), it.update.as_deref())).collect();
        let (u1, u2) = ((Kind::Inserted, "r", Some("u1")), (Kind::Updated, "r", Some("u2")));
        assert_eq!(told, [u1, u2, u2, (Kind::Deleted, "r", None)]);
        assert!(effects.is_sorted_by_key(|it| (it.serial, it.at_us)));
    }
}
