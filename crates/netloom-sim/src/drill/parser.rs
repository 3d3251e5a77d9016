//! Tokens into a [`Script`].

mod call;
mod code;
mod defines;
mod expression;
mod packet;
mod tcp;

use super::ast::{Action, Direction, Event, Script, ScriptOption, When};
use super::error::{Position, SyntaxError};
use super::lexer::{Kind, Token, lex};

impl Script {
    /// Parses a script.
    ///
    /// # Errors
    /// What is wrong, with line and column.
    pub fn parse(text: &str) -> Result<Script, SyntaxError> {
        let mut tokens = lex(text)?;
        defines::apply(&mut tokens.tokens)?;
        let mut parser = Parser::new(&tokens.tokens);
        let options = parser.options()?;
        let mut events = Vec::new();
        while parser.kind() != &Kind::End {
            events.push(parser.event(events.is_empty())?);
        }
        Ok(Script {
            options,
            directives: tokens.directives,
            events,
        })
    }
}

/// A place in the tokens.
pub(super) struct Parser<'a> {
    tokens: &'a [Token],
    next: usize,
    /// How many expressions the one being parsed is in.
    depth: u32,
}

/// The latest time a script may name, µs: some thirty years.
const LATEST: u64 = 1_000_000_000_000_000;

impl<'a> Parser<'a> {
    pub(super) fn new(tokens: &'a [Token]) -> Parser<'a> {
        Parser {
            tokens,
            next: 0,
            depth: 0,
        }
    }

    fn token(&self) -> &'a Token {
        // The last token is the end, and it is never taken.
        &self.tokens[self.next.min(self.tokens.len() - 1)]
    }

    fn kind(&self) -> &'a Kind {
        &self.token().kind
    }

    fn ahead(&self, tokens: usize) -> &'a Kind {
        let last = self.tokens.len() - 1;
        &self.tokens[(self.next + tokens).min(last)].kind
    }

    fn at(&self) -> Position {
        self.token().at
    }

    fn bump(&mut self) -> &'a Token {
        let token = self.token();
        if token.kind != Kind::End {
            self.next += 1;
        }
        token
    }

    fn fail<T>(&self, expected: &str) -> Result<T, SyntaxError> {
        let message = format!("expected {expected}, found {}", show(self.kind()));
        Err(SyntaxError::new(self.at(), message))
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.kind(), Kind::Sign(s) if *s == sign)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.kind(), Kind::Word(w) if w == word)
    }

    fn eat(&mut self, sign: &str) -> bool {
        let found = self.is(sign);
        if found {
            self.bump();
        }
        found
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.bump();
        }
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), SyntaxError> {
        if self.eat(sign) {
            return Ok(());
        }
        self.fail(&format!("`{sign}`"))
    }

    fn word(&mut self, what: &str) -> Result<&'a str, SyntaxError> {
        if let Kind::Word(word) = self.kind() {
            self.bump();
            return Ok(word);
        }
        self.fail(what)
    }

    /// A whole number that fits.
    fn integer<T: TryFrom<i64>>(&mut self, what: &str) -> Result<T, SyntaxError> {
        let at = self.at();
        let Kind::Integer(value, written) = self.kind() else {
            return self.fail(what);
        };
        self.bump();
        T::try_from(*value)
            .map_err(|_| SyntaxError::new(at, format!("{written} is out of range for {what}")))
    }

    fn options(&mut self) -> Result<Vec<ScriptOption>, SyntaxError> {
        let mut options = Vec::new();
        while let Kind::Option(name, value) = self.kind() {
            options.push(ScriptOption {
                at: self.at(),
                name: name.clone(),
                value: value.clone(),
            });
            self.bump();
        }
        Ok(options)
    }

    fn event(&mut self, first: bool) -> Result<Event, SyntaxError> {
        let at = self.at();
        if let Kind::Backquoted(_) = self.kind() {
            // The commands ahead of the first event and after the last one have no time.
            if first || self.ahead(1) == &Kind::End {
                let action = self.command()?;
                let when = When::Relative(0);
                return Ok(Event { at, when, action });
            }
        }
        let when = self.when()?;
        let action = self.action()?;
        Ok(Event { at, when, action })
    }

    fn when(&mut self) -> Result<When, SyntaxError> {
        if self.eat("*") {
            return Ok(When::Any);
        }
        let relative = self.eat("+");
        let from = self.time()?;
        let from_at = self.at();
        if !self.eat("~") {
            return Ok(if relative {
                When::Relative(from)
            } else {
                When::Absolute(from)
            });
        }
        if self.eat("+") != relative {
            return Err(SyntaxError::new(
                from_at,
                "both ends of a range of times are relative (`+0.1~+0.2`), or neither is",
            ));
        }
        let to = self.time()?;
        if to < from {
            return Err(SyntaxError::new(
                from_at,
                "this range ends before it begins",
            ));
        }
        Ok(if relative {
            When::RelativeRange(from, to)
        } else {
            When::AbsoluteRange(from, to)
        })
    }

    /// A time in seconds, as microseconds.
    fn time(&mut self) -> Result<u64, SyntaxError> {
        let at = self.at();
        let micros = match self.kind() {
            Kind::Decimal(micros, _) => Some(*micros),
            Kind::Integer(seconds, _) => {
                let seconds = u64::try_from(*seconds).ok();
                seconds.and_then(|s| s.checked_mul(1_000_000))
            }
            _ => return self.fail("a time (`0.1`, `+0.1`, `0.1~0.2`, `+0.1~+0.2` or `*`)"),
        };
        self.bump();
        micros
            .filter(|micros| *micros <= LATEST)
            .ok_or_else(|| SyntaxError::new(at, "this time is out of range"))
    }

    fn action(&mut self) -> Result<Action, SyntaxError> {
        if self.eat("<") {
            return Ok(Action::Packet(self.packet(Direction::In)?));
        }
        if self.eat(">") {
            return Ok(Action::Packet(self.packet(Direction::Out)?));
        }
        match self.kind() {
            Kind::Backquoted(_) => self.command(),
            Kind::Code(text) => {
                let mut at = self.at();
                at.column += 2;
                self.bump();
                Ok(Action::Code(code::parse(text, at)?))
            }
            Kind::Ellipsis => {
                self.bump();
                let until = self.time()?;
                Ok(Action::Call(self.call(Some(until))?))
            }
            Kind::Word(_) => Ok(Action::Call(self.call(None)?)),
            _ => self.fail("`<`, `>`, a call or a code block"),
        }
    }

    /// A command line: settings and nothing else, since a script runs no shell.
    fn command(&mut self) -> Result<Action, SyntaxError> {
        let token = self.bump();
        let Kind::Backquoted(text) = &token.kind else {
            return self.fail("a command");
        };
        let mut settings = Vec::new();
        for line in text.split(['\n', ';']) {
            let mut words = line.split_whitespace();
            match words.next() {
                None => continue,
                Some("sysctl") => {}
                Some(word) => {
                    return Err(SyntaxError::new(
                        token.at,
                        format!("a script cannot run a shell: `{word}` is not `sysctl NAME=VALUE`"),
                    ));
                }
            }
            for word in words.filter(|word| !matches!(*word, "-q" | "-w" | "-e")) {
                let Some((name, value)) = word.split_once('=') else {
                    return Err(SyntaxError::new(
                        token.at,
                        format!("a script can only set with sysctl: `{word}` is not `NAME=VALUE`"),
                    ));
                };
                settings.push(ScriptOption {
                    at: token.at,
                    name: name.to_owned(),
                    value: value.trim_matches('"').to_owned(),
                });
            }
        }
        Ok(Action::Sysctl(settings))
    }
}

/// A token as an error shows it.
fn show(kind: &Kind) -> String {
    match kind {
        Kind::Integer(_, written) | Kind::Decimal(_, written) => format!("`{written}`"),
        Kind::Word(word) => format!("`{word}`"),
        Kind::String(text) => format!("{text:?}"),
        Kind::Backquoted(_) => "a command".to_owned(),
        Kind::Option(name, _) => format!("the option `--{name}`"),
        Kind::Code(_) => "a code block".to_owned(),
        Kind::Ellipsis => "`...`".to_owned(),
        Kind::Sign(sign) => format!("`{sign}`"),
        Kind::End => "the end".to_owned(),
    }
}
