//! Tokens of a real identity provider: `oidc-provider`, which knows nothing of the bus.

use rabita_tests::NodeServer;
use rabita_tests::bus::{Authority, Caller, Identity, Speaks, Upstream};
use reqwest::Method;
use serde_json::Value;

const AYGUN: &str = "/api/people/v1/persons/5ZJBKH7";
const AUDIENCE: &str = "https://bus.example";

/// A token by client credentials; with a certificate, one that is bound to it.
async fn token(issuer: &str, client: &str, resource: &str, certificate: Option<&Identity>) -> String {
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let form = [("grant_type", "client_credentials"), ("resource", resource), ("scope", "people")];
    let mut request = http.post(format!("{issuer}/token")).basic_auth(client, Some("secret-of-the-tests")).form(&form);
    if let Some(identity) = certificate {
        // As a proxy that ends TLS before the provider hands it on.
        let der: String = identity.certificate.lines().filter(|line| !line.starts_with("-----")).collect();
        request = request.header("x-client-certificate", der);
    }
    let answer = request.send().await.expect("the provider answers");
    let (status, text) = (answer.status(), answer.text().await.expect("text"));
    assert_eq!(status.as_u16(), 200, "{text}");
    let answer: Value = serde_json::from_str(&text).expect("JSON");
    answer["access_token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn tokens_of_a_real_provider_are_taken_and_rotate_and_bind_as_its_own_do() {
    let provider = NodeServer::start("oidc", &[AUDIENCE, "https://other.example"]);
    let issuer = format!("http://{}", provider.address());
    let upstream = Upstream::start().await;
    let keys = format!("{{ url: \"{issuer}/jwks\" }}");
    let country = crate::issuer::country_of(&upstream, &issuer, AUDIENCE, &keys, "");
    let bus = country.start().await;
    let nobody = Caller::new(bus.optional, None, Speaks::Either);
    let show = async |caller: &Caller, token: &str| caller.sent(caller.request(Method::GET, AYGUN).bearer_auth(token)).await;

    let _ = show(&nobody, &token(&issuer, "service", AUDIENCE, None).await).await.good();
    let other = token(&issuer, "service", "https://other.example", None).await;
    let _ = show(&nobody, &other).await.refused(401, "token_invalid");

    let stranger = &Authority::get().stranger;
    let bound = token(&issuer, "bound-service", AUDIENCE, Some(stranger)).await;
    let _ = show(&nobody, &bound).await.refused(401, "token_invalid");
    let with_it = Caller::new(bus.optional, Some(stranger), Speaks::Either);
    let _ = show(&with_it, &bound).await.good();

    // A provider that starts anew has other keys, under other names.
    let before = token(&issuer, "service", AUDIENCE, None).await;
    provider.kill();
    provider.start_again();
    let _ = show(&nobody, &token(&issuer, "service", AUDIENCE, None).await).await.good();
    let _ = show(&nobody, &before).await.refused(401, "token_invalid");
}
