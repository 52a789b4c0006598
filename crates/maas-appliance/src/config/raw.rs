//! The file as it is written, and the one function that gives it a meaning.

use std::net::{IpAddr, SocketAddr};

use maas_install::{EngineImage, Policy, Trial};
use maas_keys::SiteTimeZone;
use maas_types::EngineKind;
use serde::Deserialize;
use toml::Spanned;

use super::{Config, ConfigProblem, Device, Engines, Gpus, Runtime, Site};

/// `appliance.toml`. Every key is optional; a key that does not exist is a mistake.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawConfig {
    site: RawSite,
    gateway: RawListener,
    metrics: RawListener,
    engines: RawEngines,
    gpus: RawGpus,
    policy: RawPolicy,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawSite {
    names: Option<Vec<Spanned<String>>>,
    addresses: Option<Vec<Spanned<String>>>,
    time_zone: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawListener {
    listen: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawEngines {
    device: Option<Spanned<String>>,
    kind: Option<Spanned<String>>,
    vllm: Option<String>,
    runtime: Option<Spanned<String>>,
    image: Option<Spanned<String>>,
    drain_seconds: Option<u64>,
    simulate: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawGpus {
    library: Option<String>,
    interval_seconds: Option<Spanned<u64>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawPolicy {
    remote_code: bool,
    trial_seconds: Option<u64>,
    approvals: Option<u32>,
}

/// Collects mistakes instead of stopping at the first.
struct Reader<'a> {
    text: &'a str,
    problems: Vec<ConfigProblem>,
}

impl Reader<'_> {
    /// Reads `value` with `parse`; a mistake is noted and `fallback` stands in until the end.
    fn read<T>(
        &mut self,
        key: &'static str,
        example: &'static str,
        value: &Spanned<String>,
        fallback: T,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        parse(value.get_ref()).unwrap_or_else(|why| {
            let message = format!("`{}` {why}", value.get_ref().escape_debug());
            self.problems.push(ConfigProblem::at(
                self.text,
                value.span().start,
                key,
                message,
                example,
            ));
            fallback
        })
    }

    fn listener(
        &mut self,
        key: &'static str,
        example: &'static str,
        raw: &RawListener,
        default: SocketAddr,
    ) -> SocketAddr {
        raw.listen.as_ref().map_or(default, |value| {
            self.read(key, example, value, default, |text| {
                text.parse()
                    .map_err(|_| "is not an address and a port".to_owned())
            })
        })
    }

    fn site(&mut self, raw: &RawSite, hostname: &str) -> Site {
        let names = raw.names.as_ref().map_or_else(
            // `gpu_node1` and `(none)` are names of hosts and not of certificates.
            || {
                let own = dns_name(hostname).ok().filter(|own| own != "localhost");
                own.into_iter().chain(["localhost".to_owned()]).collect()
            },
            |names| {
                let example = "names = [\"maas.site.internal\"]";
                names
                    .iter()
                    .map(|name| self.read("site.names", example, name, String::new(), dns_name))
                    .collect()
            },
        );
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let addresses = raw.addresses.as_ref().map_or_else(
            || vec![loopback],
            |addresses| {
                let example = "addresses = [\"10.0.0.5\"]";
                addresses
                    .iter()
                    .map(|address| {
                        self.read("site.addresses", example, address, loopback, |text| {
                            text.parse().map_err(|_| "is not an IP address".to_owned())
                        })
                    })
                    .collect()
            },
        );
        let utc = || "UTC".to_owned();
        let time_zone = raw.time_zone.as_ref().map_or_else(utc, |zone| {
            let example = "time_zone = \"Europe/Berlin\"";
            self.read("site.time_zone", example, zone, utc(), |text| {
                let known = SiteTimeZone::named(text).map(|_| text.to_owned());
                known.map_err(|_| "is not a time zone of the IANA database".to_owned())
            })
        });
        Site {
            names,
            addresses,
            time_zone,
        }
    }

    fn engines(&mut self, raw: RawEngines) -> Engines {
        let device = raw.device.as_ref().map_or(Device::Auto, |value| {
            self.read(
                "engines.device",
                "device = \"auto\"",
                value,
                Device::Auto,
                |text| match text {
                    "auto" => Ok(Device::Auto),
                    "cpu" => Ok(Device::Cpu),
                    "gpu" => Ok(Device::Gpu),
                    _ => Err("is none of `auto`, `cpu`, `gpu`".to_owned()),
                },
            )
        });
        let kind = raw.kind.as_ref().map_or(EngineKind::Vllm, |value| {
            self.read(
                "engines.kind",
                "kind = \"vllm\"",
                value,
                EngineKind::Vllm,
                |text| match text {
                    "vllm" => Ok(EngineKind::Vllm),
                    "simulated" => Ok(EngineKind::Simulated),
                    _ => Err("is none of `vllm`, `simulated`".to_owned()),
                },
            )
        });
        let runtime = self.runtime(&raw);
        let vllm = match runtime {
            Runtime::Host => "/usr/bin/vllm",
            // Where the images of the vLLM project have it.
            Runtime::Rootfs { .. } => "/usr/local/bin/vllm",
        };
        Engines {
            device,
            kind,
            runtime,
            vllm: raw.vllm.unwrap_or_else(|| vllm.to_owned()).into(),
            // Long enough for a long answer, short enough for a person who waits for a shutdown.
            drain_seconds: raw.drain_seconds.unwrap_or(30),
            simulate: raw.simulate,
        }
    }

    fn runtime(&mut self, raw: &RawEngines) -> Runtime {
        let image = raw.image.as_ref().and_then(|value| {
            self.read("engines.image", "image = \"vllm\"", value, None, |text| {
                text.parse()
                    .map(Some)
                    .map_err(|error: maas_types::NameError| format!("is wrong: {error}"))
            })
        });
        let Some(value) = &raw.runtime else {
            return Runtime::Host;
        };
        let example = "runtime = \"rootfs\"";
        self.read(
            "engines.runtime",
            example,
            value,
            Runtime::Host,
            |text| match text {
                "host" => Ok(Runtime::Host),
                "rootfs" => Ok(Runtime::Rootfs {
                    image: image.clone(),
                }),
                _ => Err("is none of `host`, `rootfs`".to_owned()),
            },
        )
    }

    fn gpus(&mut self, raw: RawGpus) -> Gpus {
        // GPU facts change slowly; five seconds keeps `status` fresh at no visible cost.
        let interval_seconds = raw.interval_seconds.map_or(5, |value| {
            if *value.get_ref() == 0 {
                self.problems.push(ConfigProblem::at(
                    self.text,
                    value.span().start,
                    "gpus.interval_seconds",
                    "0 would ask without a pause".to_owned(),
                    "interval_seconds = 5",
                ));
            }
            value.into_inner()
        });
        Gpus {
            library: raw.library.map(Into::into),
            interval_seconds,
        }
    }
}

fn dns_name(text: &str) -> Result<String, String> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    if text.len() <= 253 && text.split('.').all(label) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("is not a DNS name".to_owned())
    }
}

impl RawConfig {
    /// What the file means, or everything that is wrong with it.
    pub(super) fn validate(self, text: &str, hostname: &str) -> Result<Config, Vec<ConfigProblem>> {
        let mut reader = Reader {
            text,
            problems: Vec::new(),
        };
        // Every interface: developers on the internal network are whom this is for. Metrics are for
        // the host itself until somebody says otherwise.
        let everywhere = SocketAddr::from(([0, 0, 0, 0], 8443));
        let loopback = SocketAddr::from(([127, 0, 0, 1], 9464));
        // In the order of the file, which is the order of the mistakes.
        let site = reader.site(&self.site, hostname);
        let gateway = reader.listener(
            "gateway.listen",
            "listen = \"0.0.0.0:8443\"",
            &self.gateway,
            everywhere,
        );
        let metrics = reader.listener(
            "metrics.listen",
            "listen = \"127.0.0.1:9464\"",
            &self.metrics,
            loopback,
        );
        let engines = reader.engines(self.engines);
        let config = Config {
            site,
            gateway,
            metrics,
            engines: engines.clone(),
            gpus: reader.gpus(self.gpus),
            policy: Policy {
                remote_code: self.policy.remote_code,
                engine_image: match &engines.runtime {
                    Runtime::Host => EngineImage::None,
                    Runtime::Rootfs { image: None } => EngineImage::Only,
                    Runtime::Rootfs { image: Some(name) } => EngineImage::Named(name.clone()),
                },
                approvals: self.policy.approvals.unwrap_or(1),
                trial_seconds: self.policy.trial_seconds.unwrap_or(Trial::SECONDS),
            },
        };
        if reader.problems.is_empty() {
            Ok(config)
        } else {
            Err(reader.problems)
        }
    }
}
