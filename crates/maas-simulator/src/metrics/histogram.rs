//! A histogram with fixed bounds.

/// Cumulative buckets, as Prometheus shows them.
#[derive(Debug, Clone, Default)]
pub(super) struct Histogram {
    bounds: Vec<f64>,
    buckets: Vec<f64>,
    sum: f64,
    count: f64,
}

impl Histogram {
    /// An empty one; the last bound is infinite.
    pub(super) fn new(bounds: Vec<f64>) -> Self {
        let buckets = vec![0.0; bounds.len()];
        Self {
            bounds,
            buckets,
            sum: 0.0,
            count: 0.0,
        }
    }

    /// Adds an observation.
    pub(super) fn observe(&mut self, value: f64) {
        for (bound, bucket) in self.bounds.iter().zip(&mut self.buckets) {
            if value <= *bound {
                *bucket += 1.0;
            }
        }
        self.sum += value;
        self.count += 1.0;
    }

    /// Bounds and what is below each.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (f64, f64)> {
        self.bounds
            .iter()
            .copied()
            .zip(self.buckets.iter().copied())
    }

    /// Observations at or below the bound at `index`.
    pub(super) fn bucket(&self, index: usize) -> f64 {
        self.buckets.get(index).copied().unwrap_or(self.count)
    }

    /// Sum of all observations.
    pub(super) fn sum(&self) -> f64 {
        self.sum
    }

    /// Number of observations.
    pub(super) fn count(&self) -> f64 {
        self.count
    }
}
