//! Manifests of persons: that of an [`Upstream`](super::Upstream), and what other registries of them have in common.

/// A grant of everything in `persons` to the portal.
pub const GRANT_ALL: &str =
    "{ system: portal, version: v1, entity: persons, operations: [read, search], fields: all, purposes: any }";

/// A manifest as text, with what a test changes about it.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub(super) id: String,
    url: String,
    limits: String,
    entity: String,
}

impl Manifest {
    /// The registry of this name at this address.
    #[must_use]
    pub fn of(id: &str, url: impl Into<String>) -> Self {
        Self { id: id.to_owned(), url: url.into(), limits: "{}".to_owned(), entity: String::new() }
    }

    /// Its `limits:`, in braces.
    #[must_use]
    pub fn limits(mut self, limits: &str) -> Self {
        limits.clone_into(&mut self.limits);
        self
    }

    /// One more member of the entity `persons`.
    #[must_use]
    pub fn persons(mut self, member: &str) -> Self {
        self.entity.push_str(&format!("      {member}\n"));
        self
    }

    pub(super) fn text(&self) -> String {
        let Self { id, url, limits, entity } = self;
        let connector = CONNECTOR.replace("{URL}", url).replace("{LIMITS}", limits);
        of_persons(id, &connector, &REST.replace("{ENTITY}", entity))
    }
}

/// The manifest of a registry of persons: how it is reached, and all that stands below the schema and the key of `persons`,
/// which are the same whatever the registry is.
#[must_use]
pub fn of_persons(id: &str, connector: &str, rest: &str) -> String {
    PERSONS.replace("{ID}", id).replace("{CONNECTOR}", connector) + rest.trim_start_matches('\n')
}

const PERSONS: &str = r#"
registry: {ID}
agency: interior
title: Registry {ID}
{CONNECTOR}
contract:
  v1:
    persons:
      schema:
        title: Person
        type: object
        additionalProperties: false
        required: [pin, name, sex]
        properties:
          pin: { title: PIN, type: string, pattern: "^[0-9A-Z]{7}$" }
          name:
            title: Name
            type: object
            additionalProperties: false
            required: [family]
            properties:
              family: { title: Family name, type: string, minLength: 1 }
              given: { title: Given name, type: string, minLength: 1 }
          birth_date: { title: Date of birth, type: string, pattern: "^[0-9]{4}(-[0-9]{2}){0,2}$" }
          sex: { title: Sex, enum: [female, male] }
          income: { title: Income, type: integer, minimum: 0 }
      key: pin
"#;

const CONNECTOR: &str = r#"connector: { kind: rest, url: "{URL}", probe: { path: /health } }
limits: {LIMITS}"#;

const REST: &str = r#"
{ENTITY}
      from:
        read: { path: "/persons/{FIN}" }
        search:
          path: /persons
          filters: { SOYAD: soyad, CINS: cins, GELIR: gelir }
          records: siyahi
          paging: { offset: { param: kec, limit_param: say, size_max: 100, total: cem } }
        fields_param: { name: fields }
        binary: { SEKIL: { path: "/persons/{FIN}/photo" } }
      fields:
        pin: FIN
        name.family: SOYAD
        name.given: AD
        birth_date: { from: DOGUM, codec: { date: "%Y%m%d" } }
        sex: { from: CINS, codec: { codes: sex } }
        income: GELIR
        photo: { from: SEKIL, binary: { media_type: image/png } }
      operations:
        read: { max_keys: 5 }
        search: { by: [name.family, sex, income], max: 100 }
    plots:
      schema:
        title: Plot
        type: object
        additionalProperties: false
        required: [district, number, area]
        properties:
          district: { title: District, type: string, minLength: 1 }
          number: { title: Number, type: string, minLength: 1 }
          area: { title: Area, type: integer }
      key: [district, number]
      from: { read: { path: "/plots/{RAYON}/{NOMRE}" } }
      fields: { district: RAYON, number: NOMRE, area: SAHE }
      operations: { read: {} }
codes:
  sex: { K: male, Q: female }
"#;
