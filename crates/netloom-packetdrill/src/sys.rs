//! The C interface: the only unsafe code here. Whatever the tool hands over is checked for null
//! and read or written within the lengths it names; the rest is up to its promise that pointers
//! point where it says (packetdrill's `so_testing.h`).

mod address;
mod calls;
mod preload;
mod table;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::Arc;

use netloom_sim::drill::Errno;

use crate::engine::Engine;
pub use table::Interface;

/// Fills the tool's table of functions. Called once, by the tool.
///
/// # Safety
/// `flags` is null or a C string; `interface` points to a table of the size of [`Interface`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn packetdrill_interface_init(
    flags: *const c_char,
    interface: *mut Interface,
) {
    let flags = if flags.is_null() {
        String::new()
    } else {
        // SAFETY: not null, and by the contract a C string.
        let flags = unsafe { CStr::from_ptr(flags) };
        flags.to_string_lossy().into_owned()
    };
    let engine = match Engine::new(&flags) {
        Ok(engine) => Arc::new(engine),
        Err(what) => {
            // The tool has no way to be told: nothing it could do would mean anything.
            eprintln!("netloom: --so_flags: {what}");
            std::process::exit(2);
        }
    };
    preload::remember(&engine);
    let userdata = Arc::into_raw(engine).cast_mut().cast::<c_void>();
    if !interface.is_null() {
        // SAFETY: not null, and by the contract it has room for a table.
        unsafe { interface.write(Interface::new(userdata)) };
    }
}

/// The engine behind the first argument of every function of the table.
///
/// # Safety
/// `userdata` is what [`packetdrill_interface_init`] put into the table, not freed yet.
unsafe fn engine<'a>(userdata: *mut c_void) -> &'a Engine {
    // SAFETY: it came from `Arc::into_raw` of an engine, which lives until `free`.
    unsafe { &*userdata.cast::<Engine>() }
}

/// Sets the C library's `errno` and returns what goes with it.
fn fail(error: Errno) -> c_int {
    // SAFETY: the location is this thread's own, always valid.
    unsafe { *libc::__errno_location() = error.number() };
    -1
}

/// A result as C returns it.
fn result(value: Result<i64, Errno>) -> isize {
    match value {
        Ok(value) => value as isize,
        Err(error) => fail(error) as isize,
    }
}
