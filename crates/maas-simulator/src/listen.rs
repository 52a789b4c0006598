//! Taking an address first, and listening later: until a vLLM has loaded, connecting is refused.

use std::{
    io,
    net::SocketAddr,
    os::fd::OwnedFd,
    pin::Pin,
    task::{Context, Poll},
};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, ipproto, sockopt};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
};

use crate::Listen;

/// uvicorn's default.
const BACKLOG: i32 = 2048;

/// An address that is taken; connecting to it is refused.
#[derive(Debug)]
pub(crate) struct Bound {
    socket: OwnedFd,
    is_unix: bool,
}

/// A socket that accepts connections.
#[derive(Debug)]
pub(crate) enum Listener {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// A connection.
#[derive(Debug)]
pub(crate) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Bound {
    /// Takes the address. A socket file that is already there is an error, as in vLLM.
    pub(crate) fn to(listen: &Listen) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        match listen {
            Listen::Unix(path) => {
                let unix = AddressFamily::UNIX;
                let socket = rustix::net::socket_with(unix, SocketType::STREAM, flags, None)?;
                bind(&socket, &SocketAddrUnix::new(path.as_std_path())?)?;
                Ok(Self {
                    socket,
                    is_unix: true,
                })
            }
            Listen::Tcp(address) => {
                let family = match address {
                    SocketAddr::V4(_) => AddressFamily::INET,
                    SocketAddr::V6(_) => AddressFamily::INET6,
                };
                let tcp = Some(ipproto::TCP);
                let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, tcp)?;
                sockopt::set_socket_reuseaddr(&socket, true)?;
                bind(&socket, address)?;
                Ok(Self {
                    socket,
                    is_unix: false,
                })
            }
        }
    }

    /// Accepts connections from now on.
    pub(crate) fn listen(self) -> io::Result<Listener> {
        rustix::net::listen(&self.socket, BACKLOG)?;
        if self.is_unix {
            UnixListener::from_std(self.socket.into()).map(Listener::Unix)
        } else {
            TcpListener::from_std(self.socket.into()).map(Listener::Tcp)
        }
    }
}

impl Listener {
    /// The address, with the port that was taken.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Unix(_) => None,
            Self::Tcp(listener) => listener.local_addr().ok(),
        }
    }

    /// The next connection, and where it comes from.
    pub(crate) async fn accept(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match self {
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::Unix(stream), None))
            }
            Self::Tcp(listener) => {
                let (stream, client) = listener.accept().await?;
                // Without it each token waits for the last one's acknowledgement.
                stream.set_nodelay(true)?;
                Ok((Stream::Tcp(stream), Some(client)))
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
