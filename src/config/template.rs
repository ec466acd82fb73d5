//! What `hsmc init` writes.

/// A config with every key explained, ready to be filled in. It loads as it stands once the two
/// variables it names are set; it names no list yet, so it touches nobody.
pub const TEMPLATE: &str = include_str!("template.toml");
