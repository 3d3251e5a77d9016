//! Code blocks: `%{ assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd }%`, and nothing else of Python.

use super::{Kind, Parser};
use crate::drill::ast::{Expr, ExprKind, Statement};
use crate::drill::error::{Position, SyntaxError};
use crate::drill::lexer::{Dialect, lex_from};
use crate::drill::names;

/// The statements between `%{` and `}%`.
pub(super) fn parse(text: &str, start: Position) -> Result<Vec<Statement>, SyntaxError> {
    let tokens = lex_from(text, start, Dialect::Code)?.tokens;
    let mut parser = Parser::new(&tokens);
    let mut statements = Vec::new();
    while parser.kind() != &Kind::End {
        if parser.eat(";") {
            continue;
        }
        statements.push(parser.statement()?);
    }
    Ok(statements)
}

impl Parser<'_> {
    fn statement(&mut self) -> Result<Statement, SyntaxError> {
        let at = self.at();
        if !self.eat_word("assert") {
            return Err(SyntaxError::new(
                at,
                "a code block can only `assert`: comparisons, `and`, `or`, `not`, arithmetic and \
                 the names of tcp_info",
            ));
        }
        let condition = self.condition()?;
        check(&condition)?;
        let message = if self.eat(",") {
            Some(self.condition()?)
        } else {
            None
        };
        if let Some(message) = &message {
            check(message)?;
        }
        let ended = self.token().starts_line || self.is(";") || self.kind() == &Kind::End;
        if !ended {
            return self.fail("an operator or the end of the statement");
        }
        let text = show(&condition);
        Ok(Statement {
            at,
            condition,
            message,
            text,
        })
    }
}

/// Refuses what a code block cannot mean.
fn check(expr: &Expr) -> Result<(), SyntaxError> {
    let no = |what: String| Err(SyntaxError::new(expr.at, what));
    match &expr.kind {
        ExprKind::Integer(_) | ExprKind::String(_) => Ok(()),
        ExprKind::Name(name) if names::is_code_name(name) => Ok(()),
        ExprKind::Name(name) => no(format!("`{name}` is not known in a code block")),
        ExprKind::Call(name, _) => no(format!("a code block cannot call `{name}`")),
        ExprKind::Ellipsis | ExprKind::Repeated(_) | ExprKind::List(_) | ExprKind::Struct(_) => {
            no("a code block has only numbers".to_owned())
        }
        ExprKind::Unary(_, operand) => check(operand),
        ExprKind::Binary(op, left, right) => {
            // Python has `a < b < c` mean both; here it would compare a truth value.
            let compares =
                |expr: &Expr| matches!(expr.kind, ExprKind::Binary(op, ..) if op.compares());
            if op.compares() && (compares(left) || compares(right)) {
                return no("comparisons are put together with `and`".to_owned());
            }
            check(left)?;
            check(right)
        }
    }
}

/// An expression as text, for the message of an assertion that fails.
fn show(expr: &Expr) -> String {
    use crate::drill::describe::operator;
    match &expr.kind {
        ExprKind::Integer(value) => value.to_string(),
        ExprKind::String(text) => format!("{text:?}"),
        ExprKind::Name(name) | ExprKind::Call(name, _) => name.clone(),
        ExprKind::Ellipsis | ExprKind::Repeated(_) | ExprKind::List(_) | ExprKind::Struct(_) => {
            "...".to_owned()
        }
        ExprKind::Unary(op, operand) => format!("{} {}", operator::unary(*op), show(operand)),
        ExprKind::Binary(op, left, right) => {
            format!("{} {} {}", show(left), operator::binary(*op), show(right))
        }
    }
}
