//! hsmc
fn main() {}
