//! How well a share is known from a sample.

/// The 95 % interval of Wilson (1927) for the share of which `hits` in `trials` is a sample.
///
/// Unlike the textbook's `p ± 1.96 σ` it says something when nothing has failed: after 1000 passes of 1000, the pass rate is at least
/// 99.62 %. Without trials it is everything from 0 to 1.
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
    // Rounding must not leave a certain bound a hair short of it.
    let low = if hits == 0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if hits == trials { 1.0 } else { (centre + half).min(1.0) };
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::wilson;

    fn close(got: (f64, f64), low: f64, high: f64) {
        assert!((got.0 - low).abs() < 5e-5 && (got.1 - high).abs() < 5e-5, "{got:?}");
    }

    /// Computed by hand from the formula.
    #[test]
    fn known_values() {
        close(wilson(0, 0), 0.0, 1.0);
        close(wilson(0, 10), 0.0, 0.2775);
        close(wilson(10, 10), 0.7225, 1.0);
        close(wilson(5, 10), 0.2366, 0.7634);
        close(wilson(1000, 1000), 0.9962, 1.0);
        close(wilson(81, 263), 0.2553, 0.3662);
    }
}
