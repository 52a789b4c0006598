//! The command line of `vllm serve`.
//!
//! `options.txt` lists every option of vLLM 0.32's `vllm serve --help=all`: those that matter here
//! are obeyed, the others are accepted with their values and ignored, and what vLLM does not know is
//! refused as its argument parser refuses it.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use crate::{Listen, Runner, Settings, Switch};

const OPTIONS: &str = include_str!("options.txt");

/// The first line that vLLM prints before an error.
const USAGE: &str = "usage: vllm serve [model_tag] [options]";

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// Where to listen.
    pub(crate) listen: Listen,
    /// Everything else.
    pub(crate) settings: Settings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    One,
    OneOrNone,
    Several,
}

impl Arguments {
    /// Reads the arguments after `vllm serve`; the error is what goes to standard error.
    pub(crate) fn read(args: &[String]) -> Result<Self, String> {
        let (model, given) = split(args).map_err(|why| refusal(&why))?;
        let given = Given(given);
        let mut settings = Settings::new("");
        settings.model_dir = model.or_else(|| given.last("--model")).unwrap_or_default();
        if settings.model_dir.is_empty() {
            return Err(refusal("the following arguments are required: model_tag"));
        }
        settings.served_names = match given.all("--served-model-name") {
            [] => vec![settings.model_dir.clone()],
            names => names.to_vec(),
        };
        given
            .read_into(&mut settings)
            .map_err(|why| refusal(&why))?;
        let listen = given.listen().map_err(|why| refusal(&why))?;
        Ok(Self { listen, settings })
    }
}

/// Options with their values.
struct Given(HashMap<&'static str, Vec<String>>);

impl Given {
    fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    fn last(&self, name: &str) -> Option<String> {
        self.all(name).last().cloned()
    }

    /// On or off, whichever was said; `default` if neither.
    fn switch(&self, name: &'static str, off: &'static str, default: Switch) -> Switch {
        if self.0.contains_key(off) {
            Switch::Off
        } else if self.0.contains_key(name) {
            Switch::On
        } else {
            default
        }
    }

    fn number(&self, name: &str) -> Result<Option<u64>, String> {
        let Some(text) = self.last(name) else {
            return Ok(None);
        };
        // vLLM takes 32k and 32K for lengths.
        let (digits, times) = match (text.strip_suffix('k'), text.strip_suffix('K')) {
            (Some(digits), _) => (digits, 1000),
            (_, Some(digits)) => (digits, 1024),
            _ => (text.as_str(), 1),
        };
        let number = digits
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(times));
        number
            .map(Some)
            .ok_or_else(|| format!("argument {name}: invalid int value: '{text}'"))
    }

    fn read_into(&self, settings: &mut Settings) -> Result<(), String> {
        if let Some(length) = self.number("--max-model-len")? {
            settings.max_model_len = length;
        }
        if let Some(sequences) = self.number("--max-num-seqs")? {
            settings.max_num_seqs = sequences;
        }
        if let Some(seconds) = self.number("--shutdown-timeout")? {
            settings.shutdown_timeout = Duration::from_secs(seconds);
        }
        settings.runner = match self.last("--runner").as_deref() {
            Some("pooling") => Runner::Pooling,
            Some("auto" | "generate" | "draft") | None => Runner::Generate,
            Some(other) => {
                return Err(format!(
                    "argument --runner: invalid choice: '{other}' (choose from 'auto', 'draft', \
                     'generate', 'pooling')"
                ));
            }
        };
        let on = |name, off| self.switch(name, off, Switch::Off);
        settings.prompt_tokens_details = on(
            "--enable-prompt-tokens-details",
            "--no-enable-prompt-tokens-details",
        );
        settings.force_include_usage = on(
            "--enable-force-include-usage",
            "--no-enable-force-include-usage",
        );
        settings.request_id_headers = on(
            "--enable-request-id-headers",
            "--no-enable-request-id-headers",
        );
        settings.load_tracking = on(
            "--enable-server-load-tracking",
            "--no-enable-server-load-tracking",
        );
        settings.prefix_caching = self.switch(
            "--enable-prefix-caching",
            "--no-enable-prefix-caching",
            Switch::On,
        );
        let silent = on(
            "--disable-uvicorn-access-log",
            "--no-disable-uvicorn-access-log",
        );
        settings.access_log = if silent.is_on() {
            Switch::Off
        } else {
            Switch::On
        };
        let quiet = self
            .last("--disable-access-log-for-endpoints")
            .unwrap_or_default();
        settings.quiet_paths = quiet
            .split(',')
            .map(|path| path.trim().to_owned())
            .collect();
        Ok(())
    }

    fn listen(&self) -> Result<Listen, String> {
        if let Some(path) = self.last("--uds") {
            return Ok(Listen::Unix(path.into()));
        }
        let host = self
            .last("--host")
            .unwrap_or_else(|| "127.0.0.1".to_owned());
        let host = if host == "localhost" {
            "127.0.0.1"
        } else {
            &host
        };
        let address: IpAddr = host.parse().map_err(|_| {
            format!("argument --host: the simulated engine takes an IP address, not '{host}'")
        })?;
        // vLLM's default.
        let port = self.number("--port")?.unwrap_or(8000);
        let port = u16::try_from(port)
            .map_err(|_| format!("argument --port: invalid port value: '{port}'"))?;
        Ok(Listen::Tcp((address, port).into()))
    }
}

/// What the parser of vLLM writes before it exits with 2.
fn refusal(why: &str) -> String {
    format!("{USAGE}\nvllm serve: error: {why}")
}

type Split = (Option<String>, HashMap<&'static str, Vec<String>>);

/// Cuts the arguments into the model and options with values.
fn split(args: &[String]) -> Result<Split, String> {
    let known = known();
    let mut model = None;
    let mut given: HashMap<&'static str, Vec<String>> = HashMap::new();
    let mut strangers = Vec::new();
    let mut rest = args.iter().peekable();
    while let Some(arg) = rest.next() {
        if !is_option(arg) {
            match model {
                None => model = Some(arg.clone()),
                Some(_) => strangers.push(arg.clone()),
            }
            continue;
        }
        let (name, inline) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (arg.as_str(), None),
        };
        let Some((name, takes)) = find(&known, name) else {
            strangers.push(arg.clone());
            continue;
        };
        let mut values: Vec<String> = inline.into_iter().collect();
        let most = match takes {
            Takes::Nothing => 0,
            Takes::One | Takes::OneOrNone => 1,
            Takes::Several => usize::MAX,
        };
        while values.len() < most && rest.peek().is_some_and(|next| !is_option(next)) {
            values.extend(rest.next().cloned());
        }
        match (takes, values.len()) {
            (Takes::Nothing, 1..) => {
                return Err(format!(
                    "argument {name}: ignored explicit argument '{}'",
                    values[0]
                ));
            }
            (Takes::One, 0) => return Err(format!("argument {name}: expected one argument")),
            (Takes::Several, 0) => {
                return Err(format!("argument {name}: expected at least one argument"));
            }
            _ => given.entry(name).or_default().extend(values),
        }
    }
    match strangers.as_slice() {
        [] => Ok((model, given)),
        strangers => Err(format!("unrecognized arguments: {}", strangers.join(" "))),
    }
}

/// Negative numbers are values, as argparse takes them when no option looks like one.
fn is_option(arg: &str) -> bool {
    arg.len() > 1 && arg.starts_with('-') && arg.parse::<f64>().is_err()
}

/// vLLM takes `_` for `-` in names, and `--option.key` for a key of an option that is JSON.
fn find(
    known: &HashMap<&'static str, (&'static str, Takes)>,
    name: &str,
) -> Option<(&'static str, Takes)> {
    let dashed = match name.strip_prefix("--") {
        Some(rest) => format!("--{}", rest.replace('_', "-")),
        None => name.to_owned(),
    };
    let base = dashed
        .split_once('.')
        .map_or(dashed.as_str(), |(base, _)| base);
    known.get(base).copied()
}

/// Every name of every option, with the option's first name. `--no-…` stands for itself.
fn known() -> HashMap<&'static str, (&'static str, Takes)> {
    let mut known = HashMap::new();
    for line in OPTIONS.lines() {
        let mut words = line.split(' ');
        let takes = match words.next() {
            Some("flag") => Takes::Nothing,
            Some("optional") => Takes::OneOrNone,
            Some("list") => Takes::Several,
            Some(_) | None => Takes::One,
        };
        let names: Vec<&'static str> = words.collect();
        for name in &names {
            let first = if name.starts_with("--no-") {
                *name
            } else {
                names[0]
            };
            known.insert(*name, (first, takes));
        }
    }
    known
}

#[cfg(test)]
mod tests;
