//! Messages as bytes.

use bytes::BytesMut;
use lber::common::TagClass::{Application, Context};
use lber::structure::StructureTag;

use super::ber::{boolean, constructed, enumerated, integer, octets, primitive, sequence, set};
use super::{Attribute, Code, Control, Credentials, Entry, Message, ModificationKind, Op, Scope, SearchRequest, filter};

/// Appends a message.
pub(super) fn message(message: &Message, buffer: &mut BytesMut) {
    let mut parts = vec![integer(message.id), op(&message.op)];
    if !message.controls.is_empty() {
        parts.push(constructed(Context, 0, message.controls.iter().map(control).collect()));
    }
    into(buffer, sequence(parts));
}

/// Appends a piece.
pub(super) fn into(buffer: &mut BytesMut, tag: StructureTag) {
    lber::write::encode_into(buffer, tag).expect("memory takes whatever is written to it");
}

fn op(op: &Op) -> StructureTag {
    match op {
        Op::BindRequest { dn, credentials } => {
            let credentials = match credentials {
                Credentials::Password(password) => primitive(Context, 0, password.clone()),
                Credentials::External => constructed(Context, 3, vec![octets("EXTERNAL"), octets("")]),
            };
            constructed(Application, 0, vec![integer(3), octets(dn.as_str()), credentials])
        }
        Op::BindResponse(code) => answer(1, *code),
        Op::UnbindRequest => primitive(Application, 2, []),
        Op::SearchRequest(request) => search(request),
        Op::SearchEntry(found) => entry(4, found),
        Op::SearchReference => constructed(Application, 19, vec![octets("ldap://elsewhere/")]),
        Op::SearchDone(code) => answer(5, *code),
        Op::ModifyRequest { dn, modifications } => {
            let modifications = modifications.iter().map(|modification| {
                let kind = match modification.kind {
                    ModificationKind::Add => 0,
                    ModificationKind::Delete => 1,
                    ModificationKind::Replace => 2,
                    ModificationKind::Increment => 3,
                };
                sequence(vec![enumerated(kind), attribute(&modification.attribute)])
            });
            constructed(Application, 6, vec![octets(dn.as_str()), sequence(modifications.collect())])
        }
        Op::ModifyResponse(code) => answer(7, *code),
        Op::AddRequest(new) => entry(8, new),
        Op::AddResponse(code) => answer(9, *code),
        Op::DeleteRequest(dn) => primitive(Application, 10, dn.as_str()),
        Op::DeleteResponse(code) => answer(11, *code),
        Op::ExtendedRequest(oid) => constructed(Application, 23, vec![primitive(Context, 0, oid.as_str())]),
        Op::ExtendedResponse(code) => answer(24, *code),
        Op::Other => constructed(Application, 25, Vec::new()),
    }
}

fn search(request: &SearchRequest) -> StructureTag {
    const NEVER: i32 = 0;
    let scope = match request.scope {
        Scope::Base => 0,
        Scope::One => 1,
        Scope::Subtree => 2,
    };
    let attributes = request.attributes.iter().map(|name| octets(name.as_str())).collect();
    let parts = vec![
        octets(request.base.as_str()),
        enumerated(scope),
        // Aliases are entries of their own, and followed nowhere.
        enumerated(NEVER),
        integer(request.size_limit),
        integer(request.time_limit),
        boolean(false),
        filter::encode(&request.filter),
        sequence(attributes),
    ];
    constructed(Application, 3, parts)
}

fn entry(id: u64, entry: &Entry) -> StructureTag {
    let attributes = sequence(entry.attributes.iter().map(attribute).collect());
    constructed(Application, id, vec![octets(entry.dn.as_str()), attributes])
}

fn attribute(attribute: &Attribute) -> StructureTag {
    let values = attribute.values.iter().map(|value| octets(value.as_slice())).collect();
    sequence(vec![octets(attribute.name.as_str()), set(values)])
}

fn answer(id: u64, code: Code) -> StructureTag {
    let code = enumerated(i32::try_from(code.0).unwrap_or(i32::MAX));
    constructed(Application, id, vec![code, octets(""), octets("")])
}

fn control(control: &Control) -> StructureTag {
    let mut parts = vec![octets(control.oid.as_str()), boolean(control.critical)];
    parts.extend(control.value.as_deref().map(octets));
    sequence(parts)
}
