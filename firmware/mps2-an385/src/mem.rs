//! memcpy and its kin, small. Those of the compiler's runtime are unrolled for speed and weigh
//! 3 KiB, six times as much as the driver's way between FIFO and memory.
//!
//! A Cortex-M3 reads and writes words at any address, so nothing here aligns. Assembly, because a
//! compiler that meets such a loop in Rust replaces it with a call of the function it stands in.
#![expect(
    unsafe_code,
    reason = "the functions are defined by their symbols and calling convention"
)]

use core::arch::global_asm;

// The run-time ABI for the Arm architecture (RTABI32), §4.3.4, names the functions with the prefix
// __aeabi_: they return nothing, so those with a result serve for them, and their memset has its
// last two arguments swapped. r0 to r3 and r12 are free to use.
global_asm!(
    ".macro entry names:vararg
     .irp name, \\names
     .global \\name
     .type \\name, %function
     .thumb_func
     \\name:
     .endr
     .endm",
    ".section .text.netloom_mem, \"ax\", %progbits",
    ".syntax unified",
    ".balign 4",
    // r0: destination, r1: source, r2: bytes.
    "entry memmove, __aeabi_memmove, __aeabi_memmove4, __aeabi_memmove8
        subs r3, r0, r1
        cmp r3, r2
        bhs memcpy
        adds r1, r1, r2
        adds r3, r0, r2
     0: subs r2, r2, #1
        it lo
        bxlo lr
        ldrb r12, [r1, #-1]!
        strb r12, [r3, #-1]!
        b 0b",
    "entry memcpy, __aeabi_memcpy, __aeabi_memcpy4, __aeabi_memcpy8
        mov r12, r0
     1: subs r2, r2, #4
        ittt hs
        ldrhs r3, [r1], #4
        strhs r3, [r12], #4
        bhs 1b
        adds r2, r2, #4
     2: subs r2, r2, #1
        ittt hs
        ldrbhs r3, [r1], #1
        strbhs r3, [r12], #1
        bhs 2b
        bx lr",
    // r0: destination, r1: bytes.
    "entry __aeabi_memclr, __aeabi_memclr4, __aeabi_memclr8
        movs r2, #0",
    // r0: destination, r1: bytes, r2: value.
    "entry __aeabi_memset, __aeabi_memset4, __aeabi_memset8
        mov r3, r1
        mov r1, r2
        mov r2, r3",
    // r0: destination, r1: value, r2: bytes.
    "entry memset
        mov r12, r0
        and r1, r1, #255
        orr r1, r1, r1, lsl #8
        orr r1, r1, r1, lsl #16
     3: subs r2, r2, #4
        itt hs
        strhs r1, [r12], #4
        bhs 3b
        adds r2, r2, #4
     4: subs r2, r2, #1
        itt hs
        strbhs r1, [r12], #1
        bhs 4b
        bx lr",
    // r0, r1: the two, r2: bytes.
    "entry memcmp, bcmp
        mov r12, r0
     5: subs r2, r2, #1
        itt lo
        movlo r0, #0
        bxlo lr
        ldrb r0, [r12], #1
        ldrb r3, [r1], #1
        subs r0, r0, r3
        beq 5b
        bx lr",
    ".purgem entry",
);
