//! Commands about who may see what and why, and about the ledger of who did.

use std::path::Path;

use super::{AUDIT, Command, IDENTITY, MOBILE, OWN_DATA, PERSONS, PORTAL, by_key, quoted, word};
use crate::country::Country;
use crate::people::HEROINE;

/// Where the bus keeps the ministry's grants, below the configuration.
const GRANTS: &str = "grants/interior/population.yaml";

impl Country {
    /// What the bus tells of itself to whom it may.
    pub(super) fn views(&self) -> Vec<Command> {
        let asked = format!("{{\"subject\": \"{HEROINE}\", \"limit\": 3}}");
        let Command { title, command } = self.post(
            "Who used the first person's data, when, why and what of it: for her, in the portal",
            PORTAL,
            OWN_DATA,
            "bus/subjects/accesses",
            &asked,
        );
        let on_behalf = format!("--header 'Rabita-User: {HEROINE}' --header 'Content-Type");
        let command = command.replacen("--header 'Content-Type", &on_behalf, 1);
        vec![
            Command { title, command },
            self.get(
                "Who used the ministry's registers: for its audit, and of no person",
                AUDIT,
                None,
                "bus/agencies/interior/accesses?limit=3",
            ),
            self.get("The newest checkpoint of the ledger, signed", AUDIT, None, "bus/ledger/checkpoint"),
            self.get("The keys that sign answers", PORTAL, None, "bus/keys"),
        ]
    }

    /// Questions to the configuration, which need no running node.
    pub(super) fn questions(&self, program: &Path) -> Vec<Command> {
        let [program, config] = [program, &self.config].map(word);
        vec![
            Command {
                title: "Which grant decides what the mobile unit sees of her, and what that is",
                command: format!(
                    "{program} grants explain --config {config} --system mobile-unit \\\n  \
                     --header 'Rabita-Purpose: {}' --body {} POST /api/{PERSONS}/query",
                    IDENTITY.unwrap_or_default(),
                    quoted(&by_key(HEROINE))
                ),
            },
            Command {
                title: "Everyone who can see a photograph",
                command: format!("{program} grants who --config {config} --field {PERSONS}.photo"),
            },
        ]
    }

    /// A scene to play: the ledger is verified, changed in a copy, and found out; a grant is withdrawn while the bus runs,
    /// and given back.
    #[must_use]
    pub fn scene_of_trust(&self, program: &Path) -> Vec<Command> {
        let copy = self.directory.join("forged");
        let [program, ledger, copy] = [program, &self.ledger, &copy].map(word);
        let [grants, kept] = [self.config.join(GRANTS), self.directory.join("withdrawn.yaml")].map(word);
        let audit = &self.certificates.clients[AUDIT];
        let [authority, certificate, key] = [&self.certificates.authority, &audit.certificate, &audit.key].map(word);
        let shell = |title, command| Command { title, command };
        let shown = |title| self.ask(title, MOBILE, IDENTITY, PERSONS, &by_key(HEROINE));
        vec![
            shell("Trust: the ledger is as it was written", format!("{program} ledger verify {ledger}")),
            shell(
                "Trust: the same over the network, as the ministry's audit",
                format!(
                    "{program} ledger verify {} \\\n  --authorities {authority} --certificate {certificate} \
                     --certificate-key {key}",
                    self.address("").trim_end_matches('/')
                ),
            ),
            shell(
                "Trust: one byte of one entry is changed in a copy, and found",
                format!(
                    "rm -rf {copy} && cp -r {ledger} {copy} &&\n  printf X | dd bs=1 seek=99 conv=notrunc status=none \
                     of=$(find {copy}/log/tile/entries -type f | head -n 1) &&\n  {program} ledger verify {copy}"
                ),
            ),
            shown("Trust: the mobile unit sees the first person"),
            shell(
                "Trust: the ministry withdraws that grant, in its own file; the bus follows within a second",
                format!("cp {grants} {kept} && sed -i '/system: mobile-unit/,$d' {grants}"),
            ),
            shown("Trust: the mobile unit sees her no more"),
            shell("Trust: the ministry gives it back", format!("mv {kept} {grants}")),
            shown("Trust: the mobile unit sees her again"),
        ]
    }
}
