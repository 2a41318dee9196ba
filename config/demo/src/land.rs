//! The land register: parcels and flats in a database of the 2000s, with an implied point in every number.

use std::path::Path;

use crate::calendar::{Day, TODAY, month_length};
use crate::database::{Cell, Table, fill};
use crate::error::DemoError;
use crate::people::{HEROINE, People, Person};
use crate::places::{REGIONS, STREETS};
use crate::random::Random;

/// The registration number of the parcel that the documentation shows.
pub const SHOWN_PARCEL: &str = "102014000077";

/// A parcel or a flat.
#[derive(Debug, Clone)]
pub struct Parcel {
    pub number: String,
    /// The code of what it is: 1 land, 2 house, 3 flat, 4 business, 9 from books that were lost.
    pub kind: i32,
    pub region: usize,
    pub street: String,
    pub house: String,
    /// Hundredths of a square metre.
    pub area: i64,
    /// Value in hundredths of a manat (qəpik).
    pub value: i64,
    /// The day of the valuation, which is also the day of a mortgage.
    pub valued: Day,
    pub is_mortgaged: bool,
    pub owners: Vec<Share>,
}

/// An owner's share.
#[derive(Debug, Clone)]
pub struct Share {
    pub pin: String,
    pub numerator: i32,
    pub denominator: i32,
}

/// Makes the parcels of these people; the same ones from the same seed.
#[must_use]
pub fn parcels(people: &People, seed: u64) -> Vec<Parcel> {
    let mut random = Random::new(seed, "land");
    let mut parcels = vec![shown(people)];
    for person in people.all.iter().filter(|person| person.age() >= 21 && person.pin != HEROINE) {
        if random.per_mille(280) {
            let serial = parcels.len();
            parcels.push(drawn(people, person, serial, &mut random));
        }
    }
    parcels
}

/// Writes the register into a SQLite file.
///
/// # Errors
/// When the file can't be written.
pub async fn write(file: &Path, parcels: &[Parcel], seed: u64) -> Result<(), DemoError> {
    let tables = tables(parcels, seed);
    fill(file, DEFINITION, tables).await.map_err(|source| DemoError::Database { database: "land register", source })
}

const DEFINITION: &str = "
    CREATE TABLE EMLAK (
        REYESTR_NO TEXT PRIMARY KEY, NOV INTEGER, RAYON_KOD TEXT, KUCHE TEXT, EV TEXT, SAHE INTEGER, DEYER TEXT,
        QIYMET_IL INTEGER, QIYMET_AY INTEGER, QIYMET_GUN INTEGER, LEGV TEXT, SAYGAC INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE SAHIBLER (
        REYESTR_NO TEXT, SIRA INTEGER, FIN TEXT, SURET INTEGER, MEXREC INTEGER, PRIMARY KEY (REYESTR_NO, SIRA)
    ) WITHOUT ROWID;
    CREATE INDEX SAHIBLER_FIN ON SAHIBLER (FIN);
    CREATE TABLE YUKLULUK (
        REYESTR_NO TEXT, NOV TEXT, KIM TEXT, IL INTEGER, AY INTEGER, GUN INTEGER, SON INTEGER,
        PRIMARY KEY (REYESTR_NO, NOV)
    ) WITHOUT ROWID;
    CREATE TABLE RAYONLAR (KOD TEXT PRIMARY KEY, AD TEXT) WITHOUT ROWID;
";

fn shown(people: &People) -> Parcel {
    let owners: Vec<Share> = people.by_pin(HEROINE).map(|owner| both_halves(people, owner)).unwrap_or_default();
    Parcel {
        number: SHOWN_PARCEL.into(),
        kind: 3,
        region: 0,
        street: "Nizami küçəsi".into(),
        house: "14".into(),
        area: 8_450,
        value: 18_750_050,
        valued: Day { year: 2014, month: 4, day: 9 },
        is_mortgaged: true,
        owners,
    }
}

fn drawn(people: &People, owner: &Person, serial: usize, random: &mut Random) -> Parcel {
    let home = &people.homes[owner.home];
    let kind = match random.below(1000) {
        0..=349 => 1,
        350..=599 => 2,
        600..=949 => 3,
        950..=994 => 4,
        _ => 9,
    };
    let area = match kind {
        1 => random.between(20_000, 900_000),
        2 => random.between(6_000, 42_000),
        _ => random.between(2_800, 18_000),
    };
    let year = random.between((owner.born.year + 20).clamp(1998, TODAY.year - 1), TODAY.year - 1);
    let month = random.between(1, 12);
    let street = if kind == 1 { String::new() } else { (*random.pick(STREETS)).to_owned() };
    Parcel {
        number: format!("{}{year}{serial:06}", REGIONS[home.region].code),
        kind,
        region: home.region,
        house: if street.is_empty() { String::new() } else { random.between(1, 180).to_string() },
        street,
        area: area.into(),
        value: i64::from(area) * i64::from(random.between(80, 2_600)),
        valued: Day { year, month, day: random.between(1, month_length(year, month)) },
        is_mortgaged: kind != 1 && random.per_mille(220),
        owners: if random.per_mille(300) { both_halves(people, owner) } else { vec![whole(owner)] },
    }
}

fn whole(owner: &Person) -> Share {
    Share { pin: owner.pin.clone(), numerator: 1, denominator: 1 }
}

fn both_halves(people: &People, owner: &Person) -> Vec<Share> {
    let Some(spouse) = owner.spouse else { return vec![whole(owner)] };
    let half = |pin: &str| Share { pin: pin.to_owned(), numerator: 1, denominator: 2 };
    vec![half(&owner.pin), half(&people.all[spouse].pin)]
}

fn tables(parcels: &[Parcel], seed: u64) -> Vec<Table> {
    let mut random = Random::new(seed, "land dirt");
    let mut rows: [Vec<Vec<Cell>>; 3] = Default::default();
    for parcel in parcels {
        let [estates, shares, burdens] = &mut rows;
        estates.push(estate(parcel, &mut random));
        for (place, share) in (1i64..).zip(&parcel.owners) {
            let number = parcel.number.as_str().into();
            shares.push(vec![number, place.into(), share.pin.as_str().into(), share.numerator.into(), share.denominator.into()]);
        }
        if parcel.is_mortgaged {
            burdens.push(mortgage(parcel));
        }
    }
    let [estates, shares, burdens] = rows;
    let regions = REGIONS.iter().map(|region| vec![region.code.into(), region.name.into()]).collect();
    vec![
        Table { insert: INSERT_ESTATES, rows: estates },
        Table { insert: "INSERT INTO SAHIBLER (REYESTR_NO, SIRA, FIN, SURET, MEXREC) ", rows: shares },
        Table { insert: "INSERT INTO YUKLULUK (REYESTR_NO, NOV, KIM, IL, AY, GUN, SON) ", rows: burdens },
        Table { insert: "INSERT INTO RAYONLAR (KOD, AD) ", rows: regions },
    ]
}

fn mortgage(parcel: &Parcel) -> Vec<Cell> {
    let Day { year, month, day } = parcel.valued;
    let end = parcel.valued.years_later(20).number();
    vec![
        parcel.number.as_str().into(),
        "IP".into(),
        format!("{:<30}", "Nümunə Bank ASC").into(),
        year.into(),
        month.into(),
        day.into(),
        end.into(),
    ]
}

const INSERT_ESTATES: &str = "INSERT INTO EMLAK (REYESTR_NO, NOV, RAYON_KOD, KUCHE, EV, SAHE, DEYER, \
     QIYMET_IL, QIYMET_AY, QIYMET_GUN, LEGV, SAYGAC) ";

fn estate(parcel: &Parcel, random: &mut Random) -> Vec<Cell> {
    let street = if random.per_mille(40) { format!("{}   ", parcel.street) } else { parcel.street.clone() };
    vec![
        parcel.number.as_str().into(),
        parcel.kind.into(),
        REGIONS[parcel.region].code.into(),
        street.into(),
        parcel.house.as_str().into(),
        parcel.area.into(),
        format!("{:012}", parcel.value).into(),
        parcel.valued.year.into(),
        parcel.valued.month.into(),
        parcel.valued.day.into(),
        "X".into(),
        1.into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_numbers_are_given_once() {
        let people = People::generate(3_000, 5);
        let parcels = parcels(&people, 5);
        assert!(parcels.len() > 300, "{}", parcels.len());
        for parcel in &parcels {
            let whole: f64 = parcel.owners.iter().map(|share| f64::from(share.numerator) / f64::from(share.denominator)).sum();
            assert!((whole - 1.0).abs() < 1e-9, "{}", parcel.number);
            assert!(parcel.owners.iter().all(|share| people.by_pin(&share.pin).is_some()));
            assert_eq!(parcel.number.len(), 12);
        }
        let different: std::collections::BTreeSet<&str> = parcels.iter().map(|parcel| parcel.number.as_str()).collect();
        assert_eq!(different.len(), parcels.len());
    }
}
