//! Where a connection finds its [`Tunables`].

use crate::Tunables;

/// The tunables of a call.
#[cfg(any(feature = "tunables", test))]
pub type TunablesRef<'a> = &'a Tunables;

/// The tunables of a call: constants, which nobody fetches.
#[cfg(not(any(feature = "tunables", test)))]
#[derive(Debug, Clone, Copy)]
pub struct TunablesRef<'a>(core::marker::PhantomData<&'a Tunables>);

#[cfg(not(any(feature = "tunables", test)))]
impl core::ops::Deref for TunablesRef<'_> {
    type Target = Tunables;

    #[inline(always)]
    fn deref(&self) -> &Tunables {
        &Tunables::DEFAULT
    }
}

/// These tunables as a call is told them. Without the feature `tunables` they are the default ones,
/// whatever they say.
#[inline(always)]
pub fn tunables_ref(tunables: &Tunables) -> TunablesRef<'_> {
    #[cfg(any(feature = "tunables", test))]
    return tunables;
    #[cfg(not(any(feature = "tunables", test)))]
    {
        let _ = tunables;
        TunablesRef(core::marker::PhantomData)
    }
}
