//! A run as one self-contained HTML page, for the operator at night and for the author of a paper.
//!
//! [`render`] is a pure function from a [`Report`] to HTML: inline SVG and CSS, no script, nothing is loaded. Light and dark
//! follow the reader's system; no meaning is carried by colour alone. [`read`] fills a [`Report`] from what a run has written.
//! [`picture`] draws an embedding alone.
//!
//! ```text
//! assignments/ drift/ dead_letters/ --read--> Report --render--> report.html
//!                checkpoint's reservoir --points--^
//! ```

mod axis;
mod confusion;
mod contents;
mod drift;
mod error;
mod page;
mod palette;
mod picture;
mod plane;
mod read;
mod scatter;
mod shares;
mod svg;
mod time;

pub use contents::{Confusion, DriftPoint, Point, Position, Report, SharePoint};
pub use error::ReportError;
pub use page::render;
pub use picture::picture;
pub use plane::flatten;
pub use read::{Run, labels, read};
pub(crate) use time::instant;
