//! The diplomas of the country, as the ministry of education knows them.

use crate::calendar::{Day, TODAY};
use crate::people::{HEROINE, People, Person};
use crate::random::Random;

/// The number of the diploma that the documentation shows.
pub const SHOWN_DIPLOMA: &str = "BB-200017";

/// A diploma or a certificate.
#[derive(Debug, Clone)]
pub struct Diploma {
    pub number: String,
    pub pin: String,
    /// As it was when the document was issued: a woman's name may have changed since.
    pub name: String,
    /// The code of the level: 2 complete secondary, 3 vocational, 5 bachelor, 6 master, 8 doctorate.
    pub level: i32,
    pub institution: (&'static str, &'static str),
    pub speciality: Option<&'static str>,
    pub has_honours: bool,
    pub issued: Day,
    /// 1 valid, 2 replaced, 3 revoked.
    pub status: i32,
}

const SCHOOLS: &[(&str, &str)] = &[
    ("1006", "6 nömrəli tam orta məktəb"),
    ("1023", "23 nömrəli tam orta məktəb"),
    ("1132", "132-134 nömrəli liseykompleks"),
    ("1190", "190 nömrəli tam orta məktəb"),
    ("1287", "287 nömrəli Zəkalar liseyi"),
];

const COLLEGES: &[(&str, &str)] = &[("3011", "Sənaye Texnologiyaları Peşə Liseyi"), ("3017", "Tikinti Peşə Məktəbi")];

const UNIVERSITIES: &[(&str, &str)] = &[
    ("5001", "Nümunə Dövlət Universiteti"),
    ("5002", "Xəzəryanı Texniki Universitet"),
    ("5003", "Cənub Pedaqoji Universiteti"),
    ("5004", "Şərq Tibb Universiteti"),
    ("5005", "Gəncəbasar Aqrar Universiteti"),
    ("5006", "İqtisadiyyat Akademiyası"),
];

const SPECIALITIES: &[&str] = &[
    "Hüquqşünaslıq",
    "Mühasibat uçotu və audit",
    "Kompüter elmləri",
    "İbtidai sinif müəllimliyi",
    "Müalicə işi",
    "Neft-qaz mühəndisliyi",
    "Aqronomluq",
    "Filologiya",
    "Memarlıq",
    "Beynəlxalq münasibətlər",
    "Dizayn",
    "Baytarlıq",
];

/// Makes the diplomas of these people, in the order of their numbers; the same ones from the same seed.
#[must_use]
pub fn diplomas(people: &People, seed: u64) -> Vec<Diploma> {
    let mut random = Random::new(seed, "diplomas");
    let mut diplomas: Vec<Diploma> = people.by_pin(HEROINE).map(shown).into_iter().collect();
    for person in people.all.iter().filter(|person| person.pin != HEROINE && person.born.year >= 1945) {
        if person.age() >= 18 && random.per_mille(620) {
            diplomas.push(school_leaving(person, diplomas.len(), &mut random));
        }
        if person.age() >= 23 && random.per_mille(260) {
            diplomas.push(degree(person, diplomas.len(), &mut random));
        }
    }
    diplomas.sort_by(|a, b| a.number.cmp(&b.number));
    diplomas
}

fn shown(holder: &Person) -> Diploma {
    Diploma {
        number: SHOWN_DIPLOMA.into(),
        pin: holder.pin.clone(),
        name: "Səfərova Aygün Rəşid qızı".into(),
        level: 5,
        institution: UNIVERSITIES[2],
        speciality: Some("Filologiya"),
        has_honours: true,
        issued: Day { year: 1999, month: 6, day: 25 },
        status: 1,
    }
}

fn school_leaving(person: &Person, serial: usize, random: &mut Random) -> Diploma {
    let is_vocational = random.per_mille(180);
    Diploma {
        number: format!("{}-{:06}", if is_vocational { "PT" } else { "A" }, 300_000 + serial),
        pin: person.pin.clone(),
        name: person.full_name(),
        level: if is_vocational { 3 } else { 2 },
        institution: *random.pick(if is_vocational { COLLEGES } else { SCHOOLS }),
        speciality: None,
        has_honours: random.per_mille(50),
        issued: graduation(person, 18, random),
        status: status(random),
    }
}

fn degree(person: &Person, serial: usize, random: &mut Random) -> Diploma {
    let (series, level, age) = match random.below(100) {
        0..=74 => ("BB", 5, 22),
        75..=97 => ("MM", 6, 24),
        _ => ("DF", 8, 30),
    };
    Diploma {
        number: format!("{series}-{:06}", 300_000 + serial),
        pin: person.pin.clone(),
        name: person.full_name(),
        level,
        institution: *random.pick(UNIVERSITIES),
        speciality: Some(*random.pick(SPECIALITIES)),
        has_honours: random.per_mille(90),
        issued: graduation(person, age, random),
        status: status(random),
    }
}

fn graduation(person: &Person, age: i32, random: &mut Random) -> Day {
    let year = (person.born.year + age).min(TODAY.year - 1);
    Day { year, month: 6, day: random.between(10, 30) }
}

fn status(random: &mut Random) -> i32 {
    match random.below(1000) {
        0..=24 => 2,
        25..=29 => 3,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_diploma_has_a_number_of_its_own() {
        let people = People::generate(3_000, 6);
        let diplomas = diplomas(&people, 6);
        assert!(diplomas.len() > 800, "{}", diplomas.len());
        assert!(diplomas.is_sorted_by(|a, b| a.number < b.number));
    }
}
