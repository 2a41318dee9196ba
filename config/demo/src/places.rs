//! Regions, cities and streets.

/// A region: the code that also begins number plates, its name, its first postcode, and how many people live there
/// in proportion to the others.
#[derive(Debug, Clone, Copy)]
pub struct Region {
    pub code: &'static str,
    pub name: &'static str,
    pub postcode: u16,
    pub weight: usize,
}

const fn region(code: &'static str, name: &'static str, postcode: u16, weight: usize) -> Region {
    Region { code, name, postcode, weight }
}

/// The regions. The first is the capital.
pub const REGIONS: &[Region] = &[
    region("10", "Bakı", 1000, 230),
    region("20", "Gəncə", 2000, 33),
    region("50", "Sumqayıt", 5000, 35),
    region("01", "Abşeron", 100, 21),
    region("02", "Ağdam", 200, 20),
    region("03", "Ağdaş", 300, 11),
    region("04", "Ağcabədi", 400, 13),
    region("05", "Ağstafa", 500, 9),
    region("06", "Ağsu", 600, 8),
    region("07", "Astara", 700, 11),
    region("08", "Balakən", 800, 10),
    region("09", "Bərdə", 900, 15),
    region("11", "Beyləqan", 1200, 10),
    region("12", "Biləsuvar", 1300, 10),
    region("15", "Cəlilabad", 1500, 22),
    region("18", "Şirvan", 1800, 9),
    region("19", "Füzuli", 1900, 13),
    region("21", "Gədəbəy", 2100, 10),
    region("22", "Goranboy", 2200, 10),
    region("23", "Göyçay", 2300, 12),
    region("24", "Göygöl", 2500, 6),
    region("26", "Xankəndi", 2600, 2),
    region("27", "Xaçmaz", 2700, 18),
    region("30", "İmişli", 3000, 13),
    region("31", "İsmayıllı", 3100, 9),
    region("33", "Kürdəmir", 3300, 12),
    region("34", "Qax", 3400, 6),
    region("35", "Qazax", 3500, 10),
    region("36", "Qəbələ", 3600, 11),
    region("38", "Qusar", 3800, 10),
    region("40", "Quba", 4000, 17),
    region("42", "Lənkəran", 4200, 23),
    region("44", "Masallı", 4400, 23),
    region("45", "Mingəçevir", 4500, 11),
    region("52", "Salyan", 5200, 14),
    region("54", "Sabirabad", 5400, 18),
    region("55", "Şəki", 5500, 19),
    region("56", "Şamaxı", 5600, 11),
    region("57", "Şəmkir", 5700, 22),
    region("58", "Şuşa", 5800, 2),
    region("59", "Tərtər", 5900, 11),
    region("60", "Tovuz", 6000, 18),
    region("61", "Ucar", 6100, 9),
    region("63", "Yevlax", 6600, 13),
    region("64", "Zaqatala", 6200, 13),
    region("70", "Naxçıvan", 7000, 10),
];

/// Streets, as every town has them.
pub const STREETS: &[&str] = &[
    "Nizami küçəsi",
    "Füzuli küçəsi",
    "Nəsimi küçəsi",
    "Xətai prospekti",
    "Koroğlu küçəsi",
    "Bülbül prospekti",
    "Üzeyir Hacıbəyov küçəsi",
    "Cəfər Cabbarlı küçəsi",
    "Səməd Vurğun küçəsi",
    "Mirzə Fətəli küçəsi",
    "Azadlıq prospekti",
    "İstiqlaliyyət küçəsi",
    "28 May küçəsi",
    "Bakıxanov küçəsi",
    "Xaqani küçəsi",
    "Məhsəti küçəsi",
    "Natəvan küçəsi",
    "Dədə Qorqud küçəsi",
    "Babək prospekti",
    "Zərgərpalan küçəsi",
    "Şıxəli Qurbanov küçəsi",
    "Çinar küçəsi",
    "Gülüstan küçəsi",
    "Bahar küçəsi",
    "Günəşli küçəsi",
    "Dostluq küçəsi",
    "Xəzər küçəsi",
    "Kür küçəsi",
    "Araz küçəsi",
    "Qarabağ küçəsi",
    "Şuşa küçəsi",
    "İpək yolu küçəsi",
    "Neftçilər prospekti",
    "Nar küçəsi",
    "Zeytun küçəsi",
    "Aşıq Ələsgər küçəsi",
    "Vaqif prospekti",
    "Molla Pənah küçəsi",
    "Sabir küçəsi",
    "Əcəmi küçəsi",
];

/// The place of a region in [`REGIONS`], drawn by weight from a number.
#[must_use]
pub fn by_weight(drawn: usize) -> usize {
    let mut left = drawn % total_weight();
    for (place, region) in REGIONS.iter().enumerate() {
        if left < region.weight {
            return place;
        }
        left -= region.weight;
    }
    0
}

fn total_weight() -> usize {
    REGIONS.iter().map(|region| region.weight).sum()
}
