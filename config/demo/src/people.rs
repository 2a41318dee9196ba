//! The people and their families, as they truly are: before any registry wrote them down.

use std::collections::BTreeSet;

use crate::calendar::{Day, TODAY, month_length};
use crate::names;
use crate::places::{self, REGIONS, STREETS};
use crate::random::Random;

/// The personal identification number of the person that the documentation and the pasteable commands show.
pub const HEROINE: &str = "5ZJBKH7";

/// The characters of a personal identification number: no I and no O, which are taken for 1 and 0.
const PIN_LETTERS: &[u8; 34] = b"0123456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// A citizen. Others are named by their place in [`People::all`].
#[derive(Debug, Clone)]
pub struct Person {
    pub pin: String,
    pub is_woman: bool,
    pub family: String,
    pub given: String,
    pub patronymic: String,
    pub born: Day,
    pub died: Option<Day>,
    /// The region of birth, in [`REGIONS`].
    pub birthplace: usize,
    /// The place of the household in [`People::homes`].
    pub home: usize,
    pub father: Option<usize>,
    pub mother: Option<usize>,
    pub spouse: Option<usize>,
    pub children: Vec<usize>,
}

impl Person {
    /// Full years of age, today or on the day of death.
    #[must_use]
    pub fn age(&self) -> i32 {
        let end = self.died.unwrap_or(TODAY);
        let had_birthday = (end.month, end.day) >= (self.born.month, self.born.day);
        end.year - self.born.year - i32::from(!had_birthday)
    }

    /// Whether they are alive and of an age at which they are nobody's customer yet.
    #[must_use]
    pub fn is_child(&self) -> bool {
        self.died.is_none() && (1..15).contains(&self.age())
    }

    /// Family name, given name and patronymic in one text.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{} {} {}", self.family, self.given, self.patronymic)
    }
}

/// A household's address.
#[derive(Debug, Clone)]
pub struct Home {
    /// In [`REGIONS`].
    pub region: usize,
    pub street: &'static str,
    pub house: i32,
    pub flat: Option<i32>,
    /// Four digits; they follow `AZ`.
    pub postcode: i32,
}

/// Everyone, and where they live.
#[derive(Debug, Clone)]
pub struct People {
    pub all: Vec<Person>,
    pub homes: Vec<Home>,
}

impl People {
    /// Makes so many people, and at least the five of the documentation; the same ones from the same seed.
    #[must_use]
    pub fn generate(count: usize, seed: u64) -> Self {
        let mut making = Making {
            random: Random::new(seed, "people"),
            pins: BTreeSet::new(),
            people: Self { all: Vec::with_capacity(count), homes: Vec::new() },
            single: [Vec::new(), Vec::new()],
            couples: Vec::new(),
            count,
        };
        making.first_family();
        while !making.is_full() {
            making.found_a_family();
            while let Some(couple) = making.couples.pop() {
                making.bring_up_children(couple);
            }
        }
        making.people
    }

    /// The person with this number.
    #[must_use]
    pub fn by_pin(&self, pin: &str) -> Option<&Person> {
        self.all.iter().find(|person| person.pin == pin)
    }
}

/// A husband and a wife, by place.
#[derive(Clone, Copy)]
struct Couple {
    husband: usize,
    wife: usize,
}

struct Making {
    random: Random,
    pins: BTreeSet<String>,
    people: People,
    /// Adults who look for a spouse: men, then women.
    single: [Vec<usize>; 2],
    /// Couples whose children are not born yet.
    couples: Vec<Couple>,
    count: usize,
}

impl Making {
    fn is_full(&self) -> bool {
        self.people.all.len() >= self.count
    }

    /// The family that the documentation shows: the same under every seed.
    fn first_family(&mut self) {
        let home = self.home(0, "Nizami küçəsi", 14, Some(7));
        let wife = self.person(true, "Əliyev", "Aygün", "Rəşid", Day { year: 1978, month: 3, day: 14 }, home);
        let husband = self.person(false, "Əliyev", "Elçin", "Tofiq", Day { year: 1975, month: 11, day: 2 }, home);
        self.people.all[wife].pin = HEROINE.into();
        self.people.all[husband].pin = "4WTR2PX".into();
        self.marry(Couple { husband, wife });
        self.couples.clear();
        for (pin, given, is_woman, born) in [
            ("6DQ0N1M", "Murad", false, Day { year: 2004, month: 5, day: 21 }),
            ("7K2VXA9", "Nigar", true, Day { year: 2008, month: 9, day: 1 }),
            ("8A5LH3C", "Ülvi", false, Day { year: 2015, month: 2, day: 28 }),
        ] {
            let child = self.child(Couple { husband, wife }, is_woman, given, born);
            self.people.all[child].pin = pin.into();
        }
        for place in [wife, husband] {
            self.people.all[place].died = None;
        }
        for person in &self.people.all {
            self.pins.insert(person.pin.clone());
        }
    }

    /// A couple whose parents nobody wrote down.
    fn found_a_family(&mut self) {
        let region = places::by_weight(self.random.below(1 << 20));
        let year = self.random.between(1931, 1972);
        let home = self.random_home(region);
        let husband = self.stranger(false, year, home);
        if self.is_full() {
            return;
        }
        let gap = self.random.between(-1, 7);
        let wife = self.stranger(true, year + gap, home);
        self.marry(Couple { husband, wife });
    }

    fn stranger(&mut self, is_woman: bool, year: i32, home: usize) -> usize {
        let family = *self.random.pick(names::FAMILIES);
        let given = *self.random.pick(if is_woman { names::WOMEN } else { names::MEN });
        let father = *self.random.pick(names::MEN);
        let born = self.day_in(year);
        self.person(is_woman, family, given, father, born, home)
    }

    fn marry(&mut self, couple: Couple) {
        let home = self.people.all[couple.husband].home;
        let wife = &mut self.people.all[couple.wife];
        wife.spouse = Some(couple.husband);
        wife.home = home;
        self.people.all[couple.husband].spouse = Some(couple.wife);
        self.couples.push(couple);
    }

    fn bring_up_children(&mut self, couple: Couple) {
        let mother_born = self.people.all[couple.wife].born.year;
        let most = if mother_born < 1955 { 5 } else { 3 };
        let mut year = mother_born + self.random.between(19, 27);
        for _ in 0..self.random.between(0, most) {
            if self.is_full() || year > TODAY.year || year > mother_born + 44 {
                return;
            }
            let is_woman = self.random.per_mille(475);
            let born = self.day_in(year);
            if born <= TODAY && self.parents_live_on(couple, born) {
                let given = *self.random.pick(if is_woman { names::WOMEN } else { names::MEN });
                let child = self.child(couple, is_woman, given, born);
                self.look_for_a_spouse(child);
            }
            year += self.random.between(1, 5);
        }
    }

    fn parents_live_on(&self, couple: Couple, day: Day) -> bool {
        [couple.husband, couple.wife].iter().all(|parent| self.people.all[*parent].died.is_none_or(|died| died > day))
    }

    fn child(&mut self, couple: Couple, is_woman: bool, given: &str, born: Day) -> usize {
        let father = &self.people.all[couple.husband];
        let (family, father_given, home) = (father.family.clone(), father.given.clone(), father.home);
        let child = self.person(is_woman, &family, given, &father_given, born, home);
        let record = &mut self.people.all[child];
        record.father = Some(couple.husband);
        record.mother = Some(couple.wife);
        for parent in [couple.husband, couple.wife] {
            self.people.all[parent].children.push(child);
        }
        child
    }

    /// An adult child finds someone of near age who is no sibling and moves out, or goes on looking.
    fn look_for_a_spouse(&mut self, seeker: usize) {
        let (is_woman, born, father, died) = {
            let person = &self.people.all[seeker];
            (person.is_woman, person.born.year, person.father, person.died)
        };
        if born > 2003 || died.is_some() || !self.random.per_mille(850) {
            return;
        }
        let found = self.single[usize::from(!is_woman)].iter().position(|other| {
            let other = &self.people.all[*other];
            // Husbands are up to seven years older, wives up to two.
            let lead = if is_woman { born - other.born.year } else { other.born.year - born };
            (-2..=7).contains(&lead) && other.father != father
        });
        let Some(found) = found else {
            self.single[usize::from(is_woman)].push(seeker);
            return;
        };
        let partner = self.single[usize::from(!is_woman)].swap_remove(found);
        let (husband, wife) = if is_woman { (partner, seeker) } else { (seeker, partner) };
        let capital = self.random.per_mille(250);
        let region = if capital { 0 } else { self.people.homes[self.people.all[husband].home].region };
        self.people.all[husband].home = self.random_home(region);
        self.marry(Couple { husband, wife });
    }

    fn person(&mut self, is_woman: bool, family: &str, given: &str, father: &str, born: Day, home: usize) -> usize {
        let pin = self.pin();
        let died = self.death(born);
        self.people.all.push(Person {
            pin,
            is_woman,
            family: if is_woman { names::of_a_woman(family) } else { family.to_owned() },
            given: given.to_owned(),
            patronymic: names::patronymic(father, is_woman),
            born,
            died,
            birthplace: self.people.homes[home].region,
            home,
            father: None,
            mother: None,
            spouse: None,
            children: Vec::new(),
        });
        self.people.all.len() - 1
    }

    fn pin(&mut self) -> String {
        loop {
            let pin: String = (0..7).map(|_| char::from(*self.random.pick(PIN_LETTERS))).collect();
            if self.pins.insert(pin.clone()) {
                return pin;
            }
        }
    }

    fn death(&mut self, born: Day) -> Option<Day> {
        let share = match born.year {
            ..=1939 => 780,
            1940..=1949 => 520,
            1950..=1959 => 230,
            1960..=1979 => 60,
            _ => 8,
        };
        if !self.random.per_mille(share) {
            return None;
        }
        // The registry begins in 1992: who died before stands in paper books only.
        let year = self.random.between((born.year + 1).max(1992), TODAY.year);
        let day = self.day_in(year);
        (day <= TODAY && day > born).then_some(day)
    }

    fn day_in(&mut self, year: i32) -> Day {
        let month = self.random.between(1, 12);
        Day { year, month, day: self.random.between(1, month_length(year, month)) }
    }

    fn random_home(&mut self, region: usize) -> usize {
        let street = *self.random.pick(STREETS);
        let house = self.random.between(1, 180);
        let in_a_block = self.random.per_mille(if region == 0 { 750 } else { 350 });
        let flat = in_a_block.then(|| self.random.between(1, 96));
        self.home(region, street, house, flat)
    }

    fn home(&mut self, region: usize, street: &'static str, house: i32, flat: Option<i32>) -> usize {
        let postcode = i32::from(REGIONS[region].postcode) + self.random.between(0, 60);
        self.people.homes.push(Home { region, street, house, flat, postcode });
        self.people.homes.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_people_and_another_seed_others() {
        let listed = |seed| format!("{:?}", People::generate(2_000, seed));
        assert_eq!(listed(1), listed(1));
        assert_ne!(listed(1), listed(2));
    }

    #[test]
    fn every_number_has_the_form_and_is_given_once() {
        let people = People::generate(10_000, 1);
        assert_eq!(people.all.len(), 10_000);
        let form = |pin: &str| pin.len() == 7 && pin.bytes().all(|byte| PIN_LETTERS.contains(&byte));
        assert!(people.all.iter().all(|person| form(&person.pin)));
        let different: BTreeSet<&str> = people.all.iter().map(|person| person.pin.as_str()).collect();
        assert_eq!(different.len(), 10_000);
    }

    #[test]
    fn families_hold_together() {
        let people = People::generate(10_000, 3);
        for (place, person) in people.all.iter().enumerate() {
            assert!((1930..=2026).contains(&person.born.year), "{}", person.born.year);
            for parent in [person.father, person.mother].into_iter().flatten() {
                let parent = &people.all[parent];
                assert!(parent.children.contains(&place));
                assert!(person.born.year - parent.born.year >= 15);
            }
            if let Some(spouse) = person.spouse {
                let spouse = &people.all[spouse];
                assert_eq!(spouse.spouse, Some(place));
                assert_eq!(spouse.home, person.home);
                assert_ne!(spouse.is_woman, person.is_woman);
            }
        }
        let count = |holds: fn(&Person) -> bool| people.all.iter().filter(|person| holds(person)).count();
        assert!(count(|person| person.father.is_some()) > 5_000);
        assert!(count(|person| person.spouse.is_some()) > 3_000);
        assert!((300..4_000).contains(&count(|person| person.died.is_some())));
        assert!(count(|person| person.is_woman) > 4_000);
    }

    #[test]
    fn the_person_of_the_documentation_is_there_under_every_seed() {
        for seed in [1, 2, 99] {
            let people = People::generate(100, seed);
            let heroine = people.by_pin(HEROINE).expect("the person of the documentation");
            assert_eq!(heroine.full_name(), "Əliyeva Aygün Rəşid qızı");
            assert_eq!(heroine.children.len(), 3);
        }
    }
}
