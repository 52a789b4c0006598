//! `gateway`: the endpoint.

use listenfd::ListenFd;
use maas_gateway::{Clock, Gateway, Pace, Settings, Sockets, TlsFiles};
use maas_install::Identity;
use maas_keys::{Pepper, Registry, SiteTimeZone};
use maas_types::{Exit, Layout};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use crate::{
    clock,
    config::Config,
    error::{CommandError, CommandResult},
    notify::{self, Watchdog},
};

/// Serves until told to stop.
pub(in crate::command) async fn run(layout: Layout, config: &Config) -> CommandResult {
    let mut tasks = JoinSet::new();
    let stop = super::told_to_stop(&mut tasks)?;
    let identity = Identity::in_folder(layout.tls());
    let settings = Settings {
        listen: vec![config.gateway],
        metrics_listen: Some(config.metrics),
        tls: TlsFiles {
            chain: identity.server_chain(),
            key: identity.server_key(),
        },
        version: env!("CARGO_PKG_VERSION"),
        clock: Clock(clock::now),
        pace: Pace::default(),
    };
    let registry = registry(&layout, config)?;
    fs_err::create_dir_all(layout.run())?;
    let sockets = sockets(&settings)?;
    let gateway = Gateway::open(settings, layout, registry, sockets)?;
    tasks.spawn(Watchdog::of_unit().beats());
    tasks.spawn({
        let stop = stop.clone();
        async move {
            stop.cancelled().await;
            notify::stopping();
        }
    });
    notify::ready(&format!("listens on {}", config.gateway));
    gateway.run(stop).await?;
    Ok(Exit::Done)
}

/// The sockets that systemd holds for us, so that no connection is refused while we start anew; those that
/// it does not hold are ours to bind. What is configured counts: a socket on another address is let go.
fn sockets(settings: &Settings) -> Result<Sockets, CommandError> {
    let mut held = ListenFd::from_env();
    for number in 0..held.len() {
        let Some(socket) = held.take_tcp_listener(number)? else {
            continue;
        };
        let address = socket.local_addr()?;
        if settings.listen == [address] {
            return Ok(Sockets::around(socket, settings)?);
        }
        let wanted = settings.listen.first();
        tracing::warn!(
            ?wanted, %address,
            "systemd holds another address for us than is configured: run `maas-appliance install` again, or \
             write ListenStream= into maas-gateway.socket.d"
        );
    }
    Ok(Sockets::bind(settings)?)
}

/// Teams, keys and the ledger. The pepper is made by `install`; without it no key can be checked.
fn registry(layout: &Layout, config: &Config) -> Result<Registry, CommandError> {
    let path = layout.pepper();
    if !path.exists() {
        return Err(
            CommandError::new(Exit::NotFound, format!("{path} is missing"))
                .hint("nothing is installed yet: maas-appliance install --media DIR")
                .hint("or restore it from a backup: without it every key is dead"),
        );
    }
    // Never written here: the file exists.
    let pepper = Pepper::load_or_create(&path, &Zeroizing::new([0; 32]))?;
    let zone = SiteTimeZone::named(&config.site.time_zone)
        .map_err(|error| CommandError::usage(error.to_string()))?;
    Ok(Registry::open(
        &layout.state_db(),
        pepper,
        clock::now(),
        zone,
    )?)
}
