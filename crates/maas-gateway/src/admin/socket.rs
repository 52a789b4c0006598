//! The administrative socket: taken once, and for its owner and root only.
//!
//! Threat: another user of the host, or a process that broke out of an engine (which has a network
//! namespace of its own, but may see the file system), creates itself a key.
//! Defence: mode 0600, and the kernel's word (`SO_PEERCRED`) for who connected, so that neither a
//! moment with the wrong mode nor a descriptor passed on is enough.

use std::{io, os::unix::fs::PermissionsExt, sync::Arc};

use camino::{Utf8Path, Utf8PathBuf};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use rustix::{
    net::sockopt::socket_peercred,
    process::{Uid, getuid},
};
use tokio::net::{UnixListener, UnixStream};

use super::api;
use crate::{GatewayError, gateway::Shared};

/// The socket; its file is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct AdminSocket {
    listener: UnixListener,
    path: Utf8PathBuf,
}

impl AdminSocket {
    /// Takes the socket. One that a gateway left behind when it was killed is replaced; one that
    /// answers is not.
    pub(crate) fn take(path: Utf8PathBuf) -> Result<Self, GatewayError> {
        if std::os::unix::net::UnixStream::connect(&path).is_ok() {
            return Err(GatewayError::AlreadyRunning { path });
        }
        match bind(&path) {
            Ok(listener) => Ok(Self { listener, path }),
            Err(source) => Err(GatewayError::AdminSocket { path, source }),
        }
    }
}

fn bind(path: &Utf8Path) -> io::Result<UnixListener> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        if let Err(error) = fs_err::remove_file(&self.path) {
            tracing::debug!(%error, "The administrative socket was gone already");
        }
    }
}

/// Serves the socket until the gateway stops.
pub(crate) async fn serve(shared: Arc<Shared>, socket: AdminSocket) {
    let router = api::router(&shared);
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => return,
            accepted = socket.listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) if may_administer(&stream) => {
                shared
                    .tasks
                    .spawn(connection(Arc::clone(&shared), stream, router.clone()));
            }
            Ok(_) => tracing::warn!("Turned another user away from the administrative socket"),
            Err(error) => {
                tracing::warn!(%error, "Cannot accept an administrative connection");
                tokio::time::sleep(shared.settings.pace.engine_connect).await;
            }
        }
    }
}

async fn connection(shared: Arc<Shared>, stream: UnixStream, router: axum::Router) {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.settings.pace.head)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = serving.await {
        tracing::debug!(%error, "An administrative connection ended early");
    }
}

/// Whether root, or the user that the gateway runs as, has connected.
fn may_administer(stream: &UnixStream) -> bool {
    socket_peercred(stream).is_ok_and(|peer| may(peer.uid, getuid()))
}

fn may(peer: Uid, own: Uid) -> bool {
    peer == own || peer.is_root()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_own_user_may_administer_and_nobody_else() {
        let [root, maas, other] = [0, 990, 991].map(Uid::from_raw);
        assert!(may(root, maas) && may(maas, maas));
        assert!(!may(other, maas) && !may(maas, root));
    }

    #[tokio::test]
    async fn a_socket_left_behind_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path())
            .unwrap()
            .join("admin.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "nobody removed it");

        let socket = AdminSocket::take(path.clone()).unwrap();
        let mode = fs_err::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let again = AdminSocket::take(path.clone());
        assert!(matches!(again, Err(GatewayError::AlreadyRunning { .. })));
        drop(socket);
        assert!(!path.exists());
    }
}
