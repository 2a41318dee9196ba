"""The legacy system of this example: a register of people in one SQLite file.

Nothing here knows HTTP. A connector of your own has your registry's client library in this place. Each function gets a
`Call` with its deadline, and answers, or raises one of the failures of `wire.py`.
"""

import sqlite3
import time
from contextlib import contextmanager

from wire import Call, Failure

TEXT = ["pin", "family", "given", "born", "notes"]
COLUMNS = [*TEXT, "version"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS people (
    pin TEXT PRIMARY KEY NOT NULL, family TEXT NOT NULL, given TEXT NOT NULL, born TEXT NOT NULL,
    notes TEXT, version INTEGER NOT NULL DEFAULT 1, photo BLOB);
-- What changed, in its order, whoever changed it.
CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY AUTOINCREMENT, pin TEXT NOT NULL, gone INTEGER NOT NULL);
CREATE TRIGGER IF NOT EXISTS made AFTER INSERT ON people BEGIN INSERT INTO log (pin, gone) VALUES (NEW.pin, 0); END;
CREATE TRIGGER IF NOT EXISTS changed AFTER UPDATE ON people BEGIN INSERT INTO log (pin, gone) VALUES (NEW.pin, 0); END;
CREATE TRIGGER IF NOT EXISTS ended AFTER DELETE ON people BEGIN INSERT INTO log (pin, gone) VALUES (OLD.pin, 1); END;
-- The ids of changes that were made, or forgone: each is stored in the transaction of its effect.
CREATE TABLE IF NOT EXISTS once (id TEXT PRIMARY KEY NOT NULL, applied INTEGER NOT NULL);
"""

# What this connector can do, as `describe` tells the bus.
CAPABILITIES = {
    "operations": ["read", "search", "create", "replace", "update", "delete", "act", "subscribe"],
    "reads_many_at_once": True,
    "projects": True,
    "streams_binary": True,
    "checks_versions": True,
    "duplicates": "detected",
}


class People:
    def __init__(self, file: str):
        self.file = file
        with sqlite3.connect(file) as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(SCHEMA)

    # --- reading

    def probe(self, call: Call) -> None:
        with self.database(call) as database:
            database.execute("SELECT 1 FROM people LIMIT 1").fetchone()

    def read_many(self, keys: list, wanted: list[str], call: Call) -> list:
        columns = list_of(wanted)
        with self.database(call) as database:
            found = (database.execute(f"SELECT {columns} FROM people WHERE pin = ?", (pin_of(key),)) for key in keys)
            return [row_of(wanted, rows.fetchone()) for rows in found]

    def search(self, conditions: list, wanted: list[str], limit: int, cursor: str | None, call: Call) -> tuple:
        where, values = ["TRUE"], []
        for condition in conditions:
            column, value = column_of(condition["source"]), condition["value"]
            if condition.get("ignore"):
                raise Failure("unsupported", "this connector overlooks no differences")
            where.append(COMPARISONS[condition["comparison"]].format(column))
            values.append(value)
        if cursor is not None:
            if not cursor.startswith("after:"):
                raise Failure("refused", "this is no cursor of this search")
            where.append("pin > ?")
            values.append(cursor.removeprefix("after:"))
        sql = f"SELECT pin, {list_of(wanted)} FROM people WHERE {' AND '.join(where)} ORDER BY pin LIMIT ?"
        with self.database(call) as database:
            # One more than asked for tells whether there is another page.
            found = database.execute(sql, (*values, limit + 1)).fetchall()
        rows = [row_of(wanted, row[1:]) for row in found[:limit]]
        following = f"after:{found[limit - 1][0]}" if len(found) > limit else None
        return rows, following

    def photo(self, key: list, call: Call) -> bytes | None:
        with self.database(call) as database:
            row = database.execute("SELECT photo FROM people WHERE pin = ?", (pin_of(key),)).fetchone()
        return row[0] if row else None

    def changes(self, since: str | None, wanted: list[str], limit: int, call: Call) -> dict:
        with self.database(call) as database:
            if since is None:
                last = database.execute("SELECT coalesce(max(seq), 0) FROM log").fetchone()[0]
                return {"changes": [], "since": str(last), "has_more": False}
            if not since.isdecimal():
                raise Failure("refused", "this is no place in the changes")
            sql = "SELECT max(seq), pin, gone FROM log WHERE seq > ? GROUP BY pin ORDER BY 1 LIMIT ?"
            found = database.execute(sql, (int(since), limit + 1)).fetchall()
            names = ["pin", *(name for name in wanted if name != "pin")]
            changes = []
            for _, pin, gone in found[:limit]:
                row = database.execute(f"SELECT {list_of(names)} FROM people WHERE pin = ?", (pin,)).fetchone()
                changes.append({"gone": [pin]} if gone or row is None else {"row": row_of(names, row)})
        last = found[:limit][-1][0] if found else since
        return {"changes": changes, "since": str(last), "has_more": len(found) > limit}

    # --- changing

    def apply(self, change: str, id: str, key: list, values: dict, expected: list, call: Call) -> str:
        """`done`, `before`, `absent` or `conflict`. `expected` holds the expected version, or nothing."""
        pin = pin_of(key)
        with self.once(id, call) as (database, was_before):
            if was_before:
                return "before"
            there = database.execute("SELECT version FROM people WHERE pin = ?", (pin,)).fetchone()
            if change == "create":
                if there:
                    return "conflict"
                names = [column_of(name) for name in values]
                marks = ", ".join("?" for _ in names)
                database.execute(f"INSERT INTO people ({', '.join(names)}) VALUES ({marks})", [*map(text, values.values())])
                return "done"
            if not there:
                return "absent"
            if expected and expected[0] != there[0]:
                return "conflict"
            if change == "delete":
                database.execute("DELETE FROM people WHERE pin = ?", (pin,))
                return "done"
            if change == "replace":
                # What a replace does not name is gone.
                values = {"family": "", "given": "", "born": "", "notes": None} | values
            assigned = ", ".join(f"{column_of(name)} = ?" for name in values)
            sql = f"UPDATE people SET {assigned}, version = version + 1 WHERE pin = ?"
            database.execute(sql, (*map(text, values.values()), pin))
            return "done"

    def rename(self, id: str, key: list, values: dict, expected: list, call: Call) -> tuple:
        """The one action: another family name, and the answer is the name that the record then has."""
        family = values.get("new_family")
        applied = self.apply("update", id, key, {"family": family}, expected, call)
        return applied, {"family": family} if applied == "done" else None

    def forgo(self, id: str, call: Call) -> bool:
        """Sees to it that a change is never made, unless it has been; tells whether it has been."""
        with self.database(call) as database, transaction(database):
            database.execute("INSERT OR IGNORE INTO once VALUES (?, 0)", (id,))
            return bool(database.execute("SELECT applied FROM once WHERE id = ?", (id,)).fetchone()[0])

    # --- connections

    @contextmanager
    def once(self, id: str, call: Call):
        """A transaction in which the id of a change is stored with its effect; a change without effect leaves no id."""
        with self.database(call) as database, transaction(database):
            before = database.execute("SELECT 1 FROM once WHERE id = ?", (id,)).fetchone()
            changes = database.total_changes
            yield database, before is not None
            if database.total_changes > changes:
                database.execute("INSERT INTO once VALUES (?, 1)", (id,))

    @contextmanager
    def database(self, call: Call):
        """A connection that works no longer than the call may take."""
        try:
            database = sqlite3.connect(f"file:{self.file}?mode=rw", uri=True, timeout=call.left(), isolation_level=None)
        except sqlite3.OperationalError as error:
            raise Failure("unavailable", "the file cannot be opened") from error
        try:
            database.create_function("begins", 2, lambda value, start: value is not None and value.startswith(start))
            database.set_progress_handler(lambda: time.monotonic() > call.deadline, 1000)
            yield database
        except sqlite3.IntegrityError as error:
            raise Failure("refused", f"the database refuses it ({error.sqlite_errorname})") from error
        except sqlite3.Error as error:
            # An error rolls back: nothing was changed. Its text could hold a value, its name cannot.
            name = getattr(error, "sqlite_errorname", "no code")
            late = name == "SQLITE_INTERRUPT" or time.monotonic() > call.deadline
            raise Failure("timed_out" if late else "unavailable", f"the database says {name}") from error
        finally:
            database.close()


# Ranges include both ends; a prefix is text, not a pattern.
COMPARISONS = {"equals": "{} = ?", "prefix": "begins({}, ?)", "from": "{} >= ?", "to": "{} <= ?"}


@contextmanager
def transaction(database: sqlite3.Connection):
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        database.execute("ROLLBACK")
        raise
    database.execute("COMMIT")


def column_of(source: str) -> str:
    """Names become SQL only when they are ours; values never do."""
    if source not in COLUMNS:
        raise Failure("unsupported", "there is no such column")
    return source


def list_of(sources: list[str]) -> str:
    return ", ".join(map(column_of, sources)) or "NULL"


def row_of(names: list[str], row: tuple | None) -> dict | None:
    return dict(zip(names, row)) if row else None


def pin_of(key: list) -> str:
    [pin] = key
    return pin


def text(value):
    if value is not None and not isinstance(value, str):
        raise Failure("refused", "this column holds text")
    return value
