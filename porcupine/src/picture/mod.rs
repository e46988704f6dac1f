//! A history as one self-contained page.
//!
//! Clients are rows, operations are bars on a time axis; a line through the bars is a
//! linearization, or how far one gets. The page needs no network and no server. The key `?` lists
//! its commands.

mod data;

use crate::check::Report;
use crate::history::Operation;
use crate::model::Model;

const PAGE: &str = include_str!("page.html");
/// Where the data goes in the page.
const PLACE: &str = "/*DATA*/null";

/// Something that happened beside the operations: a partition of the network, a crash, a check.
///
/// Annotations have rows of their own, one for each tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// The row it belongs to, such as `"nemesis"`.
    pub tag: String,
    /// When, on the time axis of the operations.
    pub start: u64,
    /// Until when; `None` for a point in time.
    pub end: Option<u64>,
    /// Shades all rows between start and end, not only its own.
    pub span: bool,
    /// Short text.
    pub text: String,
    /// Long text, shown on a click.
    pub details: String,
    /// A CSS colour; the page chooses one if this is empty.
    pub color: String,
}

impl Annotation {
    /// A point in time.
    pub fn point(tag: impl Into<String>, time: u64, text: impl Into<String>) -> Annotation {
        Annotation {
            tag: tag.into(),
            start: time,
            end: None,
            span: false,
            text: text.into(),
            details: String::new(),
            color: String::new(),
        }
    }

    /// From one time to another.
    pub fn interval(
        tag: impl Into<String>,
        start: u64,
        end: u64,
        text: impl Into<String>,
    ) -> Annotation {
        Annotation { end: Some(end), ..Annotation::point(tag, start, text) }
    }

    /// The same, shading all rows.
    #[must_use]
    pub fn spanning(mut self) -> Annotation {
        self.span = true;
        self
    }

    /// With a long text.
    #[must_use]
    pub fn with_details(mut self, details: impl Into<String>) -> Annotation {
        self.details = details.into();
        self
    }

    /// In a colour, as CSS names it.
    #[must_use]
    pub fn with_color(mut self, color: impl Into<String>) -> Annotation {
        self.color = color.into();
        self
    }
}

/// What else to draw.
#[derive(Clone, Copy, Debug, Default)]
pub struct PictureOptions<'a> {
    /// The heading.
    pub title: &'a str,
    /// Beside the operations.
    pub annotations: &'a [Annotation],
    /// Operations to mark, such as those of an [`Explanation`](crate::Explanation).
    pub marked: &'a [usize],
    /// A text to show first, such as [`Explanation::text`](crate::Explanation::text).
    pub text: &'a str,
}

/// Draws a history that was checked with
/// [`check_operations_verbose`](crate::check_operations_verbose).
///
/// The plain check's report draws too, without linearizations.
pub fn picture<M: Model>(
    model: &M,
    history: &[Operation<M::Input, M::Output>],
    report: &Report,
    options: &PictureOptions<'_>,
) -> String {
    let data = data::json(model, history, report, options);
    let (before, after) = PAGE.split_once(PLACE).expect("the page has a place for its data");
    [before, &data, after].concat()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_has_one_place_for_its_data() {
        assert_eq!(super::PAGE.matches(super::PLACE).count(), 1);
    }
}
