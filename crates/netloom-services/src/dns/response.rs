//! Which replies are taken, and what they mean.

use netloom_wire::dns::{
    DnsView, Name, NameView, Rdata, Record, RecordType, Section, class, rcode,
};

use super::answer::Packer;

/// Aliases followed for one query at most, in one reply and in several together.
pub(super) const MAX_ALIASES: u8 = 11;

/// Why a reply is none to what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mismatch {
    Id,
    Question,
    Case,
}

/// What was asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) id: u16,
    /// As it was sent, in its letters' case.
    pub(super) name: &'a Name,
    pub(super) kind: RecordType,
    /// The case was chosen by dice, and must be repeated.
    pub(super) cased: bool,
}

/// Whether a reply is one to what was asked.
//= https://www.rfc-editor.org/rfc/rfc5452#section-9.1
//# A resolver implementation MUST match responses to all of the
//# following attributes of the query:
pub(super) fn check(view: &DnsView<'_>, asked: &Asked<'_>) -> Result<(), Mismatch> {
    let header = view.header();
    if header.id != asked.id {
        return Err(Mismatch::Id);
    }
    if !header.response || header.opcode != 0 {
        return Err(Mismatch::Question);
    }
    let Some(question) = view.question() else {
        // A server that could not read the question does not repeat it.
        return match u16::from(header.rcode) {
            rcode::FORMAT_ERROR | rcode::NOT_IMPLEMENTED => Ok(()),
            _ => Err(Mismatch::Question),
        };
    };
    //= https://www.rfc-editor.org/rfc/rfc5452#section-9.1
    //# A mismatch and the response MUST be considered invalid.
    if view.question_count() != 1
        || question.name != *asked.name
        || question.kind != asked.kind
        || question.class != class::IN
    {
        return Err(Mismatch::Question);
    }
    if asked.cased && !question.name.is_identical(&asked.name.view()) {
        return Err(Mismatch::Case);
    }
    Ok(())
}

/// What a reply that was taken says.
#[expect(
    clippy::large_enum_variant,
    reason = "there is no heap, and it lives for one call"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// These records, packed, for so many seconds.
    Records {
        len: usize,
        ttl: u32,
        complete: bool,
    },
    /// The name is an alias, and the reply does not tell of the other.
    Alias { target: Name, aliases: u8 },
    /// The aliases lead in a circle, or too far.
    TooManyAliases,
    /// There is no record of this type; how long that may be remembered.
    NoData { ttl: u32 },
    /// There is no such name.
    NoName { ttl: u32 },
    /// The server failed.
    Failed(u16),
    /// The records do not fit the memory there is for them.
    TooLong,
}

/// What a reply says about a name and type, its records packed into `out`. Records that are not on
/// the way from the name to the answer are not looked at: nobody asked for them.
pub(super) fn interpret(
    view: &DnsView<'_>,
    name: &NameView<'_>,
    kind: RecordType,
    aliases: u8,
    out: &mut [u8],
) -> Meaning {
    let code = view.rcode();
    if code != rcode::NO_ERROR && code != rcode::NAME_ERROR {
        return Meaning::Failed(code);
    }
    let (mut current, mut aliases) = (*name, aliases);
    let mut ttl = u32::MAX;
    loop {
        if let Some(meaning) = records(view, &current, kind, ttl, out) {
            return meaning;
        }
        let Some((target, alias_ttl)) = alias(view, &current) else {
            break;
        };
        ttl = ttl.min(alias_ttl);
        current = target;
        aliases = aliases.saturating_add(1);
        if aliases > MAX_ALIASES {
            return Meaning::TooManyAliases;
        }
    }
    let negative = negative_ttl(view, &current);
    if code == rcode::NAME_ERROR {
        let ttl = negative.unwrap_or(0).min(ttl);
        return Meaning::NoName { ttl };
    }
    match negative {
        Some(negative) => Meaning::NoData {
            ttl: negative.min(ttl),
        },
        None if current != *name => Meaning::Alias {
            target: current.to_name(),
            aliases,
        },
        // A referral: the server does not do what it is asked (RFC 2308 §2.2.1 type 4).
        None if is_referral(view) => Meaning::Failed(rcode::REFUSED),
        // What is missing may have been the answer.
        None if view.is_cut() || view.header().truncated => Meaning::Failed(rcode::SERVER_FAILURE),
        None => Meaning::NoData { ttl: 0 },
    }
}

/// The records of a name, if there are any.
fn records(
    view: &DnsView<'_>,
    name: &NameView<'_>,
    kind: RecordType,
    mut ttl: u32,
    out: &mut [u8],
) -> Option<Meaning> {
    let wanted = |record: &Record<'_>| {
        record.class == class::IN
            && (record.kind == kind || kind == RecordType::ANY)
            && record.name == *name
    };
    view.answers().find(wanted)?;
    let mut packer = Packer::new(out, name);
    for record in view.answers().filter(wanted) {
        let own = kept_for(&record);
        ttl = ttl.min(own);
        packer.record(&record, own);
    }
    if packer.records == 0 {
        return Some(Meaning::TooLong);
    }
    Some(Meaning::Records {
        len: packer.len(),
        ttl,
        complete: !packer.short && !view.is_cut() && !view.header().truncated,
    })
}

/// The name that `name` is an alias of.
fn alias<'a>(view: &DnsView<'a>, name: &NameView<'_>) -> Option<(NameView<'a>, u32)> {
    view.answers().find_map(|record| match record.data {
        Rdata::Cname(target) if record.class == class::IN && record.name == *name => {
            Some((target, kept_for(&record)))
        }
        _ => None,
    })
}

/// How long it may be remembered that something does not exist, if the zone says so.
/// RFC 2308 §5: the smaller of the SOA record's TTL and its minimum.
fn negative_ttl(view: &DnsView<'_>, name: &NameView<'_>) -> Option<u32> {
    view.records(Section::Authority)
        .find_map(|record| match record.data {
            // Another zone has nothing to say about it.
            Rdata::Soa(soa) if record.class == class::IN && name.is_within(&record.name) => {
                Some(kept_for(&record).min(soa.minimum))
            }
            _ => None,
        })
}

fn is_referral(view: &DnsView<'_>) -> bool {
    !view.header().authoritative
        && !view.header().recursion_available
        && view
            .records(Section::Authority)
            .any(|record| record.kind == RecordType::NS)
}

/// Seconds a record may be kept.
fn kept_for(record: &Record<'_>) -> u32 {
    // RFC 2181 §8: a TTL with the most significant bit set is taken for zero.
    i32::try_from(record.ttl).map_or(0, |_| record.ttl)
}
