//! The cryptography that TLS is done with, for clients and listeners alike: ring, which a build has in half a minute.
//!
//! Promises: whoever makes a client of reqwest's has called [`set_up`] before, for reqwest brings none of its own.
//! Never: which certificates count; that is the system's say, and whoever listens names their own.

use std::sync::Once;
use tokio_rustls::rustls::crypto::ring;

/// Settles it for this process, once. What somebody settled before stays.
pub(crate) fn set_up() {
    static SETTLED: Once = Once::new();
    SETTLED.call_once(|| {
        if ring::default_provider().install_default().is_err() {
            tracing::debug!("the cryptography of TLS was settled before");
        }
    });
}
