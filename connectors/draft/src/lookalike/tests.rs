//! Look-alikes of real forms.

use jiff::civil::Date;

use super::*;

fn disguised(texts: &[&str], how: Disguise) -> Vec<String> {
    let source = Source::new("X");
    let rows: Vec<Row> = texts.iter().map(|text| [("X", Legacy::from(*text))].into_iter().collect()).collect();
    let made = LookAlikes::new(b"a key", BTreeMap::from([(source.clone(), how)]), BTreeSet::new(), &rows);
    rows.iter()
        .map(|row| made.row(row).expect("a look-alike").find(&source).and_then(Legacy::to_text).expect("a text").into_owned())
        .collect()
}

fn shape(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            '0'..='9' => '9',
            other if other.is_alphabetic() && other.is_uppercase() => 'A',
            other if other.is_alphabetic() => 'a',
            other => other,
        })
        .collect()
}

#[test]
fn keeps_shape_case_alphabet_and_length_and_no_value() {
    let real = ["Əliyeva-Ħasanova ", "5ZJBKH7", "Жуков", "O'Neill 3b", "00012345", "Ünvanı 12/4"];
    for (real, made) in real.iter().zip(disguised(&real, Disguise::Characters)) {
        assert_eq!(shape(real), shape(&made), "{real} became {made}");
        assert_ne!(*real, made);
    }
    let made = disguised(&["Жуков"], Disguise::Characters);
    assert!(made[0].chars().all(|letter| ('\u{400}'..'\u{530}').contains(&letter)), "{made:?}");
}

#[test]
fn one_value_becomes_one_look_alike_and_with_another_key_another() {
    let made = disguised(&["Denise", "Denise"], Disguise::Characters);
    assert_eq!(made[0], made[1]);
    let rows: Vec<Row> = vec![[("X", "Denise".into())].into_iter().collect()];
    let other = LookAlikes::new(b"another", BTreeMap::from([(Source::new("X"), Disguise::Characters)]), BTreeSet::new(), &rows);
    assert_ne!(other.row(&rows[0]).expect("a row").get("X"), Some(&made[0].as_str().into()));
}

#[test]
fn a_day_is_moved_and_stays_a_day_with_the_same_parts_unknown() {
    let made = disguised(&["19780321", "19780300", "19780000"], Disguise::Day("%Y%m%d".into()));
    assert!(made.iter().all(|day| day.len() == 8 && day.starts_with("19")), "{made:?}");
    assert!(made[1].ends_with("00") && !made[1].ends_with("0000"), "{made:?}");
    assert!(made[2].ends_with("0000"), "{made:?}");
    let day: Date = format!("{}-{}-{}", &made[0][..4], &made[0][4..6], &made[0][6..]).parse().expect("a day");
    assert!(day < jiff::civil::date(1978, 3, 21));
    let times = disguised(&["2024-02-29T13:45:10Z"], Disguise::Day("%Y-%m-%d".into()));
    assert!(times[0].parse::<jiff::Timestamp>().is_ok(), "{times:?}");
    assert_eq!(disguised(&["1.3.78"], Disguise::Day("%d.%m.%Y".into()))[0].len(), 6, "what is no day goes by characters");
}

#[test]
fn what_is_the_same_in_all_of_many_values_stays() {
    let real: Vec<String> = (10..40).map(|number| format!("AZ-{number}77{number}")).collect();
    let texts: Vec<&str> = real.iter().map(String::as_str).collect();
    let made = disguised(&texts, Disguise::Characters);
    assert!(made.iter().all(|made| made.starts_with("AZ-")), "{made:?}");
    assert!(made.iter().all(|made| !real.contains(made)), "{made:?}");
}
