//! A collector of OpenTelemetry: it takes what is posted to it by OTLP over HTTP, and keeps it.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message as _;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{self, ServerConfig, ServerConnection};

/// A part of a trace, as it arrived.
#[derive(Debug, Clone)]
pub(super) struct Span {
    pub(super) trace: String,
    pub(super) id: String,
    /// Empty: it has none.
    pub(super) parent: String,
    pub(super) name: String,
    pub(super) state: String,
    pub(super) failed: bool,
    pub(super) begins: u64,
    pub(super) ends: u64,
    pub(super) attributes: HashMap<String, String>,
    /// Of the service that sent it.
    pub(super) service: String,
}

impl Span {
    pub(super) fn get(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }
}

#[derive(Debug, Default)]
struct Kept {
    spans: Vec<Span>,
    /// Path and headers of each request, in small letters.
    heads: Vec<String>,
}

/// One that listens.
#[derive(Debug)]
pub(super) struct Collector {
    address: String,
    kept: Arc<Mutex<Kept>>,
}

impl Collector {
    /// It takes all that comes.
    pub(super) fn listen() -> Self {
        Self::with(take)
    }

    /// The same over TLS, for `localhost`; with its certificate, PEM.
    pub(super) fn over_tls() -> (Self, String) {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::from_pem_slice(signing_key.serialize_pem().as_bytes()).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = Arc::new(builder.with_single_cert(vec![cert.der().clone()], key).unwrap());
        let collector = Self::with(move |stream, kept| {
            let mut connection = ServerConnection::new(config.clone()).unwrap();
            // Who does not trust it goes before a request is there.
            if connection.complete_io(stream).is_ok() {
                take(&mut rustls::Stream::new(&mut connection, stream), kept);
            }
        });
        let address = collector.address.replace("http://127.0.0.1", "https://localhost");
        (Self { address, ..collector }, cert.pem())
    }

    /// It takes what comes, and never answers.
    pub(super) fn silent() -> Self {
        Self::with(|stream, _| {
            // Until the other side gives up.
            drop(stream.read_to_end(&mut Vec::new()));
        })
    }

    fn with(serve: impl Fn(&mut TcpStream, &Mutex<Kept>) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, kept) = (listener.local_addr().unwrap(), Arc::<Mutex<Kept>>::default());
        let keeps = kept.clone();
        // It ends with the test's process.
        thread::spawn(move || listener.incoming().flatten().for_each(|mut stream| serve(&mut stream, &keeps)));
        Self { address: format!("http://{address}"), kept }
    }

    /// An address at which nobody listens.
    pub(super) fn gone() -> String {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        format!("http://{address}")
    }

    pub(super) fn endpoint(&self) -> String {
        self.address.clone()
    }

    pub(super) fn spans(&self) -> Vec<Span> {
        self.kept.lock().unwrap().spans.clone()
    }

    pub(super) fn heads(&self) -> Vec<String> {
        self.kept.lock().unwrap().heads.clone()
    }
}

/// One request, which is answered.
fn take(stream: &mut (impl Read + Write), kept: &Mutex<Kept>) {
    let (head, body) = request(&mut BufReader::new(&mut *stream));
    kept.lock().unwrap().heads.push(head);
    kept.lock().unwrap().spans.extend(spans(&body));
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
}

fn request(stream: &mut impl BufRead) -> (String, Vec<u8>) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).unwrap() > 0, "the request ended early: {head}");
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("its length");
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    (head, body)
}

fn spans(body: &[u8]) -> Vec<Span> {
    let request = ExportTraceServiceRequest::decode(body).expect("OTLP");
    let mut found = Vec::new();
    for resource in request.resource_spans {
        let service = attributes(resource.resource.expect("whose they are").attributes)["service.name"].clone();
        for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            found.push(Span {
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                name: span.name,
                state: span.trace_state,
                failed: span.status.is_some_and(|status| status.code == 2),
                begins: span.start_time_unix_nano,
                ends: span.end_time_unix_nano,
                attributes: attributes(span.attributes),
                service: service.clone(),
            });
        }
    }
    found
}

fn attributes(pairs: Vec<KeyValue>) -> HashMap<String, String> {
    let text = |value: Option<AnyValue>| match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        Some(Value::BoolValue(yes)) => yes.to_string(),
        other => format!("{other:?}"),
    };
    pairs.into_iter().map(|pair| (pair.key, text(pair.value))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
