//! The socket that the API listens on: plain or TLS, with a bound on connections and on how long a client may take to
//! say what it wants.

use crate::domain::code::Code;
use crate::serve::requests::Trouble;
use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tower::ServiceExt;

/// A client has so long for the headers of a request, and for the handshake before.
const HEADERS_WITHIN: Duration = Duration::from_secs(15);
/// After a failed accept: mostly there are no more files to be had.
const PAUSE: Duration = Duration::from_millis(100);

/// Files of a certificate, PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the server's own first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The API being served. Dropping it stops the serving and ends open connections.
#[derive(Debug)]
pub struct Served {
    /// Where it listens.
    pub address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves a router.
pub(super) async fn serve(
    listen: SocketAddr,
    tls: Option<&TlsFiles>,
    connections: usize,
    router: Router,
) -> Result<Served, Trouble> {
    let tls = tls.map(acceptor).transpose()?;
    let refused = |problem: std::io::Error| {
        Trouble::usage(Code::ApiNotServed, format!("nothing can listen on {listen}: {problem}"))
            .with_way_out("give `[api] listen` a free address and port of this machine")
    };
    let listener = TcpListener::bind(listen).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let task = tokio::spawn(accept(listener, tls, Arc::new(Semaphore::new(connections)), router));
    Ok(Served { address, task })
}

fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, Trouble> {
    let unusable = |path: &Path, why: String| {
        Trouble::usage(Code::ApiNotServed, format!("{}: {why}", path.display()))
            .with_way_out("name PEM files that this user may read in `[api] tls_cert` and `tls_key`")
    };
    let TlsFiles { certificate, key } = files;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|problem| unusable(certificate, problem.to_string()))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|problem| unusable(key, problem.to_string()))?;
    crate::tls::set_up();
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|problem| unusable(certificate, problem.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, room: Arc<Semaphore>, router: Router) {
    // Aborting this task drops the set, and with it every connection.
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                open.spawn(connection(stream, tls.clone(), router.clone(), place));
            }
            Err(problem) => {
                tracing::debug!(%problem, "a connection was not accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    _place: OwnedSemaphorePermit,
) {
    if let Err(problem) = stream.set_nodelay(true) {
        tracing::debug!(%problem, "small packets are gathered");
    }
    let Some(tls) = tls else { return exchange(stream, router).await };
    match tokio::time::timeout(HEADERS_WITHIN, tls.accept(stream)).await {
        Ok(Ok(stream)) => exchange(stream, router).await,
        Ok(Err(problem)) => tracing::debug!(%problem, "no TLS came about"),
        Err(_) => tracing::debug!("no TLS came about in time"),
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(stream: S, router: Router) {
    let service = service_fn(move |request: Request<Incoming>| router.clone().oneshot(request));
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(problem) = served {
        tracing::trace!(%problem, "a connection broke off");
    }
}
