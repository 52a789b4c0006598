//! Backups of a small site, made, damaged and restored.

mod create;
mod damage;
mod kills;
mod restore;
mod site;
mod support;
