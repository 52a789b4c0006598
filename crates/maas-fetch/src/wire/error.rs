//! What can go wrong between us and a server, and whether asking again can help.

use std::{error::Error, io, time::Duration};

use http::{HeaderMap, StatusCode, header};
use jiff::fmt::rfc2822;

use super::{Answer, SILENCE};
use crate::{Address, plain};

/// A request that has no useful answer.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Plain HTTP to another machine, which the caller has not allowed.
    #[error(
        "`{address}` is plain HTTP to another machine, where anyone between can read and change"
    )]
    Plain {
        /// Whom we did not ask.
        address: String,
    },
    /// The machine has no roots to check a server's certificate with.
    #[error("there are no CA certificates on this machine to check `{address}` with")]
    NoRoots {
        /// Whom we did not ask.
        address: String,
    },
    /// The caller's own roots cannot be read.
    #[error("the CA certificates are not PEM certificates (-----BEGIN CERTIFICATE-----)")]
    BadRoots,
    /// A redirect that is not followed.
    #[error("the redirect of `{address}` is not followed: {why}")]
    Redirect {
        /// Who answered with the redirect.
        address: String,
        /// Why not.
        why: String,
    },
    /// No connection, or none that TLS accepts.
    #[error("cannot reach `{address}`")]
    Unreachable {
        /// Whom.
        address: String,
        /// What the layers below said.
        #[source]
        source: hyper_util::client::legacy::Error,
    },
    /// The connection broke within the answer.
    #[error("the connection to `{address}` broke")]
    Broken {
        /// With whom.
        address: String,
        /// What the layers below said.
        #[source]
        source: hyper::Error,
    },
    /// The answer ended early, though the connection was closed in good order.
    #[error("`{address}` sent {sent} bytes of {wanted} and closed")]
    Short {
        /// Who.
        address: String,
        /// How much of the file there is now.
        sent: u64,
        /// How long the file is.
        wanted: u64,
    },
    /// Nothing came for a minute.
    #[error("`{address}` has said nothing for {seconds} s")]
    Silent {
        /// Who.
        address: String,
        /// For how long.
        seconds: u64,
    },
    /// An answer that is none.
    #[error("`{address}` answers {status}{}", .detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default())]
    Status {
        /// Who.
        address: String,
        /// What.
        status: StatusCode,
        /// The server's own words, if it has any.
        detail: Option<String>,
        /// The server's code for the reason (`GatedRepo`), if it has one.
        code: Option<String>,
        /// How long it asks us to wait (RFC 9110, 10.2.3).
        wait: Option<Duration>,
        /// Whether a redirect had led to this server.
        elsewhere: bool,
    },
    /// A document that is longer than any good one.
    #[error("the answer of `{address}` is longer than {limit} bytes")]
    TooLong {
        /// Who.
        address: String,
        /// The limit, bytes.
        limit: usize,
    },
}

impl WireError {
    pub(super) fn redirect(address: &Address, why: String) -> Self {
        let address = address.to_string();
        Self::Redirect { address, why }
    }

    pub(super) fn silent(address: &Address) -> Self {
        Self::Silent {
            address: address.to_string(),
            seconds: SILENCE.as_secs(),
        }
    }

    pub(super) fn status(answer: &Answer) -> Self {
        let text = |name: &str| answer.header(name).map(plain);
        Self::Status {
            address: answer.address.to_string(),
            status: answer.status,
            detail: text("x-error-message"),
            code: text("x-error-code"),
            wait: retry_after(&answer.headers),
            elsewhere: answer.elsewhere,
        }
    }

    /// The status that the server answered with, if it answered.
    pub(crate) fn answered(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            Self::Plain { .. }
            | Self::NoRoots { .. }
            | Self::BadRoots
            | Self::Redirect { .. }
            | Self::Unreachable { .. }
            | Self::Broken { .. }
            | Self::Short { .. }
            | Self::Silent { .. }
            | Self::TooLong { .. } => None,
        }
    }

    /// Whether the same request may succeed in a while.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => !is_about_certificates(source),
            Self::Broken { .. } | Self::Short { .. } | Self::Silent { .. } => true,
            Self::Status {
                status, elsewhere, ..
            } => {
                status.is_server_error()
                    || [408, 429].contains(&status.as_u16())
                    // A signed link that has expired; the next request gets a new one.
                    || (*elsewhere && [401, 403].contains(&status.as_u16()))
            }
            Self::Plain { .. }
            | Self::NoRoots { .. }
            | Self::BadRoots
            | Self::Redirect { .. }
            | Self::TooLong { .. } => false,
        }
    }

    /// How long the server asks us to wait.
    pub(super) fn asked_wait(&self) -> Option<Duration> {
        match self {
            Self::Status { wait, .. } => *wait,
            Self::Plain { .. }
            | Self::NoRoots { .. }
            | Self::BadRoots
            | Self::Redirect { .. }
            | Self::Unreachable { .. }
            | Self::Broken { .. }
            | Self::Short { .. }
            | Self::Silent { .. }
            | Self::TooLong { .. } => None,
        }
    }
}

/// Seconds, or a date; a date is counted from the server's own `Date`, so that our clock, which may be
/// wrong, has no say.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok();
    let value = text(header::RETRY_AFTER)?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| Some(rfc2822::parse(text).ok()?.timestamp());
    let wait = date(value)?.duration_since(date(text(header::DATE)?)?);
    // A date that has passed means now.
    Some(Duration::try_from(wait).unwrap_or_default())
}

/// A wrong certificate stays wrong. `io::Error` hides what it wraps from `source()`.
fn is_about_certificates(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return matches!(tls, rustls::Error::InvalidCertificate(_));
        }
        let wrapped = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_seconds_or_a_date_by_the_servers_clock() {
        let wait = |value: &'static str| {
            let mut headers = HeaderMap::new();
            let date = "Wed, 21 Oct 2015 07:28:00 GMT".parse().unwrap();
            headers.insert(header::DATE, date);
            headers.insert(header::RETRY_AFTER, value.parse().unwrap());
            retry_after(&headers).map(|wait| wait.as_secs())
        };
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait("Wed, 21 Oct 2015 07:29:30 GMT"), Some(90));
        assert_eq!(wait("Wed, 21 Oct 2015 07:00:00 GMT"), Some(0));
        assert_eq!(wait("soon"), None);
    }
}
