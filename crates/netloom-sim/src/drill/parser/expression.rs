//! Expressions: the arguments and results of calls, and the conditions of code blocks.

use super::{Kind, Parser};
use crate::drill::ast::{Binary, Expr, ExprKind, Field, Unary};
use crate::drill::error::SyntaxError;

/// The operators of one strength.
type Level = &'static [(&'static str, Binary)];

/// The operators between two operands, the weakest first; Python's order.
const LEVELS: [Level; 8] = [
    &[("or", Binary::Or)],
    &[("and", Binary::And)],
    &[
        ("==", Binary::Equal),
        ("!=", Binary::NotEqual),
        ("<=", Binary::LessOrEqual),
        (">=", Binary::GreaterOrEqual),
        ("<", Binary::Less),
        (">", Binary::Greater),
    ],
    &[("|", Binary::BitOr)],
    &[("&", Binary::BitAnd)],
    &[("<<", Binary::ShiftLeft), (">>", Binary::ShiftRight)],
    &[("+", Binary::Add), ("-", Binary::Subtract)],
    &[
        ("*", Binary::Multiply),
        ("//", Binary::Divide),
        ("/", Binary::Divide),
        ("%", Binary::Remainder),
    ],
];

/// The first level above comparisons, where `not` binds.
const COMPARISON: usize = 2;
/// Arguments of calls have no comparisons. What follows a call is the time of the next line (`+0`),
/// so an operator never begins a line.
const ARGUMENT: usize = 3;

/// How deep expressions may be in one another, so that no script exhausts the stack.
const DEEPEST: u32 = 100;
/// How many operators of one kind may follow each other, for the same reason.
const LONGEST_CHAIN: u32 = 500;

impl Parser<'_> {
    /// Expressions up to a closing sign.
    pub(super) fn expressions(&mut self, close: &str) -> Result<Vec<Expr>, SyntaxError> {
        let mut list = Vec::new();
        while !self.eat(close) {
            list.push(self.expression()?);
            if !self.is(close) {
                self.expect(",")?;
            }
        }
        Ok(list)
    }

    /// An argument or result of a call.
    pub(super) fn expression(&mut self) -> Result<Expr, SyntaxError> {
        self.level(ARGUMENT)
    }

    /// A condition of a code block.
    pub(super) fn condition(&mut self) -> Result<Expr, SyntaxError> {
        self.level(0)
    }

    fn level(&mut self, level: usize) -> Result<Expr, SyntaxError> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        if level == COMPARISON && (self.is_word("not") || self.is("!")) {
            let at = self.at();
            self.bump();
            self.depth += 1;
            if self.depth > DEEPEST {
                return self.fail("an expression that is less deep");
            }
            let operand = self.level(COMPARISON)?;
            self.depth -= 1;
            return Ok(Expr {
                at,
                kind: ExprKind::Unary(Unary::Not, Box::new(operand)),
            });
        }
        let mut left = self.level(level + 1)?;
        let mut chained = 0;
        while let Some(operator) = self.operator(operators) {
            chained += 1;
            if chained > LONGEST_CHAIN {
                return self.fail("a shorter expression");
            }
            self.bump();
            let right = self.level(level + 1)?;
            left = Expr {
                at: left.at,
                kind: ExprKind::Binary(operator, Box::new(left), Box::new(right)),
            };
        }
        Ok(left)
    }

    fn operator(&self, operators: Level) -> Option<Binary> {
        if self.token().starts_line {
            return None;
        }
        let written = match self.kind() {
            Kind::Sign(sign) => sign,
            Kind::Word(word) => word.as_str(),
            _ => return None,
        };
        let found = operators.iter().find(|(sign, _)| *sign == written);
        found.map(|(_, operator)| *operator)
    }

    fn unary(&mut self) -> Result<Expr, SyntaxError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.fail("an expression that is less deep");
        }
        let expr = self.signed();
        self.depth -= 1;
        expr
    }

    fn signed(&mut self) -> Result<Expr, SyntaxError> {
        let at = self.at();
        let operator = if self.eat("-") {
            Unary::Negate
        } else if self.eat("~") {
            Unary::Invert
        } else {
            return self.primary();
        };
        let operand = self.unary()?;
        Ok(Expr {
            at,
            kind: ExprKind::Unary(operator, Box::new(operand)),
        })
    }

    fn primary(&mut self) -> Result<Expr, SyntaxError> {
        let at = self.at();
        let kind = match self.kind() {
            Kind::Ellipsis => {
                self.bump();
                ExprKind::Ellipsis
            }
            Kind::Integer(value, _) => {
                self.bump();
                ExprKind::Integer(*value)
            }
            Kind::String(text) => {
                self.bump();
                if matches!(self.kind(), Kind::Ellipsis) {
                    self.bump();
                    ExprKind::Repeated(text.clone())
                } else {
                    ExprKind::String(text.clone())
                }
            }
            Kind::Word(word) => {
                self.bump();
                if self.is("(") && !self.token().starts_line && self.token().joined {
                    self.bump();
                    ExprKind::Call(word.clone(), self.expressions(")")?)
                } else {
                    ExprKind::Name(word.clone())
                }
            }
            Kind::Sign("[") => {
                self.bump();
                ExprKind::List(self.expressions("]")?)
            }
            Kind::Sign("{") => {
                self.bump();
                ExprKind::Struct(self.fields()?)
            }
            Kind::Sign("(") => {
                self.bump();
                let inner = self.condition()?;
                self.expect(")")?;
                inner.kind
            }
            Kind::Decimal(..) => {
                return Err(SyntaxError::new(at, "only whole numbers have a value here"));
            }
            _ => return self.fail("a value"),
        };
        Ok(Expr { at, kind })
    }

    fn fields(&mut self) -> Result<Vec<Field>, SyntaxError> {
        let mut fields = Vec::new();
        while !self.eat("}") {
            fields.push(self.field()?);
            if !self.is("}") {
                self.expect(",")?;
            }
        }
        Ok(fields)
    }

    /// `name = value`, `.name = value`, `name(length) = value` or a value.
    fn field(&mut self) -> Result<Field, SyntaxError> {
        self.eat(".");
        if let Kind::Word(name) = self.kind() {
            if matches!(self.ahead(1), Kind::Sign("=")) {
                self.bump();
                self.bump();
                let value = self.expression()?;
                return Ok(Field {
                    name: name.clone(),
                    length: None,
                    value,
                });
            }
        }
        let value = self.expression()?;
        if !self.eat("=") {
            return Ok(Field {
                name: String::new(),
                length: None,
                value,
            });
        }
        // What looked like a call is a name with a length.
        let (at, kind) = (value.at, value.kind);
        let ExprKind::Call(name, mut args) = kind else {
            return Err(SyntaxError::new(
                at,
                "expected the name of a field before `=`",
            ));
        };
        let length = args.pop();
        if !args.is_empty() {
            return Err(SyntaxError::new(at, "a field has one length"));
        }
        Ok(Field {
            name,
            length,
            value: self.expression()?,
        })
    }
}
