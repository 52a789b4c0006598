//! The families of vLLM's HTTP instrumentation (`prometheus_fastapi_instrumentator`).

use std::fmt::Write;

use super::{HttpRequest, float, histogram::Histogram, real};

/// Routes that the instrumentation leaves out, as recorded.
const UNCOUNTED: [&str; 6] = [
    "/metrics",
    "/health",
    "/load",
    "/ping",
    "/version",
    "/server_info",
];

/// Bounds of the histogram over all routes, seconds.
const FINE: [f64; 22] = [
    0.01,
    0.025,
    0.05,
    0.075,
    0.1,
    0.25,
    0.5,
    0.75,
    1.0,
    1.5,
    2.0,
    2.5,
    3.0,
    3.5,
    4.0,
    4.5,
    5.0,
    7.5,
    10.0,
    30.0,
    60.0,
    f64::INFINITY,
];

/// Bounds of the histograms by route, seconds.
const COARSE: [f64; 4] = [0.1, 0.5, 1.0, f64::INFINITY];

/// Counts by route, in order of first use.
#[derive(Debug)]
pub(super) struct HttpMetrics {
    requests: Vec<(String, f64)>,
    sizes: Vec<(&'static str, [f64; 3])>,
    all: Histogram,
    by_route: Vec<(&'static str, String, Histogram)>,
}

impl Default for HttpMetrics {
    fn default() -> Self {
        Self {
            requests: Vec::new(),
            sizes: Vec::new(),
            all: Histogram::new(FINE.to_vec()),
            by_route: Vec::new(),
        }
    }
}

impl HttpMetrics {
    /// Counts a request.
    pub(super) fn count(&mut self, request: &HttpRequest<'_>) {
        let HttpRequest {
            handler,
            method,
            status,
            ..
        } = *request;
        if UNCOUNTED.contains(&handler) {
            return;
        }
        let labels = format!(
            "handler=\"{handler}\",method=\"{method}\",status=\"{}xx\"",
            status / 100
        );
        *entry(
            &mut self.requests,
            |(key, _)| *key == labels,
            || (labels.clone(), 0.0),
        )
        .1 += 1.0;
        let sizes = entry(
            &mut self.sizes,
            |(key, _)| *key == handler,
            || (handler, [0.0; 3]),
        )
        .1;
        sizes[0] += 1.0;
        sizes[1] += real(request.request_bytes);
        sizes[2] += real(request.response_bytes);
        self.all.observe(request.seconds);
        let at = self
            .by_route
            .iter()
            .position(|(h, m, _)| *h == handler && m == method);
        let at = at.unwrap_or_else(|| {
            let empty = Histogram::new(COARSE.to_vec());
            self.by_route.push((handler, method.to_owned(), empty));
            self.by_route.len() - 1
        });
        self.by_route[at].2.observe(request.seconds);
    }

    /// The exposition text.
    pub(super) fn text(&self, created: &str) -> String {
        let mut text = String::new();
        self.write(&mut text, created)
            .expect("writing to a string cannot fail");
        text
    }

    fn write(&self, text: &mut String, created: &str) -> std::fmt::Result {
        let what = "Total number of requests by method, status and handler.";
        head(text, "http_requests_total", what, "counter")?;
        for (labels, count) in &self.requests {
            writeln!(text, "http_requests_total{{{labels}}} {}", float(*count))?;
        }
        head(text, "http_requests_created", what, "gauge")?;
        for (labels, _) in &self.requests {
            writeln!(text, "http_requests_created{{{labels}}} {created}")?;
        }
        self.write_sizes(text, created, "request", "incoming requests", 1)?;
        self.write_sizes(text, created, "response", "outgoing responses", 2)?;
        let name = "http_request_duration_highr_seconds";
        let what = "Latency with many buckets but no API specific labels. Made for more accurate \
                    percentile calculations. ";
        head(text, name, what, "histogram")?;
        for (bound, count) in self.all.buckets() {
            writeln!(
                text,
                "{name}_bucket{{le=\"{}\"}} {}",
                float(bound),
                float(count)
            )?;
        }
        writeln!(text, "{name}_count {}", float(self.all.count()))?;
        writeln!(text, "{name}_sum {}", float(self.all.sum()))?;
        head(text, &format!("{name}_created"), what, "gauge")?;
        writeln!(text, "{name}_created {created}")?;
        self.write_durations(text, created)
    }

    fn write_sizes(
        &self,
        text: &mut String,
        created: &str,
        which: &str,
        of: &str,
        at: usize,
    ) -> std::fmt::Result {
        let name = format!("http_{which}_size_bytes");
        let what = format!(
            "Content length of {of} by handler. Only value of header is respected. Otherwise \
             ignored. No percentile calculated. "
        );
        head(text, &name, &what, "summary")?;
        for (handler, sizes) in &self.sizes {
            writeln!(
                text,
                "{name}_count{{handler=\"{handler}\"}} {}",
                float(sizes[0])
            )?;
            writeln!(
                text,
                "{name}_sum{{handler=\"{handler}\"}} {}",
                float(sizes[at])
            )?;
        }
        head(text, &format!("{name}_created"), &what, "gauge")?;
        for (handler, _) in &self.sizes {
            writeln!(text, "{name}_created{{handler=\"{handler}\"}} {created}")?;
        }
        Ok(())
    }

    fn write_durations(&self, text: &mut String, created: &str) -> std::fmt::Result {
        let name = "http_request_duration_seconds";
        let what = "Latency with only few buckets by handler. Made to be only used if aggregation \
                    by handler is important. ";
        head(text, name, what, "histogram")?;
        for (handler, method, seconds) in &self.by_route {
            for (bound, count) in seconds.buckets() {
                let (bound, count) = (float(bound), float(count));
                let labels = format!("handler=\"{handler}\",le=\"{bound}\",method=\"{method}\"");
                writeln!(text, "{name}_bucket{{{labels}}} {count}")?;
            }
            let labels = format!("handler=\"{handler}\",method=\"{method}\"");
            writeln!(text, "{name}_count{{{labels}}} {}", float(seconds.count()))?;
            writeln!(text, "{name}_sum{{{labels}}} {}", float(seconds.sum()))?;
        }
        head(text, &format!("{name}_created"), what, "gauge")?;
        for (handler, method, _) in &self.by_route {
            let labels = format!("handler=\"{handler}\",method=\"{method}\"");
            writeln!(text, "{name}_created{{{labels}}} {created}")?;
        }
        Ok(())
    }
}

fn head(text: &mut String, name: &str, what: &str, kind: &str) -> std::fmt::Result {
    writeln!(text, "# HELP {name} {what}\n# TYPE {name} {kind}")
}

/// The entry that `is` finds, made by `new` if there is none.
fn entry<K, V>(
    list: &mut Vec<(K, V)>,
    is: impl Fn(&(K, V)) -> bool,
    new: impl FnOnce() -> (K, V),
) -> (&K, &mut V) {
    let at = list.iter().position(is).unwrap_or_else(|| {
        list.push(new());
        list.len() - 1
    });
    let (key, value) = &mut list[at];
    (key, value)
}
