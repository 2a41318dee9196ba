//! Surveys of small descriptions; that of a real register is in the integration tests.

use std::sync::Arc;

use async_trait::async_trait;
use rabita_sdk::survey::{Documents, Foreseen, Question, ValueType};
use rabita_sdk::{Legacy, Row};

use super::*;

const VEHICLES: &str = r#"<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/"
  xmlns:v="urn:vehicles" xmlns:tns="urn:w" targetNamespace="urn:w"><documentation>In trouble: NOT_FOUND: none. BUSY: later.</documentation>
  <types><xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema"><xsd:import namespace="urn:vehicles" schemaLocation="vehicles.xsd"/></xsd:schema></types>
  <message name="get"><part name="p" element="v:Get"/></message><message name="got"><part name="p" element="v:GetResponse"/></message>
  <message name="find"><part name="p" element="v:Find"/></message><message name="found"><part name="p" element="v:FindResponse"/></message>
  <portType name="T"><operation name="Get"><input message="tns:get"/><output message="tns:got"/></operation>
  <operation name="Find"><input message="tns:find"/><output message="tns:found"/></operation>
  <operation name="DeleteAll"><input message="tns:get"/><output message="tns:got"/></operation></portType>
  <binding name="B" type="tns:T"><s:binding style="document"/>
  <operation name="Get"><s:operation soapAction="urn:Get"/></operation><operation name="Find"><s:operation soapAction="urn:Find"/></operation>
  <operation name="DeleteAll"><s:operation soapAction=""/></operation></binding>
  <service name="Vehicles"><port binding="tns:B"><s:address location="http://vehicles.example/s"/></port></service></definitions>"#;

const SCHEMA: &str = r#"<xsd:schema xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:v="urn:vehicles" targetNamespace="urn:vehicles" elementFormDefault="qualified">
  <xsd:simpleType name="Status"><xsd:restriction base="xsd:string">
    <xsd:enumeration value="1"><xsd:annotation><xsd:documentation>In use</xsd:documentation></xsd:annotation></xsd:enumeration>
    <xsd:enumeration value="2"><xsd:annotation><xsd:documentation>Scrapped</xsd:documentation></xsd:annotation></xsd:enumeration></xsd:restriction></xsd:simpleType>
  <xsd:complexType name="Vehicle"><xsd:sequence><xsd:element name="Make" type="xsd:string"/><xsd:element name="Status" type="v:Status"/>
    <xsd:element name="Since" type="xsd:date" minOccurs="0"/>
    <xsd:element name="Owner"><xsd:complexType><xsd:attribute name="fin" type="xsd:string" use="required"/></xsd:complexType></xsd:element>
    <xsd:element name="Colour" type="xsd:string" minOccurs="0" maxOccurs="unbounded"/></xsd:sequence>
    <xsd:attribute name="plate" type="xsd:string" use="required"/></xsd:complexType>
  <xsd:element name="Get"><xsd:complexType><xsd:sequence><xsd:element name="Plate" type="xsd:string"/></xsd:sequence></xsd:complexType></xsd:element>
  <xsd:element name="GetResponse"><xsd:complexType><xsd:sequence><xsd:element name="Vehicle" type="v:Vehicle"/></xsd:sequence></xsd:complexType></xsd:element>
  <xsd:element name="Find"><xsd:complexType><xsd:sequence><xsd:element name="Make" type="xsd:string" minOccurs="0"/><xsd:element name="Page" type="xsd:int"/></xsd:sequence></xsd:complexType></xsd:element>
  <xsd:element name="FindResponse"><xsd:complexType><xsd:sequence><xsd:element name="Total" type="xsd:int"/>
    <xsd:element name="Vehicle" type="v:Vehicle" maxOccurs="unbounded"/></xsd:sequence></xsd:complexType></xsd:element></xsd:schema>"#;

struct Both;

#[async_trait]
impl Documents for Both {
    async fn get(&self, place: &str) -> Result<Vec<u8>, SurveyError> {
        match place {
            "http://vehicles.example/s?wsdl" => Ok(VEHICLES.as_bytes().to_vec()),
            "http://vehicles.example/vehicles.xsd" => Ok(SCHEMA.as_bytes().to_vec()),
            other => Err(SurveyError::Unreachable(other.to_owned())),
        }
    }
}

async fn surveyed() -> Survey {
    let address = "http://vehicles.example/s?wsdl";
    let source = SurveySource {
        address: TextOrSecret::Text(address.to_owned()),
        shown: address.to_owned(),
        path: None,
        head: VEHICLES.as_bytes().to_vec(),
        settings: Map::new(),
        only: Vec::new(),
        narrow: None,
        directory: std::path::PathBuf::from("/"),
        documents: Arc::new(Both),
    };
    assert_eq!(recognises(&source), Recognised::Surely);
    survey(&source, &SurveyLimits::default()).await.expect("a survey")
}

#[tokio::test]
async fn finds_what_reads_and_what_searches_through_imported_schemas() {
    let survey = surveyed().await;
    let [vehicle] = survey.entities.as_slice() else { panic!("one entity: {:?}", survey.entities) };
    let expected = json!({
        "read": {
            "action": "urn:Get", "request": { "t:Get": { "t:Plate": "{@plate}" } },
            "response": { "element": "t:GetResponse", "record": "Vehicle" },
        },
        "repeated": ["Colour"],
        "search": {
            "action": "urn:Find", "request": { "t:Find": { "t:Make": "{Make?}", "t:Page": "{$page}" } },
            "response": { "element": "t:FindResponse", "records": "Vehicle", "total": "Total" }, "paging": "page",
        },
    });
    assert_eq!(vehicle.from, expected);
    assert_eq!((vehicle.name.as_str(), vehicle.key.as_slice()), ("Vehicle", &[Source::new("@plate")][..]));
    let sources: Vec<&str> = vehicle.columns.iter().map(|column| column.source.as_str()).collect();
    assert_eq!(sources, ["@plate", "Make", "Status", "Since", "Owner.@fin", "Colour"]);
    assert_eq!(vehicle.columns[3].value, ValueType::Date);
    assert_eq!(vehicle.columns[2].closed.as_ref().expect("codes").codes[1].meaning.as_deref(), Some("Scrapped"));
    assert_eq!(survey.settings["namespaces"], json!({ "t": "urn:vehicles" }));
    assert_eq!(survey.settings["faults"], json!({ "NOT_FOUND": "absent", "BUSY": "unavailable" }));
    assert!(survey.unsure.iter().any(|why| why.contains("DeleteAll")), "{:?}", survey.unsure);
}

#[tokio::test]
async fn a_fixture_answers_the_call_that_is_made() {
    let survey = surveyed().await;
    let row: Row = serde_json::from_value(
        json!({ "@plate": "10-AA-001", "Make": "A&B", "Owner": { "@fin": "5ZJBKH7" }, "Colour": ["red", "blue"] }),
    )
    .expect("a row");
    let key = [Legacy::from("10-AA-001")];
    let rows = [row];
    let mut foreseen = Foreseen {
        settings: &survey.settings,
        entity: &survey.entities[0],
        question: Question::Read(&key),
        rows: &rows,
        tables: &[],
    };
    let body = "<t:GetResponse><t:Vehicle plate=\"10-AA-001\"><t:Make>A&amp;B</t:Make><t:Owner fin=\"5ZJBKH7\"></t:Owner>\
                <t:Colour>red</t:Colour><t:Colour>blue</t:Colour></t:Vehicle></t:GetResponse>";
    let expected = json!([{ "request": { "values": { "Plate": "10-AA-001" } }, "response": { "body": body } }]);
    assert_eq!(fixture(&foreseen), Some(expected));
    foreseen.rows = &[];
    assert_eq!(
        fixture(&foreseen).expect("a fixture")[0]["response"],
        json!({ "fault": { "code": "Client", "string": "NOT_FOUND" } })
    );
}
