//! Whole images, made here, against what must become of them.

mod attacks;
mod documents;
mod model;
mod site;
mod stream;
mod tar;
mod trees;
