//! What callers are given.

use rabita_tests::bus::{Country, Upstream};
use serde_json::json;

const AYGUN: &str = "/api/people/v1/persons/5ZJBKH7";
const QUERY: &str = "/api/people/v1/persons/query";

#[tokio::test]
async fn a_record_is_the_same_by_its_address_and_by_a_query_for_its_key() {
    let upstream = Upstream::start().await;
    let bus = Country::with_people(upstream.url()).start().await;
    let by_address = bus.portal().get(AYGUN).await.good();
    let by_query = bus.portal().post(QUERY, &json!({ "key": "5ZJBKH7" })).await.good();
    let expected = json!({ "pin": "5ZJBKH7", "name": { "family": "Əliyeva", "given": "Aygün" }, "birth_date": "1978-03-12", "sex": "female", "income": 1250 });
    assert_eq!(by_address.json(), expected);
    assert_eq!(by_query.json(), expected);
}
