//! The whole country: made, served, and asked as the bus asks it.

use std::path::Path;
use std::time::{Duration, Instant};

use rabita_demo::people::HEROINE;
use rabita_demo::{Country, Options, Servers, build, keep};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection, Row, SqliteConnection};

fn options(citizens: usize) -> Options {
    Options { citizens, bus_port: 18_443, ..Options::new(jiff::civil::date(2026, 11, 23)) }
}

async fn country(directory: &Path, citizens: usize) -> (Country, Servers) {
    let mut country = build(directory, &options(citizens)).await.expect("a country");
    let servers = country.serve_registries();
    (country, servers)
}

/// The address in a registry's manifest, which is where the bus would ask.
fn address_in(country: &Country, registry: &str) -> String {
    let manifest = std::fs::read_to_string(country.config.join(format!("registries/{registry}.yaml"))).expect("a manifest");
    let manifest: Value = serde_saphyr::from_str(&manifest).expect("YAML");
    let url = manifest["connector"]["url"].as_str().expect("an address in the open");
    url.to_owned()
}

fn secret(country: &Country, name: &str) -> String {
    std::fs::read_to_string(country.config.join("secrets").join(name)).expect("a secret").trim_end().to_owned()
}

#[tokio::test]
async fn ten_thousand_citizens_are_made_in_a_few_seconds_and_made_anew_the_same() {
    let scratch = tempfile::tempdir().expect("a directory");
    let directory = scratch.path().join("country");
    let started = Instant::now();
    build(&directory, &options(10_000)).await.expect("a country");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let first = dump(&directory.join("registers/population.db")).await;
    assert_eq!(first.len(), 10_000);
    build(&directory, &options(10_000)).await.expect("the country anew");
    assert!(first == dump(&directory.join("registers/population.db")).await, "the second country differs");
}

async fn dump(file: &Path) -> Vec<(String, String, i64, Vec<u8>)> {
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.expect("the register");
    let rows = sqlx::query("SELECT FIN, SOYAD, DOGUM, COALESCE(SEKIL, x'') AS SEKIL FROM CITIZENS ORDER BY FIN");
    let rows = rows.fetch_all(&mut connection).await.expect("citizens");
    rows.iter().map(|row| (row.get("FIN"), row.get("SOYAD"), row.get("DOGUM"), row.get("SEKIL"))).collect()
}

#[tokio::test]
async fn the_registers_hold_together() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (country, _servers) = country(scratch.path(), 2_000).await;
    let population = country.directory.join("registers/population.db");
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", population.display())).await.expect("the register");
    let count = async |connection: &mut SqliteConnection, query: &'static str| -> i64 {
        sqlx::query(query).fetch_one(connection).await.expect("a count").get(0)
    };
    let homeless =
        count(&mut connection, "SELECT COUNT(*) FROM CITIZENS c LEFT JOIN UNVANLAR u ON u.ID = c.UNVAN_ID WHERE u.ID IS NULL")
            .await;
    assert_eq!(homeless, 0);
    let nowhere =
        count(&mut connection, "SELECT COUNT(*) FROM UNVANLAR u LEFT JOIN RAYONLAR r ON r.KOD = u.RAYON WHERE r.KOD IS NULL")
            .await;
    assert_eq!(nowhere, 0);
    let children = count(&mut connection, "SELECT COUNT(*) FROM USHAQLAR JOIN CITIZENS ON FIN = USHAQ_FIN").await;
    assert!(children > 1_000, "{children}");

    let land = country.directory.join("registers/land.db");
    let mut connection = SqliteConnection::connect(&format!("sqlite:{}", land.display())).await.expect("the register");
    let lost =
        count(&mut connection, "SELECT COUNT(*) FROM EMLAK e LEFT JOIN SAHIBLER s USING (REYESTR_NO) WHERE s.FIN IS NULL").await;
    assert_eq!(lost, 0);
}

#[tokio::test]
async fn the_vehicles_answer_in_soap_and_refuse_a_stranger() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (country, servers) = country(scratch.path(), 300).await;
    let ask = async |password: &str, plate: &str| {
        let body = format!(
            "<Envelope><Header><Security><UsernameToken><Username>rabita</Username><Password>{password}</Password>\
             </UsernameToken></Security></Header><Body><GetVehicle><Plate>{plate}</Plate></GetVehicle></Body></Envelope>"
        );
        let answer = Client::new().post(address_in(&country, "vehicles")).body(body).send().await.expect("an answer");
        (answer.status(), answer.text().await.expect("text"))
    };
    let password = secret(&country, "vehicles.password");
    let (status, text) = ask(&password, "10-RA-777").await;
    assert!(status == StatusCode::OK && text.contains(HEROINE), "{status} {text}");
    let (status, text) = ask(&password, "10-ZZ-000").await;
    assert!(status == StatusCode::INTERNAL_SERVER_ERROR && text.contains("VEHICLE_NOT_FOUND"), "{status} {text}");
    let (status, text) = ask("wrong", "10-RA-777").await;
    assert!(status == StatusCode::INTERNAL_SERVER_ERROR && text.contains("wsse:FailedAuthentication"), "{status} {text}");
    servers.stop().await;
}

#[tokio::test]
async fn the_companies_answer_who_has_a_token_and_in_pages() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (country, _servers) = country(scratch.path(), 3_000).await;
    let (client, url) = (Client::new(), address_in(&country, "companies"));
    let list = format!("{url}/api/v2/taxpayers?page=1&pageSize=5");
    let refused = client.get(&list).send().await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);

    let token = companies_token(&client, &country).await;
    let get = async |address: String| -> Value {
        client.get(address).bearer_auth(&token).send().await.expect("an answer").json().await.expect("JSON")
    };
    let page = get(list).await;
    assert_eq!(page["data"].as_array().map(Vec::len), Some(5));
    let pages = page["paging"]["totalPages"].as_u64().expect("a number of pages");
    let last = get(format!("{url}/api/v2/taxpayers?page={pages}&pageSize=5")).await;
    assert!(last["data"].as_array().is_some_and(|data| !data.is_empty()), "{last}");
    let one = get(format!("{url}/api/v2/taxpayers/1403778211")).await;
    assert_eq!(one["data"]["director"]["pin"], HEROINE);
    let account = get(format!("{url}/api/v2/taxpayers/1403778211/account")).await;
    assert_eq!(account["data"]["debtQepik"], 128_745);
}

async fn companies_token(client: &Client, country: &Country) -> String {
    let (url, secret) = (address_in(country, "companies"), secret(country, "companies.secret"));
    let form = [("grant_type", "client_credentials"), ("client_id", "rabita"), ("client_secret", secret.as_str())];
    let token = client.post(format!("{url}/oauth/token")).form(&form).send().await.expect("an answer");
    let token: Value = token.json().await.expect("JSON");
    token["access_token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn a_company_is_changed_once_at_its_revision_and_a_country_that_is_kept_knows_it() {
    let scratch = tempfile::tempdir().expect("a directory");
    let directory = scratch.path().join("country");
    let (first, servers) = country(&directory, 300).await;
    let client = Client::new();
    let url = address_in(&first, "companies");
    let company = format!("{url}/api/v2/taxpayers/1403778211");
    let token = companies_token(&client, &first).await;
    let change = async |id: &str, revision: &str, house: Value| {
        let request = client.patch(&company).bearer_auth(&token).header("X-Request-Id", id).header("If-Match", revision);
        request.json(&json!({ "address": { "house": house } })).send().await.expect("an answer").status()
    };
    assert_eq!(change("a", "\"1\"", json!(21)).await, StatusCode::NO_CONTENT);
    assert_eq!(change("a", "\"1\"", json!(21)).await, StatusCode::NO_CONTENT, "it is the same change, sent twice");
    assert_eq!(change("b", "\"1\"", json!("22A")).await, StatusCode::PRECONDITION_FAILED);
    assert_eq!(change("c", "\"2\"", json!("22A")).await, StatusCode::NO_CONTENT);
    let suspend = async |reason: &str| {
        let request = client.post(format!("{company}/suspension")).bearer_auth(&token).header("X-Request-Id", "d");
        request.json(&json!({ "reasonCode": reason })).send().await.expect("an answer").text().await.expect("text")
    };
    assert!(suspend("9").await.contains("REASON_UNKNOWN"));
    let decided = suspend("1").await;
    assert!(decided.contains("Q-1403778211-4"), "{decided}");
    assert_eq!(suspend("1").await, decided, "it is the same decision");

    servers.stop().await;
    drop(first);
    let mut again = keep(&directory).await.expect("the country as it was");
    let _servers = again.serve_registries();
    assert_eq!(address_in(&again, "companies"), url, "it listens where it did");
    let token = companies_token(&client, &again).await;
    let one: Value = client.get(&company).bearer_auth(token).send().await.expect("an answer").json().await.expect("JSON");
    let one = &one["data"];
    assert_eq!((&one["address"]["house"], &one["revision"], &one["status"]), (&json!("22A"), &json!(4), &json!("SUSPENDED")));
}

#[tokio::test]
async fn a_register_answers_nobody_while_it_is_closed() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (country, _servers) = country(scratch.path(), 50).await;
    let health = format!("{}/health", address_in(&country, "companies"));
    let status = async || Client::new().get(&health).send().await.expect("an answer").status();
    assert_eq!(status().await, StatusCode::OK);
    let mark = country.closed.join("companies");
    std::fs::write(&mark, "").expect("a mark");
    assert_eq!(status().await, StatusCode::SERVICE_UNAVAILABLE);
    std::fs::remove_file(&mark).expect("the mark");
    assert_eq!(status().await, StatusCode::OK);
}

#[tokio::test]
async fn a_country_that_nobody_made_cannot_be_kept() {
    let scratch = tempfile::tempdir().expect("a directory");
    let error = keep(&scratch.path().join("nowhere")).await.err().expect("a refusal");
    assert!(error.to_string().contains("--keep"), "{error}");
}

#[tokio::test]
async fn the_diplomas_answer_and_misbehave_as_promised() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (country, _servers) = country(scratch.path(), 500).await;
    let (url, key) = (address_in(&country, "diplomas"), secret(&country, "diplomas.key"));
    let client = Client::builder().timeout(Duration::from_millis(700)).build().expect("a client");
    let get = async |path: &str| client.get(format!("{url}/tehsil/sened{path}")).header("X-Acar", &key).send().await;

    let one: Value = get("/BB-200017").await.expect("an answer").json().await.expect("JSON");
    assert_eq!((one["fin"].as_str(), one["ferqlenme"].as_str()), (Some(HEROINE), Some("Bəli")));
    let found: Value = get(&format!("?fin={HEROINE}&kec=0&say=10")).await.expect("an answer").json().await.expect("JSON");
    assert_eq!(found["cem"], 1);

    assert!(get("/SLW-000001").await.is_err_and(|error| error.is_timeout()));
    for number in ["GRB-000001", "TRN-000001"] {
        let answer = get(&format!("/{number}")).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.json::<Value>().await.is_err(), "{number}");
    }
    let wrong: Value = get("/SCH-000001").await.expect("an answer").json().await.expect("JSON");
    assert_eq!(wrong["fin"], "IOIO");
    let closed = get("/OUT-000001").await.expect("an answer");
    assert_eq!((closed.status(), closed.headers()["retry-after"].to_str().ok()), (StatusCode::SERVICE_UNAVAILABLE, Some("30")));
    let stranger = client.get(format!("{url}/tehsil/sened/BB-200017")).send().await.expect("an answer");
    assert_eq!(stranger.status(), StatusCode::FORBIDDEN);
}

#[cfg(unix)]
#[tokio::test]
async fn keys_and_secrets_are_read_by_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = tempfile::tempdir().expect("a directory");
    let (country, _servers) = country(scratch.path(), 10).await;
    let mut secrets: Vec<_> = country.certificates.clients.iter().map(|client| client.key.clone()).collect();
    secrets.push(country.certificates.server.key.clone());
    secrets.push(country.config.join("secrets/diplomas.key"));
    for secret in secrets {
        let mode = secret.metadata().expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", secret.display());
    }
}

#[tokio::test]
async fn every_command_names_files_that_are_there_and_the_port_of_the_bus() {
    let scratch = tempfile::tempdir().expect("a directory");
    let (country, _servers) = country(scratch.path(), 2_000).await;
    let commands = country.commands();
    assert!(commands.len() >= 20, "{}", commands.len());
    for command in &commands {
        assert!(command.command.starts_with("curl "), "{}", command.title);
        let words: Vec<&str> = command.command.split_whitespace().collect();
        for flag in ["--cacert", "--cert", "--key"] {
            if let Some(at) = words.iter().position(|word| *word == flag) {
                assert!(Path::new(words[at + 1]).is_file(), "{}: {}", command.title, words[at + 1]);
            }
        }
        assert!(command.command.contains("https://localhost:18443/") || command.command.contains("http://127.0.0.1:9090/"));
    }
    assert!(commands.iter().any(|command| command.title.contains("no list knows")));
}
