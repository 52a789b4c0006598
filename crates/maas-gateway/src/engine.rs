//! The engines: which there are ([`table`]), which one is asked ([`pick`]), and how ([`client`]).

pub(crate) mod client;
pub(crate) mod pick;
pub(crate) mod table;
