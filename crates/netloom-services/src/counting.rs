//! Counting, where it is compiled in.

/// Adds one to a field of counters; they wrap. Without the feature `counters` nothing is done.
macro_rules! count {
    ($counters:expr, $field:ident) => {{
        #[cfg(feature = "counters")]
        {
            let count: &mut u32 = &mut $counters.$field;
            *count = count.wrapping_add(1);
        }
        // Of no size, and read by nobody; the name keeps two branches from looking the same.
        #[cfg(not(feature = "counters"))]
        let _ = (&$counters, stringify!($field));
    }};
}
