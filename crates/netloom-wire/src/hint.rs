//! What the compiler is told of how code runs.

/// Marks the branch it stands in as one that is seldom taken.
///
/// The compiler then lays the branch out behind the function. What a connection runs through from
/// SYN to TIME-WAIT is as much code as the first cache of instructions holds; with what it does not
/// run through in between, it is half as much again.
#[inline(always)]
pub const fn cold_path() {
    #[cfg(has_cold_path)]
    #[expect(
        clippy::incompatible_msrv,
        reason = "the build script has asked the compiler"
    )]
    core::hint::cold_path();
}
