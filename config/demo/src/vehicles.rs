//! The vehicles of the country, as the traffic police knows them.

use crate::calendar::{Day, TODAY, month_length};
use crate::people::{HEROINE, People, Person};
use crate::places::REGIONS;
use crate::random::Random;

/// The number plate that the documentation shows.
pub const SHOWN_PLATE: &str = "10-RA-777";

/// A vehicle.
#[derive(Debug, Clone)]
pub struct Vehicle {
    pub plate: String,
    pub vin: String,
    pub make: &'static str,
    pub model: &'static str,
    pub year: i32,
    /// The code of the colour: two digits, or 99 where nobody looked.
    pub colour: &'static str,
    /// B petrol, D diesel, Q gas, E electric.
    pub fuel: &'static str,
    pub engine_ccm: i32,
    pub owner: String,
    pub owner_name: String,
    pub registered: Day,
    /// A active, W wanted, S scrapped.
    pub status: &'static str,
    pub inspections: Vec<Inspection>,
}

/// A technical inspection.
#[derive(Debug, Clone)]
pub struct Inspection {
    pub on: Day,
    pub passed: bool,
    pub kilometres: i32,
}

const MODELS: &[(&str, &str, i32)] = &[
    ("LADA", "Priora", 1596),
    ("LADA", "Niva", 1690),
    ("VAZ", "2107", 1568),
    ("GAZ", "Volqa 3110", 2445),
    ("HYUNDAI", "Elantra", 1591),
    ("HYUNDAI", "Accent", 1396),
    ("KIA", "Rio", 1396),
    ("KIA", "Sportage", 1999),
    ("TOYOTA", "Corolla", 1598),
    ("TOYOTA", "Camry", 2494),
    ("TOYOTA", "Prius", 1798),
    ("CHEVROLET", "Cobalt", 1485),
    ("CHEVROLET", "Cruze", 1796),
    ("MERCEDES-BENZ", "E 220", 2148),
    ("MERCEDES-BENZ", "C 180", 1595),
    ("BMW", "520", 1995),
    ("OPEL", "Astra", 1598),
    ("NISSAN", "Sunny", 1498),
    ("FORD", "Transit", 2198),
    ("MITSUBISHI", "Pajero", 2972),
    ("KHAZAR", "SD", 1761),
    ("BYD", "Song Plus", 0),
];

const COLOURS: &[&str] = &["01", "02", "03", "04", "05", "06", "07", "08"];
const VIN_LETTERS: &[u8] = b"ABCDEFGHJKLMNPRSTUVWXYZ0123456789";
const PLATE_LETTERS: &[u8] = b"ABCDEFGHJKLMNOPRSTUVXYZ";

/// Makes the vehicles of these people, in the order of their plates; the same ones from the same seed.
#[must_use]
pub fn vehicles(people: &People, seed: u64) -> Vec<Vehicle> {
    let mut random = Random::new(seed, "vehicles");
    let mut vehicles: Vec<Vehicle> = people.by_pin(HEROINE).map(shown).into_iter().collect();
    for person in people.all.iter().filter(|person| person.pin != HEROINE && person.died.is_none()) {
        let share = if person.is_woman { 160 } else { 470 };
        if (18..85).contains(&person.age()) && random.per_mille(share) {
            let vehicle = drawn(people, person, &mut random);
            if vehicle.plate != SHOWN_PLATE {
                vehicles.push(vehicle);
            }
        }
    }
    vehicles.sort_by(|a, b| a.plate.cmp(&b.plate));
    vehicles.dedup_by(|a, b| a.plate == b.plate);
    vehicles
}

fn shown(owner: &Person) -> Vehicle {
    Vehicle {
        plate: SHOWN_PLATE.into(),
        vin: "KMHDH41EBCU123456".into(),
        make: "HYUNDAI",
        model: "Elantra",
        year: 2012,
        colour: "03",
        fuel: "B",
        engine_ccm: 1591,
        owner: owner.pin.clone(),
        owner_name: owner.full_name(),
        registered: Day { year: 2019, month: 8, day: 16 },
        status: "A",
        inspections: vec![
            Inspection { on: Day { year: 2023, month: 8, day: 2 }, passed: false, kilometres: 148_200 },
            Inspection { on: Day { year: 2023, month: 8, day: 21 }, passed: true, kilometres: 148_950 },
            Inspection { on: Day { year: 2025, month: 8, day: 4 }, passed: true, kilometres: 171_030 },
        ],
    }
}

fn drawn(people: &People, owner: &Person, random: &mut Random) -> Vehicle {
    let (make, model, engine_ccm) = *random.pick(MODELS);
    let year = random.between(1985.max(owner.born.year + 10), TODAY.year - 1);
    let registered_year = random.between(year.max(owner.born.year + 18).min(TODAY.year - 1), TODAY.year - 1);
    let region = REGIONS[people.homes[owner.home].region].code;
    let region = if region == "10" { *random.pick(&["10", "77", "90", "99"]) } else { region };
    let letters: String = (0..2).map(|_| char::from(*random.pick(PLATE_LETTERS))).collect();
    let fuel = match (engine_ccm, random.below(10)) {
        (0, _) => "E",
        (_, 0..=1) => "D",
        (_, 2) => "Q",
        _ => "B",
    };
    Vehicle {
        plate: format!("{region}-{letters}-{:03}", random.between(1, 999)),
        vin: (0..17).map(|_| char::from(*random.pick(VIN_LETTERS))).collect(),
        make,
        model,
        year,
        colour: if random.per_mille(15) { "99" } else { random.pick::<&str>(COLOURS) },
        fuel,
        engine_ccm,
        owner: owner.pin.clone(),
        owner_name: owner.full_name(),
        registered: day_in(registered_year, random),
        status: match random.below(1000) {
            0..=9 => "W",
            10..=59 => "S",
            _ => "A",
        },
        inspections: inspections(registered_year, random),
    }
}

fn inspections(since: i32, random: &mut Random) -> Vec<Inspection> {
    let mut kilometres = random.between(0, 90_000);
    let mut inspections = Vec::new();
    let mut year = since.max(TODAY.year - 9);
    while year < TODAY.year {
        kilometres += random.between(3_000, 24_000);
        inspections.push(Inspection { on: day_in(year, random), passed: !random.per_mille(120), kilometres });
        year += random.between(1, 2);
    }
    inspections
}

fn day_in(year: i32, random: &mut Random) -> Day {
    let month = random.between(1, 12);
    Day { year, month, day: random.between(1, month_length(year, month)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vehicle_has_a_plate_of_its_own_and_an_owner_who_lives() {
        let people = People::generate(4_000, 2);
        let vehicles = vehicles(&people, 2);
        assert!(vehicles.len() > 500, "{}", vehicles.len());
        assert!(vehicles.is_sorted_by(|a, b| a.plate < b.plate));
        for vehicle in &vehicles {
            assert!(people.by_pin(&vehicle.owner).is_some_and(|owner| owner.died.is_none()));
            assert_eq!(vehicle.vin.len(), 17);
            assert!(vehicle.inspections.is_sorted_by(|a, b| a.kilometres < b.kilometres));
        }
        assert!(vehicles.iter().any(|vehicle| vehicle.plate == SHOWN_PLATE));
    }
}
