//! A small HTTP/1.1 client that says exactly the bytes it is given.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// An answer, its headers as they came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The leaf under which a release stands.
    pub fn leaf(&self) -> Option<u64> {
        self.header("garant-log-index").and_then(|v| v.parse().ok())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// All that a client can compare: everything except the request id and the date.
    pub fn comparable(&self) -> (u16, Vec<(String, String)>, Vec<u8>) {
        let apart = |name: &str| matches!(name.to_ascii_lowercase().as_str(), "x-request-id" | "date");
        (self.status, self.headers.iter().filter(|(n, _)| !apart(n)).cloned().collect(), self.body.clone())
    }
}

/// A request as its bytes; `headers` are whole lines without their end.
pub fn request(method: &str, path: &str, headers: &[String], body: &[u8]) -> Vec<u8> {
    let mut out = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n");
    for header in headers {
        out += header;
        out += "\r\n";
    }
    if !body.is_empty() || method == "POST" {
        out.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
    }
    out += "\r\n";
    [out.as_bytes(), body].concat()
}

pub fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

/// Sends bytes on a connection of their own and reads one answer; `None` when the other side says nothing whole.
pub async fn send(to: SocketAddr, bytes: &[u8]) -> Option<Answer> {
    tokio::time::timeout(Duration::from_secs(30), Line::connect(to).await?.ask(bytes)).await.ok()?
}

pub async fn get(to: SocketAddr, path: &str, token: &str) -> Option<Answer> {
    send(to, &request("GET", path, &[bearer(token)], b"")).await
}

pub async fn post_fhir(to: SocketAddr, path: &str, token: &str, body: &[u8]) -> Option<Answer> {
    let headers = [bearer(token), "Content-Type: application/fhir+json".to_owned()];
    send(to, &request("POST", path, &headers, body)).await
}

/// A connection that is kept.
pub struct Line {
    stream: TcpStream,
    held: Vec<u8>,
}

impl Line {
    pub async fn connect(to: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(to).await.ok()?;
        stream.set_nodelay(true).ok()?;
        Some(Self { stream, held: Vec::new() })
    }

    /// A connection from another address of this machine.
    pub async fn from(address: [u8; 4], to: SocketAddr) -> Option<Self> {
        let socket = tokio::net::TcpSocket::new_v4().ok()?;
        socket.bind((address, 0).into()).ok()?;
        Some(Self { stream: socket.connect(to).await.ok()?, held: Vec::new() })
    }

    pub async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// The next bytes, whatever they are; empty at the end of the connection.
    pub async fn some(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 64 * 1024];
        let n = self.stream.read(&mut bytes).await.unwrap_or(0);
        bytes.truncate(n);
        bytes
    }

    pub async fn ask(&mut self, bytes: &[u8]) -> Option<Answer> {
        // A refusal may come before all was sent.
        let sent = self.write(bytes).await;
        let answer = self.answer().await;
        if answer.is_none() {
            sent.ok()?;
        }
        answer
    }

    pub async fn answer(&mut self) -> Option<Answer> {
        let head = loop {
            if let Some(at) = self.held.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let text = String::from_utf8_lossy(&self.held[..head]).into_owned();
        self.held.drain(..head);
        let mut lines = text.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(String, String)> =
            lines.filter_map(|l| l.split_once(": ")).map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        let length: usize = answer.header("content-length").and_then(|v| v.parse().ok()).unwrap_or(0);
        while self.held.len() < length {
            self.more().await?;
        }
        answer.body = self.held.drain(..length).collect();
        Some(answer)
    }

    async fn more(&mut self) -> Option<()> {
        let some = self.some().await;
        self.held.extend_from_slice(&some);
        (!some.is_empty()).then_some(())
    }
}
