//! Where a page of a search begins, and where the next one does.
//!
//! The registry's pages and the ones asked of the bus need not be alike. A place is therefore a page of the registry's
//! with the size that it was asked for, and how many of its records were given before.

use http::HeaderMap;
use http::header::LINK;
use rabita_sdk::reply::Dotted;
use rabita_sdk::{Failure, Legacy};
use url::{Url, form_urlencoded};

use crate::from::Paging;
use crate::path::Query;

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// How long a page the registry is asked for.
    size: usize,
    /// How many of its records were given before.
    skip: usize,
    /// The page's number, offset, word or query; `None` for the first.
    word: Option<String>,
}

/// The pages of one entity's searches.
#[derive(Debug, Clone)]
pub struct Pages {
    paging: Paging,
    /// Where the answer tells about further pages.
    told: Dotted,
}

impl Pages {
    /// Prepares the paging that the manifest describes.
    pub fn new(paging: Paging) -> Self {
        let told = match &paging {
            Paging::None => None,
            Paging::Page(page) => page.total_pages.as_deref(),
            Paging::Offset(offset) => offset.total.as_deref(),
            Paging::Cursor(cursor) => Some(cursor.next.as_str()),
            Paging::Link(link) => link.body.as_deref(),
        };
        Self { told: Dotted::new(told.unwrap_or_default()), paging }
    }

    /// Where the page that is asked for begins.
    ///
    /// # Errors
    /// `Refused` when the cursor is not one of these searches.
    pub fn place(&self, limit: usize, cursor: Option<&str>) -> Result<Place, Failure> {
        let Some(cursor) = cursor else {
            return Ok(Place { size: self.size_max().map_or(limit, |max| limit.min(max)).max(1), skip: 0, word: None });
        };
        let place = Place::parse(cursor).ok_or_else(not_ours)?;
        let numbered = matches!(self.paging, Paging::Page(_) | Paging::Offset(_));
        if numbered && place.word.as_deref().is_some_and(|word| word.parse::<u64>().is_err()) {
            return Err(not_ours());
        }
        Ok(place)
    }

    /// Adds the parameters that ask for the page. `fixed` names those that no link of the registry's may replace.
    pub fn ask(&self, place: &Place, query: &mut Query, fixed: &[String]) {
        let word = place.word.as_deref();
        match &self.paging {
            Paging::None => {}
            Paging::Page(page) => {
                query.push(&page.param, word.unwrap_or(&page.first.to_string()));
                push_size(query, page.size_param.as_deref(), place.size);
            }
            Paging::Offset(offset) => {
                query.push(&offset.param, word.unwrap_or("0"));
                push_size(query, offset.limit_param.as_deref(), place.size);
            }
            Paging::Cursor(cursor) => {
                if let Some(word) = word {
                    query.push(&cursor.param, word);
                }
                push_size(query, cursor.limit_param.as_deref(), place.size);
            }
            Paging::Link(link) => {
                let mut sized = false;
                for (name, value) in form_urlencoded::parse(word.unwrap_or_default().as_bytes()) {
                    if !fixed.iter().any(|own| *own == name) {
                        sized |= link.limit_param.as_deref() == Some(&*name);
                        query.push(&name, &value);
                    }
                }
                push_size(query, link.limit_param.as_deref().filter(|_| !sized), place.size);
            }
        }
    }

    /// How many of the records that came are to be given from where, and where the next page begins.
    ///
    /// # Errors
    /// `Malformed` when the registry's word about the next page is none.
    pub fn cut(&self, place: &Place, came: usize, limit: usize, answer: &mut Answer<'_>) -> Result<Cut, Failure> {
        let from = place.skip.min(came);
        let given = (came - from).min(limit);
        let next = if from + given < came {
            Some(self.within(place, from, given))
        } else {
            let word = self.next_word(place, came, given, answer)?;
            word.map(|word| Place { size: place.size, skip: 0, word: Some(word) })
        };
        Ok(Cut { from, given, next: next.map(|place| place.to_cursor()) })
    }

    fn within(&self, place: &Place, from: usize, given: usize) -> Place {
        match (&self.paging, place.offset()) {
            (Paging::Offset(_), offset) => Place { word: Some((offset + given as u64).to_string()), ..place.clone() },
            _ => Place { skip: from + given, ..place.clone() },
        }
    }

    fn next_word(&self, place: &Place, came: usize, given: usize, answer: &mut Answer<'_>) -> Result<Option<String>, Failure> {
        let word = match &self.paging {
            Paging::None => None,
            Paging::Page(page) => {
                let number = place.word.as_ref().map_or(page.first, |_| place.offset());
                let full = is_full(came, page.size_param.is_some().then_some(place.size).or(page.size_max));
                let more = match &page.total_pages {
                    Some(_) => number.saturating_sub(page.first).saturating_add(1) < self.number(answer)?,
                    None => full,
                };
                more.then(|| number.saturating_add(1).to_string())
            }
            Paging::Offset(offset) => {
                let reached = place.offset().saturating_add(given as u64);
                let full = is_full(came, offset.limit_param.is_some().then_some(place.size).or(offset.size_max));
                let more = match &offset.total {
                    Some(_) => given > 0 && reached < self.number(answer)?,
                    None => full,
                };
                more.then(|| reached.to_string())
            }
            Paging::Cursor(_) => self.told(answer)?,
            Paging::Link(link) => {
                let address = if link.header { next_link(answer.headers) } else { self.told(answer)? };
                address.map(|address| further(&address, answer.asked, answer.fixed)).transpose()?
            }
        };
        let same = |word: &str| word == place.word.as_deref().unwrap_or_default();
        if word.as_deref().is_some_and(same) {
            return Err(Failure::malformed("the registry names a page as the next after itself"));
        }
        Ok(word)
    }

    fn told(&self, answer: &mut Answer<'_>) -> Result<Option<String>, Failure> {
        match self.told.find(answer.body) {
            None | Some(Legacy::Null) => Ok(None),
            Some(value) => match value.to_text() {
                Some(text) => Ok(Some(text.into_owned()).filter(|text| !text.is_empty())),
                None => Err(Failure::malformed("the word for the next page is no text")),
            },
        }
    }

    fn number(&self, answer: &mut Answer<'_>) -> Result<u64, Failure> {
        let number = self.told(answer)?.and_then(|text| text.parse().ok());
        number.ok_or_else(|| Failure::malformed("the answer does not tell how much there is in all"))
    }

    fn size_max(&self) -> Option<usize> {
        match &self.paging {
            Paging::None => None,
            Paging::Page(page) => page.size_max,
            Paging::Offset(offset) => offset.size_max,
            Paging::Cursor(cursor) => cursor.size_max,
            Paging::Link(link) => link.size_max,
        }
    }
}

/// An answer, as far as it tells about further pages.
pub struct Answer<'a> {
    pub body: &'a mut Legacy,
    pub headers: &'a HeaderMap,
    /// The address that was asked.
    pub asked: &'a Url,
    /// The parameters that the search itself makes.
    pub fixed: &'a [String],
}

/// Which of the records that came are given.
#[derive(Debug, PartialEq, Eq)]
pub struct Cut {
    pub from: usize,
    pub given: usize,
    pub next: Option<String>,
}

impl Place {
    fn parse(cursor: &str) -> Option<Self> {
        let mut parts = cursor.splitn(3, '.');
        let size = parts.next()?.parse().ok().filter(|size| (1..=SIZE_MAX).contains(size))?;
        let skip = parts.next()?.parse().ok()?;
        let word = parts.next()?;
        Some(Self { size, skip, word: Some(word.to_owned()).filter(|word| !word.is_empty()) })
    }

    fn to_cursor(&self) -> String {
        format!("{}.{}.{}", self.size, self.skip, self.word.as_deref().unwrap_or_default())
    }

    fn offset(&self) -> u64 {
        self.word.as_deref().and_then(|word| word.parse().ok()).unwrap_or_default()
    }
}

/// No page is longer: a cursor that asks for more was made up.
const SIZE_MAX: usize = 100_000;

fn push_size(query: &mut Query, param: Option<&str>, size: usize) {
    if let Some(param) = param {
        query.push(param, &size.to_string());
    }
}

/// Whether another page may follow. Where nobody knows how long a page is, only an empty one is the last.
fn is_full(came: usize, size: Option<usize>) -> bool {
    came >= size.unwrap_or(1)
}

/// The query of the next page's address, without what the search itself puts there. Such an address comes back
/// from callers, as a cursor: it must lead to this very search and nowhere else.
fn further(address: &str, asked: &Url, fixed: &[String]) -> Result<String, Failure> {
    let next = asked.join(address).map_err(|_| Failure::malformed("the link to the next page is no address"))?;
    let place = |url: &Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
    if place(&next) != place(asked) || next.path() != asked.path() {
        return Err(Failure::malformed("the link to the next page leads away from the search"));
    }
    let rest = next.query_pairs().filter(|(name, _)| !fixed.iter().any(|own| *own == **name));
    Ok(form_urlencoded::Serializer::new(String::new()).extend_pairs(rest).finish())
}

/// The target of `rel="next"` among the links of an answer (RFC 8288).
fn next_link(headers: &HeaderMap) -> Option<String> {
    headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()).find_map(|mut rest| {
        while let Some((_, after)) = rest.split_once('<') {
            let (target, parameters) = after.split_once('>')?;
            let end = end_of_link(parameters);
            if is_next(&parameters[..end]) {
                return Some(target.trim().to_owned());
            }
            rest = &parameters[end..];
        }
        None
    })
}

/// The comma that ends a link is the first outside quotes.
fn end_of_link(parameters: &str) -> usize {
    let mut quoted = false;
    let end = parameters.char_indices().find(|(_, letter)| {
        quoted ^= *letter == '"';
        *letter == ',' && !quoted
    });
    end.map_or(parameters.len(), |(place, _)| place)
}

fn is_next(parameters: &str) -> bool {
    parameters.split(';').filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
        name.trim().eq_ignore_ascii_case("rel")
            && value.trim().trim_matches('"').split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("next"))
    })
}

fn not_ours() -> Failure {
    Failure::refused("the cursor is not one that this search gave")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_next_link_among_others() {
        let links = |text: &'static str| next_link(&HeaderMap::from_iter([(LINK, text.parse().expect("a value"))]));
        assert_eq!(links(r#"</a?p=1>; rel=prev, </a?p=3>; title="x, rel=next <"; rel="last next""#), Some("/a?p=3".into()));
        assert_eq!(links(r#"</a?p=1>; rel="prev""#), None);
        assert_eq!(links("<broken; rel=next"), None);
    }

    #[test]
    fn a_link_leads_to_this_search_or_is_refused() {
        let asked = Url::parse("https://host/api/things?key=secret&status=active&size=2").expect("an address");
        let fixed = ["key".to_owned(), "status".to_owned()];
        let good = further("https://host/api/things?page=2&size=2&key=secret&status=all", &asked, &fixed);
        assert_eq!(good.expect("a query"), "page=2&size=2");
        assert_eq!(further("?page=2", &asked, &fixed).expect("a query"), "page=2");
        for bad in
            ["https://other/api/things?page=2", "http://host/api/things?page=2", "/admin", "../../admin?page=2", "https://["]
        {
            assert!(further(bad, &asked, &fixed).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_cursor_round_trips_and_a_made_up_one_is_refused() {
        let pages = Pages::new(Paging::Page(crate::from::PagePaging {
            param: "page".into(),
            size_param: None,
            size_max: None,
            first: 0,
            total_pages: None,
        }));
        let place = Place { size: 7, skip: 3, word: Some("12".into()) };
        assert_eq!(pages.place(50, Some(&place.to_cursor())).expect("a place"), place);
        for bad in ["", "x", "0.0.1", "7.-1.1", "7.0.x", "7.0", "999999999.0.1", "7.0.1.2"] {
            assert!(matches!(pages.place(50, Some(bad)), Err(Failure::Refused { .. })), "{bad}");
        }
    }
}
