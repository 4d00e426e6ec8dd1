//! Values that must not be seen.
//!
//! Lives here: [`Secret`], redacted in `Debug`, wiped when dropped.
//! May touch: nothing.
//! Must never: be serialised, displayed or cloned.

use std::fmt;

use zeroize::Zeroize;

/// A value that is wiped on drop and never printed. Look inside with [`Secret::expose`], which `rg` finds.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes the value in.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself; the borrow must not outlive the one use it is for.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
