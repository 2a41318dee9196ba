//! The traffic police's service: SOAP 1.1 of the 2000s, with WS-Security, attributes and faults.

mod envelope;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use crate::vehicles::{Inspection, Vehicle};
use envelope::{Request, text};

/// The user that the service knows.
pub const USER: &str = "rabita";

/// The namespace of the service's elements.
pub const NAMESPACE: &str = "urn:dyp:reyestr:2004";

const PAGE_MAX: usize = 100;

struct Service {
    vehicles: Vec<Vehicle>,
    password: String,
}

/// The service over these vehicles, which stand in the order of their plates.
pub fn router(vehicles: Vec<Vehicle>, password: String) -> Router {
    let service = Arc::new(Service { vehicles, password });
    Router::new().route("/DypReyestr.asmx", post(call).get(description)).with_state(service)
}

async fn call(State(service): State<Arc<Service>>, body: String) -> Response {
    let answer = Request::parse(&body).ok_or(Fault::UNREADABLE).and_then(|request| service.answer(&request));
    match answer {
        Ok(content) => xml(StatusCode::OK, &envelope::wrap(&content)),
        Err(fault) => xml(StatusCode::INTERNAL_SERVER_ERROR, &envelope::wrap(&fault.write())),
    }
}

async fn description() -> Response {
    xml(StatusCode::OK, DESCRIPTION)
}

fn xml(status: StatusCode, content: &str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/xml; charset=utf-8")], content.to_owned()).into_response()
}

impl Service {
    fn answer(&self, request: &Request) -> Result<String, Fault> {
        let user = request.header("Security/UsernameToken/Username");
        let password = request.header("Security/UsernameToken/Password");
        if user != Some(USER) || password != Some(self.password.as_str()) {
            return Err(Fault::STRANGER);
        }
        match request.operation() {
            Some("GetVehicle") => self.get(request),
            Some("FindVehicles") => Ok(self.find(request)),
            _ => Err(Fault::NO_OPERATION),
        }
    }

    fn get(&self, request: &Request) -> Result<String, Fault> {
        let plate = request.argument("Plate").unwrap_or_default();
        let place = self.vehicles.binary_search_by(|vehicle| vehicle.plate.as_str().cmp(plate));
        let vehicle = place.map_err(|_| Fault::ABSENT)?;
        Ok(format!("<GetVehicleResponse xmlns=\"{NAMESPACE}\">{}</GetVehicleResponse>", write(&self.vehicles[vehicle])))
    }

    fn find(&self, request: &Request) -> String {
        let number = |name: &str| request.argument(name).and_then(|text| text.trim().parse::<usize>().ok());
        let size = number("PageSize").unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
        let page = number("PageNo").unwrap_or(1).max(1);
        let is_asked = |vehicle: &&Vehicle| {
            let same = |name: &str, value: &str| request.argument(name).is_none_or(|asked| asked == value);
            same("OwnerFin", &vehicle.owner) && same("Make", vehicle.make) && same("Vin", &vehicle.vin)
        };
        let found: Vec<&Vehicle> = self.vehicles.iter().filter(is_asked).collect();
        let shown: String = found.iter().skip((page - 1).saturating_mul(size)).take(size).map(|vehicle| write(vehicle)).collect();
        format!(
            "<FindVehiclesResponse xmlns=\"{NAMESPACE}\"><Total>{}</Total><Vehicles>{shown}</Vehicles></FindVehiclesResponse>",
            found.len()
        )
    }
}

fn write(vehicle: &Vehicle) -> String {
    let inspections: String = vehicle.inspections.iter().rev().map(write_inspection).collect();
    // A service of its time: numbers filled with zeros, days with points, B and X for bəli and xeyr.
    format!(
        "<Vehicle plate=\"{}\" status=\"{}\"><Vin>{}</Vin><Make>{}</Make><Model>{}</Model><Year>{}</Year>\
         <Color code=\"{}\"/><Fuel>{}</Fuel><EngineCcm>{:06}</EngineCcm>\
         <Owner type=\"F\" fin=\"{}\">{}</Owner><RegisteredOn>{}</RegisteredOn><Wanted>{}</Wanted>\
         <Inspections>{inspections}</Inspections></Vehicle>",
        vehicle.plate,
        vehicle.status,
        vehicle.vin,
        text(vehicle.make),
        text(vehicle.model),
        vehicle.year,
        vehicle.colour,
        vehicle.fuel,
        vehicle.engine_ccm,
        vehicle.owner,
        text(&vehicle.owner_name),
        vehicle.registered.dotted(),
        if vehicle.status == "W" { "B" } else { "X" },
    )
}

fn write_inspection(inspection: &Inspection) -> String {
    // K keçdi (passed), Q qaldı (failed); 0 where there is no day.
    let (result, until) = if inspection.passed { ("K", inspection.on.years_later(2).number()) } else { ("Q", 0) };
    let (on, kilometres) = (inspection.on.number(), inspection.kilometres);
    format!("<Inspection date=\"{on}\" result=\"{result}\" validTo=\"{until}\"><Km>{kilometres:07}</Km></Inspection>")
}

/// A SOAP 1.1 fault (section 4.4).
struct Fault {
    code: &'static str,
    string: &'static str,
    detail: &'static str,
}

impl Fault {
    const ABSENT: Self = Self { code: "soap:Client", string: "VEHICLE_NOT_FOUND", detail: "104" };
    const STRANGER: Self = Self { code: "wsse:FailedAuthentication", string: "User or password is wrong", detail: "1" };
    const NO_OPERATION: Self = Self { code: "soap:Client", string: "NO_SUCH_OPERATION", detail: "2" };
    const UNREADABLE: Self = Self { code: "soap:Client", string: "NOT_XML", detail: "3" };

    fn write(&self) -> String {
        format!(
            "<soap:Fault xmlns:wsse=\"{}\"><faultcode>{}</faultcode><faultstring>{}</faultstring>\
             <detail><DypError xmlns=\"{NAMESPACE}\"><Code>{}</Code></DypError></detail></soap:Fault>",
            envelope::SECURITY,
            self.code,
            self.string,
            self.detail
        )
    }
}

const DESCRIPTION: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<definitions name="DypReyestr" targetNamespace="urn:dyp:reyestr:2004" xmlns="http://schemas.xmlsoap.org/wsdl/"
    xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:t="urn:dyp:reyestr:2004">
  <portType name="DypReyestrSoap">
    <operation name="GetVehicle"/>
    <operation name="FindVehicles"/>
  </portType>
</definitions>
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::{HEROINE, People};
    use crate::vehicles::{SHOWN_PLATE, vehicles};

    fn service() -> Service {
        Service { vehicles: vehicles(&People::generate(500, 1), 1), password: "p&ss".into() }
    }

    fn ask(password: &str, body: &str) -> Result<String, &'static str> {
        let whole = format!(
            "<e:Envelope xmlns:e='http://schemas.xmlsoap.org/soap/envelope/'><e:Header><w:Security xmlns:w='{}'>\
             <w:UsernameToken><w:Username>{USER}</w:Username><w:Password>{password}</w:Password></w:UsernameToken>\
             </w:Security></e:Header><e:Body>{body}</e:Body></e:Envelope>",
            envelope::SECURITY
        );
        let request = Request::parse(&whole).expect("an envelope");
        service().answer(&request).map_err(|fault| fault.string)
    }

    #[test]
    fn gets_a_vehicle_by_its_plate_and_tells_when_there_is_none() {
        let get = |plate: &str| ask("p&amp;ss", &format!("<d:GetVehicle xmlns:d='x'><d:Plate>{plate}</d:Plate></d:GetVehicle>"));
        let found = get(SHOWN_PLATE).expect("a vehicle");
        assert!(found.contains("<EngineCcm>001591</EngineCcm>") && found.contains("&#399;liyeva"), "{found}");
        assert_eq!(get("10-ZZ-000"), Err("VEHICLE_NOT_FOUND"));
    }

    #[test]
    fn refuses_a_stranger() {
        assert_eq!(ask("other", "<GetVehicle/>"), Err("User or password is wrong"));
    }

    #[test]
    fn finds_by_owner_and_in_pages() {
        let of_owner =
            ask("p&amp;ss", &format!("<FindVehicles><OwnerFin>{HEROINE}</OwnerFin></FindVehicles>")).expect("vehicles");
        assert!(of_owner.contains("<Total>1</Total>"));
        let page =
            |number| ask("p&amp;ss", &format!("<FindVehicles><PageSize>2</PageSize><PageNo>{number}</PageNo></FindVehicles>"));
        assert_eq!(page(1).expect("a page").matches("<Vehicle ").count(), 2);
        assert_ne!(page(1), page(2));
    }
}
