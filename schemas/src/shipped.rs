//! The schemas that the binary brings along.

macro_rules! shipped {
    ($($name:literal)*) => {
        /// The schemas by name.
        pub(crate) const ALL: &[(&str, &str)] =
            &[$(($name, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $name, "/schema.json")))),*];
    };
}

shipped! {
    "business/company/v1"
    "civil/person/v1"
    "education/diploma/v1"
    "property/parcel/v1"
    "social/benefit/v1"
    "tax/account/v1"
    "vehicles/vehicle/v1"
}
