//! The name that was probably meant.

/// The one of `known` that is most like `name`, if one is like it at all.
///
/// ```
/// use porcupine::formats::nearest;
///
/// let fields = ["call", "return", "client"];
/// assert_eq!(nearest("ret", fields), Some("return"));
/// assert_eq!(nearest("retrun", fields), Some("return"));
/// assert_eq!(nearest("colour", fields), None);
/// ```
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    let likeness = |known: &str| strsim::jaro_winkler(&name, &known.to_lowercase());
    known
        .into_iter()
        .map(|known| (likeness(known), known))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.8)
        .map(|(_, known)| known)
}

/// Whether `name` is `known` with a slip or two.
pub(super) fn is_misspelt(name: &str, known: &str) -> bool {
    name != known && known.len() > 3 && strsim::damerau_levenshtein(name, known) <= 2
}
