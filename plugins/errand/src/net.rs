//! HTTP, sockets, look-ups.

use std::net::{IpAddr, SocketAddr};

use baton_guest::Failure;
use serde::Deserialize;
use serde_json::{Value, json};
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{Fields, IncomingBody, Method, OutgoingBody, OutgoingRequest, Scheme};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};
use wasip2::sockets::instance_network::instance_network;
use wasip2::sockets::ip_name_lookup::{IpAddress, resolve_addresses};
use wasip2::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress};
use wasip2::sockets::tcp_create_socket::{TcpSocket, create_tcp_socket};
use wasip2::sockets::udp::OutgoingDatagram;
use wasip2::sockets::udp_create_socket::create_udp_socket;

use crate::failed;

/// A request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Http {
    method: String,
    /// `http` or `https`.
    scheme: String,
    authority: String,
    path: String,
    #[serde(default)]
    body: String,
}

/// The status and the body of the answer.
pub(crate) fn http(http: &Http) -> Result<Value, Failure> {
    let request = OutgoingRequest::new(Fields::new());
    let method = match http.method.as_str() {
        "GET" => Method::Get,
        "POST" => Method::Post,
        other => Method::Other(other.to_owned()),
    };
    let scheme = if http.scheme == "http" { Scheme::Http } else { Scheme::Https };
    let set = request
        .set_method(&method)
        .and_then(|()| request.set_scheme(Some(&scheme)))
        .and_then(|()| request.set_authority(Some(&http.authority)))
        .and_then(|()| request.set_path_with_query(Some(&http.path)));
    set.map_err(|()| failed("http", "the request cannot be made"))?;
    let body = request.body().map_err(|()| failed("http", "no body"))?;
    let answer = handle(request, None).map_err(|error| failed("http", error))?;
    write_all(body, &http.body)?;
    let ready = answer.subscribe();
    ready.block();
    let answer = answer.get().and_then(Result::ok).ok_or_else(|| failed("http", "no answer"))?;
    let answer = answer.map_err(|error| failed("http", error))?;
    let body = answer.consume().map_err(|()| failed("http", "no body"))?;
    let text = read_all(&body)?;
    Ok(json!({ "status": answer.status(), "body": text }))
}

fn write_all(body: OutgoingBody, text: &str) -> Result<(), Failure> {
    let stream = body.write().map_err(|()| failed("http", "no body"))?;
    // A host that answers before it has read all closes the stream: its answer says why.
    for chunk in text.as_bytes().chunks(4_096) {
        if stream.blocking_write_and_flush(chunk).is_err() {
            break;
        }
    }
    drop(stream);
    drop(OutgoingBody::finish(body, None));
    Ok(())
}

fn read_all(body: &IncomingBody) -> Result<String, Failure> {
    let stream = body.stream().map_err(|()| failed("http", "no stream"))?;
    let mut text = Vec::new();
    loop {
        match stream.blocking_read(64 << 10) {
            Ok(bytes) => text.extend(bytes),
            Err(StreamError::Closed) => return Ok(String::from_utf8_lossy(&text).into_owned()),
            Err(StreamError::LastOperationFailed(error)) => {
                let code = wasip2::http::types::http_error_code(&error);
                return Err(code.map_or_else(|| failed("http", error.to_debug_string()), |code| failed("http", code)));
            }
        }
    }
}

fn address(text: &str) -> Result<(IpAddressFamily, IpSocketAddress), Failure> {
    let address: SocketAddr = text.parse().map_err(|_| failed("address", text))?;
    let port = address.port();
    Ok(match address.ip() {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            (IpAddressFamily::Ipv4, IpSocketAddress::Ipv4(Ipv4SocketAddress { port, address: (a, b, c, d) }))
        }
        IpAddr::V6(ip) => {
            let [a, b, c, d, e, f, g, h] = ip.segments();
            let address = (a, b, c, d, e, f, g, h);
            let address = Ipv6SocketAddress { port, flow_info: 0, address, scope_id: 0 };
            (IpAddressFamily::Ipv6, IpSocketAddress::Ipv6(address))
        }
    })
}

fn told<T>(during: &str, done: Result<T, ErrorCode>) -> Result<T, Failure> {
    done.map_err(|error| failed(during, error.name()))
}

fn connect(text: &str) -> Result<(TcpSocket, InputStream, OutputStream), Failure> {
    let (family, address) = address(text)?;
    let socket = told("create-tcp-socket", create_tcp_socket(family))?;
    told("start-connect", socket.start_connect(&instance_network(), address))?;
    loop {
        socket.subscribe().block();
        match socket.finish_connect() {
            Err(ErrorCode::WouldBlock) => {}
            other => {
                let (input, output) = told("finish-connect", other)?;
                return Ok((socket, input, output));
            }
        }
    }
}

/// Says `text`, and answers with the first that comes back.
pub(crate) fn tcp(to: &str, text: &str) -> Result<String, Failure> {
    let (_socket, input, output) = connect(to)?;
    output.blocking_write_and_flush(text.as_bytes()).map_err(|error| failed("write", error))?;
    let answer = input.blocking_read(4_096).map_err(|error| failed("read", error))?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

pub(crate) fn udp(to: &str, text: &str) -> Result<String, Failure> {
    let (family, remote) = address(to)?;
    let any = if matches!(family, IpAddressFamily::Ipv4) { "0.0.0.0:0" } else { "[::]:0" };
    let socket = told("create-udp-socket", create_udp_socket(family))?;
    told("start-bind", socket.start_bind(&instance_network(), address(any)?.1))?;
    told("finish-bind", socket.finish_bind())?;
    let (incoming, outgoing) = told("stream", socket.stream(None))?;
    outgoing.subscribe().block();
    told("check-send", outgoing.check_send())?;
    let datagram = OutgoingDatagram { data: text.as_bytes().to_vec(), remote_address: Some(remote) };
    told("send", outgoing.send(&[datagram]))?;
    incoming.subscribe().block();
    let answers = told("receive", incoming.receive(1))?;
    Ok(answers.first().map(|answer| String::from_utf8_lossy(&answer.data).into_owned()).unwrap_or_default())
}

pub(crate) fn sockets(count: u32) -> usize {
    let made: Vec<TcpSocket> = (0..count).map_while(|_| create_tcp_socket(IpAddressFamily::Ipv4).ok()).collect();
    made.len()
}

pub(crate) fn listen(text: &str) -> Result<(), Failure> {
    let (family, address) = address(text)?;
    let socket = told("create-tcp-socket", create_tcp_socket(family))?;
    told("start-bind", socket.start_bind(&instance_network(), address))?;
    told("finish-bind", socket.finish_bind())?;
    told("start-listen", socket.start_listen())?;
    told("finish-listen", socket.finish_listen())
}

pub(crate) fn lookup(name: &str) -> Result<Vec<String>, Failure> {
    let found = told("resolve-addresses", resolve_addresses(&instance_network(), name))?;
    let mut addresses = Vec::new();
    loop {
        found.subscribe().block();
        match told("resolve-next-address", found.resolve_next_address())? {
            Some(IpAddress::Ipv4((a, b, c, d))) => addresses.push(IpAddr::from([a, b, c, d]).to_string()),
            Some(IpAddress::Ipv6((a, b, c, d, e, f, g, h))) => {
                addresses.push(IpAddr::from([a, b, c, d, e, f, g, h]).to_string());
            }
            None => return Ok(addresses),
        }
    }
}
