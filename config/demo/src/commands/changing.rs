//! Commands that change something.

use std::path::Path;

use super::{COMPANIES, Command, IDENTITY_CARD, PERSONS, PORTAL, quoted, word};
use crate::companies::SHOWN_COMPANY;
use crate::country::Country;

impl Country {
    /// A scene to play: a change of a register that is closed, and the bus killed before it is open again.
    #[must_use]
    pub fn scene(&self, program: &Path, process: u32) -> Vec<Command> {
        let [program, directory, mark] = [program, &self.directory, &self.closed.join("companies")].map(word);
        let company = format!("api/companies/v1/companies/{SHOWN_COMPANY}");
        let stands = |title| self.get(title, PORTAL, None, "bus/updates?registry=companies");
        let shell = |title, command| Command { title, command };
        vec![
            shell("Scene: close the register of companies; it answers 503 to everybody", format!("touch {mark}")),
            self.send(
                "Scene: a change while it is closed; accepted, with an address to ask",
                ("PATCH", "application/merge-patch+json"),
                COMPANIES,
                ("demo-address-1", Some("respond-async")),
                &company,
                "{\"address\": {\"street\": \"Xaqani küçəsi\", \"house\": \"21\"}}",
            ),
            stands("Scene: how it stands"),
            shell("Scene: pull the plug", format!("kill -9 {process}")),
            shell(
                "Scene: start again on what is there, in the first terminal",
                format!("{program} demo --directory {directory} --keep"),
            ),
            shell("Scene: open the register again", format!("rm {mark}")),
            stands("Scene: how it stands now"),
            self.get("Scene: the company at its new address", PORTAL, COMPANIES, &company),
        ]
    }

    /// Changes of another person than the one who is shown, so that what is shown of her stays as it is.
    pub(super) fn changes(&self) -> Vec<Command> {
        let Some(pin) = self.others.first() else { return Vec::new() };
        let patched = |patch: &str| format!("{{\"operation\": \"update\", \"key\": \"{pin}\", \"patch\": {patch}}}");
        let change = |title, key, patch: &str| {
            let how = ("POST", "application/json");
            self.send(title, how, IDENTITY_CARD, (key, None), &format!("api/{PERSONS}/change"), &patched(patch))
        };
        let (first, other) = ("{\"name\": {\"family\": \"Səfərli\"}}", "{\"name\": {\"family\": \"Səfərov\"}}");
        let mut commands = vec![
            change("A change of a family name, applied before the answer", "demo-name-1", first),
            change("The same sent again, as after a broken connection: the first outcome, applied once", "demo-name-1", first),
            change("Refused: another change under the same key", "demo-name-1", other),
            change("Refused: a change that the contract does not allow", "demo-name-2", "{\"marital_status\": \"complicated\"}"),
            self.get("What the portal changed, and how it ended", PORTAL, None, "bus/updates?registry=population"),
        ];
        commands.extend(self.active.iter().map(|tin| {
            self.send(
                "A named action: a company is suspended, and its register answers with the number of the decision",
                ("POST", "application/json"),
                COMPANIES,
                ("demo-suspend-1", None),
                &format!("api/companies/v1/companies/{tin}/suspend"),
                "{\"reason\": \"own_wish\"}",
            )
        }));
        commands
    }

    /// A call with a body: its method and media type, its idempotency key and, where there is one, its preference.
    fn send(
        &self,
        title: &'static str,
        (method, media_type): (&str, &str),
        purpose: Option<&str>,
        (key, prefer): (&str, Option<&str>),
        path: &str,
        body: &str,
    ) -> Command {
        let prefer = prefer.map(|prefer| format!(" --header 'Prefer: {prefer}'")).unwrap_or_default();
        let command = format!(
            "{} \\\n  --request {method} --header 'Idempotency-Key: {key}'{prefer} \\\n  \
             --header 'Content-Type: {media_type}' --data {} \\\n  {}",
            self.curl(PORTAL, purpose),
            quoted(body),
            quoted(&self.address(path))
        );
        Command { title, command }
    }
}
