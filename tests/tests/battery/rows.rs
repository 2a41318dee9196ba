//! People as rows of a table: the same in each database.

use rabita_battery::Person;

/// A row of the table of people.
pub(crate) type Columns = (String, String, String, String, Option<String>, i64, Option<Vec<u8>>);

/// The person of a row.
pub(crate) fn person((pin, family, given, born, notes, version, photo): Columns) -> Person {
    Person { pin, family, given, born, notes, version, photo }
}

/// A statement with a person's values in the order of [`Columns`]. A macro, since each database has a type of its own for
/// statements.
macro_rules! bound {
    ($statement:expr, $person:expr) => {
        $statement
            .bind(&$person.pin)
            .bind(&$person.family)
            .bind(&$person.given)
            .bind(&$person.born)
            .bind(&$person.notes)
            .bind($person.version)
            .bind(&$person.photo)
    };
}
pub(crate) use bound;
