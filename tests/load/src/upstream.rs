//! The registry behind the proxies: answers at once, with a record of some 400 bytes.
//!
//! It listens in the clear for the proxies, and with TLS and client certificates for callers that take no proxy. It
//! also takes the traces that the bus sends.

use std::convert::Infallible;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rabita_tests::port;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::server::Server;

/// A started upstream.
pub struct Upstream {
    _server: Server,
    pub plain: u16,
    pub tls: u16,
}

/// Starts this very program as the upstream, with the certificates in `directory`.
pub fn start(directory: &Path) -> Upstream {
    let (plain, tls) = (port::free(), port::free());
    let program = std::env::current_exe().expect("this program is a file");
    let arguments = ["upstream", directory.to_str().expect("UTF-8"), &plain.to_string(), &tls.to_string()];
    let mut server = Server::start(&program, &arguments, directory.join("upstream.log"));
    server.wait_for(port::loopback(plain));
    server.wait_for(port::loopback(tls));
    Upstream { _server: server, plain, tls }
}

/// `rabita-load upstream DIRECTORY PLAIN TLS`.
pub fn main(arguments: &[String]) -> ExitCode {
    let [directory, plain, tls] = arguments else { return ExitCode::FAILURE };
    let (Ok(plain), Ok(tls)) = (plain.parse(), tls.parse()) else { return ExitCode::FAILURE };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let acceptor = TlsAcceptor::from(server_config(Path::new(directory)));
    runtime.block_on(async move { tokio::join!(serve(plain, None), serve(tls, Some(acceptor))) });
    ExitCode::SUCCESS
}

async fn serve(port: u16, acceptor: Option<TlsAcceptor>) {
    let listener = TcpListener::bind(port::loopback(port)).await.expect("the port is free");
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            match acceptor {
                None => connection(stream).await,
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        connection(stream).await;
                    }
                }
            }
        });
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let service = service_fn(|request| async { Ok::<_, Infallible>(answer(request).await) });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>) -> Response<Full<Bytes>> {
    if request.method() == Method::POST {
        let _ = request.into_body().collect().await;
        return Response::new(Full::default());
    }
    match request.uri().path().strip_prefix("/api/v2/taxpayers/") {
        Some(tin) => {
            let mut response = Response::new(Full::from(record(tin)));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        None => {
            let mut response = Response::new(Full::from("OK"));
            let known = matches!(request.uri().path(), "/health" | "/service.asmx");
            *response.status_mut() = if known { StatusCode::OK } else { StatusCode::NOT_FOUND };
            response
        }
    }
}

/// A taxpayer as the register of the demo gives one.
fn record(tin: &str) -> String {
    format!(
        r#"{{"data":{{"tin":"{tin}","legalName":"Xəzər Proqram MMC","legalForm":"MMC","status":"ACTIVE","registrationDate":"2016-10-03T00:00:00+04:00","activities":[{{"code":"62.01","name":"Kompüter proqramlaşdırılması"}}],"address":{{"region":"Bakı","street":"Nizami küçəsi","house":"14"}},"director":{{"pin":"5ZJBKH7","fullName":"Əliyeva Aygün Rəşid qızı"}},"charterCapital":"5000.00"}}}}"#
    )
}

fn server_config(directory: &Path) -> Arc<ServerConfig> {
    let file = |name: &str| directory.join("bus").join(name);
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file("ca.pem")).expect("the authority was written")).expect("an authority");
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let chain = vec![CertificateDer::from_pem_file(file("server.pem")).expect("the certificate was written")];
    let key = PrivateKeyDer::from_pem_file(file("server.key")).expect("the key was written");
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("the provider speaks TLS 1.3")
        .with_client_cert_verifier(verifier.build().expect("an authority"))
        .with_single_cert(chain, key)
        .expect("certificate and key go together");
    Arc::new(config)
}
