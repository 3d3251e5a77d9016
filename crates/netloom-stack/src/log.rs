//! The seam for logs: the features `log` and `defmt` send notes there; without them the notes
//! are compiled out, arguments and all.

/// Notes something at a level (`trace`, `debug`, `info`, `warn`). Arguments are numbers and
/// strings, which both `log` and `defmt` can format.
macro_rules! note {
    ($level:ident, $text:literal $(, $arg:expr)* $(,)?) => {{
        #[cfg(feature = "log")]
        ::log::$level!($text $(, $arg)*);
        #[cfg(feature = "defmt")]
        ::defmt::$level!($text $(, $arg)*);
        #[cfg(not(any(feature = "log", feature = "defmt")))]
        {
            $(let _ = &$arg;)*
        }
    }};
}

pub(crate) use note;
