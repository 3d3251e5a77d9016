//! Looking at a device once more before sleeping for it.
//!
//! Between two programs that answer one another at once, the answer is often there before the one
//! that waits has gone to sleep: at once if its peer ran on the same core as soon as it was woken,
//! or else when the core was given up once. A look costs a system call that finds nothing; a sleep
//! and the wake out of it cost several times that.

/// The longest row of sleeps without a look.
const LONGEST_ROW: u8 = 63;

/// Whether to look before sleeping: as long as it is not in vain. After each look in vain twice as
/// many sleeps go by without one, 63 at most; a look that finds something begins anew.
///
/// ```
/// use netloom_host::device::Eagerness;
///
/// let mut eagerness = Eagerness::new();
/// assert!(eagerness.is_due());
/// eagerness.looked(false);
/// assert!(!eagerness.is_due());
/// assert!(eagerness.is_due());
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Eagerness {
    /// Sleeps still to go by.
    left: u8,
    /// Sleeps that went by after the last look in vain.
    row: u8,
}

impl Eagerness {
    /// Looks before the first sleep.
    #[must_use]
    pub const fn new() -> Eagerness {
        Eagerness { left: 0, row: 0 }
    }

    /// Whether to look now. To be asked once before each sleep.
    pub fn is_due(&mut self) -> bool {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                false
            }
            None => true,
        }
    }

    /// Tells whether the look found anything.
    pub fn looked(&mut self, found: bool) {
        self.row = if found {
            0
        } else {
            (self.row * 2 + 1).min(LONGEST_ROW)
        };
        self.left = self.row;
    }
}

#[cfg(test)]
mod tests;
