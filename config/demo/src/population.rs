//! The population register of the ministry of the interior: a database of the 1990s with all its dirt.

use std::path::Path;

use crate::calendar::{Day, TODAY};
use crate::database::{Cell, Table, fill};
use crate::dirt::{Spelling, code_page_1254};
use crate::error::DemoError;
use crate::people::{HEROINE, People, Person};
use crate::photo;
use crate::places::REGIONS;
use crate::random::Random;

/// Writes the register into a SQLite file.
///
/// # Errors
/// When the file can't be written.
pub async fn write(file: &Path, people: &People, seed: u64) -> Result<(), DemoError> {
    let tables = Rows::of(people, seed).into_tables();
    fill(file, DEFINITION, tables).await.map_err(|source| DemoError::Database { database: "population", source })
}

/// A code of sex that no list knows. A handful of rows have it, as if by a slip of the keyboard.
pub const UNKNOWN_SEX: &str = "?";

/// The number of a person whose row nobody can read: the code of sex is [`UNKNOWN_SEX`].
#[must_use]
pub fn unreadable(people: &People) -> Option<&str> {
    people.all.get(UNREADABLE_FIRST).map(|person| person.pin.as_str())
}

/// The first person with an unknown code of sex, and how many come between it and the next.
const UNREADABLE_FIRST: usize = 1_777;

const DEFINITION: &str = "
    CREATE TABLE CITIZENS (
        FIN TEXT PRIMARY KEY, SOYAD TEXT, AD TEXT, ATA_ADI TEXT, DOGUM INTEGER, OLUM INTEGER, CINS TEXT,
        DOGUM_YERI TEXT, AILE TEXT, ATA_FIN TEXT, ANA_FIN TEXT, ER_ARVAD_FIN TEXT, UNVAN_ID INTEGER, SENED_NO TEXT,
        SENED_TARIX INTEGER, BOY TEXT, TELEFON TEXT, SAG TEXT, KOHNE_AD BLOB, SEKIL BLOB, DEYISHDI INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX CITIZENS_SOYAD ON CITIZENS (SOYAD);
    CREATE INDEX CITIZENS_DOGUM ON CITIZENS (DOGUM);
    CREATE TABLE UNVANLAR (
        ID INTEGER PRIMARY KEY, RAYON TEXT, SEHER TEXT, KUCHE TEXT, EV TEXT, MENZIL TEXT, POCT INTEGER
    );
    CREATE TABLE USHAQLAR (VALIDEYN_FIN TEXT, SIRA INTEGER, USHAQ_FIN TEXT, PRIMARY KEY (VALIDEYN_FIN, SIRA)) WITHOUT ROWID;
    CREATE TABLE VETENDASHLIQ (
        FIN TEXT, SIRA INTEGER, OLKE TEXT, ALDI INTEGER, ITIRDI INTEGER, PRIMARY KEY (FIN, SIRA)
    ) WITHOUT ROWID;
    CREATE TABLE RAYONLAR (KOD TEXT PRIMARY KEY, AD TEXT) WITHOUT ROWID;
";

#[derive(Default)]
struct Rows {
    citizens: Vec<Vec<Cell>>,
    addresses: Vec<Vec<Cell>>,
    children: Vec<Vec<Cell>>,
    citizenships: Vec<Vec<Cell>>,
}

impl Rows {
    fn of(people: &People, seed: u64) -> Self {
        let mut random = Random::new(seed, "population");
        let mut rows = Self::default();
        for (place, person) in people.all.iter().enumerate() {
            rows.citizens.push(citizen(people, place, &mut random));
            rows.add_children(people, person);
            rows.add_citizenships(person, &mut random);
        }
        for (place, home) in people.homes.iter().enumerate() {
            let region = REGIONS[home.region];
            let flat = home.flat.map_or(Cell::from(""), |flat| Cell::from(format!("{flat:03}")));
            rows.addresses.push(vec![
                number_of(place).into(),
                region.code.into(),
                format!("{:<16}", region.name).into(),
                home.street.into(),
                home.house.to_string().into(),
                flat,
                // An integer loses the zeros in front: AZ0101 is kept as 101.
                home.postcode.into(),
            ]);
        }
        rows
    }

    fn add_children(&mut self, people: &People, person: &Person) {
        for (place, child) in person.children.iter().enumerate() {
            let child = people.all[*child].pin.as_str();
            self.children.push(vec![person.pin.as_str().into(), (number_of(place) + 1).into(), child.into()]);
        }
    }

    fn add_citizenships(&mut self, person: &Person, random: &mut Random) {
        let born = person.born.number();
        let pin = person.pin.as_str();
        self.citizenships.push(vec![pin.into(), 1.into(), "AZE".into(), born.into(), 0.into()]);
        if pin != HEROINE && random.per_mille(12) {
            let (country, lost) = *random.pick(&[("RUS", 99_991_231), ("TUR", 0), ("GEO", 20_140_611), ("643", 0)]);
            let since = person.born.years_later(20).number().min(TODAY.number());
            self.citizenships.push(vec![pin.into(), 2.into(), country.into(), since.into(), i64::into(lost)]);
        }
    }

    fn into_tables(self) -> Vec<Table> {
        let regions = REGIONS.iter().map(|region| vec![region.code.into(), region.name.into()]).collect();
        vec![
            Table { insert: INSERT_CITIZENS, rows: self.citizens },
            Table { insert: "INSERT INTO UNVANLAR (ID, RAYON, SEHER, KUCHE, EV, MENZIL, POCT) ", rows: self.addresses },
            Table { insert: "INSERT INTO USHAQLAR (VALIDEYN_FIN, SIRA, USHAQ_FIN) ", rows: self.children },
            Table { insert: "INSERT INTO VETENDASHLIQ (FIN, SIRA, OLKE, ALDI, ITIRDI) ", rows: self.citizenships },
            Table { insert: "INSERT INTO RAYONLAR (KOD, AD) ", rows: regions },
        ]
    }
}

const INSERT_CITIZENS: &str = "INSERT INTO CITIZENS (FIN, SOYAD, AD, ATA_ADI, DOGUM, OLUM, CINS, DOGUM_YERI, AILE, \
     ATA_FIN, ANA_FIN, ER_ARVAD_FIN, UNVAN_ID, SENED_NO, SENED_TARIX, BOY, TELEFON, SAG, KOHNE_AD, SEKIL, DEYISHDI) ";

fn citizen(people: &People, place: usize, random: &mut Random) -> Vec<Cell> {
    let person = &people.all[place];
    let shown = person.pin == HEROINE;
    let drawn = Spelling::draw(person.born.year, random);
    let spelling = if shown { Spelling::Blanks } else { drawn };
    let pin_of = |other: Option<usize>| other.map_or("", |other| people.all[other].pin.as_str());
    let photo = photo::draw(random);
    vec![
        person.pin.as_str().into(),
        if shown { format!("{} ", person.family).into() } else { spelling.write(&person.family, random).into() },
        spelling.write(&person.given, random).into(),
        spelling.write(&person.patronymic, random).into(),
        if shown { 19_780_300.into() } else { birth(person.born, random).into() },
        death(person.died, random).into(),
        sex(place, person, random).into(),
        format!("{:0>3}", REGIONS[person.birthplace].code).into(),
        marital_status(people, person).into(),
        pin_of(person.father).into(),
        pin_of(person.mother).into(),
        pin_of(person.spouse).into(),
        number_of(person.home).into(),
        document(person, random),
        if person.age() >= 16 { person.born.years_later(16).number().into() } else { 0.into() },
        height(person, random).into(),
        phone(person, random).into(),
        if person.died.is_none() { "B".into() } else { "X".into() },
        (person.born.year < 1992).then(|| code_page_1254(&person.full_name())).into(),
        (person.age() >= 16).then_some(photo).into(),
        (700_000_000 + number_of(random.below(150_000_000))).into(),
    ]
}

/// Old rows know only the year, or the year and the month.
fn birth(born: Day, random: &mut Random) -> i64 {
    match random.below(1000) {
        0..=29 if born.year < 1960 => Day { month: 0, day: 0, ..born }.number(),
        30..=69 if born.year < 1985 => Day { day: 0, ..born }.number(),
        _ => born.number(),
    }
}

/// The living have 0, and where a later program wrote, the last day there is.
fn death(died: Option<Day>, random: &mut Random) -> i64 {
    match died {
        Some(day) => day.number(),
        None if random.per_mille(300) => 99_991_231,
        None => 0,
    }
}

/// K for kişi and Q for qadın; M and J from the years when the forms were Russian.
fn sex(place: usize, person: &Person, random: &mut Random) -> &'static str {
    let is_old = person.born.year < 1970 && random.per_mille(20);
    if place % 2_000 == UNREADABLE_FIRST {
        return UNKNOWN_SEX;
    }
    match (person.is_woman, is_old) {
        (false, false) => "K",
        (false, true) => "M",
        (true, false) => "Q",
        (true, true) => "J",
    }
}

/// S subay (single), E evli (married), D dul (widowed).
fn marital_status(people: &People, person: &Person) -> &'static str {
    match person.spouse.map(|spouse| people.all[spouse].died.is_some()) {
        None => "S",
        Some(true) => "D",
        Some(false) => "E",
    }
}

/// Numbers of two series, some with the blanks of the form.
fn document(person: &Person, random: &mut Random) -> Cell {
    if person.age() < 16 {
        return "".into();
    }
    let number = random.below(10_000_000);
    if person.born.year < 1990 && random.per_mille(400) {
        format!("AZE {number:08}").into()
    } else {
        format!("AA{number:07}").into()
    }
}

/// Metres with an implied point, as text with zeros in front: 00174 is 1.74.
fn height(person: &Person, random: &mut Random) -> String {
    let centimetres = random.between(if person.is_woman { 152 } else { 162 }, if person.is_woman { 178 } else { 192 });
    if person.age() < 18 { String::new() } else { format!("{centimetres:05}") }
}

fn phone(person: &Person, random: &mut Random) -> String {
    let number = random.below(10_000_000);
    if person.age() < 16 || random.per_mille(150) {
        return String::new();
    }
    let operator = random.pick(&["050", "051", "055", "070", "077", "099"]);
    let digits = format!("{number:07}");
    match random.below(3) {
        0 => format!("{operator}{digits}"),
        1 => format!("({operator}) {}-{}-{}", &digits[..3], &digits[3..5], &digits[5..]),
        _ => format!("+994{}{digits}", &operator[1..]),
    }
}

/// A place as a number that a database takes.
fn number_of(place: usize) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(rows: &Rows, place: usize) -> Vec<&Cell> {
        rows.citizens.iter().map(|row| &row[place]).collect()
    }

    fn texts(cells: &[&Cell], holds: impl Fn(&str) -> bool) -> usize {
        cells.iter().filter(|cell| matches!(cell, Cell::Text(text) if holds(text))).count()
    }

    fn numbers(cells: &[&Cell], holds: impl Fn(i64) -> bool) -> usize {
        cells.iter().filter(|cell| matches!(cell, Cell::Int(number) if holds(*number))).count()
    }

    #[test]
    fn every_kind_of_dirt_is_present_and_most_rows_are_clean() {
        let people = People::generate(10_000, 1);
        let rows = Rows::of(&people, 1);
        let (family, patronymic) = (column(&rows, 1), column(&rows, 3));
        let (birth, death, sex) = (column(&rows, 4), column(&rows, 5), column(&rows, 6));
        let cyrillic = |text: &str| text.chars().any(|letter| ('\u{400}'..'\u{500}').contains(&letter));
        let upper = |text: &str| text.chars().filter(|c| c.is_alphabetic()).all(char::is_uppercase);
        for (kind, count, range) in [
            ("outer blanks", texts(&family, |text| text.trim() != text), 400..1_200),
            ("double blanks", texts(&patronymic, |text| text.trim().contains("  ")), 80..300),
            ("Cyrillic", texts(&family, cyrillic), 40..250),
            ("upper case", texts(&family, upper), 250..600),
            ("unknown day", numbers(&birth, |day| day % 100 == 0 && day % 10_000 != 0), 80..600),
            ("unknown month", numbers(&birth, |day| day % 10_000 == 0), 30..250),
            ("no death as 0", numbers(&death, |day| day == 0), 4_000..9_000),
            ("no death as the last day", numbers(&death, |day| day == 99_991_231), 1_500..4_000),
            ("old codes", texts(&sex, |code| matches!(code, "M" | "J")), 10..200),
            ("unknown codes", texts(&sex, |code| code == UNKNOWN_SEX), 4..6),
            ("no names in the old code page", column(&rows, 18).iter().filter(|c| ***c == Cell::Null).count(), 2_000..7_500),
        ] {
            assert!(range.contains(&count), "{kind}: {count}");
        }
        let known = sex.iter().filter(|cell| matches!(cell, Cell::Text(code) if matches!(code.as_str(), "K" | "Q"))).count();
        assert!(known > 9_700, "{known}");
    }

    #[test]
    fn the_old_code_page_holds_names_that_can_still_be_read() {
        let people = People::generate(3, 1);
        let rows = Rows::of(&people, 1);
        let Cell::Blob(bytes) = &rows.citizens[0][18] else { panic!("the name in the old code page") };
        let (text, _, had_errors) = encoding_rs::WINDOWS_1254.decode(bytes);
        assert!(!had_errors);
        assert_eq!(text, "Äliyeva Aygün Räşid qızı");
    }
}
