//! Forms as `application/x-www-form-urlencoded`, in a query or a body.

use core::fmt;

use super::fields::split_at_byte;
use super::percent::{Encoded, PercentEncoded};

#[cfg(test)]
mod tests;

/// The media type of a form in a body.
pub const FORM_TYPE: &str = "application/x-www-form-urlencoded";

/// The names and values of a form, in order: `a=1&b=two+words&c`. A name without `=` has an empty
/// value; empty pairs are left out.
///
/// ```
/// use netloom_services::http::{Form, Encoded};
///
/// let form = Form::new(b"name=J%C3%BCrgen&age=44");
/// assert!(form.get("name").is_some_and(|name| name.is("Jürgen".as_bytes())));
/// assert_eq!(form.get("age").and_then(Encoded::number), Some(44));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Form<'b>(&'b [u8]);

impl<'b> Form<'b> {
    /// The form in a query or a body.
    #[must_use]
    pub const fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    /// All pairs, in order.
    pub fn pairs(self) -> impl Iterator<Item = (Encoded<'b>, Encoded<'b>)> + use<'b> {
        self.0
            .split(|&b| b == b'&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = split_at_byte(pair, b'=').unwrap_or((pair, &[]));
                (Encoded::form(name), Encoded::form(value))
            })
    }

    /// The first value of this name.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Encoded<'b>> {
        self.all(name).next()
    }

    /// All values of this name, in order.
    pub fn all<'n>(self, name: &'n str) -> impl Iterator<Item = Encoded<'b>> + use<'b, 'n> {
        self.pairs()
            .filter(|(key, _)| key.is(name.as_bytes()))
            .map(|(_, value)| value)
    }
}

/// Shows pairs as a form.
#[derive(Debug, Clone, Copy)]
pub struct FormPairs<'p>(pub &'p [(&'p str, &'p str)]);

impl fmt::Display for FormPairs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("&")?;
            }
            let (name, value) = (name.as_bytes(), value.as_bytes());
            write!(f, "{}={}", PercentEncoded(name), PercentEncoded(value))?;
        }
        Ok(())
    }
}
