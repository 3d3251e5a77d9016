//! Arguments of calls: expressions into numbers, addresses and structures.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::ast::{Expr, ExprKind, Field, Unary};
use super::code;
use super::errno::Errno;
use super::error::Mismatch;
use super::names;
use super::settings::Settings;

/// An error at an expression.
pub(crate) fn wrong<T>(expr: &Expr, expected: &str) -> Result<T, Mismatch> {
    Err(Mismatch::new(expr.at, format!("expected {expected} here")))
}

/// A whole number.
pub(crate) fn integer(expr: &Expr) -> Result<i64, Mismatch> {
    match &expr.kind {
        ExprKind::Integer(value) => Ok(*value),
        ExprKind::Name(name) => names::value_of(name)
            .or_else(|| Errno::of_name(name).map(|errno| i64::from(errno.number())))
            .ok_or_else(|| Mismatch::new(expr.at, format!("the name `{name}` is not known"))),
        ExprKind::Unary(operator, operand) => {
            let value = integer(operand)?;
            Ok(match operator {
                Unary::Negate => value.wrapping_neg(),
                Unary::Invert => !value,
                Unary::Not => i64::from(value == 0),
            })
        }
        ExprKind::Binary(operator, left, right) => {
            let (left, right) = (integer(left)?, integer(right)?);
            match code::binary(*operator, left, right) {
                Some(value) => Ok(value),
                None => wrong(expr, "a value that exists"),
            }
        }
        ExprKind::Call(name, args) => match (name.as_str(), args.as_slice()) {
            // In a structure of the script's, numbers stand in the host's order.
            ("htons" | "htonl" | "ntohs" | "ntohl", [value]) => integer(value),
            _ => wrong(expr, "a number"),
        },
        ExprKind::Ellipsis
        | ExprKind::String(_)
        | ExprKind::Repeated(_)
        | ExprKind::List(_)
        | ExprKind::Struct(_) => wrong(expr, "a number"),
    }
}

/// A whole number that fits C's `int`; flags in the upper half wrap, as they do there.
pub(crate) fn int(expr: &Expr) -> Result<i32, Mismatch> {
    let value = integer(expr)?;
    match i32::try_from(value) {
        Ok(value) => Ok(value),
        Err(_) => match u32::try_from(value) {
            Ok(value) => Ok(value as i32),
            Err(_) => wrong(expr, "a number of 32 bits"),
        },
    }
}

/// A length.
pub(crate) fn length(expr: &Expr) -> Result<usize, Mismatch> {
    match usize::try_from(integer(expr)?) {
        Ok(len) => Ok(len),
        Err(_) => wrong(expr, "a length"),
    }
}

/// The fields of a structure.
pub(crate) fn fields<'e>(expr: &'e Expr, what: &str) -> Result<&'e [Field], Mismatch> {
    match &expr.kind {
        ExprKind::Struct(fields) => Ok(fields),
        ExprKind::List(items) => match items.as_slice() {
            [one] => fields(one, what),
            _ => wrong(expr, what),
        },
        _ => wrong(expr, what),
    }
}

/// The field of a name; for those without, that of a place.
pub(crate) fn field<'e>(fields: &'e [Field], name: &str, place: usize) -> Option<&'e Expr> {
    let named = fields.iter().find(|field| field.name == name);
    let placed = || fields.get(place).filter(|field| field.name.is_empty());
    named.or_else(placed).map(|field| &field.value)
}

/// The elements of a list.
pub(crate) fn list<'e>(expr: &'e Expr, what: &str) -> Result<&'e [Expr], Mismatch> {
    match &expr.kind {
        ExprKind::List(items) => Ok(items),
        _ => wrong(expr, what),
    }
}

/// Which address `...` stands for.
#[derive(Clone, Copy)]
pub(crate) enum Default {
    /// The stack's, at the port that listeners get.
    Local,
    /// The remote end's, at the port that is connected to.
    Remote,
}

/// A socket address; `...` is the default.
pub(crate) fn address(
    expr: &Expr,
    settings: &Settings,
    default: Default,
) -> Result<SocketAddr, Mismatch> {
    if matches!(expr.kind, ExprKind::Ellipsis) {
        return Ok(match default {
            Default::Local => SocketAddr::new(settings.local_ip, settings.bind_port),
            Default::Remote => SocketAddr::new(settings.remote_ip, settings.connect_port),
        });
    }
    let fields = fields(
        expr,
        "`...` or `{sa_family = AF_INET, sin_port = htons(80), ...}`",
    )?;
    let mut port = None;
    let mut ip = None;
    for field in fields {
        match field.name.as_str() {
            "sa_family" | "sin_family" | "sin6_family" => {
                integer(&field.value)?;
            }
            "sin_port" | "sin6_port" => {
                let value = integer(&field.value)?;
                match u16::try_from(value) {
                    Ok(value) => port = Some(value),
                    Err(_) => return wrong(&field.value, "a port"),
                }
            }
            "sin_addr" | "sin6_addr" => ip = Some(ip_address(&field.value)?),
            "sin6_flowinfo" | "sin6_scope_id" => {
                integer(&field.value)?;
            }
            name => {
                return Err(Mismatch::new(
                    field.value.at,
                    format!("`{name}` is no field of a socket address"),
                ));
            }
        }
    }
    match (ip, port) {
        (Some(ip), Some(port)) => Ok(SocketAddr::new(in_version(ip, settings), port)),
        _ => wrong(expr, "an address and a port"),
    }
}

fn ip_address(expr: &Expr) -> Result<IpAddr, Mismatch> {
    if let ExprKind::Call(name, args) = &expr.kind {
        let text = match args.as_slice() {
            [one] => &one.kind,
            // inet_pton(AF_INET6, "...")
            [_, two] => &two.kind,
            _ => &ExprKind::Ellipsis,
        };
        if let (true, ExprKind::String(text)) = (name.starts_with("inet"), text) {
            return match text.parse() {
                Ok(ip) => Ok(ip),
                Err(_) => wrong(expr, "an address"),
            };
        }
        if let ("htonl", [one]) = (name.as_str(), args.as_slice()) {
            return ip_address(one);
        }
    }
    match u32::try_from(integer(expr)?) {
        Ok(value) => Ok(std::net::Ipv4Addr::from(value).into()),
        Err(_) => wrong(expr, "an address"),
    }
}

/// The address that stands in the run's version of IP for one that is written in the other:
/// everybody's for everybody's, a documentation address for any other.
fn in_version(ip: IpAddr, settings: &Settings) -> IpAddr {
    match ip {
        IpAddr::V4(v4) if settings.is_v6() => {
            if v4.is_unspecified() {
                Ipv6Addr::UNSPECIFIED.into()
            } else if v4.octets() == [192, 168, 0, 1] {
                settings.local_ip
            } else if v4.octets() == [192, 0, 2, 1] {
                settings.remote_ip
            } else if v4.is_loopback() {
                Ipv6Addr::LOCALHOST.into()
            } else {
                // 2001:db8::a.b.c.d (RFC 3849)
                let [high, low] = [u32::from(v4) >> 16, u32::from(v4) & 0xffff];
                Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, high as u16, low as u16).into()
            }
        }
        other => other,
    }
}
