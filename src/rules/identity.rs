//! Whether somebody was found to be asking, and by whom that is forgotten.

use http::Extensions;

use crate::head::Principal;

/// Whether a layer further out knows who asks: the answer may then be for him alone, whatever fields the request has.
pub(crate) fn is_known(extensions: &Extensions) -> bool {
    let is_known = extensions.get::<Principal>().is_some();
    // A token may be about nobody, and grant something all the same.
    #[cfg(feature = "jwt")]
    let is_known = is_known || extensions.get::<crate::auth::verified::Verified>().is_some();
    is_known
}

/// For a request that is made on behalf of everybody.
pub(crate) fn forget(extensions: &mut Extensions) {
    extensions.remove::<Principal>();
    #[cfg(feature = "jwt")]
    extensions.remove::<crate::auth::verified::Verified>();
}
