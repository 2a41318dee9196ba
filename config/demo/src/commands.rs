//! Commands to paste, each showing one thing that the bus does.

mod changing;
mod trust;

use std::fmt::Write as _;
use std::path::Path;

use crate::certificates::{CLIENTS, Identity};
use crate::companies::SHOWN_COMPANY;
use crate::country::Country;
use crate::diplomas::SHOWN_DIPLOMA;
use crate::diplomas_rest::Mishap;
use crate::land::SHOWN_PARCEL;
use crate::people::HEROINE;
use crate::vehicles::SHOWN_PLATE;

/// A command to paste into a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What it shows.
    pub title: &'static str,
    pub command: String,
}

impl Country {
    /// Commands to paste, in an order that tells a story.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        let mut commands = self.reads();
        commands.extend(self.refusals());
        commands.extend(self.mishaps());
        commands.extend(self.about_the_bus());
        commands.extend(self.changes());
        commands.extend(self.views());
        commands
    }

    /// Commands of the `rabita` program in this file, on this country's configuration.
    #[must_use]
    pub fn commands_of(&self, program: &Path) -> Vec<Command> {
        let mut commands = self.questions(program);
        let [program, config] = [program, &self.config].map(word);
        commands.extend([
            Command { title: "Is the configuration right?", command: format!("{program} check {config}") },
            Command {
                title: "The tests in the manifests, on stand-ins for the registries",
                command: format!("{program} connector test {config}"),
            },
            Command {
                title: "The tests in the manifests, on the registries themselves",
                command: format!("{program} connector test --live {config}"),
            },
            Command {
                title: "The first person again, asked without a running node",
                command: format!(
                    "{program} try --config {config} --as {} --purpose {} \\\n  {PERSONS} {HEROINE}",
                    CLIENTS[PORTAL],
                    BIRTHS.unwrap_or_default()
                ),
            },
            Command {
                title: "The changes, as an operator sees them",
                command: format!("{program} updates list --config {config}"),
            },
        ]);
        commands
    }

    fn reads(&self) -> Vec<Command> {
        let numbers = std::iter::once(HEROINE).chain(self.others.iter().map(String::as_str));
        let numbers: Vec<String> = numbers.map(|pin| format!("\"{pin}\"")).collect();
        let several = format!("{{\"keys\": [{}]}}", numbers.join(", "));
        vec![
            self.ask("One person, clean, out of a row of 1992", PORTAL, BIRTHS, PERSONS, &by_key(HEROINE)),
            self.ask(
                "The same person, two fields only",
                PORTAL,
                BIRTHS,
                PERSONS,
                &format!("{{\"key\": \"{HEROINE}\", \"fields\": [\"name\", \"birth_date\"]}}"),
            ),
            self.ask(
                "The same person as the mobile unit may see her: its grant leaves out the rest",
                MOBILE,
                IDENTITY,
                PERSONS,
                &by_key(HEROINE),
            ),
            self.ask("Several persons in one call", PORTAL, BIRTHS, PERSONS, &several),
            self.ask(
                "A search",
                PORTAL,
                BIRTHS,
                PERSONS,
                "{\"where\": {\"name.family\": \"Əliyeva\"}, \"limit\": 5, \"fields\": [\"pin\", \"name\", \"birth_date\"]}",
            ),
            self.ask("A family: parents, spouse, children", PORTAL, BIRTHS, "population/v1/families", &by_key(HEROINE)),
            self.get("A vehicle, out of a SOAP service", PORTAL, SALES, &format!("api/vehicles/v1/vehicles/{SHOWN_PLATE}")),
            self.ask(
                "What the same person owns, out of a hand-written query over several tables",
                PORTAL,
                NOTARY,
                "properties/v1/holdings",
                &by_key(HEROINE),
            ),
            self.get(
                "A flat with its owners and its mortgage",
                PORTAL,
                NOTARY,
                &format!("api/properties/v1/parcels/{SHOWN_PARCEL}"),
            ),
            self.get("A company, behind OAuth 2", PORTAL, COMPANIES, &format!("api/companies/v1/companies/{SHOWN_COMPANY}")),
            self.get(
                "A diploma, out of a service that has bad days: see below",
                PORTAL,
                EMPLOYMENT,
                &format!("api/diplomas/v1/diplomas/{SHOWN_DIPLOMA}"),
            ),
        ]
    }

    fn refusals(&self) -> Vec<Command> {
        let mut commands = vec![
            self.ask(
                "Refused: a field that the mobile unit's grant does not cover",
                MOBILE,
                IDENTITY,
                PERSONS,
                &format!("{{\"key\": \"{HEROINE}\", \"fields\": [\"name\", \"address\"]}}"),
            ),
            self.ask("Refused: a purpose that the grant does not name", MOBILE, SALES, PERSONS, &by_key(HEROINE)),
            self.get("Refused: a grant that has ended", MOBILE, IDENTITY, &format!("api/vehicles/v1/vehicles/{SHOWN_PLATE}")),
            self.get("Refused: a personal number in a URL", PORTAL, BIRTHS, &format!("api/{PERSONS}/{HEROINE}")),
            self.get(
                "Refused: a system that nobody registered",
                STRANGER,
                SALES,
                &format!("api/vehicles/v1/vehicles/{SHOWN_PLATE}"),
            ),
        ];
        if let Some(pin) = &self.child {
            commands.push(self.ask(
                "Refused: a child; the mobile unit's grant is for adults, and to it there is no such person",
                MOBILE,
                IDENTITY,
                PERSONS,
                &by_key(pin),
            ));
        }
        if let Some(pin) = &self.unreadable {
            commands.push(self.ask(
                "Refused: a row whose code of sex no list knows; the registry is to blame",
                PORTAL,
                BIRTHS,
                PERSONS,
                &by_key(pin),
            ));
        }
        commands
    }

    fn mishaps(&self) -> Vec<Command> {
        Mishap::ALL
            .into_iter()
            .map(|mishap| {
                let title = match mishap {
                    Mishap::Slow => "A registry that is too slow",
                    Mishap::Garbage => "A registry that answers with a page for people",
                    Mishap::Truncated => "A registry whose answer ends in the middle",
                    Mishap::BreaksItsSchema => "A registry that breaks its contract",
                    Mishap::Closed => "A registry that is closed",
                };
                self.get(title, PORTAL, EMPLOYMENT, &format!("api/diplomas/v1/diplomas/{}", mishap.number()))
            })
            .collect()
    }

    fn about_the_bus(&self) -> Vec<Command> {
        let photo = self.directory.join("photo.png");
        let wanted = format!("{{\"key\": \"{HEROINE}\", \"field\": \"photo\"}}");
        let Command { title, command } = self.ask("A photograph, streamed into a file", PORTAL, IDENTITY_CARD, PERSONS, &wanted);
        let command = command.replacen(NEW_LINE, "--write-out '%{content_type}, %{size_download} bytes\\n'", 1);
        vec![
            self.get("What the portal may call", PORTAL, None, "bus/catalogue"),
            self.get("What the mobile unit may call, as OpenAPI", MOBILE, None, "bus/openapi.json"),
            Command { title, command: format!("{command} \\\n  --output {}", quoted(&photo.to_string_lossy())) },
            Command {
                title: "The state of the bus",
                command: format!("curl --silent --show-error http://{}/readyz", self.admin),
            },
            Command { title: "Its metrics", command: format!("curl --silent --show-error http://{}/metrics", self.admin) },
        ]
    }

    fn ask(&self, title: &'static str, system: usize, purpose: Option<&str>, entity: &str, body: &str) -> Command {
        self.post(title, system, purpose, &format!("api/{entity}/query"), body)
    }

    fn post(&self, title: &'static str, system: usize, purpose: Option<&str>, path: &str, body: &str) -> Command {
        let mut command = self.curl(system, purpose);
        // Writing to a String cannot fail.
        let _ = write!(
            command,
            " \\\n  --header 'Content-Type: application/json' --data {} \\\n  {}",
            quoted(body),
            self.address(path)
        );
        Command { title, command }
    }

    fn get(&self, title: &'static str, system: usize, purpose: Option<&str>, path: &str) -> Command {
        Command { title, command: format!("{} \\\n  {}", self.curl(system, purpose), quoted(&self.address(path))) }
    }

    fn curl(&self, system: usize, purpose: Option<&str>) -> String {
        let Identity { certificate, key } = &self.certificates.clients[system];
        let [authority, certificate, key] =
            [&self.certificates.authority, certificate, key].map(|path| quoted(&path.to_string_lossy()));
        let purpose = purpose.map(|purpose| format!(" \\\n  --header 'Rabita-Purpose: {purpose}'")).unwrap_or_default();
        format!("curl --silent --show-error {NEW_LINE} --cacert {authority} \\\n  --cert {certificate} --key {key}{purpose}")
    }

    fn address(&self, path: &str) -> String {
        format!("https://localhost:{}/{path}", self.bus.port())
    }
}

/// An answer does not end its last line, and the next prompt would stand behind it.
const NEW_LINE: &str = "--write-out '\\n'";

/// Places in [`CLIENTS`].
const PORTAL: usize = 0;
const MOBILE: usize = 1;
const AUDIT: usize = 2;
const STRANGER: usize = 3;
const _: () = assert!(CLIENTS.len() == STRANGER + 1);

const BIRTHS: Option<&str> = Some("birth-registration");
const SALES: Option<&str> = Some("vehicle-transfer");
const NOTARY: Option<&str> = Some("property-transfer");
const COMPANIES: Option<&str> = Some("company-registration");
const IDENTITY_CARD: Option<&str> = Some("identity-card");
const IDENTITY: Option<&str> = Some("identity-check");
const EMPLOYMENT: Option<&str> = Some("employment");
const OWN_DATA: Option<&str> = Some("own-data");

const PERSONS: &str = "population/v1/persons";

fn by_key(key: &str) -> String {
    format!("{{\"key\": \"{key}\"}}")
}

/// A path as a word for a shell.
fn word(path: impl AsRef<Path>) -> String {
    quoted(&path.as_ref().to_string_lossy())
}

/// A word for a shell, whatever stands in it.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_' | b':');
    if !word.is_empty() && word.bytes().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_for_a_shell_stays_one_word() {
        assert_eq!(quoted("/tmp/a-b_c.pem"), "/tmp/a-b_c.pem");
        assert_eq!(quoted("it's a dir"), r"'it'\''s a dir'");
        assert_eq!(quoted(""), "''");
    }
}
