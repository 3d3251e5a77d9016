//! Characters into tokens.

use super::ast::ScriptOption;
use super::error::{Position, SyntaxError};

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number without a point: its value, and how it was written.
    Integer(i64, String),
    /// A number with a point: microseconds, and how it was written.
    Decimal(u64, String),
    /// A name, or TCP flags.
    Word(String),
    /// A string, its escapes resolved.
    String(String),
    /// `` `...` ``
    Backquoted(String),
    /// `--name=value`
    Option(String, String),
    /// What stands between `%{` and `}%`.
    Code(String),
    /// `...`
    Ellipsis,
    /// Any other sign, of one or two characters.
    Sign(&'static str),
    /// The end of the script.
    End,
}

/// A token and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) at: Position,
    pub(crate) kind: Kind,
    /// Nothing stands between it and the token before.
    pub(crate) joined: bool,
    /// It is the first of its line.
    pub(crate) starts_line: bool,
}

/// The tokens of a script, and the `// netloom:` comments ahead of the first.
pub(crate) struct Tokens {
    pub(crate) tokens: Vec<Token>,
    pub(crate) directives: Vec<ScriptOption>,
}

/// Signs, longer ones first.
const SIGNS: [&str; 31] = [
    "==", "!=", "<=", ">=", "<<", ">>", "//", "+", "-", "*", "/", "%", "<", ">", "=", "(", ")",
    "[", "]", "{", "}", ",", ":", ";", "|", "&", "~", "!", ".", "^", "@",
];

/// What a lexer reads: a script has `//` comments, a code block `#` comments and a floor division.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Script,
    Code,
}

pub(crate) fn lex(text: &str) -> Result<Tokens, SyntaxError> {
    lex_from(text, Position { line: 1, column: 1 }, Dialect::Script)
}

/// The tokens of a text that begins at a place in a script.
pub(crate) fn lex_from(
    text: &str,
    start: Position,
    dialect: Dialect,
) -> Result<Tokens, SyntaxError> {
    let mut lexer = Lexer {
        rest: text,
        at: start,
        dialect,
        tokens: Vec::new(),
        directives: Vec::new(),
        joined: false,
        starts_line: true,
    };
    while lexer.token()? {}
    Ok(Tokens {
        tokens: lexer.tokens,
        directives: lexer.directives,
    })
}

struct Lexer<'a> {
    rest: &'a str,
    at: Position,
    dialect: Dialect,
    tokens: Vec<Token>,
    directives: Vec<ScriptOption>,
    joined: bool,
    starts_line: bool,
}

impl<'a> Lexer<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        if c == '\n' {
            self.at.line += 1;
            self.at.column = 1;
            self.starts_line = true;
        } else {
            self.at.column += 1;
        }
        Some(c)
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, _) = self.rest.split_at(bytes);
        for _ in taken.chars() {
            self.bump();
        }
        taken
    }

    fn take_while(&mut self, mut keep: impl FnMut(char) -> bool) -> &'a str {
        let bytes = self
            .rest
            .find(|c: char| !keep(c))
            .unwrap_or(self.rest.len());
        self.take(bytes)
    }

    /// Takes what stands before `end`, and `end`.
    fn take_until(
        &mut self,
        end: &str,
        what: &str,
        from: Position,
    ) -> Result<&'a str, SyntaxError> {
        let Some(bytes) = self.rest.find(end) else {
            return Err(SyntaxError::new(
                from,
                format!("this {what} has no end: `{end}` is missing"),
            ));
        };
        let inside = self.take(bytes);
        self.take(end.len());
        Ok(inside)
    }

    fn push(&mut self, at: Position, kind: Kind, starts_line: bool) {
        let joined = std::mem::replace(&mut self.joined, true);
        self.tokens.push(Token {
            at,
            kind,
            joined,
            starts_line,
        });
    }

    fn skip_blanks(&mut self) -> Result<(), SyntaxError> {
        loop {
            let before = self.rest.len();
            self.take_while(char::is_whitespace);
            let at = self.at;
            let comment = match self.dialect {
                Dialect::Script => "//",
                Dialect::Code => "#",
            };
            let hash_line =
                self.dialect == Dialect::Script && at.column == 1 && self.rest.starts_with('#');
            if self.rest.starts_with(comment) || hash_line {
                let line = self.take_while(|c| c != '\n');
                self.directive(at, line);
            } else if self.dialect == Dialect::Script && self.rest.starts_with("/*") {
                self.take(2);
                self.take_until("*/", "comment", at)?;
            }
            if self.rest.len() == before {
                return Ok(());
            }
            self.joined = false;
        }
    }

    /// Keeps what a `// netloom:` comment ahead of the first event says.
    fn directive(&mut self, at: Position, comment: &str) {
        let only_options = |token: &Token| matches!(token.kind, Kind::Option(..));
        let Some(text) = comment.strip_prefix("// netloom:") else {
            return;
        };
        if !self.tokens.iter().all(only_options) {
            return;
        }
        for word in text.split_whitespace() {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            self.directives.push(ScriptOption {
                at,
                name: name.to_owned(),
                value: value.to_owned(),
            });
        }
    }

    fn token(&mut self) -> Result<bool, SyntaxError> {
        self.skip_blanks()?;
        let at = self.at;
        let starts_line = std::mem::replace(&mut self.starts_line, false);
        let Some(c) = self.peek() else {
            self.push(at, Kind::End, starts_line);
            return Ok(false);
        };
        let script = self.dialect == Dialect::Script;
        let kind = if script && starts_line && self.rest.starts_with("--") {
            self.option()
        } else if script && self.rest.starts_with("%{") {
            self.take(2);
            Kind::Code(self.take_until("}%", "code block", at)?.to_owned())
        } else if self.rest.starts_with("...") {
            self.take(3);
            Kind::Ellipsis
        } else if c == '`' {
            self.take(1);
            Kind::Backquoted(self.take_until("`", "command", at)?.to_owned())
        } else if c == '"' || (!script && c == '\'') {
            self.string(at, c)?
        } else if c.is_ascii_digit() || (c == '.' && self.digit_follows(1)) {
            self.number(at)?
        } else if c.is_alphabetic() || c == '_' {
            Kind::Word(
                self.take_while(|c| c.is_alphanumeric() || c == '_')
                    .to_owned(),
            )
        } else if let Some(sign) = SIGNS.iter().find(|sign| self.rest.starts_with(**sign)) {
            self.take(sign.len());
            Kind::Sign(sign)
        } else {
            return Err(SyntaxError::new(
                at,
                format!("`{c}` means nothing in a script"),
            ));
        };
        self.push(at, kind, starts_line);
        Ok(true)
    }

    fn digit_follows(&self, bytes: usize) -> bool {
        self.rest[bytes..].starts_with(|c: char| c.is_ascii_digit())
    }

    fn option(&mut self) -> Kind {
        self.take(2);
        let line = self.take_while(|c| c != '\n');
        let line = line.split(" //").next().unwrap_or_default().trim();
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        Kind::Option(
            name.trim().to_owned(),
            value.trim().trim_matches('"').to_owned(),
        )
    }

    fn string(&mut self, from: Position, quote: char) -> Result<Kind, SyntaxError> {
        self.bump();
        let mut text = String::new();
        loop {
            match self.bump() {
                None | Some('\n') => {
                    return Err(SyntaxError::new(
                        from,
                        format!("this string has no end: `{quote}` is missing"),
                    ));
                }
                Some(c) if c == quote => return Ok(Kind::String(text)),
                Some('\\') => match self.bump() {
                    Some('n') => text.push('\n'),
                    Some('r') => text.push('\r'),
                    Some('t') => text.push('\t'),
                    Some('0') => text.push('\0'),
                    Some('x') => text.push(self.hex_escape(from)?),
                    Some(c) => text.push(c),
                    None => {}
                },
                Some(c) => text.push(c),
            }
        }
    }

    fn hex_escape(&mut self, from: Position) -> Result<char, SyntaxError> {
        let digits: String = self.rest.chars().take(2).collect();
        match u8::from_str_radix(&digits, 16) {
            Ok(byte) if digits.is_ascii() => {
                self.take(2);
                Ok(char::from(byte))
            }
            Ok(_) | Err(_) => Err(SyntaxError::new(from, "`\\x` wants two hexadecimal digits")),
        }
    }

    fn number(&mut self, at: Position) -> Result<Kind, SyntaxError> {
        let too_large = || SyntaxError::new(at, "this number is too large");
        if self.rest.starts_with("0x") || self.rest.starts_with("0X") {
            self.take(2);
            let digits = self.take_while(|c| c.is_ascii_alphanumeric());
            let value = i64::from_str_radix(digits, 16).map_err(|_| {
                SyntaxError::new(at, format!("`0x{digits}` is no hexadecimal number"))
            })?;
            return Ok(Kind::Integer(value, format!("0x{digits}")));
        }
        let whole = self.take_while(|c| c.is_ascii_digit());
        let fraction =
            self.rest.starts_with('.') && !self.rest.starts_with("...") && self.digit_follows(1);
        let no_fraction = self.rest.starts_with('.') && !self.rest.starts_with("..");
        if fraction {
            self.take(1);
            let digits = self.take_while(|c| c.is_ascii_digit());
            if digits.len() > 6 && digits[6..].contains(|c| c != '0') {
                return Err(SyntaxError::new(at, "times go no finer than a microsecond"));
            }
            let micros = format!("{digits:0<6}")[..6].parse().unwrap_or(0);
            let seconds: u64 = if whole.is_empty() {
                0
            } else {
                whole.parse().map_err(|_| too_large())?
            };
            let total = seconds
                .checked_mul(1_000_000)
                .and_then(|s| s.checked_add(micros))
                .ok_or_else(too_large)?;
            return Ok(Kind::Decimal(total, format!("{whole}.{digits}")));
        }
        if no_fraction && self.dialect == Dialect::Script && self.follows_blank(1) {
            // `1.` is a number with nothing behind its point.
            self.take(1);
            let seconds: u64 = whole.parse().map_err(|_| too_large())?;
            let total = seconds.checked_mul(1_000_000).ok_or_else(too_large)?;
            return Ok(Kind::Decimal(total, format!("{whole}.")));
        }
        let mut written = whole.to_owned();
        // Hexadecimal cookies and keys may begin with a digit.
        if self
            .rest
            .starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        {
            written.push_str(self.take_while(|c| c.is_ascii_alphanumeric() || c == '_'));
            return Ok(Kind::Word(written));
        }
        match whole.parse() {
            Ok(value) => Ok(Kind::Integer(value, written)),
            // A cookie of digits only.
            Err(_) => Ok(Kind::Word(written)),
        }
    }

    fn follows_blank(&self, bytes: usize) -> bool {
        self.rest[bytes..].starts_with(char::is_whitespace)
    }
}
