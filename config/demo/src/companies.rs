//! The companies of the country and what they owe, as the tax service knows them.

use crate::calendar::{Day, TODAY, month_length};
use crate::names;
use crate::people::{HEROINE, People, Person};
use crate::places::{REGIONS, STREETS};
use crate::random::Random;

/// The tax number of the company that the documentation shows.
pub const SHOWN_COMPANY: &str = "1403778211";

/// A company.
#[derive(Debug, Clone)]
pub struct Company {
    /// Ten digits, the last one 1 for a legal person.
    pub tin: String,
    pub name: String,
    /// MMC, ASC, QSC, FS.
    pub form: &'static str,
    pub registered: Day,
    pub closed: Option<Day>,
    pub activity: (&'static str, &'static str),
    pub street: &'static str,
    pub house: i32,
    pub region: usize,
    pub director: String,
    pub director_name: String,
    pub founders: Vec<Founder>,
    /// Manat.
    pub capital: i64,
    pub is_vat_payer: bool,
    /// Hundredths of a manat; below zero where too much was paid.
    pub debt: i64,
    pub employees: i32,
}

impl Company {
    /// Whether it neither ended nor owes so much that it is suspended.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.closed.is_none() && self.debt <= 500_000
    }
}

/// A founder and their share in hundredths of a percent.
#[derive(Debug, Clone)]
pub struct Founder {
    pub pin: String,
    pub share: i32,
}

const FORMS: &[(&str, usize)] = &[("MMC", 820), ("FS", 960), ("QSC", 985), ("ASC", 1000)];

const ACTIVITIES: &[(&str, &str)] = &[
    ("47.11", "Ərzaq mağazaları"),
    ("45.20", "Avtomobillərin təmiri"),
    ("56.10", "Restoranlar"),
    ("41.20", "Tikinti"),
    ("62.01", "Proqramlaşdırma"),
    ("49.41", "Yük daşıma"),
    ("01.13", "Tərəvəzçilik"),
    ("01.21", "Üzümçülük"),
    ("10.71", "Çörəkçilik"),
    ("85.59", "Tədris mərkəzləri"),
    ("96.02", "Bərbərxanalar"),
    ("13.92", "Xalçaçılıq"),
];

const WORDS: &[&str] = &[
    "Xəzər",
    "Qala",
    "Nar",
    "İpək Yolu",
    "Günəş",
    "Çinar",
    "Şahdağ",
    "Kəpəz",
    "Göyçay",
    "Zirvə",
    "Araz",
    "Bahar",
    "Turan",
    "Səma",
    "Dəniz",
    "Ulduz",
    "Yaşıl Dünya",
    "Körpü",
    "Atlas",
    "Səhənd",
    "Odlar",
    "Abşeron",
    "Buta",
    "Zəfəran",
];

/// Makes the companies that these people direct, in the order of their numbers; the same ones from the same seed.
#[must_use]
pub fn companies(people: &People, seed: u64) -> Vec<Company> {
    let mut random = Random::new(seed, "companies");
    let mut companies: Vec<Company> = people.by_pin(HEROINE).map(|owner| shown(people, owner)).into_iter().collect();
    for person in people.all.iter().filter(|person| person.pin != HEROINE && person.died.is_none()) {
        if (22..75).contains(&person.age()) && random.per_mille(70) {
            let company = drawn(people, person, companies.len(), &mut random);
            companies.push(company);
        }
    }
    companies.sort_by(|a, b| a.tin.cmp(&b.tin));
    companies
}

fn shown(people: &People, owner: &Person) -> Company {
    let partner = owner.spouse.map(|spouse| people.all[spouse].pin.clone());
    let mut founders = vec![Founder { pin: owner.pin.clone(), share: 6_667 }];
    founders.extend(partner.map(|pin| Founder { pin, share: 3_333 }));
    Company {
        tin: SHOWN_COMPANY.into(),
        name: "\"Zəfəran Evi\" MMC".into(),
        form: "MMC",
        registered: Day { year: 2016, month: 10, day: 3 },
        closed: None,
        activity: ("56.10", "Restoranlar"),
        street: "Nizami küçəsi",
        house: 14,
        region: 0,
        director: owner.pin.clone(),
        director_name: owner.full_name(),
        founders,
        capital: 5_000,
        is_vat_payer: true,
        debt: 128_745,
        employees: 11,
    }
}

fn drawn(people: &People, director: &Person, serial: usize, random: &mut Random) -> Company {
    let region = people.homes[director.home].region;
    let first = random.below(1000);
    let form = FORMS.iter().find(|(_, until)| first < *until).map_or("MMC", |(form, _)| form);
    let name = if form == "FS" {
        director.full_name()
    } else {
        let family = director.family.trim_end_matches('a');
        match random.below(3) {
            0 => format!("\"{} {}\" {form}", random.pick(WORDS), random.pick(WORDS)),
            1 => format!("\"{}-{}\" {form}", random.pick(WORDS), random.between(2, 2020)),
            _ => format!("\"{family} və {}\" {form}", random.pick(names::FAMILIES)),
        }
    };
    let registered = day_in(random.between((director.born.year + 20).max(1996), TODAY.year - 1), random);
    let closed = random.per_mille(130).then(|| registered.years_later(random.between(1, 9))).filter(|day| *day <= TODAY);
    Company {
        tin: format!("{}{:06}{}1", 10 + region % 89, serial, random.below(10)),
        name,
        form,
        registered,
        closed,
        activity: *random.pick(ACTIVITIES),
        street: random.pick::<&str>(STREETS),
        house: random.between(1, 180),
        region,
        director: director.pin.clone(),
        director_name: director.full_name(),
        founders: founders(people, director, random),
        capital: i64::from(random.between(1, 200)) * 100,
        is_vat_payer: random.per_mille(380),
        debt: i64::from(if random.per_mille(300) { random.between(-40_000, 900_000) } else { 0 }),
        employees: random.between(1, 60),
    }
}

fn founders(people: &People, director: &Person, random: &mut Random) -> Vec<Founder> {
    match director.spouse {
        Some(spouse) if random.per_mille(250) => {
            let share = random.between(1, 99) * 100;
            let partner = people.all[spouse].pin.clone();
            vec![Founder { pin: director.pin.clone(), share }, Founder { pin: partner, share: 10_000 - share }]
        }
        _ => vec![Founder { pin: director.pin.clone(), share: 10_000 }],
    }
}

fn day_in(year: i32, random: &mut Random) -> Day {
    let month = random.between(1, 12);
    Day { year, month, day: random.between(1, month_length(year, month)) }
}

impl Company {
    /// The region's name as the tax service writes it.
    #[must_use]
    pub fn region_name(&self) -> &'static str {
        REGIONS[self.region].name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_company_has_a_number_of_its_own_and_founders_who_share_all_of_it() {
        let people = People::generate(6_000, 4);
        let companies = companies(&people, 4);
        assert!(companies.len() > 120, "{}", companies.len());
        assert!(companies.is_sorted_by(|a, b| a.tin < b.tin));
        for company in &companies {
            assert!(company.tin.len() == 10 && company.tin.ends_with('1') && company.tin.bytes().all(|b| b.is_ascii_digit()));
            assert_eq!(company.founders.iter().map(|founder| founder.share).sum::<i32>(), 10_000);
            assert!(people.by_pin(&company.director).is_some());
        }
    }
}
