//! `uninstall`: takes the appliance off this host.

use std::{fmt::Write as _, io::BufRead as _};

use maas_gateway::admin;
use maas_install::{Data, Farewell, Left, Seat, leave};
use maas_store::{Disk, Lock};
use maas_types::{Exit, Layout};
use serde::Serialize;

use super::{host_setup, install::holder};
use crate::{
    cli::UninstallArgs,
    error::{CommandError, CommandResult},
    output::{self, Format},
};

/// `maas-appliance/uninstall/v1`
#[derive(Debug, Serialize)]
struct Uninstalled<'a> {
    schema: &'static str,
    dry_run: bool,
    removed: Vec<&'a camino::Utf8PathBuf>,
    left: &'a [Left],
}

/// Removes, or says what it would.
pub(super) async fn run(args: &UninstallArgs, layout: &Layout) -> CommandResult {
    let seat = Seat::of(layout);
    let data = if args.data { Data::Remove } else { Data::Keep };
    // A configuration that cannot be read must not keep the appliance on the host; the address in the drop-in
    // is of no interest when the drop-in goes.
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let laid = host_setup::files_listening(nowhere);
    let farewell = Farewell::of(layout, seat, &laid, data);
    let left = if args.dry_run || farewell.is_over() {
        farewell.left.clone()
    } else {
        confirmed(args, &super::hostname())?;
        go(layout, seat, &farewell).await?
    };
    let removed: Vec<_> = farewell.files.iter().chain(&farewell.folders).collect();
    let done = Uninstalled {
        schema: "maas-appliance/uninstall/v1",
        dry_run: args.dry_run,
        removed,
        left: &left,
    };
    match args.json.format() {
        Format::Json => output::json(&done)?,
        Format::Text => output::data(&text(&done)),
    }
    Ok(Exit::Done)
}

async fn go(layout: &Layout, seat: Seat, farewell: &Farewell) -> Result<Vec<Left>, CommandError> {
    if seat != Seat::Folder && !rustix::process::geteuid().is_root() {
        let error = CommandError::new(Exit::NotAllowed, "only root can uninstall");
        return Err(error.hint("sudo maas-appliance uninstall"));
    }
    // Where there is no state folder, nobody can be writing to it, and taking the lock would make one.
    let lock = layout
        .state()
        .is_dir()
        .then(|| Lock::acquire(layout, &holder("uninstall")));
    let lock = lock.transpose()?;
    match seat {
        Seat::Host => {}
        Seat::Unsupervised | Seat::Folder => stop(layout).await?,
    }
    Ok(leave(&Disk::real(), lock.as_ref(), seat, farewell)?)
}

/// Stops engines. Services that no systemd runs are somebody else's to stop.
async fn stop(layout: &Layout) -> Result<(), CommandError> {
    if admin::Client::new(layout).status().await.is_ok() {
        let error = CommandError::new(Exit::Busy, "the gateway is running");
        return Err(
            error.hint("stop whoever has started it, and its supervisor, then run this again")
        );
    }
    let stopped = maas_supervisor::stop_all(layout).await?;
    if stopped > 0 {
        output::words(&format!("Stopped {stopped} engines."));
    }
    Ok(())
}

/// Who removes data must know which host he is on: two terminals look alike.
fn confirmed(args: &UninstallArgs, hostname: &str) -> Result<(), CommandError> {
    if !args.data {
        return Ok(());
    }
    let typed = match &args.confirm {
        Some(name) => name.clone(),
        None if output::answerable() => ask(hostname)?,
        None => {
            let error =
                CommandError::usage("`--data` removes every key, model and ledger of this host");
            return Err(error.hint(format!(
                "there is no terminal to ask on; add --confirm={hostname}"
            )));
        }
    };
    if typed.trim() == hostname {
        return Ok(());
    }
    Err(CommandError::usage(format!(
        "this host is `{hostname}`, not `{}`; nothing was removed",
        typed.trim().escape_debug()
    )))
}

fn ask(hostname: &str) -> Result<String, CommandError> {
    output::words(&format!(
        "This removes every key, model, ledger and all trust of `{hostname}`, for good.\n\
         Type the name of this host to go on:"
    ));
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(line)
}

fn text(done: &Uninstalled<'_>) -> String {
    let mut text = String::new();
    for path in &done.removed {
        let _ = writeln!(text, "remove  {path}");
    }
    if done.removed.is_empty() {
        text.push_str("Nothing of the appliance is here to remove.\n");
    }
    for left in done.left {
        let _ = writeln!(
            text,
            "left    {}: {}\n        to remove it: {}",
            left.what, left.why, left.remove
        );
    }
    if done.dry_run {
        text.push_str("Nothing was changed.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::JsonArg;

    fn with_data(confirm: Option<&str>) -> UninstallArgs {
        UninstallArgs {
            data: true,
            confirm: confirm.map(ToOwned::to_owned),
            dry_run: false,
            json: JsonArg::default(),
        }
    }

    #[test]
    fn data_goes_only_with_the_name_of_this_very_host() {
        let without = UninstallArgs {
            data: false,
            ..with_data(None)
        };
        confirmed(&without, "gpu-1").unwrap();
        confirmed(&with_data(Some("gpu-1")), "gpu-1").unwrap();
        for wrong in ["gpu-2", "", "yes"] {
            let error = confirmed(&with_data(Some(wrong)), "gpu-1").unwrap_err();
            assert_eq!(error.exit(), Exit::Usage, "{wrong}");
        }
    }
}
