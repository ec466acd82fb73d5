//! The paths, a file for each kind of thing. Handlers translate, ask, and translate back.

mod about;
mod crowd;
mod deciding;
mod following;
mod looking;
mod mirror;
mod people;

use super::route::Routes;

/// Every path there is.
pub(super) fn all() -> Routes {
    let mut routes = Routes::default();
    about::add(&mut routes);
    looking::add(&mut routes);
    people::add(&mut routes);
    crowd::add(&mut routes);
    deciding::add(&mut routes);
    following::add(&mut routes);
    mirror::add(&mut routes);
    routes
}
