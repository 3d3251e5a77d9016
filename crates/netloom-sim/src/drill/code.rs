//! Code blocks: assertions about a connection, and nothing else.

use super::ast::{Binary, Expr, ExprKind, Statement, Unary};
use super::error::{Mismatch, Position};
use super::names;
use super::tcp_info;

/// Checks an assertion. `info` is the connection's `tcp_info`, if there is a connection.
pub(crate) fn check(statement: &Statement, info: Option<&[u8]>) -> Result<(), Mismatch> {
    let scope = Scope { info };
    if scope.value(&statement.condition)? != 0 {
        return Ok(());
    }
    let mut message = format!("this does not hold: {}", statement.text);
    let mut names = Vec::new();
    collect(&statement.condition, &mut names);
    for name in names {
        let value = scope.name(statement.at, &name)?;
        message.push_str(&format!("\n  {name} = {value}"));
    }
    match statement.message.as_ref().map(|expr| (expr, &expr.kind)) {
        None => {}
        Some((_, ExprKind::String(text))) => message.push_str(&format!("\n  {text}")),
        Some((expr, _)) => message.push_str(&format!("\n  {}", scope.value(expr)?)),
    }
    Err(Mismatch::new(statement.at, message))
}

/// The names of tcp_info in an expression.
fn collect(expr: &Expr, names: &mut Vec<String>) {
    match &expr.kind {
        ExprKind::Name(name) if tcp_info::is_field(name) && !names.contains(name) => {
            names.push(name.clone());
        }
        ExprKind::Unary(_, operand) => collect(operand, names),
        ExprKind::Binary(_, left, right) => {
            collect(left, names);
            collect(right, names);
        }
        ExprKind::Name(_)
        | ExprKind::Ellipsis
        | ExprKind::Integer(_)
        | ExprKind::String(_)
        | ExprKind::Repeated(_)
        | ExprKind::List(_)
        | ExprKind::Struct(_)
        | ExprKind::Call(..) => {}
    }
}

struct Scope<'a> {
    info: Option<&'a [u8]>,
}

impl Scope<'_> {
    fn name(&self, at: Position, name: &str) -> Result<i64, Mismatch> {
        match name {
            "True" => return Ok(1),
            "False" => return Ok(0),
            _ => {}
        }
        if let Some(value) = names::value_of(name) {
            return Ok(value);
        }
        let value = self.info.and_then(|info| tcp_info::read(info, name));
        value.ok_or_else(|| {
            let of = if tcp_info::is_of_bbr(name) {
                " that uses BBR"
            } else {
                ""
            };
            Mismatch::new(
                at,
                format!("`{name}` has no value: there is no connection{of}"),
            )
        })
    }

    fn value(&self, expr: &Expr) -> Result<i64, Mismatch> {
        match &expr.kind {
            ExprKind::Integer(value) => Ok(*value),
            ExprKind::Name(name) => self.name(expr.at, name),
            ExprKind::Unary(operator, operand) => {
                let value = self.value(operand)?;
                Ok(match operator {
                    Unary::Negate => value.wrapping_neg(),
                    Unary::Invert => !value,
                    Unary::Not => i64::from(value == 0),
                })
            }
            ExprKind::Binary(Binary::And, left, right) => match self.value(left)? {
                0 => Ok(0),
                _ => self.value(right),
            },
            ExprKind::Binary(Binary::Or, left, right) => match self.value(left)? {
                0 => self.value(right),
                value => Ok(value),
            },
            ExprKind::Binary(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                binary(*operator, left, right).ok_or_else(|| {
                    Mismatch::new(expr.at, "this divides by zero, or its result is too large")
                })
            }
            ExprKind::Ellipsis
            | ExprKind::String(_)
            | ExprKind::Repeated(_)
            | ExprKind::List(_)
            | ExprKind::Struct(_)
            | ExprKind::Call(..) => Err(Mismatch::new(expr.at, "this is not a number")),
        }
    }
}

/// Quotient and remainder with the quotient rounded down, as Python has them.
fn floor_divide(left: i64, right: i64) -> Option<(i64, i64)> {
    let (quotient, remainder) = (left.checked_div(right)?, left.checked_rem(right)?);
    if remainder != 0 && (remainder < 0) != (right < 0) {
        Some((quotient - 1, remainder + right))
    } else {
        Some((quotient, remainder))
    }
}

/// The result of an operator; `None` if there is none.
pub(crate) fn binary(operator: Binary, left: i64, right: i64) -> Option<i64> {
    let truth = |holds: bool| Some(i64::from(holds));
    let shift = u32::try_from(right).ok().filter(|shift| *shift < 63);
    match operator {
        Binary::BitOr => Some(left | right),
        Binary::BitAnd => Some(left & right),
        Binary::Add => left.checked_add(right),
        Binary::Subtract => left.checked_sub(right),
        Binary::Multiply => left.checked_mul(right),
        Binary::Divide => floor_divide(left, right).map(|(quotient, _)| quotient),
        Binary::Remainder => floor_divide(left, right).map(|(_, remainder)| remainder),
        Binary::ShiftLeft => left.checked_mul(1_i64 << shift?),
        Binary::ShiftRight => Some(left >> shift?),
        Binary::Equal => truth(left == right),
        Binary::NotEqual => truth(left != right),
        Binary::Less => truth(left < right),
        Binary::LessOrEqual => truth(left <= right),
        Binary::Greater => truth(left > right),
        Binary::GreaterOrEqual => truth(left >= right),
        Binary::And => truth(left != 0 && right != 0),
        Binary::Or => truth(left != 0 || right != 0),
    }
}
