//! How well a rate is known from a sample.

/// The 95 % interval of Wilson (1927) for a rate, given `hits` in `trials`.
///
/// Unlike the textbook's `p ± 1.96 σ` it is useful when nothing has failed: after 1000 passes of
/// 1000, the pass rate is at least 99.62 %. Without trials it is everything from 0 to 1.
pub fn wilson(hits: u64, trials: u64) -> (f64, f64) {
    if trials == 0 {
        return (0.0, 1.0);
    }
    let z = 1.959_963_984_540_054;
    let n = trials as f64;
    let share = hits as f64 / n;
    let shrink = 1.0 + z * z / n;
    let centre = (share + z * z / (2.0 * n)) / shrink;
    let half = z / shrink * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    // Rounding must not move a bound that is certain.
    let low = if hits == 0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if hits == trials { 1.0 } else { (centre + half).min(1.0) };
    (low, high)
}
