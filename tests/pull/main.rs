//! Pulls into the mirror: nothing missed, nothing doubled, as few calls as there are pages, and every crash survived.

#![cfg(test)]

mod crashes;
mod objects;
mod pairs;
mod stage;
