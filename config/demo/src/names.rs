//! Names of people. Written for the demo; any likeness to a real person is chance.

/// Given names of men.
pub const MEN: &[&str] = &[
    "Abbas", "Abdulla", "Abid", "Adil", "Akif", "Alim", "Alqış", "Altay", "Anar", "Araz", "Arif", "Aslan", "Aqil",
    "Aqşin", "Ayaz", "Aydın", "Ayxan", "Azad", "Azər", "Babək", "Bahadur", "Baxtiyar", "Bayram", "Behbud", "Bəhram",
    "Bəxtiyar", "Cabbar", "Cahangir", "Camal", "Cavad", "Cavanşir", "Cavid", "Ceyhun", "Çingiz", "Dadaş", "Daşqın",
    "Davud", "Dilqəm", "Elçin", "Eldar", "Eldəniz", "Elgiz", "Elman", "Elmar", "Elmir", "Elnur", "Elsevər", "Elşad",
    "Elşən", "Elvin", "Emil", "Emin", "Etibar", "Eyvaz", "Əbülfəz", "Əfqan", "Əhməd", "Əkbər", "Əkrəm", "Əli", "Əlişir",
    "Ənvər", "Əsgər", "Əşrəf", "Əziz", "Fazil", "Famil", "Faiq", "Fərhad", "Fərid", "Fəxrəddin", "Fikrət", "Fuad",
    "Füzuli", "Gündüz", "Habil", "Hacı", "Hafiz", "Hamlet", "Heydər", "Həbib", "Həmid", "Həsən", "Hikmət", "Hüseyn",
    "Xaləddin", "Xalid", "Xəlil", "Xəyal", "Xudaverdi", "İbrahim", "İdris", "İkram", "İlham", "İlkin", "İlqar", "İlyas",
    "İmran", "İntiqam", "İsa", "İsgəndər", "İsmayıl", "Kamal", "Kamil", "Kamran", "Kazım", "Kənan", "Kərim", "Qabil",
    "Qafar", "Qədir", "Qəhrəman", "Qiyas", "Qorxmaz", "Qoşqar", "Lətif", "Loğman", "Mahir", "Maqsud", "Mehdi", "Mehman",
    "Məhəmməd", "Məmməd", "Mirzə", "Mövsüm", "Murad", "Musa", "Mübariz", "Namiq", "Natiq", "Nazim", "Nəriman", "Niyazi",
    "Nizami", "Nurlan", "Oqtay", "Orxan", "Pərviz", "Polad", "Pünhan", "Rafiq", "Rahib", "Ramil", "Ramin", "Ramiz",
    "Rasim", "Rauf", "Rəşad", "Rəşid", "Rövşən", "Rüfət", "Rüstəm", "Sabir", "Sahib", "Samir", "Seymur", "Səbuhi",
    "Sərdar", "Sərxan", "Şahin", "Şamil", "Şəmsəddin", "Tahir", "Tale", "Tərlan", "Teymur", "Tofiq", "Toğrul", "Tural",
    "Turan", "Uğur", "Ülvi", "Vahid", "Vaqif", "Vasif", "Vüqar", "Vüsal", "Yaqub", "Yasin", "Yaşar", "Yavər", "Yunis",
    "Yusif", "Zahid", "Zakir", "Zamin", "Zaur", "Ziya", "Zöhrab",
];

/// Given names of women.
pub const WOMEN: &[&str] = &[
    "Afaq", "Afət", "Aida", "Almara", "Almaz", "Aliyə", "Arzu", "Aybəniz", "Aydan", "Aygül", "Aygün", "Ayla", "Aylin",
    "Aynur", "Aysel", "Ayşən", "Ayşə", "Aytac", "Aytən", "Bahar", "Banu", "Bəsti", "Bəyaz", "Bənövşə", "Bikə", "Billurə",
    "Camalə", "Cəmilə", "Ceyran", "Çiçək", "Çimnaz", "Diana", "Dilarə", "Dilbər", "Dilşad", "Durna", "Dürdanə", "Elmira",
    "Elnarə", "Elnurə", "Elza", "Esmira", "Əfruz", "Əminə", "Əntiqə", "Əsli", "Əsmər", "Fatma", "Fatimə", "Fazilə",
    "Fəxriyyə", "Fəridə", "Fidan", "Firuzə", "Firəngiz", "Flora", "Fərəh", "Gövhər", "Gözəl", "Gülarə", "Gülay",
    "Gülbahar", "Gülbəniz", "Gülçin", "Gülər", "Gülnar", "Gülnarə", "Gülnaz", "Gülsüm", "Gülşən", "Gültəkin", "Gülzar",
    "Günay", "Günel", "Həcər", "Həmidə", "Hicran", "Hökumə", "Humay", "Xalidə", "Xanım", "Xatirə", "Xavər", "Xədicə",
    "Xumar", "Xuraman", "İlahə", "İlhamə", "İnci", "İradə", "Kamilə", "Kəmalə", "Kifayət", "Kübra", "Qaratel", "Qəmər",
    "Qəndab", "Qənirə", "Lalə", "Lamiyə", "Laçın", "Leyla", "Ləman", "Lətafət", "Lətifə", "Mahirə", "Maral", "Mədinə",
    "Məftun", "Məhbubə", "Məhsəti", "Mələk", "Mənsurə", "Mərcan", "Məryəm", "Minarə", "Mina", "Mirvari", "Münəvvər",
    "Nabat", "Nailə", "Naibə", "Nargilə", "Natəvan", "Nazilə", "Nazlı", "Nəcibə", "Nərgiz", "Nərmin", "Nəsibə", "Nigar",
    "Nisə", "Nuranə", "Nurcan", "Nübar", "Pakizə", "Pəri", "Pərvanə", "Pərvin", "Pünhanə", "Rahilə", "Rəfiqə", "Rəhimə",
    "Rəna", "Rəqsanə", "Reyhan", "Roza", "Röya", "Ruhiyyə", "Rübabə", "Sabirə", "Sahibə", "Sara", "Sevda", "Sevil",
    "Sevinc", "Səadət", "Səbinə", "Səidə", "Səkinə", "Səlimə", "Sərvinaz", "Solmaz", "Sona", "Südabə", "Sürəyya",
    "Şəbnəm", "Şəfiqə", "Şəhla", "Şəlalə", "Şövkət", "Şükufə", "Tamara", "Tamilla", "Təranə", "Tünzalə", "Türkan",
    "Ulduz", "Ülkər", "Ülviyyə", "Vəfa", "Validə", "Xəyalə", "Yasəmən", "Yaqut", "Yeganə", "Zahirə", "Zeynəb", "Zəhra",
    "Zəminə", "Zərifə", "Zibeydə", "Zivər", "Zöhrə", "Zülfiyyə", "Zümrüd",
];

/// Family names as men bear them. Those in `-ov` and `-ev` take an `a` for women; the others stay.
pub const FAMILIES: &[&str] = &[
    "Əliyev", "Məmmədov", "Hüseynov", "Həsənov", "Quliyev", "İsmayılov", "Abdullayev", "İbrahimov", "Rəhimov", "Əhmədov",
    "Kərimov", "Cəfərov", "Səfərov", "Nəsirov", "Rzayev", "Bağırov", "Babayev", "Mustafayev", "Musayev", "Nəbiyev",
    "Orucov", "Osmanov", "Paşayev", "Qasımov", "Qafarov", "Qarayev", "Qədirov", "Qəhrəmanov", "Qəmbərov", "Qurbanov",
    "Rəcəbov", "Rəsulov", "Rüstəmov", "Sadıqov", "Salahov", "Salmanov", "Səmədov", "Seyidov", "Süleymanov", "Şahverdiyev",
    "Şərifov", "Şirinov", "Şükürov", "Tağıyev", "Talıbov", "Teymurov", "Vəliyev", "Verdiyev", "Yaqubov", "Yusifov",
    "Zeynalov", "Zülfüqarov", "Abbasov", "Abışov", "Ağamalıyev", "Ağayev", "Axundov", "Allahverdiyev", "Alıyev",
    "Aslanov", "Atakişiyev", "Ayazov", "Aydınov", "Azadov", "Bayramov", "Behbudov", "Bədəlov", "Bəxtiyarov", "Cabbarov",
    "Cabarov", "Cavadov", "Cəlilov", "Cəmilov", "Çobanov", "Dadaşov", "Davudov", "Dəmirov", "Dövlətov", "Dünyamalıyev",
    "Elçiyev", "Eminov", "Eyvazov", "Əbilov", "Əfəndiyev", "Əkbərov", "Ələkbərov", "Ələsgərov", "Əmirov", "Əsədov",
    "Əsgərov", "Əşrəfov", "Əzimov", "Əzizov", "Fərəcov", "Fərhadov", "Fərzəliyev", "Fətəliyev", "Fətullayev", "Feyzullayev",
    "Göyüşov", "Hacıyev", "Hacıbəyov", "Haqverdiyev", "Həbibov", "Həmidov", "Həmzəyev", "Heydərov", "Hidayətov",
    "Hümbətov", "Xanlarov", "Xasayev", "Xəlilov", "Xəlifəyev", "Xudiyev", "Xudaverdiyev", "İbadov", "İdrisov",
    "İmanov", "İmamverdiyev", "İmanquliyev", "İsayev", "İsgəndərov", "İsrafilov", "Kazımov", "Kamilov", "Kəngərlinski",
    "Kişiyev", "Laçınov", "Lətifov", "Mahmudov", "Manafov", "Mehdiyev", "Mehrəliyev", "Məcidov", "Məhərrəmov", "Məlikov",
    "Mənsurov", "Mikayılov", "Mirzəyev", "Mirzəliyev", "Möhübbətov", "Muradov", "Mürsəlov", "Nağıyev", "Namazov",
    "Nazarov", "Nəcəfov", "Nəzərov", "Niftəliyev", "Novruzov", "Nurəliyev", "Nuriyev", "Ocaqov", "Pənahov", "Piriyev",
    "Piriverdiyev", "Qaraşov", "Qəribov", "Qocayev", "Qoçuyev", "Ramazanov", "Rəşidov", "Rövşənov", "Sabirov", "Sarıyev",
    "Sərdarov", "Sultanov", "Şabanov", "Şamilov", "Şəfiyev", "Şıxəliyev", "Şıxıyev", "Tahirov", "Tapdıqov", "Turabov",
    "Umudov", "Usubov", "Vahabov", "Vəzirov", "Yolçuyev", "Zamanov", "Zərbəliyev", "Zöhrabov", "Ağazadə", "Axundzadə",
    "Bağırzadə", "Cəfərzadə", "Əhmədzadə", "Əlizadə", "Hacızadə", "Həsənzadə", "Hüseynzadə", "İsmayılzadə", "Kazımzadə",
    "Kərimzadə", "Məmmədzadə", "Mirzəzadə", "Nəbizadə", "Qasımzadə", "Quluzadə", "Rəhimzadə", "Rzazadə", "Şərifzadə",
    "Vəlizadə", "Abbaslı", "Babalı", "Bayramlı", "Cabbarlı", "Cavanşirli", "Əhmədli", "Əsgərli", "Əzimli", "Fərəcli",
    "Göyçəli", "Hacılı", "Həsənli", "Hüseynli", "İsmayıllı", "Kazımlı", "Kəngərli", "Qarabağlı", "Qasımlı", "Məhərrəmli",
    "Məmmədli", "Mehdili", "Muradlı", "Nağılı", "Orucqulu", "Paşalı", "Qurbanlı", "Ramazanlı", "Rəhimli", "Rəsullu",
    "Rüstəmli", "Sadıqlı", "Səfərli", "Şahbazlı", "Şirinli", "Tağılı", "Vəlili", "Yusifli", "Zeynallı", "Bünyad",
    "Güntəkin", "Təbrizli", "Turan",
];

/// The family name as a woman bears it.
#[must_use]
pub fn of_a_woman(family: &str) -> String {
    if family.ends_with("ov") || family.ends_with("ev") { format!("{family}a") } else { family.to_owned() }
}

/// The patronymic: the father's name with `oğlu` or `qızı`.
#[must_use]
pub fn patronymic(father: &str, is_woman: bool) -> String {
    format!("{father} {}", if is_woman { "qızı" } else { "oğlu" })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_enough_names_and_none_twice() {
        for (names, least) in [(MEN, 150), (WOMEN, 150), (FAMILIES, 200)] {
            assert!(names.len() >= least, "{} of {least}", names.len());
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        }
    }

    #[test]
    fn family_names_follow_the_sex_where_the_language_lets_them() {
        assert_eq!(of_a_woman("Əliyev"), "Əliyeva");
        assert_eq!(of_a_woman("Məmmədov"), "Məmmədova");
        assert_eq!(of_a_woman("Quluzadə"), "Quluzadə");
        assert_eq!(of_a_woman("Hacılı"), "Hacılı");
        assert_eq!(patronymic("Rəşid", true), "Rəşid qızı");
    }
}
