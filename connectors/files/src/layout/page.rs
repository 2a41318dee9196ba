//! Encodings of our own: EBCDIC, and pages for Turkic languages that the WHATWG does not list.

use std::collections::HashMap;
use std::sync::LazyLock;

/// An encoding in which each character is one byte.
#[derive(Debug, PartialEq, Eq)]
pub struct Page {
    pub names: Vec<&'static str>,
    pub is_ebcdic: bool,
    characters: [Option<char>; 256],
    bytes: HashMap<char, u8>,
}

static PAGES: LazyLock<Vec<Page>> = LazyLock::new(|| {
    let lines = include_str!("pages.txt").lines();
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).filter_map(Page::new).collect()
});

impl Page {
    /// The page of this name, whatever its case: `cp1026`, `IBM1026`.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        let name = name.trim().to_ascii_lowercase();
        let name = name.strip_prefix("ibm-").map_or_else(|| name.clone(), |number| format!("ibm{number}"));
        PAGES.iter().find(|page| page.names.contains(&name.as_str()))
    }

    fn new(line: &'static str) -> Option<Self> {
        let mut parts = line.split('|');
        let (names, sort, codes) = (parts.next()?, parts.next()?, parts.next()?);
        let mut characters = [None; 256];
        for (place, code) in codes.split(' ').enumerate() {
            *characters.get_mut(place)? = u32::from_str_radix(code, 16).ok().and_then(char::from_u32);
        }
        // Where two bytes are one character, the first is written.
        let pairs = characters.iter().zip(0_u8..=255).rev().filter_map(|(character, byte)| Some(((*character)?, byte)));
        let bytes = pairs.collect();
        Some(Self { names: names.split(' ').collect(), is_ebcdic: sort == "ebcdic", characters, bytes })
    }

    /// Whether a byte is a character.
    #[must_use]
    pub fn has(&self, byte: u8) -> bool {
        self.characters[usize::from(byte)].is_some()
    }

    /// The text of bytes; `None` where a byte is no character.
    #[must_use]
    pub fn decode(&self, bytes: &[u8]) -> Option<String> {
        bytes.iter().map(|byte| self.characters[usize::from(*byte)]).collect()
    }

    /// The bytes of a text; `None` where the page lacks a character.
    #[must_use]
    pub fn encode(&self, text: &str) -> Option<Vec<u8>> {
        text.chars().map(|character| self.bytes.get(&character).copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_whole_and_turns_its_bytes_into_text_and_back() {
        assert_eq!(PAGES.len(), 14);
        for page in PAGES.iter() {
            let known: Vec<u8> = (0..=255).filter(|byte| page.decode(&[*byte]).is_some()).collect();
            assert!(known.len() >= 230, "{:?}", page.names);
            let text = page.decode(&known).expect("text");
            assert_eq!(page.decode(&page.encode(&text).expect("bytes")).as_deref(), Some(text.as_str()), "{:?}", page.names);
        }
    }

    #[test]
    fn knows_the_letters_of_each_page() {
        let bytes = |page: &str, text: &str| Page::named(page).expect("a page").encode(text);
        assert_eq!(bytes("cp037", "Az09 "), Some(vec![0xc1, 0xa9, 0xf0, 0xf9, 0x40]));
        assert_eq!(bytes("IBM-1026", "ğışĞİŞ"), Some(vec![0xd0, 0x79, 0x6a, 0x5a, 0x5b, 0x7c]));
        assert_eq!(bytes("cp037", "ş"), None);
        assert_eq!(bytes("cp1025", "Ж").map(|bytes| bytes.len()), Some(1));
        assert!(bytes("pt154", "ӘҒҜҸәғҝҹ").is_some());
    }
}
