//! Everything that needs more than one crate: the rules of the house, and the whole road.
//!
//! One test binary, one module a scenario, so that linking is paid once.

mod architecture;
mod arrival;
mod backup;
mod delivery;
mod golden;
mod gpus;
mod installer;
mod kills;
mod living;
mod media;
mod road;
mod rotation;
mod serving;
