//! A call of the socket API: `connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)`.

use super::{Kind, Parser};
use crate::drill::ast::Call;
use crate::drill::error::SyntaxError;

impl Parser<'_> {
    pub(super) fn call(&mut self, until: Option<u64>) -> Result<Call, SyntaxError> {
        let at = self.at();
        let name = self.word("the name of a call")?.to_owned();
        if !matches!(self.kind(), Kind::Sign("(")) {
            return self.fail(&format!("`(` after `{name}`"));
        }
        self.bump();
        let args = self.expressions(")")?;
        self.expect("=")?;
        let result = self.expression()?;
        let errno = match self.kind() {
            Kind::Word(word) if !self.token().starts_line => {
                self.bump();
                Some(word.clone())
            }
            _ => None,
        };
        if self.is("(") && !self.token().starts_line {
            self.note()?;
        }
        Ok(Call {
            at,
            name,
            args,
            until,
            result,
            errno,
        })
    }

    /// A remark in brackets after the error's name: what `strerror` would say.
    fn note(&mut self) -> Result<(), SyntaxError> {
        self.expect("(")?;
        while !self.eat(")") {
            if self.kind() == &Kind::End || self.token().starts_line {
                return self.fail("`)`");
            }
            self.bump();
        }
        Ok(())
    }
}
