//! `--define=NAME=VALUE`: a name of the script's own for a value.

use std::collections::HashMap;

use super::Kind;
use crate::drill::error::SyntaxError;
use crate::drill::lexer::Dialect;
use crate::drill::lexer::{Token, lex_from};

/// The longest value, in tokens: a name stands for a value, not for a script.
const LONGEST: usize = 16;

/// Puts values in the place of the names that options define.
pub(super) fn apply(tokens: &mut Vec<Token>) -> Result<(), SyntaxError> {
    let mut defined: HashMap<String, Vec<Kind>> = HashMap::new();
    for token in tokens.iter() {
        let Kind::Option(option, definition) = &token.kind else {
            break;
        };
        if option != "define" {
            continue;
        }
        let wrong = || SyntaxError::new(token.at, "expected `--define=NAME=VALUE`");
        let (name, value) = definition.split_once('=').ok_or_else(wrong)?;
        let value = lex_from(value.trim(), token.at, Dialect::Script)?.tokens;
        let value: Vec<Kind> = value
            .into_iter()
            .map(|token| token.kind)
            .filter(|kind| *kind != Kind::End)
            .collect();
        let command = value.iter().any(|kind| matches!(kind, Kind::Backquoted(_)));
        if name.trim().is_empty() || value.is_empty() || value.len() > LONGEST || command {
            return Err(wrong());
        }
        defined.insert(name.trim().to_owned(), value);
    }
    if defined.is_empty() {
        return Ok(());
    }
    let replaced = tokens.drain(..).flat_map(|token| {
        let value = match &token.kind {
            Kind::Word(word) => defined.get(word).cloned(),
            _ => None,
        };
        let kinds = value.unwrap_or_else(|| vec![token.kind.clone()]);
        kinds
            .into_iter()
            .enumerate()
            .map(move |(place, kind)| Token {
                at: token.at,
                kind,
                joined: token.joined && place == 0,
                starts_line: token.starts_line && place == 0,
            })
    });
    *tokens = replaced.collect();
    Ok(())
}
