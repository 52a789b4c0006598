use std::sync::Arc;

use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinSet,
};

use super::*;
use crate::loopback::{chain, redirect, serve, wire};

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

async fn ask(text: &str) -> Result<Answer, WireError> {
    let address = address(text);
    let token = HeaderValue::from_static("Bearer t");
    wire().send(&Ask::new(&address, Some(&token))).await
}

#[tokio::test]
async fn plain_http_to_another_machine_is_refused_unless_the_caller_insists() {
    let error = ask("http://hub.example/").await.unwrap_err();
    assert!(matches!(error, WireError::Plain { .. }), "{error}");
    let insecure = Wire::new(PlainHttp::InsecureAnywhere, &Roots::System).unwrap();
    assert!(insecure.allowed(&address("http://hub.example/")).is_ok());
    assert!(wire().allowed(&address("http://127.0.0.1:1/")).is_ok());
}

#[tokio::test]
async fn a_redirect_to_plain_http_elsewhere_is_not_followed() {
    let server = serve(|_, _| redirect("http://cdn.example/x?signature=secret")).await;
    let error = ask(&server.url).await.unwrap_err();
    assert!(error.to_string().contains("cdn.example"), "{error}");
    assert!(!format!("{error:?}").contains("secret"));
}

#[tokio::test]
async fn redirects_in_a_circle_or_to_nowhere_end() {
    let server = serve(|_, _| redirect("/again")).await;
    let error = ask(&server.url).await.unwrap_err();
    assert!(error.to_string().contains("9th in a row"), "{error}");
    assert_eq!(server.seen("").len(), 9);
    for to in ["ftp://x/", "https://user:pass@x/", "https://"] {
        let server = serve(move |_, _| redirect(to)).await;
        let error = ask(&server.url).await.unwrap_err();
        assert!(matches!(error, WireError::Redirect { .. }), "{error}");
        assert!(!error.to_string().contains("pass"), "{error}");
    }
}

#[tokio::test]
async fn a_token_that_was_led_away_does_not_come_back() {
    let elsewhere = serve(|seen, _| redirect(seen.path.strip_prefix("/?back=").unwrap())).await;
    let away = elsewhere.url.clone();
    let home = serve(move |seen, _| match seen.path.as_str() {
        "/back" => axum::response::IntoResponse::into_response("done"),
        path => redirect(&format!(
            "{away}/?back={}",
            path.strip_prefix("/?url=").unwrap()
        )),
    })
    .await;
    let answer = ask(&format!("{0}/?url={0}/back", home.url)).await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(home.seen("?url")[0].authorization.is_some());
    assert_eq!(elsewhere.seen("")[0].authorization, None);
    assert_eq!(home.seen("/back").last().unwrap().authorization, None);
}

#[tokio::test]
async fn a_document_longer_than_its_limit_is_left() {
    let server = serve(|_, _| axum::response::IntoResponse::into_response("12345")).await;
    let bytes = ask(&server.url)
        .await
        .unwrap()
        .document(5)
        .await
        .unwrap()
        .bytes;
    assert_eq!(bytes, b"12345");
    let error = ask(&server.url)
        .await
        .unwrap()
        .document(4)
        .await
        .unwrap_err();
    assert!(
        matches!(error, WireError::TooLong { limit: 4, .. }),
        "{error}"
    );
}

/// A server with a certificate that `ca` has not been asked about; answers every connection alike.
async fn tls_server() -> (String, String, JoinSet<()>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut request = [0; 1024];
            let _read = stream.read(&mut request).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
            let _sent = stream.write_all(answer).await;
            let _closed = stream.shutdown().await;
        }
    });
    (url, made.cert.pem(), tasks)
}

#[tokio::test]
async fn a_certificate_counts_by_the_roots_of_the_caller() {
    let (url, pem, _tasks) = tls_server().await;
    let address = address(&url);
    let ours = Roots::Pem(pem.into_bytes());
    let wire = Wire::new(PlainHttp::LoopbackOnly, &ours).unwrap();
    let answer = wire.send(&Ask::new(&address, None)).await.unwrap();
    assert_eq!(answer.document(10).await.unwrap().bytes, b"ok");
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let other = Roots::Pem(other.cert.pem().into_bytes());
    let wire = Wire::new(PlainHttp::LoopbackOnly, &other).unwrap();
    let error = wire.send(&Ask::new(&address, None)).await.unwrap_err();
    assert!(
        !error.may_pass(),
        "a wrong certificate is not asked again: {error:?}"
    );
    assert!(chain(&error).contains("certificate"), "{}", chain(&error));
}

#[test]
fn roots_that_are_no_certificates_are_refused() {
    for text in [
        "",
        "x",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let roots = Roots::Pem(text.as_bytes().to_vec());
        let error = Wire::new(PlainHttp::LoopbackOnly, &roots).unwrap_err();
        assert!(matches!(error, WireError::BadRoots), "{text}: {error}");
    }
}

#[tokio::test]
async fn without_roots_nobody_is_believed() {
    let mut wire = wire();
    wire.has_roots = false;
    let address = address("https://localhost:1/");
    let error = wire.send(&Ask::new(&address, None)).await.unwrap_err();
    assert!(matches!(error, WireError::NoRoots { .. }), "{error}");
}
