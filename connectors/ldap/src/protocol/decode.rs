//! Messages from bytes. Whatever is no message is told as the piece that is wrong.

use lber::common::TagClass::{Application, Context};
use lber::structure::StructureTag;

use super::ber::{self, Parts, Wrong};
use super::{
    Attribute, Code, Control, Credentials, Entry, Message, Modification, ModificationKind, Op, Scope, SearchRequest, filter,
};

/// A message of a whole piece.
pub(super) fn message(tag: StructureTag) -> Result<Message, Wrong> {
    let mut parts = Parts::of(tag, "a message")?;
    let id = parts.number()?;
    let op = op(parts.next()?)?;
    let controls = match parts.next_if(Context, 0) {
        None => Vec::new(),
        Some(controls) => Parts::of(controls, "controls")?.rest().map(control).collect::<Result<_, _>>()?,
    };
    Ok(Message { id, op, controls })
}

fn op(tag: StructureTag) -> Result<Op, Wrong> {
    if tag.class != Application {
        return Err("an operation");
    }
    Ok(match tag.id {
        0 => bind(tag)?,
        1 => Op::BindResponse(answer(tag)?),
        2 => Op::UnbindRequest,
        3 => Op::SearchRequest(search(tag)?),
        4 => Op::SearchEntry(entry(tag)?),
        5 => Op::SearchDone(answer(tag)?),
        6 => modify(tag)?,
        7 => Op::ModifyResponse(answer(tag)?),
        8 => Op::AddRequest(entry(tag)?),
        9 => Op::AddResponse(answer(tag)?),
        10 => Op::DeleteRequest(ber::text(ber::bytes(tag, "a deletion")?, "a deletion")?),
        11 => Op::DeleteResponse(answer(tag)?),
        19 => Op::SearchReference,
        23 => Op::ExtendedRequest(Parts::of(tag, "an extended request")?.text()?),
        24 => Op::ExtendedResponse(answer(tag)?),
        _ => Op::Other,
    })
}

fn bind(tag: StructureTag) -> Result<Op, Wrong> {
    const WHAT: Wrong = "a bind";
    let mut parts = Parts::of(tag, WHAT)?;
    parts.number()?;
    let dn = parts.text()?;
    let credentials = parts.next()?;
    let credentials = match credentials.id {
        0 => Credentials::Password(ber::bytes(credentials, WHAT)?),
        3 => match Parts::of(credentials, WHAT)?.text()?.as_str() {
            "EXTERNAL" => Credentials::External,
            _ => return Err(WHAT),
        },
        _ => return Err(WHAT),
    };
    Ok(Op::BindRequest { dn, credentials })
}

fn search(tag: StructureTag) -> Result<SearchRequest, Wrong> {
    const WHAT: Wrong = "a search";
    let mut parts = Parts::of(tag, WHAT)?;
    let base = parts.text()?;
    let scope = match parts.number()? {
        0 => Scope::Base,
        1 => Scope::One,
        2 => Scope::Subtree,
        _ => return Err(WHAT),
    };
    let _aliases = parts.number()?;
    let (size_limit, time_limit) = (parts.number()?, parts.number()?);
    let _types_only = parts.boolean_if();
    let filter = filter::decode(parts.next()?, 0)?;
    let attributes = Parts::of(parts.next()?, WHAT)?.rest();
    let attributes = attributes.map(|name| ber::text(ber::bytes(name, WHAT)?, WHAT)).collect::<Result<_, _>>()?;
    Ok(SearchRequest { base, scope, size_limit, time_limit, filter, attributes })
}

fn entry(tag: StructureTag) -> Result<Entry, Wrong> {
    const WHAT: Wrong = "an entry";
    let mut parts = Parts::of(tag, WHAT)?;
    let dn = parts.text()?;
    let attributes = Parts::of(parts.next()?, WHAT)?.rest().map(attribute).collect::<Result<_, _>>()?;
    Ok(Entry { dn, attributes })
}

fn attribute(tag: StructureTag) -> Result<Attribute, Wrong> {
    const WHAT: Wrong = "an attribute";
    let mut parts = Parts::of(tag, WHAT)?;
    let name = parts.text()?;
    let values = Parts::of(parts.next()?, WHAT)?.rest();
    Ok(Attribute { name, values: values.map(|value| ber::bytes(value, WHAT)).collect::<Result<_, _>>()? })
}

fn modify(tag: StructureTag) -> Result<Op, Wrong> {
    const WHAT: Wrong = "a modification";
    let mut parts = Parts::of(tag, WHAT)?;
    let dn = parts.text()?;
    let modifications = Parts::of(parts.next()?, WHAT)?.rest().map(|tag| {
        let mut parts = Parts::of(tag, WHAT)?;
        let kind = match parts.number()? {
            0 => ModificationKind::Add,
            1 => ModificationKind::Delete,
            2 => ModificationKind::Replace,
            3 => ModificationKind::Increment,
            _ => return Err(WHAT),
        };
        Ok(Modification { kind, attribute: attribute(parts.next()?)? })
    });
    Ok(Op::ModifyRequest { dn, modifications: modifications.collect::<Result<_, _>>()? })
}

/// The code of an answer; what is written beside it is left where it is.
fn answer(tag: StructureTag) -> Result<Code, Wrong> {
    const WHAT: Wrong = "a result";
    let code = Parts::of(tag, WHAT)?.number()?;
    u32::try_from(code).map(Code).map_err(|_| WHAT)
}

fn control(tag: StructureTag) -> Result<Control, Wrong> {
    const WHAT: Wrong = "a control";
    let mut parts = Parts::of(tag, WHAT)?;
    let oid = parts.text()?;
    let critical = parts.boolean_if().unwrap_or(false);
    let value = parts.rest().next().map(|value| ber::bytes(value, WHAT)).transpose()?;
    Ok(Control { oid, critical, value })
}
